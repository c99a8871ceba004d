/* The generation loop: prompt in, tokens out, text on its way to the caller. */
#include <string.h>

#include "base/os.h"
#include "base/utf8.h"
#include "llm/causal.h"
#include "llm/tokenizer.h"

struct lathe_generator {
    const lathe_tokenizer *tokenizer; /* borrowed; may be NULL */
    lt_causal *causal;
    int64_t *tokens; /* [context + 1] prompt and answer */
    size_t count;
    size_t cached; /* how many of them are in the caches */
};

lathe_status lathe_generator_create(lathe_model *model, lathe_model *decode, const lathe_tokenizer *tokenizer,
                                    const lathe_generator_options *options, lathe_generator **out,
                                    lathe_error *err)
{
    *out = NULL;
    lathe_generator *g = lt_heap_alloc(1, sizeof *g);
    if (!g) return lt_out_of_memory(err, 1, sizeof *g);
    g->tokenizer = tokenizer;
    lathe_status status = lt_causal_create(model, decode, options, &g->causal, err);
    if (status == LATHE_OK) {
        g->tokens = lt_heap_alloc((size_t)g->causal->context + 1, sizeof *g->tokens);
        if (!g->tokens) status = lt_out_of_memory(err, (size_t)g->causal->context + 1, sizeof *g->tokens);
    }
    if (status == LATHE_OK) *out = g;
    else lathe_generator_destroy(g);
    return status;
}

void lathe_generator_destroy(lathe_generator *generator)
{
    if (!generator) return;
    lt_causal_destroy(generator->causal);
    lt_heap_free(generator->tokens);
    lt_heap_free(generator);
}

int64_t lathe_generator_context(const lathe_generator *generator) { return generator->causal->context; }

const int64_t *lathe_generator_tokens(const lathe_generator *generator, size_t *count)
{
    *count = generator->count;
    return generator->tokens;
}

static lathe_status check_range(const lathe_generator *generator, size_t first, size_t count,
                                lathe_error *err)
{
    size_t context = (size_t)generator->causal->context;
    if (!count || first > context || count > context - first)
        LT_FAIL(err, LIMIT, "%zu tokens behind %zu positions, the context is %zu", count, first, context);
    return LATHE_OK;
}

lathe_status lathe_generator_prepare(lathe_generator *generator, size_t first, size_t count,
                                     lathe_preparation *out, lathe_error *err)
{
    lathe_preparation spent;
    generator->count = generator->cached = 0;
    LT_TRY(check_range(generator, first, count, err));
    LT_TRY(lt_causal_prepare(generator->causal, first, count, out ? out : &spent, err));
    return first ? LATHE_OK : lt_causal_reset(generator->causal, err);
}

static lathe_status check_ids(const lathe_generator *g, const int64_t *ids, size_t count, lathe_error *err)
{
    for (size_t i = 0; i < count && g->causal->vocabulary >= 0; i++)
        if (ids[i] < 0 || ids[i] >= g->causal->vocabulary)
            LT_FAIL(err, INVALID_ARGUMENT,
                    "token %lld is none of the model's %lld: is this the model's tokenizer?",
                    (long long)ids[i], (long long)g->causal->vocabulary);
    return LATHE_OK;
}

int64_t lathe_generator_vocabulary(const lathe_generator *generator) { return generator->causal->vocabulary; }

lathe_status lathe_generator_logits(lathe_generator *generator, const int64_t *ids, size_t first,
                                    size_t count, float *logits, lathe_error *err)
{
    generator->count = generator->cached = 0;
    LT_TRY(check_range(generator, first, count, err));
    LT_TRY(check_ids(generator, ids, count, err));
    return lt_causal_run(generator->causal, ids, first, count, logits, err);
}

lathe_status lathe_generator_measure(lathe_generator *generator, size_t first, size_t count,
                                     lathe_generator_cost *out, lathe_error *err)
{
    lt_causal *causal = generator->causal;
    generator->count = generator->cached = 0;
    LT_TRY(check_range(generator, first, count, err));
    int64_t *ids = lt_heap_alloc(count, sizeof *ids);
    if (!ids) return lt_out_of_memory(err, count, sizeof *ids);
    lathe_status status = first ? LATHE_OK : lt_causal_reset(causal, err);
    double start = lt_os_seconds();
    if (status == LATHE_OK) status = lt_causal_run(causal, ids, first, count, NULL, err);
    out->seconds = lt_os_seconds() - start;
    lt_heap_free(ids);
    LT_TRY(status);
    return lt_causal_cost(causal, first, count, out, err);
}

lathe_session *lathe_generator_session(lathe_generator *generator)
{
    const lt_causal *causal = generator->causal;
    return causal->part[causal->newest < 0 ? 0 : causal->newest].session;
}

lathe_status lathe_generator_randomize_caches(lathe_generator *generator, uint64_t seed, lathe_error *err)
{
    generator->count = generator->cached = 0;
    return lt_causal_randomize(generator->causal, seed, err);
}

void lathe_generation_init(lathe_generation *generation)
{
    *generation = (lathe_generation){0};
    lathe_sampling_init(&generation->sampling);
}

