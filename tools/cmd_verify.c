/* lathe verify: runs models on recorded inputs and compares with PyTorch's recorded outputs. */
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOOL_STRUCT verify_options
#include "tool.h"

typedef struct verify_options {
    tool_rest files;
    const char *golden;
    tool_weights weights;
    double rtol, atol; /* negative: not given */
    tool_placement placement;
    int optimize, threads; /* as in lathe_session_options */
} verify_options;

static const tool_option options[] = {
    {"--golden F", TOOL_TEXT(golden),
     "the recorded tensors: input.K, output.K and, where known, exact.K or tolerance.K, which 'lathe diff' "
     "writes for each element (default: FILE with .safetensors for .pt2 or .json, and without .core)"},
    {"--weights F", TOOL_TEXTS(weights.files),
     "weights for archives that hold the graph only; may be repeated (default: those in FILE's "
     ".weights.safetensors, where there is one)"},
    {"--rtol R", TOOL_REAL(rtol, 0, INT64_MAX),
     "relative tolerance (default: by type, or that of an index.json beside FILE)"},
    {"--atol A", TOOL_REAL(atol, 0, INT64_MAX), "absolute tolerance (likewise)"},
    TOOL_SHARED(placement, tool_placement_options),
    TOOL_SHARED(optimize, tool_optimize_options),
    TOOL_SHARED(threads, tool_threads_options),
    {0},
};

static const tool_command command = {
    .name = "verify",
    .intro = "Runs each FILE on the inputs recorded beside it and compares the outputs.",
    .arguments = {{"FILE", TOOL_SOME(files)}},
    .options = options,
    .notes = "Where exact.K (the same model in float64) is recorded, the root-mean-square distance to it "
             "may be 1.5 times PyTorch's own and the largest distance 3 times, plus one unit in the last "
             "place of the largest value.",
    .status = "0 all passed, 1 some differ or failed to run",
};

/* How far an output lies from what is expected. */
typedef struct verify_result {
    bool good;
    double largest;   /* absolute error; infinite when shapes or NaN disagree */
    size_t output;    /* the one it is in */
    char reason[512]; /* when not good */
} verify_result;

/* ---- Comparing ---- */

static void default_tolerance(lathe_dtype dtype, double *rtol, double *atol)
{
    switch (dtype) {
    case LATHE_F64: *rtol = 1e-7, *atol = 1e-9; break;
    case LATHE_F32: *rtol = 1e-4, *atol = 1e-5; break;
    case LATHE_F16: *rtol = 2e-3, *atol = 1e-3; break;
    case LATHE_BF16: *rtol = 1.6e-2, *atol = 1e-2; break;
    default: *rtol = *atol = 0; break;
    }
}

/* |a - b|: 0 when both are NaN or the same infinity, infinite when only one is. */
static double distance(double a, double b)
{
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b) ? 0 : INFINITY;
    if (isinf(a) || isinf(b)) return isinf(a) && isinf(b) && (a > 0) == (b > 0) ? 0 : INFINITY;
    return fabs(a - b);
}

static bool same_shape(const lathe_tensor *a, const lathe_tensor *b)
{
    return a->rank == b->rank &&
           (a->rank == 0 || memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim) == 0);
}

static void fail(verify_result *result, size_t output, const char *fmt, double a, double b)
{
    if (!result->good) return;
    int n = snprintf(result->reason, sizeof result->reason, "output.%zu: ", output);
    // cppcheck-suppress wrongPrintfScanfArgNum ; some reasons tell no numbers
    snprintf(result->reason + n, sizeof result->reason - (size_t)n, fmt, a, b);
    result->good = false;
}

