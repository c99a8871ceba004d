/* Packed matrices: what files hold in blocks, bit for bit; quantising; whole models on both devices. */
#include "files.h"

#include <math.h>

#include <lathe/lathe.h>

#include "load/gguf.h"
#include "load/pack.h"

/* ---- Packing ---- */

enum { ROWS = 36, COLUMNS = 512 };

/* A matrix of so many rows, made of the blocks of a tensor with two. */
static lt_weight weight_of(const lt_gguf_tensor *tensor, uint8_t *data, int64_t columns, int64_t rotary_heads)
{
    size_t row = (size_t)(columns / tensor->ggml->block_elements) * tensor->ggml->block_bytes;
    for (size_t r = 0; r < ROWS; r++)
        for (size_t b = 0; b < row / tensor->ggml->block_bytes; b++) {
            size_t blocks = tensor->bytes / tensor->ggml->block_bytes,
                   from = (5 * r + 3 * b + r * b) % blocks;
            memcpy(data + r * row + b * tensor->ggml->block_bytes,
                   tensor->data + from * tensor->ggml->block_bytes, tensor->ggml->block_bytes);
        }
    return (lt_weight){.name = "w",
                       .stored_name = "w",
                       .file = "memory",
                       .type = lt_type_make(LATHE_F32, 2, (int64_t[]){ROWS, columns}),
                       .blocks = tensor->ggml,
                       .data = data,
                       .bytes = ROWS * row,
                       .rotary_heads = rotary_heads};
}

static void check_packing(const lt_weight *weight, lt_packing packing)
{
    lathe_error err;
    lt_packed packed = {.packing = packing, .n = weight->type.dim[0], .k = weight->type.dim[1]};
    size_t values = (size_t)(packed.n * packed.k) * sizeof(float);
    packed.data = lt_os_alloc((size_t)lt_packed_bytes(packing, packed.n, packed.k));
    float *want = malloc(values), *got = malloc(values);
    assert_true(packed.data && want && got);
    expect_ok(lt_weight_read(weight, LATHE_F32, want, &err), &err);
    lt_weight_pack(weight, NULL, &packed);
    for (int64_t row = 0; row < packed.n; row++)
        for (int64_t b = 0, at = row * packed.k; b < lt_packed_blocks(&packed); b++) {
            float block[LT_MAX_BLOCK];
            int64_t n = lt_packed_floats(&packed, row, b, block);
            memcpy(got + at, block, (size_t)n * sizeof(float));
            at += n;
        }
    assert_memory_equal(got, want, values);
    lt_os_free(packed.data);
    free(want);
    free(got);
}

static void packs_blocks_bit_for_bit(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        lt_packing packing;
    } cases[] = {{"Q8_0", LT_PACK_INT8},   {"Q5_0", LT_PACK_INT8},     {"IQ4_NL", LT_PACK_INT8},
                 {"Q4_0", LT_PACK_INT4},   {"Q4_1", LT_PACK_INT4_MIN}, {"Q4_K", LT_PACK_INT4_K},
                 {"Q6_K", LT_PACK_INT6_K}, {"Q3_K", LT_PACK_INT6_K}};
    lathe_error err;
    lt_arena *arena;
    lt_gguf *gguf;
    uint8_t *data = malloc(ROWS * COLUMNS * 2);
    lt_file file = open_data("weights/types.gguf");
    assert_non_null(data);
    expect_ok(lt_arena_create(&arena, &err), &err);
    expect_ok(lt_gguf_open(&file, "types", arena, &gguf, &err), &err);
    for (size_t i = 0; i < LT_COUNT(cases); i++) {
        const lt_gguf_tensor *tensor = lt_gguf_find_tensor(gguf, cases[i].name);
        int64_t block = tensor->ggml->block_elements;
        for (int64_t columns = block; columns <= COLUMNS; columns = columns * 2 + (columns == block) * block)
            for (int64_t heads = 0; heads <= 3; heads += 3) {
                lt_packing packing = LT_PACKINGS;
                lt_weight weight = weight_of(tensor, data, columns, heads);
                assert_true(lt_weight_packing(&weight, &packing));
                assert_int_equal(packing, cases[i].packing);
                check_packing(&weight, packing);
            }
    }
    lt_packing none;
    lt_weight weight = weight_of(lt_gguf_find_tensor(gguf, "Q5_K"), data, COLUMNS, 0);
    assert_false(lt_weight_packing(&weight, &none));
    lt_arena_destroy(arena);
    lt_file_close(&file);
    free(data);
}

