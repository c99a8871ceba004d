/* lathe eval: how well a language model foretells a text, and how far two models are apart. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TOOL_STRUCT eval_options
#include "tool_bench.h"

enum { BLOCK = 64 }; /* tokens whose logits are held at once */

typedef struct eval_options {
    const char *model[2], *kv_type[2], *text, *tokenizer;
    tool_weights weights[2];
    tool_placement placement; /* of both */
    long context, stride, tokens;
    int threads;
    int json;
} eval_options;

static const tool_word form_words[] = {{"text", 0}, {"json", 1}, {0}};

static const tool_option options[] = {
    TOOL_SHARED(weights[0], tool_weights_options),
    TOOL_SHARED(tokenizer, tool_tokenizer_options),
    TOOL_SHARED(weights[0], tool_quantize_options),
    TOOL_SHARED(kv_type[0], tool_kv_options),
    {"--against MODEL2", TOOL_TEXT(model[1]),
     "a second model: the one that is believed, say before quantisation"},
    {"--against-weights F", TOOL_TEXTS(weights[1].files), "weights file of MODEL2; may be repeated"},
    {"--against-kv TYPE", TOOL_WORD(kv_type[1], tool_kv_words), "what MODEL2's caches are stored as"},
    {"--context N", TOOL_COUNT(context, 2), "tokens of a window (default: 512)"},
    {"--stride N", TOOL_COUNT(stride, 1),
     "tokens from window to window (default: those of a window): the tokens that two windows share are "
     "judged in the first"},
    {"-n, --tokens N", TOOL_COUNT(tokens, 2), "only so many tokens of the text"},
    TOOL_SHARED(threads, tool_threads_options),
    TOOL_SHARED(placement, tool_placement_options),
    {"-o text|json", TOOL_CHOICE(json, form_words), "form of the output (default: text)"},
    {0},
};

static const tool_command command = {
    .name = "eval",
    .intro = "Judges a language model by a text: its perplexity, and, against a second model on the same "
             "tokens, how far their predictions are apart.",
    .arguments = {{"MODEL", TOOL_ONE(model[0])}, {"TEXT", TOOL_ONE(text)}},
    .options = options,
    .notes = "TEXT is a file, or - for standard input. Options of weights and caches are MODEL's, but for "
             "those of MODEL2; where they run, both do.\n"
             "kl_divergence is the mean over tokens of KL(MODEL2 || MODEL) in nats, top1_agreement how "
             "often both find the same token likeliest, max_logit_difference the largest of any token.",
};

/* Sums over judged tokens. */
typedef struct eval_sums {
    long tokens, agree;
    double loss[2];      /* minus the log of the probability of the token that came */
    double kl, worst_kl; /* of the second model's predictions from the first's */
    double logit;        /* the largest difference */
} eval_sums;

typedef struct eval {
    const eval_options *options;
    lathe_model *model[2];
    lathe_generator *generator[2];
    int n_models;
    lathe_tokens tokens;
    int64_t vocabulary;
    float *logits[2]; /* [BLOCK][vocabulary] */
    eval_sums sums;
    double start;
} eval;

/* The log of the sum of exponentials, and which logit is the largest. */
static double log_sum(const float *logits, int64_t n, int64_t *largest)
{
    double sum = 0;
    *largest = 0;
    for (int64_t i = 1; i < n; i++)
        if (logits[i] > logits[*largest]) *largest = i;
    for (int64_t i = 0; i < n; i++) sum += exp((double)(logits[i] - logits[*largest]));
    return (double)logits[*largest] + log(sum);
}

