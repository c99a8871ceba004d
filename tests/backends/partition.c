/* Whatever nodes are forced to the CPU, on whichever executor, a model gives what it gives on one device.
 * A set that fails is made as small as it can be while it does.
 * Usage: partition DEVICE [--sets N] [--seed N] MODEL.pt2…   (inputs from MODEL.safetensors beside each)
 * Exit status: 0 all equal, 1 some are not, 77 there is no such device. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/model.h"

enum { MAX_OUTPUTS = 64, PATH_BYTES = 4096, PINS_BYTES = 1 << 20, MAX_NODES = 4096 };

typedef struct subject {
    const char *path;
    lathe_model *model;
    lathe_tensors *golden;
    double *expected[MAX_OUTPUTS]; /* NULL: no tensor */
    int64_t count[MAX_OUTPUTS];
    double largest[MAX_OUTPUTS];
    lathe_error err;
} subject;

/* xorshift64* */
static uint64_t random_bits(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}

static lathe_status set_inputs(subject *s, lathe_session *session)
{
    for (size_t i = 0; i < lathe_model_input_count(s->model); i++) {
        char name[32];
        lathe_tensor tensor;
        int found;
        snprintf(name, sizeof name, "input.%zu", i);
        lathe_status status = lathe_tensors_get(s->golden, name, &tensor, &found, &s->err);
        if (status == LATHE_OK && found) status = lathe_session_set_input(session, i, &tensor, &s->err);
        if (status != LATHE_OK) return status;
    }
    return LATHE_OK;
}

static double tolerance(lathe_dtype dtype, double largest)
{
    double relative = dtype == LATHE_BF16 ? 3e-2 : dtype == LATHE_F16 ? 4e-3 : dtype == LATHE_F32 ? 1e-4 : 0;
    if (dtype == LATHE_F64) relative = 1e-9;
    return relative * largest;
}

/* The first run's results are kept, later ones compared with them. */
static bool take_output(subject *s, const lathe_tensor *have, size_t i)
{
    bool first = !s->expected[i];
    if (have->rank < 0) return true;
    if (first) {
        s->count[i] = lathe_tensor_count(have);
        s->expected[i] = calloc((size_t)s->count[i] + 1, sizeof(double));
        for (int64_t k = 0; k < s->count[i]; k++) {
            double value = s->expected[i][k] = lathe_tensor_value(have, k);
            if (isfinite(value) && fabs(value) > s->largest[i]) s->largest[i] = fabs(value);
        }
        return true;
    }
    double allowed = tolerance(have->dtype, s->largest[i]);
    for (int64_t k = 0; k < s->count[i]; k++) {
        double value = lathe_tensor_value(have, k), want = s->expected[i][k];
        bool same = value == want || (isnan(value) && isnan(want)) || fabs(value - want) <= allowed;
        if (same) continue;
        printf("%s: output %zu, element %lld is %.9g, expected %.9g\n", s->path, i, (long long)k, value,
               want);
        return false;
    }
    return true;
}

/* Two runs, so that state and buffers of the first are met again. */
static bool run(subject *s, const lathe_placement *placement)
{
    lathe_session *session;
    lathe_session_options options = {.placement = *placement, .threads = 2};
    bool good = true;
    lathe_status status = lathe_session_create(s->model, &options, &session, &s->err);
    if (status == LATHE_OK) status = set_inputs(s, session);
    for (int time = 0; time < 2 && status == LATHE_OK && good; time++) {
        if (time) status = lathe_session_reset(session, &s->err);
        if (status == LATHE_OK) status = lathe_session_run(session, &s->err);
        for (size_t i = 0; status == LATHE_OK && good && i < lathe_model_output_count(s->model); i++) {
            lathe_tensor have;
            status = lathe_session_output(session, i, &have, &s->err);
            good = status == LATHE_OK && take_output(s, &have, i);
        }
    }
    lathe_session_close(session);
    if (status != LATHE_OK) printf("%s: %s\n", s->path, s->err.message);
    return status == LATHE_OK && good;
}

/* ---- Sets ---- */

/* What is forced to the CPU, and how it runs. */
typedef struct forced_set {
    const char *device, *executor;
    bool on_cpu[MAX_NODES];
} forced_set;

/* Each node with a chance that differs from set to set, so that there are few large regions and many small
 * ones. */
static void choose_set(const subject *s, uint64_t *state, forced_set *set)
{
    uint64_t chance = random_bits(state) % 100;
    for (uint32_t i = 0; i < s->model->exported->graph.n_nodes; i++)
        set->on_cpu[i] = random_bits(state) % 100 < chance;
}

