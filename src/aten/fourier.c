/* Discrete Fourier transforms, as products with their matrices: exact for any length, and as fast as matrices
 * are. */
#include <math.h>
#include <string.h>

#include "aten/aten.h"
#include "ops/convert.h"

/* Matrices grow with the square of the length. */
enum { MAX_LENGTH = 2048 };

/* A tensor on its way through transforms. */
typedef struct lt_spectrum {
    lt_id re, im; /* im: LT_NONE while the numbers are real */
} lt_spectrum;

typedef enum lt_transform { FULL, TO_HALF, FROM_HALF } lt_transform; /* half: n / 2 + 1 numbers stand for n */

/* One dim's transform of n numbers. */
typedef struct lt_fourier {
    lt_transform kind;
    int64_t n;
    double sign; /* of the exponent: -1 forward, 1 inverse */
    double scale;
} lt_fourier;

static int64_t half_size(int64_t n) { return n / 2 + 1; }

/* A constant that may be there already: layers transform alike. */
static lt_id shared_const(lt_builder *b, const lt_type *type, const void *data)
{
    for (lt_id i = 0; i < b->graph->n_values; i++) {
        const lt_value *value = &b->graph->values[i];
        if (value->kind == LT_VALUE_CONST && lt_type_equal(&value->type, type) &&
            memcmp(value->data, data, lt_type_bytes(type)) == 0)
            return i;
    }
    return lt_build_const(b, type, data);
}

/* [in, out]: scale times cos (or sin) of 2 pi j k / n. From half a spectrum the numbers that it leaves out,
 * which mirror those it has, count with these. */
static void fill(const lt_fourier *f, bool sine, const lt_type *type, uint8_t *data)
{
    size_t bytes = lathe_dtype_size(type->dtype);
    for (int64_t j = 0; j < type->dim[0]; j++) {
        bool mirrored = f->kind == FROM_HALF && j > 0 && 2 * j != f->n;
        double scale = f->scale * (mirrored ? 2 : 1) * (sine ? f->sign : 1);
        for (int64_t k = 0; k < type->dim[1]; k++, data += bytes) {
            double angle = 2 * 3.14159265358979323846 * (double)(j * k % f->n) / (double)f->n;
            double factor = scale * (sine ? sin(angle) : cos(angle));
            lt_store_f64(type->dtype, data, 1, 1, &factor);
        }
    }
}

static lt_id matrix(lt_builder *b, const lt_fourier *f, bool sine, lt_dtype dtype)
{
    int64_t in = f->kind == FROM_HALF ? half_size(f->n) : f->n;
    int64_t out = f->kind == TO_HALF ? half_size(f->n) : f->n;
    lt_type type = lt_type_make(dtype, 2, (int64_t[]){in, out});
    if (b->status != LATHE_OK) return LT_NONE;
    void *data = lt_heap_alloc(lt_type_bytes(&type), 1);
    if (!data) {
        b->status = lt_out_of_memory(b->err, lt_type_bytes(&type), 1);
        return LT_NONE;
    }
    fill(f, sine, &type, data);
    lt_id id = shared_const(b, &type, data);
    lt_heap_free(data);
    return id;
}

/* Along the last dim. */
static lt_spectrum transform_last(lt_builder *b, lt_spectrum x, const lt_fourier *f)
{
    lt_dtype dtype = lt_build_dtype(b, x.re);
    lt_id c = matrix(b, f, false, dtype), s = matrix(b, f, true, dtype);
    lt_spectrum y = {lt_build_matmul(b, x.re, c), LT_NONE};
    if (x.im != LT_NONE) y.re = lt_build_sub(b, y.re, lt_build_matmul(b, x.im, s));
    if (f->kind == FROM_HALF) return y;
    y.im = lt_build_matmul(b, x.re, s);
    if (x.im != LT_NONE) y.im = lt_build_add(b, y.im, lt_build_matmul(b, x.im, c));
    return y;
}

/* x cut or filled up with zeros to `size` elements along a dim. */
static lt_id resize_dim(lt_builder *b, lt_id x, int dim, int64_t size)
{
    int64_t before[LT_MAX_RANK] = {0}, after[LT_MAX_RANK] = {0};
    after[dim] = size - lt_build_size(b, x, dim);
    return after[dim] ? lt_build_pad(b, x, before, after, lt_build_integer(b, 0)) : x;
}

