/* Stands in for libFuzzer where there is none: runs a fuzz target on every file of a corpus folder and on
 * broken copies of each (cut short, bits flipped, numbers made huge, pieces moved). The copies follow from
 * the file alone, so a run can be repeated; each lies in memory of exactly its size, so that a sanitizer sees
 * reads behind the end. Usage: replay CORPUS_FOLDER [FILE_TO_RUN_ALONE] */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_FILES = 256, CUTS = 64, VARIANTS = 200, BYTES_BUDGET = 8 << 20 };

typedef struct lt_random {
    uint64_t state;
} lt_random;

/* splitmix64 */
static uint64_t next(lt_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t below(lt_random *random, size_t limit) { return (size_t)(next(random) % limit); }

static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) exit(2);
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

/* Some run of digits becomes nines, zeros, or loses its sign to its first digit: sizes and offsets of text
 * formats. */
static void spoil_number(lt_random *random, uint8_t *data, size_t size)
{
    size_t at = below(random, size);
    for (size_t tries = 0; tries < size && (data[at] < '0' || data[at] > '9'); tries++) at = (at + 1) % size;
    uint8_t with = (uint8_t) "90-1"[below(random, 4)];
    for (; at < size && data[at] >= '0' && data[at] <= '9'; at++) {
        data[at] = with;
        if (with == '-') with = '9';
    }
}

static void spoil(lt_random *random, uint8_t *data, size_t size)
{
    for (size_t n = 1 + below(random, 4); n; n--) {
        size_t at = below(random, size), from = below(random, size);
        switch (below(random, 6)) {
        case 0: data[at] ^= (uint8_t)(1u << below(random, 8)); break;
        case 1: data[at] = (uint8_t)(below(random, 2) ? 0xff : 0); break;
        case 2: /* a little-endian length that is far too large */
            for (size_t i = 0; i < 8 && at + i < size; i++) data[at + i] = i < 7 ? 0xff : 0x7f;
            break;
        case 3: { /* one piece over another: repeated names, wrong brackets */
            size_t most = size - (at > from ? at : from), length = 1 + below(random, 16);
            memmove(data + at, data + from, length < most ? length : most);
            break;
        }
        default: spoil_number(random, data, size);
        }
    }
}

static void run_variants(const uint8_t *data, size_t size)
{
    lt_random random = {.state = size};
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) exit(2);
    for (size_t i = 0; i < size; i++) random.state = random.state * 31 + data[i];
    run(data, size);
    size_t most = size ? BYTES_BUDGET / size + 8 : 0;
    for (size_t i = 0; i < CUTS && i < size && i < most; i++)
        run(data, size <= CUTS ? i : below(&random, size));
    for (size_t i = 0; i < VARIANTS && i < most; i++) {
        memcpy(copy, data, size);
        spoil(&random, copy, size);
        run(copy, size);
    }
    free(copy);
}

static void run_file(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    size_t size = (size_t)ftell(file);
    uint8_t *data = malloc(size ? size : 1);
    rewind(file);
    if (!data || fread(data, 1, size, file) != size) exit(2);
    fclose(file);
    printf("%s\n", name);
    fflush(stdout); /* the last name is the culprit when a target crashes */
    run_variants(data, size);
    free(data);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(int argc, char **argv)
{
    char *names[MAX_FILES];
    size_t n = 0;
    DIR *folder = argc > 1 ? opendir(argv[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER [FILE]\n", argv[0]);
        return 2;
    }
    for (struct dirent *entry; (entry = readdir(folder)) && n < MAX_FILES;)
        if (entry->d_name[0] != '.' && (argc < 3 || strcmp(entry->d_name, argv[2]) == 0))
            names[n++] = strdup(entry->d_name);
    closedir(folder);
    qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++) {
        run_file(argv[1], names[i]);
        free(names[i]);
    }
    printf("%zu files\n", n);
    return n ? 0 : 2;
}
