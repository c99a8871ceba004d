/* A causal language model with a key-value cache, over the sessions of one model or two: ids in, logits out.
 */
#ifndef LT_CAUSAL_H
#define LT_CAUSAL_H

#include "base/arena.h"
#include "lathe/llm.h"

/* One model and what its inputs and outputs are for. */
typedef struct lt_causal_part {
    lathe_model *model; /* borrowed */
    lathe_session *session;
    int ids, position, position_ids, mask; /* inputs; -1: there is none */
    size_t *cache_in, *cache_out;          /* [n_in], [n_out] inputs and outputs, in the same order */
    size_t n_in, n_out;
    bool kept;      /* the session keeps the caches of cache_in; else they are outputs that become inputs */
    int64_t length; /* tokens of one run; -1: open */
    int64_t cache;  /* positions that its caches have; -1: open; 0: it has no cache inputs */
    int64_t length_max, cache_max; /* the most that an open length or cache may have */
} lt_causal_part;

typedef struct lt_causal {
    lt_arena *arena;
    lt_causal_part part[2]; /* for prompts, and for single tokens where that is another model */
    int n_parts;
    bool empty; /* nothing was written into the caches since they were emptied */
    int newest; /* the part that has the newest caches; -1: none */
    int64_t context, chunk;
    int64_t vocabulary; /* ids are less than this; -1: the model does not say */
    float *logits;      /* [n_logits] of the last token run */
    size_t n_logits;
} lt_causal;

lathe_status lt_causal_create(lathe_model *model, lathe_model *decode, const lathe_generator_options *options,
                              lt_causal **out, lathe_error *err) LT_MUST_USE;
void lt_causal_destroy(lt_causal *causal); /* NULL is allowed */

/* Runs `count` tokens, 1 or more, behind `first` positions that are in the caches already (0: the caches
 * start empty), and leaves the logits of the last one. `rows` (may be NULL) gets those of all, [count,
 * vocabulary]. */
lathe_status lt_causal_run(lt_causal *causal, const int64_t *ids, size_t first, size_t count, float *rows,
                           lathe_error *err) LT_MUST_USE;

/* Gets ready for such a run. */
lathe_status lt_causal_prepare(lt_causal *causal, size_t first, size_t count, lathe_preparation *out,
                               lathe_error *err) LT_MUST_USE;

/* Empties the caches, as a run from position 0 does itself when they are not empty. */
lathe_status lt_causal_reset(lt_causal *causal, lathe_error *err) LT_MUST_USE;

/* Fills the caches that the part for single tokens keeps with random values between -1 and 1. */
lathe_status lt_causal_randomize(lt_causal *causal, uint64_t seed, lathe_error *err) LT_MUST_USE;

/* Bytes read and floating-point operations of `count` tokens that ran behind `first` positions: of the cache,
 * only the positions that they see. */
lathe_status lt_causal_cost(const lt_causal *causal, size_t first, size_t count, lathe_generator_cost *out,
                            lathe_error *err) LT_MUST_USE;

/* How many of the first `wanted` positions a new run can build on: all, or none. */
size_t lt_causal_reusable(const lt_causal *causal, size_t wanted);

#endif
