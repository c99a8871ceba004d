/* NumPy files: NumPy's own, ours, and broken ones. */
#include "files.h"

#include "base/str.h"
#include "load/npy.h"

static lathe_status use(const lt_file *file, lathe_error *err)
{
    lt_arena *arena;
    lt_tensor tensor;
    LT_TRY(lt_arena_create(&arena, err));
    lathe_status status = lt_npy_open(file, "a.npy", arena, &tensor, err);
    if (status == LATHE_OK) {
        const uint8_t *data = tensor.data;
        uint8_t sum = 0;
        size_t bytes = (size_t)lathe_tensor_count(&tensor) * lathe_dtype_size(tensor.dtype);
        for (size_t i = 0; i < bytes; i++) sum = (uint8_t)(sum + data[i]);
        (void)sum;
    }
    lt_arena_destroy(arena);
    return status;
}

static lt_tensor open_npy(const char *name, lt_file *file, lt_arena *arena)
{
    char path[256];
    lathe_error err;
    lt_tensor tensor;
    snprintf(path, sizeof path, "weights/npy/%s.npy", name);
    *file = open_data(path);
    expect_ok(lt_npy_open(file, name, arena, &tensor, &err), &err);
    return tensor;
}

static void reads_every_dtype(void **state)
{
    (void)state;
    static const lt_dtype dtypes[] = {LATHE_BOOL, LATHE_U8,  LATHE_I8,  LATHE_I16, LATHE_I32,
                                      LATHE_I64,  LATHE_F16, LATHE_F32, LATHE_F64};
    lathe_error err;
    lt_arena *arena;
    lt_file file;
    expect_ok(lt_arena_create(&arena, &err), &err);
    for (size_t i = 0; i < LT_COUNT(dtypes); i++) {
        lt_tensor tensor = open_npy(lathe_dtype_name(dtypes[i]), &file, arena);
        assert_int_equal(tensor.dtype, dtypes[i]);
        assert_int_equal(tensor.rank, 2);
        assert_int_equal(tensor.dim[0], 2);
        assert_int_equal(tensor.dim[1], 3);
        assert_true(lt_tensor_is_contiguous(&tensor));
        assert_true((const uint8_t *)tensor.data > file.data);
        lt_file_close(&file);
    }
    lt_arena_destroy(arena);
}

static void reads_shapes_and_orders(void **state)
{
    (void)state;
    lathe_error err;
    lt_arena *arena;
    lt_file file;
    expect_ok(lt_arena_create(&arena, &err), &err);
    lt_tensor tensor = open_npy("fortran", &file, arena);
    for (int64_t i = 0; i < 24; i++) {
        int64_t at = i / 12 * tensor.stride[0] + i / 4 % 3 * tensor.stride[1] + i % 4 * tensor.stride[2];
        assert_true(((const float *)tensor.data)[at] == (float)i);
    }
    lt_file_close(&file);
    tensor = open_npy("scalar", &file, arena);
    assert_int_equal(tensor.rank, 0);
    assert_true(*(const float *)tensor.data == 2.5f);
    lt_file_close(&file);
    tensor = open_npy("vector", &file, arena);
    assert_int_equal(tensor.rank, 1);
    lt_file_close(&file);
    tensor = open_npy("empty", &file, arena);
    assert_int_equal(lathe_tensor_count(&tensor), 0);
    lt_file_close(&file);
    tensor = open_npy("version2", &file, arena);
    assert_true(((const float *)tensor.data)[5] == 5);
    lt_file_close(&file);
    tensor = open_npy("version3", &file, arena);
    assert_true(((const float *)tensor.data)[5] == 5);
    lt_file_close(&file);
    lt_arena_destroy(arena);
}

static void refuses_other_types(void **state)
{
    (void)state;
    lathe_error err;
    lt_file file = open_data("weights/npy/big_endian.npy");
    expect_error(use(&file, &err), LATHE_UNSUPPORTED, &err, "a.npy: 'descr' is '>f4', big-endian");
    lt_file_close(&file);
    file = open_data("weights/npy/complex.npy");
    expect_error(use(&file, &err), LATHE_UNSUPPORTED, &err, "'descr' is '<c8'");
    lt_file_close(&file);
    file = open_data("weights/npy/structured.npy");
    expect_error(use(&file, &err), LATHE_UNSUPPORTED, &err, "structured");
    lt_file_close(&file);
}

