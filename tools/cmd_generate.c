/* lathe generate: a language model writes. Standard output gets its text alone; the rest goes to standard
 * error. */
#include <jansson.h>
#include <lathe/llm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TOOL_STRUCT generate_options
#include "tool.h"

enum { DEFAULT_TOKENS = 256, CHAT_CONTEXT = 2048 };

typedef struct generate_options {
    const char *model[2], *tokenizer, *kv_mapping, *kv_type, *prompt, *system;
    tool_weights weights;
    tool_placement placement;
    bool chat, interactive, raw;
    int64_t context, chunk, seed; /* seed: negative: from the clock */
    int threads;
    lathe_generation how;
    json_t *manifest;                /* owns names taken from it */
    char *names[TOOL_MAX_TEXTS + 8]; /* paths made here: malloc */
    int n_names;
} generate_options;

static const tool_option options[] = {
    TOOL_SHARED(weights, tool_weights_options),
    TOOL_SHARED(tokenizer, tool_tokenizer_options),
    TOOL_SHARED(weights, tool_quantize_options),
    {"-p, --prompt TEXT", TOOL_TEXT(prompt), "one prompt"},
    {"--chat", TOOL_FLAG(chat),
     "a conversation: every line of standard input is a turn (with -p: that turn alone, unless -i is given "
     "as well)"},
    {"-i, --interactive", TOOL_FLAG(interactive), "every line of standard input is a prompt of its own"},
    {"--system TEXT", TOOL_TEXT(system), "the system message, instead of the model's own"},
    {"--raw", TOOL_FLAG(raw), "take prompts as they are, not as messages of a chat"},
    {"-n, --tokens N", TOOL_INTEGER(how.max_tokens, 0, INT64_MAX),
     "most tokens of an answer (default: 256; 0: until it ends)"},
    {"--temperature T", TOOL_REAL(how.sampling.temperature, 0, INT64_MAX),
     "0 (default): always the likeliest token"},
    {"--top-k K", TOOL_INTEGER(how.sampling.top_k, 0, INT64_MAX), "only the K likeliest tokens (0: all)"},
    {"--top-p P", TOOL_REAL(how.sampling.top_p, 0, 1),
     "only the likeliest tokens that reach probability P together (1: all)"},
    {"--min-p P", TOOL_REAL(how.sampling.min_p, 0, 1),
     "only tokens at least P times as likely as the likeliest (0: all)"},
    {"--repetition-penalty R", TOOL_REAL(how.sampling.repetition_penalty, 0, INT64_MAX),
     "make tokens seen before less likely (1: do not)"},
    {"--seed N", TOOL_INTEGER(seed, 0, INT64_MAX),
     "of the random numbers (default: from the clock, and reported)"},
    {"-c, --context N", TOOL_INTEGER(context, 2, INT64_MAX),
     "most tokens of prompt and answer (default: what the model's cache holds; where that is open, as much "
     "as -p and -n need, and 2048 for conversations)"},
    {"--chunk N", TOOL_INTEGER(chunk, 1, INT64_MAX),
     "most tokens of a prompt to run at once, where that is open (default: 128)"},
    TOOL_SHARED(kv_type, tool_kv_options),
    {"--kv-mapping F", TOOL_TEXT(kv_mapping), "JSON that pairs the caches of PREFILL and DECODE by name"},
    TOOL_SHARED(placement, tool_placement_options),
    TOOL_SHARED(threads, tool_threads_options),
    {0},
};

static const tool_command command = {
    .name = "generate",
    .intro = "Lets a language model answer a prompt or hold a conversation.",
    .usage = "MODEL [OPTIONS] -p PROMPT | --chat | -i\nPREFILL DECODE [OPTIONS] ...",
    .arguments = {{"MODEL", TOOL_ONE(model[0])}, {"DECODE", TOOL_MAYBE(model[1])}},
    .options = options,
    .notes = "MODEL is an archive with open lengths, or one archive for prompts and one for single tokens, "
             "or a folder: with a generate.json ({\"model\": F} or {\"prefill\": F, \"decode\": F}, and "
             "optionally \"weights\": [F...], \"tokenizer\": F and \"kv_mapping\": F), or with model.pt2, "
             "or with prefill.pt2 and decode.pt2.\n"
             "A prompt becomes a message of a chat if the tokenizer's chat template is ChatML or Llama 3; "
             "otherwise it is taken as it is.",
};

typedef struct engine {
    lathe_model *model[2];
    lathe_tokenizer *tokenizer;
    lathe_generator *generator;
    bool templated; /* prompts become messages */
} engine;