static void sizes_are_those_of_the_formats(void **state)
{
    (void)state;
    static const double bits[LT_PACKINGS] = {8.5, 4.5, 5, 4.5, 6.5625};
    for (int p = 0; p < LT_PACKINGS; p++)
        assert_true((double)lt_packed_bytes((lt_packing)p, 64, 1024) * 8 == bits[p] * 64 * 1024);
    assert_int_equal(lt_packed_bytes(LT_PACK_INT8, 17, 33), 2 * (64 + 2 * 512));
}

/* ---- Quantising ---- */

/* Twelve uniform numbers: as good as normal. */
static float next_normal(uint32_t *seed)
{
    float sum = -6;
    for (int i = 0; i < 12; i++) {
        *seed = *seed * 1664525u + 1013904223u;
        sum += (float)(*seed >> 8) * 0x1p-24f;
    }
    return sum;
}

/* The relative root of the mean squared error of one row. */
static double error_of(lt_packing packing, const float *x, int64_t k)
{
    double error = 0, total = 0;
    lt_packed w = {.packing = packing, .n = 1, .k = k};
    w.data = lt_os_alloc((size_t)lt_packed_bytes(packing, 1, k));
    assert_non_null(w.data);
    for (int64_t b = 0, at = 0; b < lt_packed_blocks(&w); b++) {
        float got[LT_MAX_BLOCK];
        lt_quantize_block(&w, 0, b, x + at);
        int64_t n = lt_packed_floats(&w, 0, b, got);
        for (int64_t i = 0; i < n; i++, at++) {
            double want = isfinite(x[at]) ? (double)x[at] : 0, e = (double)got[i] - want;
            assert_true(isfinite(got[i]));
            error += e * e;
            total += want * want;
        }
    }
    lt_os_free(w.data);
    return total > 0 ? sqrt(error / total) : sqrt(error);
}

static void quantises_with_little_error(void **state)
{
    (void)state;
    enum { K = 1000 };
    float x[K];
    uint32_t seed = 1;
    for (int i = 0; i < K; i++) x[i] = 0.02f * next_normal(&seed);
    assert_true(error_of(LT_PACK_INT8, x, K) < 0.006);
    assert_true(error_of(LT_PACK_INT4_K, x, K) < 0.08);
    for (int i = 0; i < K; i++) x[i] += 0.05f; /* mostly of one sign */
    assert_true(error_of(LT_PACK_INT4_K, x, K) < 0.05);
    for (int i = 0; i < K; i++) x[i] = 3;
    assert_true(error_of(LT_PACK_INT8, x, K) < 1e-3);
    assert_true(error_of(LT_PACK_INT4_K, x, K) < 1e-3);
}

static void quantises_what_is_awkward(void **state)
{
    (void)state;
    enum { K = 64 };
    static const float awkward[] = {0, NAN, INFINITY, 1e30f, -1e30f, 1e-30f, 1e-42f, 65504};
    float x[K] = {0};
    for (size_t i = 0; i < LT_COUNT(awkward); i++) {
        x[7] = awkward[i];
        (void)error_of(LT_PACK_INT8, x, K); /* checks that all is finite */
        (void)error_of(LT_PACK_INT4_K, x, K);
    }
    x[7] = 0;
    assert_true(error_of(LT_PACK_INT8, x, K) == 0);
    assert_true(error_of(LT_PACK_INT4_K, x, K) == 0);
}

