/* What measurements need beside running: caches full of something, and what a run costs. */
#include "base/random.h"
#include "llm/causal.h"

static void fill(float *data, size_t count, uint64_t *state)
{
    for (size_t i = 0; i < count; i++) data[i] = (float)(int32_t)(lt_random_next(state) >> 32) * 0x1p-31f;
}

/* A cache of any float type takes these values, rounded. */
static lathe_status write_cache(const lt_causal_part *part, size_t input, uint64_t *random, lathe_error *err)
{
    lathe_tensor cache, values;
    LT_TRY(lathe_session_state(part->session, input, &cache, err));
    size_t count = (size_t)lathe_tensor_count(&cache);
    float *data = lt_heap_alloc(count, sizeof *data);
    if (!data) return lt_out_of_memory(err, count, sizeof *data);
    fill(data, count, random);
    lathe_tensor_init(&values, LATHE_F32, cache.rank, cache.dim, data);
    lathe_status status = lathe_session_write_state(part->session, input, &values, err);
    lt_heap_free(data);
    return status;
}

lathe_status lt_causal_randomize(lt_causal *causal, uint64_t seed, lathe_error *err)
{
    int which = causal->n_parts - 1;
    const lt_causal_part *part = &causal->part[which];
    lathe_preparation spent;
    if (!part->kept)
        LT_FAIL(err, UNSUPPORTED, "the caches are not kept in the session: they cannot be filled beforehand");
    causal->newest = -1;
    LT_TRY(lt_causal_prepare(causal, 0, 1, &spent, err)); /* the caches exist from here on */
    causal->empty = false;
    causal->newest = which;
    for (size_t i = 0; i < part->n_in; i++) LT_TRY(write_cache(part, part->cache_in[i], &seed, err));
    return LATHE_OK;
}

/* Attention's share of the flops is proportional to the positions seen; the session counts all that the cache
 * has. */
lathe_status lt_causal_cost(const lt_causal *causal, size_t first, size_t count, lathe_generator_cost *out,
                            lathe_error *err)
{
    const lt_causal_part *part = &causal->part[causal->newest < 0 ? 0 : causal->newest];
    lathe_cost cost;
    LT_TRY(lathe_session_cost(part->session, &cost, err));
    double chunk = (double)(part->length > 0 ? part->length : causal->chunk);
    double runs = (double)count > chunk ? (double)count / chunk : 1,
           cache = (double)lt_max_i64(part->cache, 1);
    double seen = ((double)first + (double)count / 2) / cache;
    out->bytes = runs * (cost.weight_bytes + cost.state_bytes * seen);
    out->flops = runs * (cost.flops - cost.attention_flops + cost.attention_flops * seen);
    out->weight_type = cost.weight_type;
    out->kv_type = cost.state_type;
    out->activations = cost.activations;
    return LATHE_OK;
}