/* `margin`: a tolerance for each element; NULL: `atol` and `rtol` hold. */
static void compare_with_torch(const lathe_tensor *have, const lathe_tensor *want, const lathe_tensor *margin,
                               double rtol, double atol, size_t output, verify_result *result)
{
    int64_t n = lathe_tensor_count(want);
    for (int64_t i = 0; i < n; i++) {
        double a = lathe_tensor_value(have, i), b = lathe_tensor_value(want, i), d = distance(a, b);
        double limit = margin ? lathe_tensor_value(margin, i) : atol + rtol * (isfinite(b) ? fabs(b) : 0);
        if (d > result->largest) {
            result->largest = d;
            result->output = output;
        }
        if (d > limit) fail(result, output, "is %.9g, expected %.9g", a, b);
    }
}

/* One unit in the last place of x in the precision of the dtype. */
static double ulp(lathe_dtype dtype, double x)
{
    int digits = dtype == LATHE_BF16 ? 8 : dtype == LATHE_F16 ? 11 : dtype == LATHE_F64 ? 53 : 24, exponent;
    frexp(x, &exponent);
    return ldexp(1, exponent - digits);
}

static void compare_with_exact(const lathe_tensor *have, const lathe_tensor *torch, const lathe_tensor *exact,
                               size_t output, verify_result *result)
{
    int64_t n = lathe_tensor_count(exact);
    double ours = 0, theirs = 0, our_max = 0, their_max = 0, largest = 0;
    for (int64_t i = 0; i < n; i++) {
        double e = lathe_tensor_value(exact, i);
        double a = distance(lathe_tensor_value(have, i), e), b = distance(lathe_tensor_value(torch, i), e);
        ours += a * a;
        theirs += b * b;
        our_max = fmax(our_max, a);
        their_max = fmax(their_max, b);
        if (isfinite(e)) largest = fmax(largest, fabs(e));
    }
    double slack = ulp(torch->dtype, largest), count = n ? (double)n : 1;
    ours = sqrt(ours / count);
    theirs = sqrt(theirs / count);
    if (our_max > result->largest) {
        result->largest = our_max;
        result->output = output;
    }
    if (!(ours <= 1.5 * theirs + slack))
        fail(result, output, "rms distance to float64 is %.4g, PyTorch's %.4g", ours, theirs);
    if (!(our_max <= 3 * their_max + slack))
        fail(result, output, "largest distance to float64 is %.4g, PyTorch's %.4g", our_max, their_max);
}

/* ---- Tolerances of an index.json ---- */

static void read_index(const char *file, double *rtol, double *atol)
{
    char path[TOOL_PATH_BYTES];
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
    snprintf(path, sizeof path, "%.*sindex.json", (int)(name - file), file);
    json_t *index = json_load_file(path, 0, NULL), *entry;
    size_t i, length = strcspn(name, ".");
    json_array_foreach (index, i, entry) {
        const char *own = json_string_value(json_object_get(entry, "name"));
        if (!own || strlen(own) != length || strncmp(own, name, length) != 0) continue;
        const json_t *r = json_object_get(entry, "rtol"), *a = json_object_get(entry, "atol");
        if (json_is_number(r)) *rtol = json_number_value(r);
        if (json_is_number(a)) *atol = json_number_value(a);
    }
    json_decref(index);
}

/* ---- Running one file ---- */

static lathe_status set_inputs(lathe_model *model, lathe_session *session, lathe_tensors *golden,
                               lathe_error *err)
{
    for (size_t i = 0; i < lathe_model_input_count(model); i++) {
        lathe_tensor tensor;
        lathe_status status = tool_recorded_input(model, golden, i, &tensor, err);
        if (status == LATHE_OK && tensor.rank >= 0)
            status = lathe_session_set_input(session, i, &tensor, err);
        if (status != LATHE_OK) return status;
    }
    return LATHE_OK;
}

