/* Compiles kernel texts with the host's C++ compiler and runs them, a fiber for each work item where they
 * wait for one another. */
#define _GNU_SOURCE
#include "runner.h"

#include <dlfcn.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fiber.h"

void standin_violation(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "stand-in: ");
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "\n");
    va_end(args);
    abort();
}

/* ---- Memory ---- */

enum { ALIGNMENT = 256, FILL = 0xFF }; /* FILL: floats are NaN, indices out of range */

typedef struct block {
    struct block *next;
    char *pages, *data; /* one page, data, its end at most ALIGNMENT - 1 before another page */
    size_t bytes, total;
} block;

static block *blocks;

static size_t page_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }

void *standin_alloc(size_t bytes)
{
    const size_t page = page_bytes();
    size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    size_t pages = (rounded + page - 1) / page * page;
    block *b = malloc(sizeof *b);
    void *memory = mmap(NULL, pages + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!b || memory == MAP_FAILED) standin_violation("no memory for %zu bytes", bytes);
    *b = (block){.next = blocks, .pages = memory, .bytes = bytes, .total = pages + 2 * page};
    b->data = b->pages + page + pages - rounded;
    memset(b->pages + page, FILL, pages);
    mprotect(b->pages, page, PROT_NONE);
    mprotect(b->pages + page + pages, page, PROT_NONE);
    blocks = b;
    return b->data;
}

/* The bytes between the end of a block and the page behind it. */
static void check_end(const block *b)
{
    const char *end = b->pages + b->total - page_bytes();
    for (const char *at = b->data + b->bytes; at < end; at++)
        if ((unsigned char)*at != FILL)
            standin_violation("%td bytes behind a buffer of %zu bytes were written to",
                              at - b->data - (ptrdiff_t)b->bytes, b->bytes);
}

void standin_free(void *memory)
{
    block **at = &blocks;
    while (*at && (*at)->data != memory) at = &(*at)->next;
    block *b = *at;
    if (!b) standin_violation("memory is freed that is not there");
    check_end(b);
    *at = b->next;
    munmap(b->pages, b->total);
    free(b);
}

int standin_contains(const void *at, size_t bytes)
{
    const char *p = at;
    for (const block *b = blocks; b; b = b->next)
        if (p >= b->data && p <= b->data + b->bytes && bytes <= b->bytes - (size_t)(p - b->data)) return 1;
    return 0;
}

/* ---- Compiling ---- */

static void *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    long length = file && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    char *bytes = length >= 0 ? calloc((size_t)length + 1, 1) : NULL;
    if (!bytes || fseek(file, 0, SEEK_SET) != 0 || fread(bytes, 1, (size_t)length, file) != (size_t)length)
        standin_violation("cannot read %s", path);
    fclose(file);
    *size = (size_t)length;
    return bytes;
}

static uint64_t hash(uint64_t h, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return h;
}

/* The preludes are a part of what is compiled. */
static uint64_t key_of(const char *prelude, const char *text)
{
    const char *const parts[] = {"entry.h", "kernel.hh", "include/metal_stdlib", prelude};
    uint64_t h = hash(0xcbf29ce484222325u, text, strlen(text));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char path[STANDIN_PATH];
        size_t size;
        snprintf(path, sizeof path, "%s/%s", STANDIN_FOLDER, parts[i]);
        char *bytes = read_file(path, &size);
        h = hash(h, bytes, size);
        free(bytes);
    }
    return h;
}

static int is_name(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Runs the compiler on a file; its words go to `log`. */
static int run_compiler(const char *options, const char *input, const char *output, const char *log)
{
    char command[4 * STANDIN_PATH];
    int length = snprintf(command, sizeof command, "'%s' -std=gnu++17 -w %s -o '%s' '%s' >'%s' 2>&1",
                          STANDIN_CXX, options, output, input, log);
    int code = length < (int)sizeof command ? system(command) : -1;
    return WIFEXITED(code) && WEXITSTATUS(code) == 0;
}

/* A number, or a sum of some. */
static long read_sum(const char *at)
{
    char *end;
    long sum = strtol(at, &end, 10);
    return strncmp(end, " + ", 3) == 0 ? sum + read_sum(end + 3) : sum;
}

/* Where arguments are found by number, the numbers are to be their places. */
static void check_places(const char *kernel, const char *path)
{
    static const char number[] = "[[buffer(";
    const char *end = strchr(kernel, '{');
    long place = 0;
    for (const char *at = kernel; end && (at = strstr(at, number)) && at < end; at++)
        if (read_sum(at + strlen(number)) != place++)
            standin_violation("%s: argument %ld of a kernel has another number", path, place - 1);
}

/* Whether the text behind the prelude has words for what items do together. */
static int waits(const char *text)
{
    static const char *const words[] = {"standin_barrier()", "__shfl_", "__syncwarp", "lt_frag_", "simd"};
    const char *kernel = strstr(text, "\"kernel\"");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(kernel ? kernel : text, words[i])) return 1;
    return 0;
}

