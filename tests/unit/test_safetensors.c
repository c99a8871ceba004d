/* Safetensors files: those of the format's own library, ours, and broken ones. */
#include "files.h"

#include "base/half.h"
#include "load/safetensors.h"

static lathe_status use(const lt_file *file, lathe_error *err)
{
    lt_arena *arena;
    lt_safetensors *opened;
    LT_TRY(lt_arena_create(&arena, err));
    lathe_status status = lt_safetensors_open(file, "a.safetensors", arena, &opened, err);
    for (uint32_t i = 0; status == LATHE_OK && i < opened->count; i++) {
        lt_tensor tensor;
        status = lt_safetensors_tensor(opened, i, arena, &tensor, err);
        uint8_t sum = 0;
        for (size_t k = 0; status == LATHE_OK && k < opened->entries[i].bytes; k++)
            sum = (uint8_t)(sum + ((const uint8_t *)tensor.data)[k]);
        (void)sum;
    }
    lt_arena_destroy(arena);
    return status;
}

/* A file of one header and `data_bytes` zeros; to be freed. */
static lt_file make(const char *header, size_t data_bytes)
{
    size_t length = strlen(header), size = 8 + length + data_bytes;
    uint8_t *data = calloc(1, size);
    assert_non_null(data);
    for (int i = 0; i < 8; i++) data[i] = (uint8_t)((uint64_t)length >> 8 * i);
    memcpy(data + 8, header, length);
    return (lt_file){.data = data, .size = size};
}

static void reads_every_dtype(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        lt_dtype dtype;
    } wanted[] = {{"bool", LATHE_BOOL}, {"uint8", LATHE_U8},  {"int8", LATHE_I8},    {"int16", LATHE_I16},
                  {"int32", LATHE_I32}, {"int64", LATHE_I64}, {"f16", LATHE_F16},    {"bf16", LATHE_BF16},
                  {"f32", LATHE_F32},   {"f64", LATHE_F64},   {"scalar", LATHE_F32}, {"empty", LATHE_F32}};
    lathe_error err;
    lt_arena *arena;
    lt_safetensors *opened;
    lt_tensor tensor;
    lt_file file = open_data("weights/dtypes.safetensors");
    expect_ok(lt_arena_create(&arena, &err), &err);
    expect_ok(lt_safetensors_open(&file, "dtypes", arena, &opened, &err), &err);
    assert_int_equal(opened->count, LT_COUNT(wanted) + 2);
    for (size_t i = 0; i < LT_COUNT(wanted); i++) {
        uint32_t index = lt_safetensors_find(opened, wanted[i].name);
        assert_int_not_equal(index, LT_NONE);
        expect_ok(lt_safetensors_tensor(opened, index, arena, &tensor, &err), &err);
        assert_int_equal(tensor.dtype, wanted[i].dtype);
        assert_true((uintptr_t)tensor.data % lathe_dtype_size(tensor.dtype) == 0);
    }
    expect_ok(lt_safetensors_tensor(opened, lt_safetensors_find(opened, "int64"), arena, &tensor, &err),
              &err);
    assert_int_equal(tensor.rank, 2);
    for (int64_t i = 0; i < 6; i++) assert_int_equal(((const int64_t *)tensor.data)[i], i);
    expect_ok(lt_safetensors_tensor(opened, lt_safetensors_find(opened, "empty"), arena, &tensor, &err),
              &err);
    assert_int_equal(lathe_tensor_count(&tensor), 0);

    uint32_t f8 = lt_safetensors_find(opened, "f8"), u16 = lt_safetensors_find(opened, "uint16");
    expect_error(lt_safetensors_tensor(opened, f8, arena, &tensor, &err), LATHE_UNSUPPORTED, &err,
                 "dtypes: tensor 'f8': its dtype is F8_E4M3");
    expect_error(lt_safetensors_tensor(opened, u16, arena, &tensor, &err), LATHE_UNSUPPORTED, &err,
                 "tensor 'uint16': its dtype is U16");
    lt_arena_destroy(arena);
    lt_file_close(&file);
}

