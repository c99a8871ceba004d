/* Choosing a token from logits. Order and meaning of the steps are those of Hugging Face transformers. */
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/random.h"
#include "lathe/llm.h"

typedef struct candidate {
    float score; /* logit after the penalty */
    uint32_t id;
} candidate;

struct lathe_sampler {
    lathe_sampling how;
    uint64_t state[4]; /* xoshiro256** */
    candidate *list;   /* [capacity] scratch: all tokens */
    double *weight;    /* [capacity] scratch: probabilities before scaling */
    size_t capacity;
};

void lathe_sampling_init(lathe_sampling *sampling)
{
    *sampling = (lathe_sampling){.repetition_penalty = 1, .top_p = 1};
}

static lathe_status check(const lathe_sampling *how, lathe_error *err)
{
    if (!(how->temperature >= 0) || isinf(how->temperature))
        LT_FAIL(err, INVALID_ARGUMENT, "temperature is %g, expected 0 or more", (double)how->temperature);
    if (how->top_k < 0)
        LT_FAIL(err, INVALID_ARGUMENT, "top-k is %lld, expected 0 or more", (long long)how->top_k);
    if (!(how->top_p > 0 && how->top_p <= 1))
        LT_FAIL(err, INVALID_ARGUMENT, "top-p is %g, expected more than 0, at most 1", (double)how->top_p);
    if (!(how->min_p >= 0 && how->min_p <= 1))
        LT_FAIL(err, INVALID_ARGUMENT, "min-p is %g, expected 0 to 1", (double)how->min_p);
    if (!(how->repetition_penalty > 0) || isinf(how->repetition_penalty))
        LT_FAIL(err, INVALID_ARGUMENT, "repetition penalty is %g, expected more than 0",
                (double)how->repetition_penalty);
    return LATHE_OK;
}

static uint64_t rotate(uint64_t x, int k) { return x << k | x >> (64 - k); }

static uint64_t xoshiro256ss(uint64_t s[4])
{
    uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

lathe_status lathe_sampler_create(const lathe_sampling *sampling, lathe_sampler **out, lathe_error *err)
{
    *out = NULL;
    LT_TRY(check(sampling, err));
    lathe_sampler *sampler = lt_heap_alloc(1, sizeof *sampler);
    if (!sampler) return lt_out_of_memory(err, 1, sizeof *sampler);
    sampler->how = *sampling;
    uint64_t seed = sampling->seed;
    for (int i = 0; i < 4; i++) sampler->state[i] = lt_random_next(&seed);
    *out = sampler;
    return LATHE_OK;
}

static void release_scratch(lathe_sampler *sampler)
{
    lt_heap_free(sampler->list);
    lt_heap_free(sampler->weight);
    sampler->list = NULL;
    sampler->weight = NULL;
    sampler->capacity = 0;
}

void lathe_sampler_destroy(lathe_sampler *sampler)
{
    if (!sampler) return;
    release_scratch(sampler);
    lt_heap_free(sampler);
}

static lathe_status reserve(lathe_sampler *sampler, size_t count, lathe_error *err)
{
    if (count <= sampler->capacity) return LATHE_OK;
    release_scratch(sampler);
    sampler->list = lt_heap_alloc(count, sizeof *sampler->list);
    sampler->weight = lt_heap_alloc(count, sizeof *sampler->weight);
    if (!sampler->list || !sampler->weight) {
        release_scratch(sampler);
        return lt_out_of_memory(err, count, sizeof *sampler->weight);
    }
    sampler->capacity = count;
    return LATHE_OK;
}

/* Fills the list in id order and gives the position of the likeliest token. */
static lathe_status read_logits(lathe_sampler *sampler, const float *logits, size_t count,
                                const int64_t *seen, size_t n_seen, size_t *best, lathe_error *err)
{
    *best = 0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(logits[i]) || logits[i] == INFINITY)
            LT_FAIL(err, INVALID_ARGUMENT, "the logit of token %zu is %s: the model's numbers broke down", i,
                    isnan(logits[i]) ? "NaN" : "infinite");
        sampler->list[i] = (candidate){logits[i], (uint32_t)i};
    }
    float penalty = sampler->how.repetition_penalty;
    for (size_t i = 0; i < n_seen && penalty != 1; i++) {
        if (seen[i] < 0 || (uint64_t)seen[i] >= count) continue;
        float logit = logits[seen[i]]; /* from the original: a token seen twice is not punished twice */
        sampler->list[seen[i]].score = logit > 0 ? logit / penalty : logit * penalty;
    }
    for (size_t i = 1; i < count; i++)
        if (sampler->list[i].score > sampler->list[*best].score) *best = i;
    if (sampler->list[*best].score == -INFINITY)
        LT_FAIL(err, INVALID_ARGUMENT, "every logit is -infinity: there is no token to choose");
    return LATHE_OK;
}