static int check_options(const generate_options *o)
{
    if (!o->prompt && !o->chat && !o->interactive)
        return tool_usage("generate", "one of -p, --chat and -i is needed");
    if (o->raw && (o->chat || o->system)) return tool_usage("generate", "--raw excludes --chat and --system");
    lathe_sampler *sampler;
    lathe_error err;
    if (lathe_sampler_create(&o->how.sampling, &sampler, &err) != LATHE_OK)
        return tool_usage("generate", "%s", err.message);
    lathe_sampler_destroy(sampler);
    return TOOL_GO_ON;
}

/* ---- Files ---- */

/* A path kept until the options are released; NULL when out of memory. */
static char *join(generate_options *o, const char *folder, size_t length, const char *name)
{
    size_t size = length + strlen(name) + 2;
    char *path = o->n_names < (int)(sizeof o->names / sizeof *o->names) ? malloc(size) : NULL;
    if (!path) return NULL;
    bool absolute = name[0] == '/' || length == 0;
    snprintf(path, size, "%.*s%s%s", absolute ? 0 : (int)length, folder, absolute ? "" : "/", name);
    o->names[o->n_names++] = path;
    return path;
}

/* The path of a file in the folder, or NULL when there is none. */
static char *find_in(generate_options *o, const char *folder, const char *name)
{
    char *path = join(o, folder, strlen(folder), name);
    return path && access(path, R_OK) == 0 ? path : NULL;
}

static const char *manifest_path(generate_options *o, const char *folder, const json_t *name)
{
    const char *text = json_string_value(name);
    return text ? join(o, folder, strlen(folder), text) : NULL;
}

static int use_manifest(generate_options *o, const char *folder, const char *path)
{
    json_error_t problem;
    o->manifest = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);
    if (!o->manifest) {
        fprintf(stderr, "lathe: %s: %s (line %d)\n", path, problem.text, problem.line);
        return EXIT_USAGE;
    }
    const json_t *one = json_object_get(o->manifest, "model"),
                 *weights = json_object_get(o->manifest, "weights");
    o->model[0] = manifest_path(o, folder, one ? one : json_object_get(o->manifest, "prefill"));
    o->model[1] = one ? NULL : manifest_path(o, folder, json_object_get(o->manifest, "decode"));
    if (!o->model[0] || (!one && !o->model[1])) {
        fprintf(stderr, "lathe: %s: expected \"model\", or \"prefill\" and \"decode\", with file names\n",
                path);
        return EXIT_USAGE;
    }
    if (!o->tokenizer) o->tokenizer = manifest_path(o, folder, json_object_get(o->manifest, "tokenizer"));
    if (!o->kv_mapping) o->kv_mapping = manifest_path(o, folder, json_object_get(o->manifest, "kv_mapping"));
    bool given = o->weights.files.n > 0;
    for (size_t i = 0; !given && i < json_array_size(weights); i++) {
        const char *file = manifest_path(o, folder, json_array_get(weights, i));
        if (file && !tool_put_text(&o->weights.files, file)) break;
    }
    return EXIT_DONE;
}

/* Replaces a folder by what is in it. */
static int use_folder(generate_options *o)
{
    const char *folder = o->model[0];
    const char *manifest = find_in(o, folder, "generate.json"), *path;
    if (manifest) return use_manifest(o, folder, manifest);
    if (!(path = find_in(o, folder, "model.pt2"))) {
        const char *prefill = find_in(o, folder, "prefill.pt2"), *decode = find_in(o, folder, "decode.pt2");
        if (!prefill || !decode) return EXIT_DONE; /* no such folder: opening it will say what it is */
        o->model[0] = prefill;
        o->model[1] = decode;
    } else {
        o->model[0] = path;
    }
    if (!o->weights.files.n && ((path = find_in(o, folder, "model.safetensors")) ||
                                (path = find_in(o, folder, "model.safetensors.index.json"))))
        o->weights.files = (tool_texts){{path}, 1};
    return EXIT_DONE;
}

/* ---- Running ---- */

static lathe_status open_models(const generate_options *o, engine *e, lathe_error *err)
{
    lathe_status status = LATHE_OK;
    for (int i = 0; i < 2 && o->model[i] && status == LATHE_OK; i++) {
        status = tool_open_model(o->model[i], &o->weights, &e->model[i], err);
        if (status == LATHE_OK) tool_device_of(e->model[i], &o->placement);
    }
    return status;
}