/* Makes an entry of each kernel that the preprocessor has left in the text: preludes mark them. */
static void append_entries(const char *path)
{
    static const char mark[] = "[[standin::kernel]] void ";
    size_t size;
    char *text = read_file(path, &size);
    int barriers = waits(text);
    FILE *file = fopen(path, "a");
    if (!file) standin_violation("cannot write %s", path);
    for (const char *at = text; (at = strstr(at, mark)); at++) {
        const char *name = at + strlen(mark);
        int n = 0;
        while (is_name(name[n])) n++;
        check_places(name, path);
        fprintf(file,
                "extern \"C\" __attribute__((visibility(\"default\"))) const standin_entry "
                "standin_entry_%.*s = {\n"
                "    standin_kernel<%.*s>::call, standin_kernel<%.*s>::n, standin_kernel<%.*s>::sizes,\n"
                "    &standin_here, &standin_barrier, &standin_subgroup, %d, __start_standin_local,\n"
                "    __stop_standin_local};\n",
                n, name, n, name, n, name, n, name, barriers);
    }
    fclose(file);
    free(text);
}

static int compile_file(const char *base, const char *prelude, const char *text, const char *library,
                        char *log, size_t log_bytes)
{
    static const char *const endings[] = {"cc", "ii", "so", "log"};
    enum { SOURCE, PREPROCESSED, OUTPUT, MESSAGES, FILES };
    char names[FILES][STANDIN_PATH];
    size_t size;
    for (int i = 0; i < FILES; i++)
        snprintf(names[i], STANDIN_PATH, "%.*s.%d.%s", STANDIN_PATH - 32, base, (int)getpid(), endings[i]);
    FILE *file = fopen(names[SOURCE], "w");
    if (!file) standin_violation("cannot write %s", names[SOURCE]);
    fprintf(file, "#include \"%s\"\n#line 1 \"kernel\"\n%s\n", prelude, text);
    fclose(file);
    int compiled = run_compiler("-E -nostdinc++ -I'" STANDIN_FOLDER "' -I'" STANDIN_FOLDER "/include'",
                                names[SOURCE], names[PREPROCESSED], names[MESSAGES]);
    if (compiled) append_entries(names[PREPROCESSED]);
    compiled =
        compiled && run_compiler("-O1 -fPIC -shared -fvisibility=hidden -ffp-contract=off -fno-exceptions",
                                 names[PREPROCESSED], names[OUTPUT], names[MESSAGES]);
    char *said = read_file(names[MESSAGES], &size);
    snprintf(log, log_bytes, "%s", said);
    free(said);
    if (compiled) rename(names[OUTPUT], library);
    for (int i = 0; i < FILES; i++) unlink(names[i]);
    return compiled;
}

int standin_compile(const char *prelude, const char *text, char path[STANDIN_PATH], char *log,
                    size_t log_bytes)
{
    const char *folder = getenv("LATHE_STANDIN_CACHE");
    char base[STANDIN_PATH - 32];
    snprintf(base, sizeof base, "%s/%016llx", folder ? folder : ".",
             (unsigned long long)key_of(prelude, text));
    snprintf(path, STANDIN_PATH, "%s.so", base);
    *log = 0;
    return access(path, R_OK) == 0 || compile_file(base, prelude, text, path, log, log_bytes);
}

struct standin_code {
    void *library;
};

standin_code *standin_load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    standin_code *code = library ? malloc(sizeof *code) : NULL;
    if (code) code->library = library;
    return code;
}

void standin_unload(standin_code *code)
{
    dlclose(code->library);
    free(code);
}

const standin_entry *standin_find(standin_code *code, const char *name)
{
    char symbol[256];
    snprintf(symbol, sizeof symbol, "standin_entry_%s", name);
    return dlsym(code->library, symbol);
}

/* ---- Running ---- */

enum { MAX_ITEMS = 1024, STACK_BYTES = 128 << 10 };
typedef enum state { READY, WAITING, WAITING_SUBGROUP, FINISHED, STATES } state;