/* Likelier first; equals by id. */
static bool before(candidate a, candidate b)
{
    return a.score > b.score || (a.score == b.score && a.id < b.id);
}

static void sift_down(candidate *heap, size_t count, size_t at)
{
    candidate moving = heap[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && before(heap[child + 1], heap[child])) child++;
        if (!before(heap[child], moving)) break;
        heap[at] = heap[child];
    }
    heap[at] = moving;
}

static double weigh(const lathe_sampler *sampler, candidate c, float largest)
{
    return exp(((double)c.score - (double)largest) / (double)sampler->how.temperature);
}

/* Moves the likeliest tokens to the end of the list, the likeliest last, until there are `most` of them or
 * they weigh `target` together; returns how many. A heap gives them up one after another: the rest stays
 * unsorted. */
static size_t take_likeliest(const lathe_sampler *sampler, size_t count, size_t most, double target,
                             float largest)
{
    candidate *list = sampler->list;
    for (size_t i = count / 2; i-- > 0;) sift_down(list, count, i);
    size_t taken = 0;
    for (double sum = 0; taken < most && (taken == 0 || sum < target); taken++) {
        candidate top = list[0], *last = &list[count - 1 - taken];
        list[0] = *last;
        *last = top;
        sift_down(list, count - 1 - taken, 0);
        sum += weigh(sampler, top, largest);
    }
    return taken;
}

/* What top-k and top-p leave, at the end of the list; returns how many. */
static size_t choose_candidates(const lathe_sampler *sampler, size_t count, float largest)
{
    const lathe_sampling *how = &sampler->how;
    bool limited = how->top_k > 0 && (uint64_t)how->top_k < count;
    double total = 0, top_p = (double)how->top_p;
    if (!limited && how->top_p >= 1) return count;
    if (!limited) {
        for (size_t i = 0; i < count; i++) total += weigh(sampler, sampler->list[i], largest);
        return take_likeliest(sampler, count, count, top_p * total, largest);
    }
    size_t taken = take_likeliest(sampler, count, (size_t)how->top_k, INFINITY, largest), kept = 0;
    if (how->top_p >= 1) return taken;
    const candidate *end = sampler->list + count;
    for (size_t i = 1; i <= taken; i++) total += weigh(sampler, end[-(ptrdiff_t)i], largest);
    for (double sum = 0; kept < taken && (kept == 0 || sum < top_p * total); kept++)
        sum += weigh(sampler, end[-(ptrdiff_t)kept - 1], largest);
    return kept;
}

static int64_t draw(lathe_sampler *sampler, const candidate *list, size_t count, float largest)
{
    double total = 0, low = (double)sampler->how.min_p;
    for (size_t i = 0; i < count; i++) {
        double weight = weigh(sampler, list[i], largest);
        sampler->weight[i] = weight >= low ? weight : 0;
        total += sampler->weight[i];
    }
    double at = (double)(xoshiro256ss(sampler->state) >> 11) * 0x1p-53 * total;
    size_t last = 0;
    for (size_t i = 0; i < count; i++) {
        if (sampler->weight[i] == 0) continue;
        last = i;
        if (at < sampler->weight[i]) break;
        at -= sampler->weight[i];
    }
    return list[last].id;
}

lathe_status lathe_sampler_next(lathe_sampler *sampler, const float *logits, size_t count,
                                const int64_t *seen, size_t n_seen, int64_t *id, lathe_error *err)
{
    size_t best;
    if (!count || count > UINT32_MAX) LT_FAIL(err, INVALID_ARGUMENT, "%zu logits", count);
    LT_TRY(reserve(sampler, count, err));
    LT_TRY(read_logits(sampler, logits, count, seen, n_seen, &best, err));
    *id = (int64_t)best;
    if (sampler->how.temperature == 0) return LATHE_OK;
    float largest = sampler->list[best].score;
    size_t kept = choose_candidates(sampler, count, largest);
    *id = draw(sampler, sampler->list + count - kept, kept, largest);
    return LATHE_OK;
}