static bool print_text(void *user, const char *text, size_t size)
{
    (void)user;
    if (fwrite(text, 1, size, stdout) == size && fflush(stdout) == 0) return true;
    perror("lathe generate: standard output");
    return false;
}

static void report(const engine *e, const lathe_generation_result *r)
{
    size_t run = r->prompt_tokens - r->reused_tokens;
    const lathe_preparation *ready = &r->preparation;
    fprintf(stderr, "\n");
    if (ready->compile_seconds + ready->pack_seconds > 0)
        fprintf(stderr, "compile: %.2f s; pack: %.2f s; ", ready->compile_seconds, ready->pack_seconds);
    fprintf(stderr, "prefill: %zu tokens", run);
    if (r->reused_tokens) fprintf(stderr, " (and %zu kept)", r->reused_tokens);
    fprintf(stderr, " in %.2f s, %.1f tokens/s; decode: %zu tokens in %.2f s, %.1f tokens/s\n",
            r->prefill_seconds, (double)run / (r->prefill_seconds > 0 ? r->prefill_seconds : 1),
            r->answer_tokens, r->decode_seconds,
            (double)r->decode_steps / (r->decode_seconds > 0 ? r->decode_seconds : 1));
    if (r->stop == LATHE_STOP_CONTEXT)
        fprintf(stderr, "lathe: the context of %lld tokens is full: the answer is cut off here\n",
                (long long)lathe_generator_context(e->generator));
}

/* The generator is made when the first prompt is known: it may tell how much context is needed. */
static lathe_status need_generator(const generate_options *o, engine *e, size_t prompt, lathe_error *err)
{
    if (e->generator) return LATHE_OK;
    lathe_generator_options how = {.context = o->context,
                                   .chunk = o->chunk,
                                   .threads = o->threads,
                                   .kv_mapping = o->kv_mapping,
                                   .kv_type = o->kv_type,
                                   .activations = o->weights.activations,
                                   .placement = o->placement.lathe};
    bool more = o->interactive || !o->prompt || o->how.max_tokens == 0;
    int64_t need = (int64_t)prompt + o->how.max_tokens;
    if (!how.context) how.context = more && need < CHAT_CONTEXT ? CHAT_CONTEXT : need;
    return lathe_generator_create(e->model[0], e->model[1], e->tokenizer, &how, &e->generator, err);
}

/* Answers a prompt of tokens; the answer's tokens are left in the generator. */
static int answer(const generate_options *o, engine *e, const lathe_tokens *prompt)
{
    lathe_error err;
    lathe_generation_result result;
    if (need_generator(o, e, prompt->count, &err) != LATHE_OK ||
        lathe_generator_run(e->generator, prompt->ids, prompt->count, &o->how, &result, &err) != LATHE_OK)
        return tool_fail(&err);
    if (result.stop == LATHE_STOP_CALLER) return EXIT_DIFFERS; /* it has said why */
    bool one = o->prompt && !o->interactive;
    if ((!one || isatty(STDOUT_FILENO)) && !print_text(NULL, "\n", 1)) return EXIT_DIFFERS;
    report(e, &result);
    return EXIT_DONE;
}

/* The messages of a conversation; contents are malloc'ed. */
typedef struct conversation {
    lathe_message *message;
    size_t count, capacity;
} conversation;

static bool say(conversation *c, const char *role, const char *content)
{
    if (c->count == c->capacity) {
        size_t capacity = c->capacity ? 2 * c->capacity : 16;
        lathe_message *grown = realloc(c->message, capacity * sizeof *grown);
        if (!grown) return false;
        c->message = grown;
        c->capacity = capacity;
    }
    char *copy = strdup(content);
    if (copy) c->message[c->count++] = (lathe_message){role, copy};
    // cppcheck-suppress memleak ; the message has it
    return copy != NULL;
}

static void forget(conversation *c)
{
    for (size_t i = 0; i < c->count; i++) free((char *)(uintptr_t)c->message[i].content);
    c->count = 0;
}

static int out_of_memory(void)
{
    fprintf(stderr, "lathe generate: out of memory\n");
    return EXIT_DIFFERS;
}

/* Adds what the model just said to the conversation. */
static int keep_answer(engine *e, size_t prompt, conversation *c)
{
    size_t count, size;
    const int64_t *ids = lathe_generator_tokens(e->generator, &count);
    char *text;
    lathe_error err;
    if (lathe_tokenizer_decode(e->tokenizer, ids + prompt, count - prompt, LATHE_DECODE_NO_SPECIAL, &text,
                               &size, &err) != LATHE_OK)
        return tool_fail(&err);
    bool good = say(c, "assistant", text);
    lathe_text_free(text);
    return good ? EXIT_DONE : out_of_memory();
}

