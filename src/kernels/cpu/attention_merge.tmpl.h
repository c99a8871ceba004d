/* The results of attention from the parts of its chunks; attention.tmpl.h includes this. */

LT_INLINE void merge(int type, const float *parts, int64_t n, int64_t stride, int64_t value_dim, float empty,
                     void *out)
{
    float most = -INFINITY, sum = 0, weight[LANES];
    float total[LT_ATTEND_DIM];
    for (int64_t d = 0; d < value_dim; d += LANES) vf_store(total + d, vf_zero());
    for (int64_t i = 0; i < n; i++) most = parts[i * stride] > most ? parts[i * stride] : most;
    for (int64_t i = 0; i < n; i++) {
        const float *part = parts + i * stride;
        vf e = isinf(part[0]) && part[0] < 0 ? vf_set(1) : vf_exp(vf_set(part[0] - most));
        vf_store(weight, e);
        sum += weight[0] * part[1];
        for (int64_t d = 0; d < value_dim; d += LANES)
            vf_store(total + d, vf_fma(e, load_left(LT_GEMM_F32, part, LT_ATTEND_PARTIAL + d, value_dim - d),
                                       vf_load(total + d)));
    }
    vf scale = vf_set(sum > 0 || isnan(sum) ? 1 / sum : empty);
    for (int64_t d = 0; d < value_dim; d += LANES)
        store_left(type, out, d, value_dim - d, vf_mul(scale, vf_load(total + d)));
}

#define DEFINE(name, type)                                                                                  \
    static void merge_##name(const float *parts, int64_t n, int64_t stride, int64_t value_dim, float empty, \
                             void *out)                                                                     \
    {                                                                                                       \
        merge(type, parts, n, stride, value_dim, empty, out);                                               \
    }

DEFINE(f32, LT_GEMM_F32)
DEFINE(bf16, LT_GEMM_BF16)
DEFINE(f16, LT_GEMM_F16)
#undef DEFINE