static lt_spectrum transform_dim(lt_builder *b, lt_spectrum x, int dim, const lt_fourier *f)
{
    lt_id *parts[2] = {&x.re, &x.im};
    if (f->n < 1 || f->n > MAX_LENGTH)
        lt_build_fail(b, f->n < 1 ? LATHE_TYPE : LATHE_UNSUPPORTED,
                      "a Fourier transform of %lld elements, at most %d are supported", (long long)f->n,
                      MAX_LENGTH);
    if (b->status != LATHE_OK) return x;
    for (int i = 0; i < 2; i++)
        if (*parts[i] != LT_NONE) {
            *parts[i] = resize_dim(b, *parts[i], dim, f->kind == FROM_HALF ? half_size(f->n) : f->n);
            *parts[i] = lt_build_transpose(b, *parts[i], dim, -1);
        }
    x = transform_last(b, x, f);
    for (int i = 0; i < 2; i++)
        if (*parts[i] != LT_NONE) *parts[i] = lt_build_transpose(b, *parts[i], dim, -1);
    return x;
}

/* ---- Calls ---- */

typedef struct lt_fourier_dims {
    int n, dim[LT_MAX_RANK];
    int64_t size[LT_MAX_RANK]; /* -1: that of the tensor */
} lt_fourier_dims;

static lt_spectrum take_input(lt_call *c)
{
    lt_id x = lt_call_tensor(c, "self");
    if (lt_build_is_complex(c->b, x))
        return (lt_spectrum){lt_build_part(c->b, x, 0), lt_build_part(c->b, x, 1)};
    lt_dtype dtype = lt_build_dtype(c->b, x);
    if (lt_dtype_is_half(dtype))
        lt_build_fail(c->b, LATHE_TYPE, "a Fourier transform of %s", lathe_dtype_name(dtype));
    return (lt_spectrum){lt_dtype_is_float(dtype) ? x : lt_build_cast(c->b, x, LATHE_F32), LT_NONE};
}

/* The last of the dims is the one that only half of is kept of real numbers. */
static void transform(lt_call *c, const lt_fourier_dims *dims, lt_transform last, double sign, double power)
{
    lt_spectrum x = take_input(c);
    for (int i = 0; i < dims->n; i++) {
        int at = last == TO_HALF ? dims->n - 1 - i : i; /* real numbers are halved first, and come out last */
        int64_t n = dims->size[at];
        if (n == -1) {
            n = lt_build_size(c->b, x.re, dims->dim[at]);
            if (last == FROM_HALF && at == dims->n - 1) n = 2 * (n - 1);
        }
        lt_fourier f = {.kind = at == dims->n - 1 ? last : FULL, .n = n, .sign = sign};
        f.scale = pow((double)n, -power);
        x = transform_dim(c->b, x, dims->dim[at], &f);
    }
    if (last != FROM_HALF && x.im == LT_NONE) x.im = lt_build_part(c->b, x.re, 1); /* over no dims */
    lt_call_return(c, x.im == LT_NONE ? x.re : lt_build_complex(c->b, x.re, x.im));
}

/* The power of the length that the result is divided by: "backward" divides inverse transforms, "forward" the
 * others. */
static double norm_power(lt_call *c, bool inverse)
{
    const char *norm = lt_call_has(c, "norm") ? lt_call_string(c, "norm") : "backward";
    if (strcmp(norm, "ortho") == 0) return 0.5;
    if (strcmp(norm, "forward") != 0 && strcmp(norm, "backward") != 0)
        lt_build_fail(c->b, LATHE_FORMAT, "argument 'norm' is \"%s\"", norm);
    return (norm[0] == 'b') == inverse ? 1 : 0;
}