/* One run. */
typedef struct loop {
    lathe_generator *g;
    const lathe_generation *how;
    lathe_sampler *sampler;
    lt_utf8_stream stream;
    lathe_generation_result result;
    bool stopped; /* the caller has seen enough */
} loop;

static void emit(loop *l, const char *text, size_t size)
{
    if (size && l->how->on_text && !l->stopped) l->stopped = !l->how->on_text(l->how->user, text, size);
}

static void emit_token(loop *l, int64_t id)
{
    const lathe_tokenizer *tokenizer = l->g->tokenizer;
    size_t size, used = 0;
    char out[512];
    if (!tokenizer || lathe_tokenizer_is_special(tokenizer, id)) return;
    const char *bytes = lathe_tokenizer_piece(tokenizer, id, &size);
    for (size_t i = 0; i < size; i++) {
        used += lt_utf8_push(&l->stream, bytes[i], out + used);
        if (used + 8 <= sizeof out) continue;
        emit(l, out, used);
        used = 0;
    }
    emit(l, out, used);
}

/* Runs what is not in the caches yet. When that fails the caches count as empty. */
static lathe_status run_pending(lathe_generator *g, lathe_error *err)
{
    size_t first = g->cached;
    g->cached = 0;
    LT_TRY(lt_causal_run(g->causal, g->tokens + first, first, g->count - first, NULL, err));
    g->cached = g->count;
    return LATHE_OK;
}

static lathe_status take_prompt(lathe_generator *g, const int64_t *prompt, size_t count, size_t *reused,
                                lathe_error *err)
{
    if (!count) LT_FAIL(err, INVALID_ARGUMENT, "the prompt has no tokens: there is nothing to continue");
    if (count > (size_t)g->causal->context)
        LT_FAIL(err, LIMIT,
                "the prompt has %zu tokens and the context holds %lld: shorten it, or ask for a "
                "larger context",
                count, (long long)g->causal->context);
    LT_TRY(check_ids(g, prompt, count, err));
    size_t same = 0;
    while (same < g->cached && same + 1 < count && g->tokens[same] == prompt[same]) same++;
    g->cached = *reused = lt_causal_reusable(g->causal, same);
    memcpy(g->tokens, prompt, count * sizeof *prompt);
    g->count = count;
    return LATHE_OK;
}

static lathe_status decode(loop *l, lathe_error *err)
{
    lathe_generator *g = l->g;
    lathe_generation_result *result = &l->result;
    for (;;) {
        int64_t id;
        LT_TRY_NOTE(lathe_sampler_next(l->sampler, g->causal->logits, g->causal->n_logits, g->tokens,
                                       g->count, &id, err),
                    err, "position %zu", g->count);
        g->tokens[g->count++] = id;
        result->stop = LATHE_STOP_END;
        if (g->tokenizer && lathe_tokenizer_is_end(g->tokenizer, id)) return LATHE_OK;
        result->answer_tokens++;
        emit_token(l, id);
        result->stop = l->stopped ? LATHE_STOP_CALLER : LATHE_STOP_LENGTH;
        if (l->stopped || (int64_t)result->answer_tokens == l->how->max_tokens) return LATHE_OK;
        result->stop = LATHE_STOP_CONTEXT;
        if ((int64_t)g->count > g->causal->context) return LATHE_OK;
        LT_TRY(run_pending(g, err));
        result->decode_steps++;
    }
}

/* Gets ready for the prompt and for single tokens behind it, so that neither is timed with it. */
static lathe_status prepare(loop *l, lathe_error *err)
{
    lathe_generator *g = l->g;
    lathe_preparation *sum = &l->result.preparation, one;
    size_t cached = g->cached;
    g->cached = 0; /* as in run_pending */
    LT_TRY(lt_causal_prepare(g->causal, cached, g->count - cached, sum, err));
    if (l->how->max_tokens != 1 && (int64_t)g->count < g->causal->context) {
        LT_TRY(lt_causal_prepare(g->causal, g->count, 1, &one, err));
        sum->compile_seconds += one.compile_seconds;
        sum->pack_seconds += one.pack_seconds;
    }
    g->cached = cached;
    return LATHE_OK;
}

static lathe_status run(loop *l, const int64_t *prompt, size_t count, lathe_error *err)
{
    LT_TRY(take_prompt(l->g, prompt, count, &l->result.reused_tokens, err));
    LT_TRY(prepare(l, err));
    double start = lt_os_seconds();
    l->result.prompt_tokens = count;
    LT_TRY(run_pending(l->g, err));
    double middle = lt_os_seconds();
    l->result.prefill_seconds = middle - start;
    LT_TRY(decode(l, err));
    char out[8];
    emit(l, out, lt_utf8_flush(&l->stream, out));
    l->result.decode_seconds = lt_os_seconds() - middle;
    return LATHE_OK;
}

lathe_status lathe_generator_run(lathe_generator *generator, const int64_t *prompt, size_t count,
                                 const lathe_generation *generation, lathe_generation_result *result,
                                 lathe_error *err)
{
    loop l = {.g = generator, .how = generation};
    LT_TRY(lathe_sampler_create(&generation->sampling, &l.sampler, err));
    lathe_status status = run(&l, prompt, count, err);
    lathe_sampler_destroy(l.sampler);
    if (result) *result = l.result;
    return status;
}