static int take_turn(const generate_options *o, engine *e, conversation *c, const char *text)
{
    lathe_tokens prompt;
    lathe_error err;
    lathe_status status;
    if (!o->chat) forget(c);
    if (e->templated) {
        if (!c->count && o->system && !say(c, "system", o->system)) return out_of_memory();
        if (!say(c, "user", text)) return out_of_memory();
        status = lathe_chat_encode(e->tokenizer, c->message, c->count, &prompt, &err);
    } else {
        status = lathe_tokenizer_encode(e->tokenizer, text, strlen(text), 0, &prompt, &err);
    }
    if (status != LATHE_OK) return tool_fail(&err);
    int code = answer(o, e, &prompt);
    if (code == EXIT_DONE && e->templated && o->chat) code = keep_answer(e, prompt.count, c);
    lathe_tokens_free(&prompt);
    return code;
}

static int take_lines(const generate_options *o, engine *e, conversation *c)
{
    char *line = NULL;
    size_t capacity = 0;
    int code = EXIT_DONE;
    while (code == EXIT_DONE) {
        if (isatty(STDIN_FILENO)) fputs("> ", stderr);
        ssize_t length = getline(&line, &capacity, stdin);
        if (length < 0) break;
        line[strcspn(line, "\r\n")] = '\0';
        if (*line) code = take_turn(o, e, c, line);
    }
    free(line);
    return code;
}

/* Whether prompts become messages; what stands in the way is said. */
static int choose_template(const generate_options *o, engine *e)
{
    lathe_chat_format format = lathe_tokenizer_chat_format(e->tokenizer);
    bool known = format == LATHE_CHAT_CHATML || format == LATHE_CHAT_LLAMA3;
    e->templated = known && !o->raw;
    if (known || o->raw) return EXIT_DONE;
    const char *why = format == LATHE_CHAT_NONE ? "the tokenizer has no chat template"
                                                : "the chat template is neither ChatML nor Llama 3";
    if (o->chat || o->system) {
        fprintf(stderr, "lathe generate: %s: --chat and --system need one\n", why);
        return EXIT_USAGE;
    }
    fprintf(stderr, "lathe: %s: prompts are taken as they are\n", why);
    return EXIT_DONE;
}

static int run(generate_options *o, engine *e)
{
    lathe_error err;
    int code = o->model[1] ? EXIT_DONE : use_folder(o);
    if (code != EXIT_DONE) return code;
    if (open_models(o, e, &err) != LATHE_OK) return tool_fail(&err);
    char tokenizer[TOOL_PATH_BYTES];
    if (!tool_find_tokenizer(o->tokenizer, o->model[0], &o->weights, tokenizer))
        return tool_usage("generate",
                          "no tokenizer: give --tokenizer (the weights are no GGUF, and there is no %s)",
                          tokenizer);
    if (lathe_tokenizer_open(tokenizer, &e->tokenizer, &err) != LATHE_OK) return tool_fail(&err);
    if ((code = choose_template(o, e)) != EXIT_DONE) return code;
    if (o->how.sampling.temperature > 0) {
        o->how.sampling.seed = o->seed < 0 ? (uint64_t)time(NULL) : (uint64_t)o->seed;
        fprintf(stderr, "seed: %llu\n", (unsigned long long)o->how.sampling.seed);
    }
    conversation c = {0};
    if (o->prompt) code = take_turn(o, e, &c, o->prompt);
    if (code == EXIT_DONE && (o->interactive || !o->prompt)) code = take_lines(o, e, &c);
    forget(&c);
    free(c.message);
    return code;
}

int cmd_generate(int argc, char **argv)
{
    generate_options o = {.seed = -1};
    engine e = {0};
    lathe_generation_init(&o.how);
    o.how.max_tokens = DEFAULT_TOKENS;
    o.how.on_text = print_text;
    int code = tool_parse(&command, argc, argv, &o);
    if (code == TOOL_GO_ON) code = check_options(&o);
    if (code == TOOL_GO_ON) code = run(&o, &e);
    lathe_generator_destroy(e.generator);
    lathe_tokenizer_close(e.tokenizer);
    lathe_model_close(e.model[0]);
    lathe_model_close(e.model[1]);
    for (int i = 0; i < o.n_names; i++) free(o.names[i]);
    json_decref(o.manifest);
    return code;
}