/* The group that runs. */
static struct {
    const char *name;
    const standin_entry *entry;
    void **arguments;
    unsigned n;
    state state[MAX_ITEMS];
    unsigned current;
} group;
static fiber *fibers[MAX_ITEMS];

static void on_fault(int signal)
{
    (void)signal;
    standin_violation(
        "kernel '%s' touched memory that is not its own, group %u %u %u, item %u %u %u",
        group.name ? group.name : "(none runs)", group.entry ? group.entry->place->group[0] : 0,
        group.entry ? group.entry->place->group[1] : 0, group.entry ? group.entry->place->group[2] : 0,
        group.entry ? group.entry->place->item[0] : 0, group.entry ? group.entry->place->item[1] : 0,
        group.entry ? group.entry->place->item[2] : 0);
}

static void set_item(unsigned i)
{
    standin_place *place = group.entry->place;
    place->item[0] = i % place->items[0];
    place->item[1] = i / place->items[0] % place->items[1];
    place->item[2] = i / place->items[0] / place->items[1];
}

/* Items take turns at barriers: one fiber runs item after item of its number. */
static void fiber_main(void)
{
    for (;;) {
        group.entry->call(group.arguments);
        group.state[group.current] = FINISHED;
        fiber_yield();
    }
}

static void wait_for_group(void)
{
    group.state[group.current] = WAITING;
    fiber_yield();
}

static void wait_for_subgroup(void)
{
    group.state[group.current] = WAITING_SUBGROUP;
    fiber_yield();
}

static void resume(unsigned i)
{
    if (group.state[i] != READY) return;
    if (!fibers[i]) fibers[i] = fiber_create(fiber_main, STACK_BYTES);
    if (!fibers[i]) standin_violation("no memory for a fiber");
    group.current = i;
    set_item(i);
    fiber_resume(fibers[i]);
}

/* Whether the items from `first` to `end` all wait in that state; then they go on. */
static int let_go(unsigned first, unsigned end, state waiting)
{
    for (unsigned i = first; i < end; i++)
        if (group.state[i] != waiting) return 0;
    for (unsigned i = first; i < end; i++) group.state[i] = READY;
    return 1;
}

/* Nobody can go on: all are done, or what is waited for never comes. */
static void check_finished(void)
{
    unsigned n[STATES] = {0};
    for (unsigned i = 0; i < group.n; i++) n[group.state[i]]++;
    if (n[FINISHED] != group.n)
        standin_violation("kernel '%s': %u of %u work items wait at a barrier that the others do not reach, "
                          "%u for a subgroup that is not whole",
                          group.name, n[WAITING], group.n, n[WAITING_SUBGROUP]);
}

/* Every other round goes backwards, so that a barrier that is missing shows. */
static void run_with_barriers(void)
{
    memset(group.state, 0, sizeof group.state);
    for (unsigned round = 0;; round++) {
        int going = 0;
        for (unsigned i = 0; i < group.n; i++) resume(round % 2 ? group.n - 1 - i : i);
        for (unsigned i = 0; i + STANDIN_SUBGROUP <= group.n; i += STANDIN_SUBGROUP)
            going |= let_go(i, i + STANDIN_SUBGROUP, WAITING_SUBGROUP);
        if (going || let_go(0, group.n, WAITING)) continue;
        check_finished();
        return;
    }
}

static void run_group(void)
{
    const standin_entry *entry = group.entry;
    if (entry->local) memset(entry->local, FILL, (size_t)(entry->local_end - entry->local));
    if (entry->barriers) {
        run_with_barriers();
        return;
    }
    for (unsigned i = 0; i < group.n; i++) {
        set_item(i);
        entry->call(group.arguments);
    }
}

void standin_run(const char *name, const standin_entry *entry, void **arguments, const unsigned size[3],
                 const unsigned groups[3])
{
    standin_place *place = entry->place;
    signal(SIGSEGV, on_fault);
    signal(SIGBUS, on_fault);
    group.name = name;
    group.entry = entry;
    group.arguments = arguments;
    group.n = size[0] * size[1] * size[2];
    *entry->barrier = wait_for_group;
    *entry->subgroup = wait_for_subgroup;
    memcpy(place->items, size, sizeof place->items);
    memcpy(place->groups, groups, sizeof place->groups);
    for (unsigned z = 0; z < groups[2]; z++)
        for (unsigned y = 0; y < groups[1]; y++)
            for (unsigned x = 0; x < groups[0]; x++) {
                place->group[0] = x;
                place->group[1] = y;
                place->group[2] = z;
                run_group();
            }
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    for (const block *b = blocks; b; b = b->next) check_end(b);
}