static void copies_unaligned(void **state)
{
    (void)state;
    lathe_error err;
    lt_arena *arena;
    lt_safetensors *opened;
    lt_tensor tensor;
    lt_file file = make("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                        "\"b\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[1,9]}}",
                        9);
    expect_ok(lt_arena_create(&arena, &err), &err);
    expect_ok(lt_safetensors_open(&file, "f", arena, &opened, &err), &err);
    expect_ok(lt_safetensors_tensor(opened, 1, arena, &tensor, &err), &err);
    assert_true((uintptr_t)tensor.data % sizeof(double) == 0);
    lt_arena_destroy(arena);
    free((void *)(uintptr_t)file.data);
}

static void writes_strided_tensors(void **state)
{
    (void)state;
    lathe_error err;
    lt_arena *arena;
    lt_safetensors *opened;
    const float matrix[6] = {0, 1, 2, 3, 4, 5};
    const uint16_t halves[3] = {lt_f32_to_bf16(1), lt_f32_to_bf16(2), 0x7fc1 /* a NaN with a payload */};
    const uint8_t flag = 1;
    lt_tensor tensors[5];
    lathe_tensor_init(&tensors[0], LATHE_BOOL, 0, NULL, (void *)(uintptr_t)&flag);
    lathe_tensor_init(&tensors[1], LATHE_F32, 2, (int64_t[]){3, 2}, (void *)(uintptr_t)matrix);
    tensors[1].stride[0] = 1, tensors[1].stride[1] = 3; /* transposed */
    lathe_tensor_init(&tensors[2], LATHE_BF16, 1, (int64_t[]){3}, (void *)(uintptr_t)(halves + 2));
    tensors[2].stride[0] = -1; /* backwards */
    lathe_tensor_init(&tensors[3], LATHE_F32, 2, (int64_t[]){2, 2}, (void *)(uintptr_t)matrix);
    tensors[3].stride[0] = 0; /* repeated */
    lathe_tensor_init(&tensors[4], LATHE_I64, 2, (int64_t[]){0, 3}, NULL);
    static const char *const names[] = {"flag", "trans\"posed\\", "b\303\244ck", "twice", "none"};
    expect_ok(lt_safetensors_write(SCRATCH("st.safetensors"), names, tensors, 5, &err), &err);

    lt_file file;
    lt_tensor got;
    expect_ok(lt_file_open(SCRATCH("st.safetensors"), &file, &err), &err);
    expect_ok(lt_arena_create(&arena, &err), &err);
    expect_ok(lt_safetensors_open(&file, "written", arena, &opened, &err), &err);
    assert_int_equal(opened->count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        const lt_safetensors_entry *entry = &opened->entries[i];
        assert_string_equal(entry->name, names[i]);
        assert_true((uintptr_t)entry->data % lathe_dtype_size(entry->type.dtype) == 0);
    }
    expect_ok(lt_safetensors_tensor(opened, 1, arena, &got, &err), &err);
    assert_memory_equal(got.data, ((const float[]){0, 3, 1, 4, 2, 5}), 24);
    expect_ok(lt_safetensors_tensor(opened, 2, arena, &got, &err), &err);
    assert_memory_equal(got.data, ((const uint16_t[]){0x7fc1, 0x4000, 0x3f80}), 6);
    expect_ok(lt_safetensors_tensor(opened, 3, arena, &got, &err), &err);
    assert_memory_equal(got.data, ((const float[]){0, 1, 0, 1}), 16);
    lt_arena_destroy(arena);
    lt_file_close(&file);
    remove(SCRATCH("st.safetensors"));
}

static void refuses_to_write(void **state)
{
    (void)state;
    lathe_error err;
    float value = 0;
    lt_tensor tensors[2];
    for (int i = 0; i < 2; i++) lathe_tensor_init(&tensors[i], LATHE_F32, 0, NULL, &value);
    static const char *const twice[] = {"a", "a"}, *const bytes[] = {"a\377", "b"};
    expect_error(lt_safetensors_write("x.safetensors", twice, tensors, 2, &err), LATHE_INVALID_ARGUMENT, &err,
                 "x.safetensors: tensor name 'a' is taken already");
    expect_error(lt_safetensors_write("x.safetensors", bytes, tensors, 2, &err), LATHE_INVALID_ARGUMENT, &err,
                 "is not UTF-8");
    expect_error(lt_safetensors_write("no/such/folder.safetensors", bytes + 1, tensors, 1, &err), LATHE_IO,
                 &err, "no/such/folder");
}