/* ---- Models ---- */

typedef struct run_options {
    lathe_quantization quantization;
    int activations;
    const char *device;
} run_options;

/* The first output on the golden input, and what the weights cost. */
static float *run_model(const char *name, run_options how, int64_t *n, double *weight_bytes)
{
    char path[1024];
    lathe_error err;
    lathe_model *model;
    lathe_session *session;
    lathe_tensors *golden;
    lathe_tensor x, y;
    lathe_cost cost;
    int found;
    snprintf(path, sizeof path, "%s/models/%s.pt2", LT_TEST_GOLDEN, name);
    expect_ok(lathe_model_open(path, &model, &err), &err);
    expect_ok(lathe_model_quantize(model, how.quantization, &err), &err);
    lathe_session_options options = {.activations = how.activations, .placement.device = how.device};
    expect_ok(lathe_session_create(model, &options, &session, &err), &err);
    snprintf(path, sizeof path, "%s/models/%s.safetensors", LT_TEST_GOLDEN, name);
    expect_ok(lathe_tensors_open(path, &golden, &err), &err);
    expect_ok(lathe_tensors_get(golden, "input.0", &x, &found, &err), &err);
    expect_ok(lathe_session_set_input(session, 0, &x, &err), &err);
    expect_ok(lathe_session_run(session, &err), &err);
    expect_ok(lathe_session_output(session, 0, &y, &err), &err);
    expect_ok(lathe_session_cost(session, &cost, &err), &err);
    *weight_bytes = cost.weight_bytes;
    *n = lathe_tensor_count(&y);
    float *values = malloc((size_t)*n * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < *n; i++) values[i] = (float)lathe_tensor_value(&y, i);
    expect_error(lathe_model_quantize(model, LATHE_QUANTIZE_INT8, &err), LATHE_INVALID_ARGUMENT, &err,
                 "in use");
    lathe_tensors_close(golden);
    lathe_session_close(session);
    lathe_model_close(model);
    return values;
}

static double distance(const float *a, const float *b, int64_t n)
{
    double error = 0, total = 0;
    for (int64_t i = 0; i < n; i++) {
        error += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        total += (double)b[i] * (double)b[i];
    }
    return sqrt(error / total);
}

static void devices_agree_on_quantised_models(void **state)
{
    (void)state;
    static const struct {
        lathe_quantization quantization;
        double from_float, smaller; /* most distance, relative; least factor in bytes */
    } cases[] = {{LATHE_QUANTIZE_INT8, 0.02, 3}, {LATHE_QUANTIZE_INT4, 0.25, 5}};
    int64_t n;
    double bytes, packed_bytes;
    float *plain = run_model("tiny_llama_dynamic", (run_options){.device = "ref"}, &n, &bytes);
    for (size_t i = 0; i < LT_COUNT(cases); i++) {
        run_options how = {.quantization = cases[i].quantization, .device = "ref"};
        float *reference = run_model("tiny_llama_dynamic", how, &n, &packed_bytes);
        how.device = "cpu";
        float *wide = run_model("tiny_llama_dynamic", how, &n, &packed_bytes);
        how.activations = 8;
        float *narrow = run_model("tiny_llama_dynamic", how, &n, &packed_bytes);
        assert_true(distance(reference, plain, n) > 1e-4);
        assert_true(distance(reference, plain, n) < cases[i].from_float);
        assert_true(distance(wide, reference, n) < 2e-4);
        assert_true(distance(narrow, reference, n) > 1e-4);
        assert_true(distance(narrow, reference, n) < 0.03);
        assert_true(packed_bytes * cases[i].smaller < bytes);
        free(reference);
        free(wide);
        free(narrow);
    }
    free(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packs_blocks_bit_for_bit),          cmocka_unit_test(sizes_are_those_of_the_formats),
        cmocka_unit_test(quantises_with_little_error),       cmocka_unit_test(quantises_what_is_awkward),
        cmocka_unit_test(devices_agree_on_quantised_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