/* Row `row` of the block foretells `next`. */
static void judge(eval *e, size_t row, int64_t next)
{
    int64_t n = e->vocabulary, top[2];
    const float *logits[2] = {e->logits[0] + row * (size_t)n,
                              e->logits[1] ? e->logits[1] + row * (size_t)n : NULL};
    double sum[2], kl = 0;
    eval_sums *s = &e->sums;
    s->tokens++;
    for (int i = 0; i < e->n_models; i++) {
        sum[i] = log_sum(logits[i], n, &top[i]);
        s->loss[i] += sum[i] - (double)logits[i][next];
    }
    if (e->n_models < 2) return;
    for (int64_t i = 0; i < n; i++) {
        double own = (double)logits[0][i] - sum[0], believed = (double)logits[1][i] - sum[1];
        double apart = fabs((double)(logits[0][i] - logits[1][i]));
        kl += exp(believed) * (believed - own);
        if (apart > s->logit) s->logit = apart;
    }
    s->kl += kl;
    if (kl > s->worst_kl) s->worst_kl = kl;
    s->agree += top[0] == top[1];
}

static void report(const eval *e, size_t at, bool last)
{
    bool terminal = isatty(STDERR_FILENO);
    double done = (double)at / (double)e->tokens.count, passed = bench_seconds() - e->start;
    if (!terminal && !last) return;
    fprintf(stderr, "%s%ld tokens, perplexity %.4f; about %.0f s left%s", terminal ? "\r\033[K" : "",
            e->sums.tokens, exp(e->sums.loss[0] / (double)e->sums.tokens), passed / done * (1 - done),
            terminal && !last ? "" : "\n");
}

/* Runs the window [begin, end) and judges the tokens from `from` on. */
static lathe_status judge_window(eval *e, size_t begin, size_t end, size_t from, lathe_error *err)
{
    for (size_t at = begin; at + 1 < end; at += BLOCK) {
        size_t count = end - at < BLOCK ? end - at : BLOCK;
        for (int i = 0; i < e->n_models; i++) {
            lathe_status status = lathe_generator_logits(e->generator[i], e->tokens.ids + at, at - begin,
                                                         count, e->logits[i], err);
            if (status != LATHE_OK) return status;
        }
        for (size_t row = 0; row < count && at + row + 1 < end; row++)
            if (at + row + 1 >= from) judge(e, row, e->tokens.ids[at + row + 1]);
        if (e->sums.tokens) report(e, at + count, false);
    }
    return LATHE_OK;
}

static lathe_status judge_text(eval *e, lathe_error *err)
{
    size_t context = (size_t)e->options->context, stride = (size_t)e->options->stride, judged = 1;
    lathe_status status = LATHE_OK;
    e->start = bench_seconds();
    for (size_t begin = 0; judged < e->tokens.count && status == LATHE_OK; begin += stride) {
        size_t end = begin + context < e->tokens.count ? begin + context : e->tokens.count;
        if (end - begin < 2) break;
        status = judge_window(e, begin, end, judged, err);
        judged = end;
    }
    if (status == LATHE_OK && e->sums.tokens) report(e, e->tokens.count, true);
    return status;
}

/* ---- Getting ready ---- */

static lathe_status open_models(eval *e, lathe_error *err)
{
    const eval_options *o = e->options;
    lathe_status status = LATHE_OK;
    e->n_models = o->model[1] ? 2 : 1;
    for (int i = 0; i < e->n_models && status == LATHE_OK; i++) {
        lathe_generator_options how = {.context = o->context,
                                       .chunk = BLOCK,
                                       .threads = o->threads,
                                       .activations = o->weights[i].activations,
                                       .kv_type = o->kv_type[i],
                                       .placement = o->placement.lathe};
        status = tool_open_model(o->model[i], &o->weights[i], &e->model[i], err);
        if (status == LATHE_OK) tool_device_of(e->model[i], &o->placement);
        if (status == LATHE_OK)
            status = lathe_generator_create(e->model[i], NULL, NULL, &how, &e->generator[i], err);
    }
    return status;
}