/* As --pin takes them. */
static void write_pins(const subject *s, const forced_set *set, char *pins)
{
    const lt_xgraph *graph = &s->model->exported->graph;
    size_t used = 0;
    pins[0] = 0;
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        if (set->on_cpu[i] && used + 256 < PINS_BYTES)
            used += (size_t)snprintf(pins + used, PINS_BYTES - used, "%s%s=cpu", used ? "," : "",
                                     graph->nodes[i].name);
}

static bool run_set(subject *s, const forced_set *set)
{
    static char pins[PINS_BYTES];
    write_pins(s, set, pins);
    return run(s, &(lathe_placement){
                      .device = set->device, .executor = set->executor, .pins = pins, .keep_islands = 1});
}

/* Leaves out what the failure does not need: stretches of nodes, each time half as long. */
static void shrink(subject *s, forced_set *set)
{
    uint32_t n = s->model->exported->graph.n_nodes;
    for (uint32_t length = n; length > 0; length /= 2)
        for (uint32_t at = 0; at < n; at += length) {
            forced_set fewer = *set;
            uint32_t end = at + length < n ? at + length : n;
            for (uint32_t i = at; i < end; i++) fewer.on_cpu[i] = false;
            if (memcmp(fewer.on_cpu, set->on_cpu, sizeof fewer.on_cpu) != 0 && !run_set(s, &fewer))
                *set = fewer;
        }
}

static void report(subject *s, forced_set *set, uint64_t seed, long number)
{
    static char pins[PINS_BYTES];
    shrink(s, set);
    write_pins(s, set, pins);
    printf(
        "%s: seed %llu, set %ld, the least that fails: --device %s --executor %s --islands keep --pin '%s'\n",
        s->path, (unsigned long long)seed, number, set->device, set->executor, pins);
}

static bool open_subject(subject *s, const char *path)
{
    char golden[PATH_BYTES];
    const char *core = strstr(path, ".core.pt2");
    int stem = (int)(core ? core - path : (long)strlen(path) - 4);
    snprintf(golden, sizeof golden, "%.*s.safetensors", stem, path);
    *s = (subject){.path = path};
    bool good = lathe_model_open(path, &s->model, &s->err) == LATHE_OK &&
                lathe_tensors_open(golden, &s->golden, &s->err) == LATHE_OK &&
                lathe_model_output_count(s->model) <= MAX_OUTPUTS &&
                s->model->exported->graph.n_nodes <= MAX_NODES;
    if (!good) printf("%s: %s\n", path, s->err.message);
    return good;
}

typedef struct options {
    const char *device;
    long sets;
    uint64_t seed;
} options;

static int check(const options *o, const char *path)
{
    subject s;
    long failed = 0;
    uint64_t state = o->seed * 2 + 1;
    bool good = open_subject(&s, path) && run(&s, &(lathe_placement){.device = "cpu"});
    for (long i = 0; i < o->sets && good; i++) {
        forced_set set = {.device = o->device, .executor = i % 2 ? "dag" : "linear"};
        choose_set(&s, &state, &set);
        if (run_set(&s, &set)) continue;
        if (failed++ == 0) report(&s, &set, o->seed, i);
    }
    for (size_t i = 0; i < MAX_OUTPUTS; i++) free(s.expected[i]);
    lathe_tensors_close(s.golden);
    lathe_model_close(s.model);
    if (good)
        printf("%s %s: %ld sets, %ld failed, seed %llu\n", failed ? "FAIL" : "ok  ", path, o->sets, failed,
               (unsigned long long)o->seed);
    return good && !failed ? 0 : 1;
}

int main(int argc, char **argv)
{
    options o = {.device = argc > 1 ? argv[1] : "", .sets = 200, .seed = 1};
    int first = 2, failed = 0;
    for (; first + 1 < argc && strncmp(argv[first], "--", 2) == 0; first += 2) {
        if (strcmp(argv[first], "--sets") == 0) o.sets = atol(argv[first + 1]);
        else if (strcmp(argv[first], "--seed") == 0) o.seed = (uint64_t)atoll(argv[first + 1]);
        else break;
    }
    if (first >= argc || argv[first][0] == '-') {
        printf("usage: partition DEVICE [--sets N] [--seed N] MODEL.pt2...\n");
        return 2;
    }
    if (!lathe_device_exists(o.device)) {
        printf("skipped: there is no device %s\n", o.device);
        return 77;
    }
    for (int i = first; i < argc; i++) failed |= check(&o, argv[i]);
    return failed;
}