/* What we write is, byte for byte, what NumPy writes. */
static void writes_what_numpy_writes(void **state)
{
    (void)state;
    static const char *const names[] = {"bool",    "uint8",   "int8",    "int16",  "int32",  "int64",
                                        "float16", "float32", "float64", "scalar", "vector", "empty"};
    lathe_error err;
    lt_arena *arena;
    lt_file file, written;
    expect_ok(lt_arena_create(&arena, &err), &err);
    for (size_t i = 0; i < LT_COUNT(names); i++) {
        lt_tensor tensor = open_npy(names[i], &file, arena);
        expect_ok(lt_npy_write(SCRATCH("npy.npy"), &tensor, &err), &err);
        expect_ok(lt_file_open(SCRATCH("npy.npy"), &written, &err), &err);
        assert_int_equal(file.size, written.size);
        assert_memory_equal(file.data, written.data, file.size);
        lt_file_close(&file);
        lt_file_close(&written);
    }
    lt_tensor tensor = open_npy("fortran", &file, arena);
    expect_ok(lt_npy_write(SCRATCH("npy.npy"), &tensor, &err), &err);
    expect_ok(lt_file_open(SCRATCH("npy.npy"), &written, &err), &err);
    expect_ok(lt_npy_open(&written, "written", arena, &tensor, &err), &err);
    for (int64_t i = 0; i < 24; i++) assert_true(((const float *)tensor.data)[i] == (float)i);
    lt_file_close(&file);
    lt_file_close(&written);
    remove(SCRATCH("npy.npy"));

    lathe_tensor_init(&tensor, LATHE_BF16, 0, NULL, (void *)(uintptr_t)names);
    expect_error(lt_npy_write("y.npy", &tensor, &err), LATHE_UNSUPPORTED, &err,
                 "y.npy: NumPy has no bfloat16; write a .safetensors file");
    lt_arena_destroy(arena);
}

static void refuses_broken_headers(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        lathe_status status;
        const char *message;
    } cases[] = {
        {"[]", LATHE_FORMAT, "not a dictionary"},
        {"{'descr': '<f4', 'fortran_order': False}", LATHE_FORMAT, "'shape' is missing"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': ()}", LATHE_FORMAT, "neither True nor False"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", LATHE_FORMAT, "no size"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1 2)}", LATHE_FORMAT, "tuple of sizes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", LATHE_FORMAT,
         "overflows"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", LATHE_LIMIT,
         "overflows"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", LATHE_LIMIT, "dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000,)}", LATHE_FORMAT,
         "cut off: float32[10000"},
        {"{'descr': '<f4', 'descr': '<f4', 'shape': ()}", LATHE_FORMAT, "'descr' occurs twice"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': ()}", LATHE_UNSUPPORTED, "'descr' is '|O'"},
        {"{'descr': '<V2', 'fortran_order': False, 'shape': ()}", LATHE_UNSUPPORTED, "bfloat16"},
        {"{'descr': '', 'fortran_order': False, 'shape': ()}", LATHE_UNSUPPORTED, "'descr' is ''"},
        {"{'x': 1}", LATHE_FORMAT, "'x' is no key"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()} x", LATHE_FORMAT, "behind the header"},
        {"{'descr", LATHE_FORMAT, "not a dictionary"},
    };
    for (size_t i = 0; i < LT_COUNT(cases); i++) {
        uint8_t bytes[512] = "\x93NUMPY\1";
        lathe_error err;
        size_t length = strlen(cases[i].header);
        bytes[8] = (uint8_t)length;
        memcpy(bytes + 10, cases[i].header, length);
        lt_file file = {.data = bytes, .size = sizeof bytes};
        expect_error(use(&file, &err), cases[i].status, &err, cases[i].message);
    }
}

static void survives_damage(void **state)
{
    (void)state;
    lathe_error err;
    lt_file file = open_data("weights/npy/int32.npy");
    try_truncations(use, &file, file.size);
    try_bit_flips(use, &file, file.size);
    lt_file_close(&file);
    expect_error(use(&(lt_file){0}, &err), LATHE_FORMAT, &err, "not an .npy file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_dtype),      cmocka_unit_test(reads_shapes_and_orders),
        cmocka_unit_test(refuses_other_types),    cmocka_unit_test(writes_what_numpy_writes),
        cmocka_unit_test(refuses_broken_headers), cmocka_unit_test(survives_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
