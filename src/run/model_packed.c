/* Matrices of a model in packed form. */
#include "ops/convert.h"
#include "run/model.h"

/* ---- Quantising ---- */

typedef struct lt_quantize_job {
    const lt_tensor *matrix;
    const lt_packed *to;
} lt_quantize_job;

static void quantize_rows(void *context, int64_t begin, int64_t end)
{
    const lt_quantize_job *job = context;
    const lt_tensor *m = job->matrix;
    const lt_packed *to = job->to;
    int64_t size = (int64_t)lathe_dtype_size(m->dtype),
            columns = lt_packing_table[to->packing].block_groups * LT_GROUP;
    for (int64_t row = begin; row < end; row++)
        for (int64_t block = 0; block < lt_packed_blocks(to); block++) {
            float values[LT_MAX_BLOCK];
            int64_t first = block * columns, n = lt_min_i64(columns, to->k - first);
            const char *at = (const char *)m->data + (row * m->stride[0] + first * m->stride[1]) * size;
            lt_load_f32(m->dtype, at, m->stride[1] * size, n, values);
            lt_quantize_block(to, row, block, values);
        }
}

/* ---- Packing ---- */

/* How a weight is to be packed, and from what. */
typedef struct lt_packed_plan {
    const lt_weight *blocks; /* of a file; NULL: the plain weight is quantised */
    lt_packing packing;
} lt_packed_plan;

static bool is_matrix(const lt_type *type) { return type->rank == 2 && type->dim[0] > 0 && type->dim[1] > 0; }

static lathe_status plan_packing(const lathe_model *model, uint32_t index, bool linear, lt_packed_plan *plan,
                                 bool *packed, lathe_error *err)
{
    const lt_type *type = &model->exported->weights[index].type;
    const lt_weight *found;
    *plan = (lt_packed_plan){.packing =
                                 model->quantization == LATHE_QUANTIZE_INT8 ? LT_PACK_INT8 : LT_PACK_INT4_K};
    *packed = false;
    if (!is_matrix(type)) return LATHE_OK;
    LT_TRY(lt_model_find_weight(model, index, &found, err));
    bool fits = found && found->type.rank == 2 && found->type.dim[0] == type->dim[0] &&
                found->type.dim[1] == type->dim[1];
    if (fits && lt_weight_packing(found, &plan->packing)) plan->blocks = found;
    *packed = plan->blocks || (linear && model->quantization && lt_dtype_is_float(type->dtype));
    return LATHE_OK;
}

/* A weight that is packed from the same bytes in the same way. */
static const lt_model_weight *find_tie(const lathe_model *model, const lt_packed *packed, const void *from)
{
    for (uint32_t i = 0; i < model->exported->n_weights; i++) {
        const lt_model_weight *other = &model->weights[i];
        if (other->packed.data && other->packed_from == from && other->packed.packing == packed->packing &&
            other->packed.n == packed->n && other->packed.k == packed->k)
            return other;
    }
    return NULL;
}

/* Gives back what was packed, unless a program reads it. */
static void release_plain(lathe_model *model, uint32_t index, const lt_packed_plan *plan)
{
    lt_model_weight *to = &model->weights[index];
    if (plan->blocks) lt_os_discard(plan->blocks->data, plan->blocks->bytes);
    if (to->placed) return;
    if (to->owned) to->packed_from = NULL; /* other bytes may come to lie there */
    lt_model_discard_weight(model, index);
    lt_os_free(to->owned);
    to->data = to->owned = NULL;
}

static lathe_status pack(lathe_model *model, uint32_t index, const lt_packed_plan *plan, lt_pool *pool,
                         lathe_error *err)
{
    const lt_type *type = &model->exported->weights[index].type;
    lt_model_weight *to = &model->weights[index];
    lt_packed packed = {.packing = plan->packing, .n = type->dim[0], .k = type->dim[1]};
    if (plan->blocks) to->from = plan->blocks;
    else LT_TRY(lt_model_need_weight(model, index, err));
    to->packed_from = plan->blocks ? plan->blocks->data : to->data;
    const lt_model_weight *tie = find_tie(model, &packed, to->packed_from);
    if (tie) {
        to->packed = tie->packed;
    } else {
        size_t bytes = (size_t)lt_packed_bytes(packed.packing, packed.n, packed.k);
        packed.data = lt_os_alloc(bytes);
        if (!packed.data) return lt_out_of_memory(err, bytes, 1);
        lt_tensor matrix = lt_tensor_of(type, (void *)(uintptr_t)to->data);
        matrix.stride[0] = to->stride[0];
        matrix.stride[1] = to->stride[1];
        lt_quantize_job job = {.matrix = &matrix, .to = &packed};
        if (plan->blocks) lt_weight_pack(plan->blocks, pool, &packed);
        else lt_pool_run(pool, packed.n, LT_PANEL, quantize_rows, &job);
        to->packed = packed;
        to->owns_packed = true;
    }
    release_plain(model, index, plan);
    return LATHE_OK;
}

lathe_status lt_model_plan_packed(const lathe_model *model, uint32_t index, bool linear, lt_packing *packing,
                                  bool *packed, lathe_error *err)
{
    lt_packed_plan plan;
    const lt_packed *there = &model->weights[index].packed;
    *packing = there->packing;
    *packed = there->data;
    if (*packed) return LATHE_OK;
    LT_TRY(plan_packing(model, index, linear, &plan, packed, err));
    *packing = plan.packing;
    return LATHE_OK;
}

lathe_status lt_model_need_packed(lathe_model *model, uint32_t index, bool linear, lt_pool *pool,
                                  bool *packed, lathe_error *err)
{
    lt_packed_plan plan;
    *packed = model->weights[index].packed.data;
    if (*packed) return LATHE_OK;
    LT_TRY(plan_packing(model, index, linear, &plan, packed, err));
    return *packed ? pack(model, index, &plan, pool, err) : LATHE_OK;
}

void lt_model_unpack(const lathe_model *model, uint32_t index, void *out)
{
    const lt_packed *from = &model->weights[index].packed;
    lt_dtype dtype = model->exported->weights[index].type.dtype;
    int64_t size = (int64_t)lathe_dtype_size(dtype);
    char *to = out;
    for (int64_t row = 0; row < from->n; row++)
        for (int64_t block = 0; block < lt_packed_blocks(from); block++) {
            float values[LT_MAX_BLOCK];
            int64_t n = lt_packed_floats(from, row, block, values);
            lt_store_f32(dtype, to, size, n, values);
            to += n * size;
        }
}

lathe_status lathe_model_quantize(lathe_model *model, lathe_quantization quantization, lathe_error *err)
{
    if (quantization > LATHE_QUANTIZE_INT4)
        LT_FAIL(err, INVALID_ARGUMENT, "quantization %d", (int)quantization);
    for (uint32_t i = 0; i < model->exported->n_weights; i++)
        if (model->weights[i].placed || model->weights[i].packed.data)
            LT_FAIL(err, INVALID_ARGUMENT, "weights are in use already: quantise before creating a session");
    model->quantization = quantization;
    return LATHE_OK;
}