static lt_fourier_dims take_dims(lt_call *c)
{
    lt_fourier_dims dims = {.n = 0};
    int rank = lt_build_rank(c->b, lt_call_tensor(c, "self")), sizes = 0;
    int64_t dim[LT_MAX_RANK];
    const char *size = lt_call_takes(c, "n") ? "n" : "s";
    for (int i = 0; i < LT_MAX_RANK; i++) dims.size[i] = -1;
    if (lt_call_has(c, size)) sizes = lt_call_ints(c, size, dims.size, LT_MAX_RANK);
    if (lt_call_has(c, "dim")) dims.n = lt_call_ints(c, "dim", dim, LT_MAX_RANK);
    else { /* the last ones that sizes are given for, or all */ dims.n = sizes ? sizes : rank;
        for (int i = 0; i < dims.n; i++) dim[i] = i - dims.n;
    }
    if (sizes && sizes != dims.n) lt_build_fail(c->b, LATHE_TYPE, "%d sizes for %d dims", sizes, dims.n);
    for (int i = 0; i < dims.n; i++) dims.dim[i] = lt_build_dim(c->b, dim[i], rank);
    return dims;
}

static void fft(lt_call *c)
{
    const char *name = c->schema->name + strlen("fft_");
    bool inverse = strstr(name, "ifft") || strstr(name, "irfft"), half = strchr(name, 'r') != NULL;
    lt_fourier_dims dims = take_dims(c);
    transform(c, &dims,
              !half     ? FULL
              : inverse ? FROM_HALF
                        : TO_HALF,
              inverse ? 1 : -1, norm_power(c, inverse));
}

/* Core ATen: `normalization` is twice the power that the result is divided by. */
static void core_fft(lt_call *c, lt_transform last, double sign, int64_t last_size)
{
    lt_fourier_dims dims = {.n = 0};
    int rank = lt_build_rank(c->b, lt_call_tensor(c, "self"));
    int64_t dim[LT_MAX_RANK], norm = lt_call_int(c, "normalization");
    dims.n = lt_call_ints(c, "dim", dim, LT_MAX_RANK);
    for (int i = 0; i < dims.n; i++) {
        dims.dim[i] = lt_build_dim(c->b, dim[i], rank);
        dims.size[i] = i == dims.n - 1 ? last_size : -1;
    }
    if (norm < 0 || norm > 2)
        lt_build_fail(c->b, LATHE_FORMAT, "argument 'normalization' is %lld", (long long)norm);
    transform(c, &dims, last, sign, (double)norm / 2);
}

static void core_r2c(lt_call *c) { core_fft(c, lt_call_bool(c, "onesided") ? TO_HALF : FULL, -1, -1); }
static void core_c2c(lt_call *c) { core_fft(c, FULL, lt_call_bool(c, "forward") ? -1 : 1, -1); }
static void core_c2r(lt_call *c) { core_fft(c, FROM_HALF, 1, lt_call_int(c, "last_dim_size")); }

#define ONE "(Tensor self, SymInt? n=None, int dim=-1, str? norm=None) -> Tensor"
#define TWO "(Tensor self, SymInt[1]? s=None, int[1] dim=[-2, -1], str? norm=None) -> Tensor"
#define ANY "(Tensor self, SymInt[1]? s=None, int[1]? dim=None, str? norm=None) -> Tensor"

const lt_aten_row lt_aten_fourier[] = {
    {"fft_fft" ONE, fft, 0},
    {"fft_ifft" ONE, fft, 0},
    {"fft_rfft" ONE, fft, 0},
    {"fft_irfft" ONE, fft, 0},
    {"fft_fft2" TWO, fft, 0},
    {"fft_ifft2" TWO, fft, 0},
    {"fft_rfft2" TWO, fft, 0},
    {"fft_irfft2" TWO, fft, 0},
    {"fft_fftn" ANY, fft, 0},
    {"fft_ifftn" ANY, fft, 0},
    {"fft_rfftn" ANY, fft, 0},
    {"fft_irfftn" ANY, fft, 0},
    {"_fft_r2c(Tensor self, int[] dim, int normalization, bool onesided) -> Tensor", core_r2c, 0},
    {"_fft_c2c(Tensor self, SymInt[] dim, int normalization, bool forward) -> Tensor", core_c2c, 0},
    {"_fft_c2r(Tensor self, int[] dim, int normalization, SymInt last_dim_size) -> Tensor", core_c2r, 0},
    {NULL, NULL, 0},
};