static lathe_status compare_output(lathe_session *session, lathe_tensors *golden, size_t i, const char *file,
                                   const verify_options *o, verify_result *result, lathe_error *err)
{
    char name[32];
    lathe_tensor have, want, exact, margin;
    int found, has_exact, has_margin = 0;
    snprintf(name, sizeof name, "output.%zu", i);
    lathe_status status = lathe_tensors_get(golden, name, &want, &found, err);
    if (status != LATHE_OK || !found) return status;
    snprintf(name, sizeof name, "exact.%zu", i);
    status = lathe_tensors_get(golden, name, &exact, &has_exact, err);
    snprintf(name, sizeof name, "tolerance.%zu", i);
    if (status == LATHE_OK) status = lathe_tensors_get(golden, name, &margin, &has_margin, err);
    has_margin = has_margin && same_shape(&margin, &want);
    if (status == LATHE_OK) status = lathe_session_output(session, i, &have, err);
    if (status != LATHE_OK) return status;
    if (have.rank < 0 || have.dtype != want.dtype || !same_shape(&have, &want)) {
        result->largest = INFINITY;
        fail(result, i, "shape or dtype differs from the recorded one", 0, 0);
        return LATHE_OK;
    }
    double rtol, atol;
    default_tolerance(want.dtype, &rtol, &atol);
    read_index(file, &rtol, &atol);
    if (o->rtol >= 0) rtol = o->rtol;
    if (o->atol >= 0) atol = o->atol;
    if (has_exact && !has_margin) compare_with_exact(&have, &want, &exact, i, result);
    else compare_with_torch(&have, &want, has_margin ? &margin : NULL, rtol, atol, i, result);
    return LATHE_OK;
}

static lathe_status verify_opened(lathe_model *model, lathe_tensors *golden, const char *file,
                                  const verify_options *o, verify_result *result, lathe_error *err)
{
    lathe_session *session;
    lathe_session_options how = {
        .optimize = o->optimize, .threads = o->threads, .placement = o->placement.lathe};
    lathe_status status = lathe_session_create(model, &how, &session, err);
    if (status != LATHE_OK) return status;
    status = set_inputs(model, session, golden, err);
    if (status == LATHE_OK) status = lathe_session_run(session, err);
    for (size_t i = 0; status == LATHE_OK && i < lathe_model_output_count(model); i++)
        status = compare_output(session, golden, i, file, o, result, err);
    lathe_session_close(session);
    return status;
}

static lathe_status verify_file(const char *file, const verify_options *o, verify_result *result,
                                lathe_error *err)
{
    char path[TOOL_PATH_BYTES];
    lathe_model *model = NULL;
    lathe_tensors *golden = NULL;
    tool_weights weights = o->weights;
    char beside[TOOL_PATH_BYTES];
    tool_sibling(file, ".weights.safetensors", beside);
    if (!weights.files.n && access(beside, R_OK) == 0) weights.files = (tool_texts){{beside}, 1};
    tool_sibling(file, ".safetensors", path);
    lathe_status status = tool_open_model(file, &weights, &model, err);
    if (status == LATHE_OK) tool_device_of(model, &o->placement);
    if (status == LATHE_OK) status = lathe_tensors_open(o->golden ? o->golden : path, &golden, err);
    if (status == LATHE_OK) status = verify_opened(model, golden, file, o, result, err);
    lathe_tensors_close(golden);
    lathe_model_close(model);
    return status;
}

static bool report(const char *file, const verify_options *o)
{
    lathe_error err = {0};
    verify_result result = {.good = true};
    lathe_status status = verify_file(file, o, &result, &err);
    if (status != LATHE_OK) printf("FAIL %s: %s\n", file, err.message);
    else if (result.good)
        printf("ok   %s: largest error %.3g (output.%zu)\n", file, result.largest, result.output);
    else
        printf("FAIL %s: largest error %.3g (output.%zu); %s\n", file, result.largest, result.output,
               result.reason);
    fflush(stdout);
    return status == LATHE_OK && result.good;
}

int cmd_verify(int argc, char **argv)
{
    verify_options o = {.rtol = -1, .atol = -1};
    int passed = 0, code = tool_parse(&command, argc, argv, &o);
    if (code != TOOL_GO_ON) return code;
    for (int i = 0; i < o.files.n; i++) passed += report(o.files.item[i], &o);
    printf("%d passed, %d failed\n", passed, o.files.n - passed);
    return passed == o.files.n ? EXIT_DONE : EXIT_DIFFERS;
}