static int check_models(eval *e)
{
    e->vocabulary = lathe_generator_vocabulary(e->generator[0]);
    for (int i = 0; i < e->n_models; i++) {
        long long context = (long long)lathe_generator_context(e->generator[i]);
        if (context < e->options->context)
            return tool_usage("eval", "%s has a context of %lld tokens: give --context %lld",
                              e->options->model[i], context, context);
        if (e->vocabulary < 1 || lathe_generator_vocabulary(e->generator[i]) != e->vocabulary)
            return tool_usage("eval", "the models do not have one vocabulary: %lld and %lld tokens",
                              (long long)e->vocabulary,
                              (long long)lathe_generator_vocabulary(e->generator[i]));
        e->logits[i] = calloc(BLOCK * (size_t)e->vocabulary, sizeof(float));
        if (!e->logits[i]) return fprintf(stderr, "lathe eval: out of memory\n"), EXIT_DIFFERS;
    }
    return EXIT_DONE;
}

static int read_tokens(eval *e)
{
    const eval_options *o = e->options;
    char path[TOOL_PATH_BYTES];
    tool_text text;
    lathe_tokenizer *tokenizer;
    lathe_error err;
    if (!tool_find_tokenizer(o->tokenizer, o->model[0], &o->weights[0], path))
        return tool_usage("eval", "no tokenizer: give --tokenizer (there is no %s)", path);
    if (lathe_tokenizer_open(path, &tokenizer, &err) != LATHE_OK) return tool_fail(&err);
    int code = tool_read_text("eval", o->text, &text);
    if (code == EXIT_DONE && lathe_tokenizer_encode(tokenizer, text.data, text.size, LATHE_ENCODE_LITERAL,
                                                    &e->tokens, &err) != LATHE_OK)
        code = tool_fail(&err);
    free(text.data);
    lathe_tokenizer_close(tokenizer);
    if (o->tokens && e->tokens.count > (size_t)o->tokens) e->tokens.count = (size_t)o->tokens;
    if (code == EXIT_DONE && e->tokens.count < 2)
        return tool_usage("eval", "the text has %zu tokens: at least 2 are needed", e->tokens.count);
    return code;
}

/* ---- Output ---- */

static void print_results(const eval *e)
{
    const eval_sums *s = &e->sums;
    double n = (double)s->tokens;
    bool json = e->options->json != 0;
    const struct {
        const char *name;
        double value;
        bool both; /* of two models */
    } results[] = {
        {"tokens", n, false},
        {"perplexity", exp(s->loss[0] / n), false},
        {"against_perplexity", exp(s->loss[1] / n), true},
        {"kl_divergence", s->kl / n, true},
        {"max_kl_divergence", s->worst_kl, true},
        {"top1_agreement", (double)s->agree / n, true},
        {"max_logit_difference", s->logit, true},
    };
    if (json) printf("{\n  \"context\": %ld,\n  \"stride\": %ld", e->options->context, e->options->stride);
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        if (results[i].both && e->n_models < 2) continue;
        if (json) printf(",\n  \"%s\": %.10g", results[i].name, results[i].value);
        else printf("%-22s%.6g\n", results[i].name, results[i].value);
    }
    if (json) printf("\n}\n");
}

static int run(eval *e)
{
    lathe_error err;
    int code = read_tokens(e);
    if (code != EXIT_DONE) return code;
    if (open_models(e, &err) != LATHE_OK) return tool_fail(&err);
    if ((code = check_models(e)) != EXIT_DONE) return code;
    if (judge_text(e, &err) != LATHE_OK) return tool_fail(&err);
    print_results(e);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_DIFFERS;
}

int cmd_eval(int argc, char **argv)
{
    eval_options o = {.context = 512};
    eval e = {.options = &o};
    int code = tool_parse(&command, argc, argv, &o);
    if (!o.stride) o.stride = o.context;
    if (code == TOOL_GO_ON && o.stride > o.context)
        code = tool_usage("eval", "the stride is longer than a window");
    if (code == TOOL_GO_ON) code = run(&e);
    for (int i = 0; i < 2; i++) {
        lathe_generator_destroy(e.generator[i]);
        lathe_model_close(e.model[i]);
        free(e.logits[i]);
    }
    lathe_tokens_free(&e.tokens);
    return code;
}