#define T(dtype, shape, offsets) \
    "{\"t\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static void refuses_broken_headers(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        lathe_status status;
        const char *message;
    } cases[] = {
        {"", LATHE_FORMAT, "a.safetensors: header: not valid JSON"},
        {"[]", LATHE_FORMAT, "the header is an array"},
        {"{\"t\":1}", LATHE_FORMAT, "tensor 't': field 'dtype'"},
        {"{\"t\":{\"dtype\":\"F32\"}}", LATHE_FORMAT, "tensor 't': field 'shape' is missing"},
        {T("F32", "[1]", "[0,4]") "x", LATHE_FORMAT, "not valid JSON"},
        {"{\"t\":{},\"t\":{}}", LATHE_FORMAT, "duplicate"},
        {"{\"__metadata__\":{\"a\":1}}", LATHE_FORMAT, "'__metadata__': 'a' is an integer"},
        {T("F32", "[-1]", "[0,4]"), LATHE_FORMAT, "tensor 't': field 'shape': entry 0 is negative"},
        {T("F32", "[1.5]", "[0,4]"), LATHE_FORMAT, "'shape': entry 0 is a real number"},
        {T("F32", "[2]", "[0,4]"), LATHE_FORMAT, "gives 4 bytes, float32[2] has 8"},
        {T("F32", "[2]", "[12,20]"), LATHE_FORMAT, "is [12, 20], the file has 16 bytes"},
        {T("F32", "[2]", "[8,0]"), LATHE_FORMAT, "is [8, 0]"},
        {T("F32", "[2]", "[-8,0]"), LATHE_FORMAT, "is [-8, 0]"},
        {T("F32", "[2]", "[0]"), LATHE_FORMAT, "not a pair"},
        {T("F32", "[2]", "[0,99999999999999999999]"), LATHE_FORMAT, "not valid JSON"},
        {T("F32", "[4294967296,4294967296]", "[0,0]"), LATHE_LIMIT, "'shape': its size in bytes overflows"},
        {T("F32", "[9223372036854775807,0]", "[0,0]"), LATHE_LIMIT, "overflows"},
        {T("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), LATHE_UNSUPPORTED, "tensor 't': its rank is 9"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
         LATHE_FORMAT, "tensors 'a' and 'b' overlap"},
    };
    for (size_t i = 0; i < LT_COUNT(cases); i++) {
        lathe_error err;
        lt_file file = make(cases[i].header, 16);
        expect_error(use(&file, &err), cases[i].status, &err, cases[i].message);
        free((void *)(uintptr_t)file.data);
    }
}

static void refuses_deep_nesting(void **state)
{
    (void)state;
    enum { DEPTH = 100000 };
    char *header = malloc(DEPTH + 1);
    assert_non_null(header);
    memset(header, '[', DEPTH);
    header[DEPTH] = '\0';
    lathe_error err;
    lt_file file = make(header, 0);
    expect_error(use(&file, &err), LATHE_FORMAT, &err, "nested too deeply");
    free((void *)(uintptr_t)file.data);
    free(header);
}

static void survives_damage(void **state)
{
    (void)state;
    lathe_error err;
    lt_file file = open_data("weights/sharded/model-00002-of-00002.safetensors");
    uint8_t gigabytes[16] = {0, 0, 0, 0, 1};
    try_truncations(use, &file, file.size);
    try_bit_flips(use, &file, file.size);
    expect_error(use(&(lt_file){.data = gigabytes, .size = sizeof gigabytes}, &err), LATHE_FORMAT, &err,
                 "a header of 4294967296 bytes in a file of 16");
    lt_file_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_dtype),      cmocka_unit_test(copies_unaligned),
        cmocka_unit_test(writes_strided_tensors), cmocka_unit_test(refuses_to_write),
        cmocka_unit_test(refuses_broken_headers), cmocka_unit_test(refuses_deep_nesting),
        cmocka_unit_test(survives_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
