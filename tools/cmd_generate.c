/* lathe generate: a language model writes. Standard output gets its text alone; the rest goes to standard
 * error. */
#include <getopt.h>
#include <jansson.h>
#include <lathe/llm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

static const char help[] =
    "Lets a language model answer a prompt or hold a conversation.\n"
    "\n"
    "Usage: lathe generate MODEL [OPTIONS] -p PROMPT | --chat | -i\n"
    "       lathe generate PREFILL DECODE [OPTIONS] ...\n"
    "\n"
    "MODEL is an archive with open lengths, or one archive for prompts and one for single tokens, or a "
    "folder:\n"
    "with a generate.json ({\"model\": F} or {\"prefill\": F, \"decode\": F}, and optionally \"weights\": "
    "[F...],\n"
    "\"tokenizer\": F and \"kv_mapping\": F), or with model.pt2, or with prefill.pt2 and decode.pt2.\n"
    "\n"
    "  --weights F             weights: safetensors, an index of shards, or GGUF; may be repeated\n"
    "  --tokenizer F           tokenizer.json or GGUF (default: the GGUF among the weights, else "
    "tokenizer.json\n"
    "                          beside MODEL)\n"
    "  --quantize TYPE         int8 or int4: quantise the matrices while loading\n"
    "  --activations TYPE      int16 (default) or int8: what is multiplied with quantised weights\n"
    "  -p, --prompt TEXT       one prompt\n"
    "  --chat                  a conversation: every line of standard input is a turn (with -p: that turn "
    "alone,\n"
    "                          unless -i is given as well)\n"
    "  -i, --interactive       every line of standard input is a prompt of its own\n"
    "  --system TEXT           the system message, instead of the model's own\n"
    "  --raw                   take prompts as they are, not as messages of a chat\n"
    "  -n, --tokens N          most tokens of an answer (default: 256; 0: until it ends)\n"
    "  --temperature T         0 (default): always the likeliest token\n"
    "  --top-k K               only the K likeliest tokens (0: all)\n"
    "  --top-p P               only the likeliest tokens that reach probability P together (1: all)\n"
    "  --min-p P               only tokens at least P times as likely as the likeliest (0: all)\n"
    "  --repetition-penalty R  make tokens seen before less likely (1: do not)\n"
    "  --seed N                of the random numbers (default: from the clock, and reported)\n"
    "  -c, --context N         most tokens of prompt and answer (default: what the model's cache holds; "
    "where that\n"
    "                          is open, as much as -p and -n need, and 2048 for conversations)\n"
    "  --chunk N               most tokens of a prompt to run at once, where that is open (default: 128)\n"
    "  --kv TYPE               store caches as f32, bf16, f16 or int8 (default: as the model does)\n"
    "  --kv-mapping F          JSON that pairs the caches of PREFILL and DECODE by name\n" TOOL_PLACEMENT_HELP
    "\n"
    "A prompt becomes a message of a chat if the tokenizer's chat template is ChatML or Llama 3; otherwise "
    "it is\n"
    "taken as it is. Exit status: 0 done, 1 failed, 2 wrong usage or a broken file.\n";

enum { DEFAULT_TOKENS = 256, CHAT_CONTEXT = 2048 };

typedef struct generate_options {
    const char *model[2], *tokenizer, *kv_mapping, *kv_type, *prompt, *system;
    tool_weights weights;
    tool_placement placement;
    int n_models;
    bool chat, interactive, raw, seeded;
    int64_t context, chunk;
    lathe_generation how;
    json_t *manifest;                  /* owns names taken from it */
    char *names[TOOL_MAX_WEIGHTS + 8]; /* paths made here: malloc */
    int n_names;
} generate_options;

typedef struct engine {
    lathe_model *model[2];
    lathe_tokenizer *tokenizer;
    lathe_generator *generator;
    bool templated; /* prompts become messages */
} engine;

/* ---- Arguments ---- */

static bool parse_int(const char *text, int64_t low, int64_t *out)
{
    char *end;
    *out = strtoll(text, &end, 10);
    return end != text && !*end && *out >= low;
}

static bool parse_float(const char *text, float *out)
{
    char *end;
    *out = strtof(text, &end);
    return end != text && !*end;
}

enum {
    OPT_WEIGHTS = 256,
    OPT_TOKENIZER,
    OPT_CHAT,
    OPT_SYSTEM,
    OPT_RAW,
    OPT_TEMPERATURE,
    OPT_TOP_K,
    OPT_TOP_P,
    OPT_MIN_P,
    OPT_REPETITION,
    OPT_SEED,
    OPT_CHUNK,
    OPT_KV,
    OPT_KV_MAPPING,
    OPT_QUANTIZE,
    OPT_ACTIVATIONS,
    OPT_PLACEMENT
};

static const struct option long_options[] = {
    {"weights", required_argument, NULL, OPT_WEIGHTS},
    {"tokenizer", required_argument, NULL, OPT_TOKENIZER},
    {"prompt", required_argument, NULL, 'p'},
    {"chat", no_argument, NULL, OPT_CHAT},
    {"interactive", no_argument, NULL, 'i'},
    {"system", required_argument, NULL, OPT_SYSTEM},
    {"raw", no_argument, NULL, OPT_RAW},
    {"tokens", required_argument, NULL, 'n'},
    {"temperature", required_argument, NULL, OPT_TEMPERATURE},
    {"top-k", required_argument, NULL, OPT_TOP_K},
    {"top-p", required_argument, NULL, OPT_TOP_P},
    {"min-p", required_argument, NULL, OPT_MIN_P},
    {"repetition-penalty", required_argument, NULL, OPT_REPETITION},
    {"seed", required_argument, NULL, OPT_SEED},
    {"context", required_argument, NULL, 'c'},
    {"chunk", required_argument, NULL, OPT_CHUNK},
    {"kv", required_argument, NULL, OPT_KV},
    {"kv-mapping", required_argument, NULL, OPT_KV_MAPPING},
    {"quantize", required_argument, NULL, OPT_QUANTIZE},
    {"activations", required_argument, NULL, OPT_ACTIVATIONS},
    TOOL_PLACEMENT_LONG(OPT_PLACEMENT),
    {"help", no_argument, NULL, 'h'},
    {0},
};

/* Numbers; false when the text is none. */
static bool take_number(generate_options *o, int option, const char *text)
{
    lathe_sampling *s = &o->how.sampling;
    int64_t seed;
    switch (option) {
    case 'n': return parse_int(text, 0, &o->how.max_tokens);
    case 'c': return parse_int(text, 2, &o->context);
    case OPT_CHUNK: return parse_int(text, 1, &o->chunk);
    case OPT_TEMPERATURE: return parse_float(text, &s->temperature);
    case OPT_TOP_K: return parse_int(text, 0, &s->top_k);
    case OPT_TOP_P: return parse_float(text, &s->top_p);
    case OPT_MIN_P: return parse_float(text, &s->min_p);
    case OPT_REPETITION: return parse_float(text, &s->repetition_penalty);
    case OPT_QUANTIZE: return tool_set_quantization(&o->weights, text);
    case OPT_ACTIVATIONS: return tool_set_activations(&o->weights, text);
    default:
        o->seeded = true;
        if (!parse_int(text, 0, &seed)) return false;
        s->seed = (uint64_t)seed;
        return true;
    }
}

static int take_option(generate_options *o, int option)
{
    switch (option) {
    case OPT_WEIGHTS:
        if (tool_add_weights(&o->weights, optarg)) return EXIT_DONE;
        return tool_usage("generate", "more than %d --weights", TOOL_MAX_WEIGHTS);
    case OPT_TOKENIZER: o->tokenizer = optarg; return EXIT_DONE;
    case OPT_KV: o->kv_type = optarg; return EXIT_DONE;
    case OPT_KV_MAPPING: o->kv_mapping = optarg; return EXIT_DONE;
    case 'p': o->prompt = optarg; return EXIT_DONE;
    case OPT_SYSTEM: o->system = optarg; return EXIT_DONE;
    case OPT_CHAT: o->chat = true; return EXIT_DONE;
    case 'i': o->interactive = true; return EXIT_DONE;
    case OPT_RAW: o->raw = true; return EXIT_DONE;
    default: break;
    }
    if (take_number(o, option, optarg)) return EXIT_DONE;
    return tool_usage("generate", "'%s' is no value for this option", optarg);
}

static int check_options(const generate_options *o)
{
    if (!o->n_models) return tool_usage("generate", "MODEL is missing");
    if (!o->prompt && !o->chat && !o->interactive)
        return tool_usage("generate", "one of -p, --chat and -i is needed");
    if (o->raw && (o->chat || o->system)) return tool_usage("generate", "--raw excludes --chat and --system");
    lathe_sampler *sampler;
    lathe_error err;
    if (lathe_sampler_create(&o->how.sampling, &sampler, &err) != LATHE_OK)
        return tool_usage("generate", "%s", err.message);
    lathe_sampler_destroy(sampler);
    return EXIT_DONE;
}

static int parse(generate_options *o, int argc, char **argv, bool *done)
{
    opterr = 0;
    int which;
    for (int option; (option = getopt_long(argc, argv, "p:in:c:h", long_options, &which)) != -1;) {
        if (option == 'h') {
            fputs(help, stdout);
            *done = true;
            return EXIT_DONE;
        }
        if (option == '?')
            return tool_usage("generate", "unknown option or missing value: '%s'", argv[optind - 1]);
        if (option == OPT_PLACEMENT && tool_set_placement(&o->placement, long_options[which].name, optarg))
            continue;
        int code = take_option(o, option);
        if (code != EXIT_DONE) return code;
    }
    if (argc - optind > 2) return tool_usage("generate", "more than two models");
    for (; optind < argc; optind++) o->model[o->n_models++] = argv[optind];
    return check_options(o);
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
    o->n_models = o->model[1] ? 2 : 1;
    if (!o->model[0] || (!one && !o->model[1])) {
        fprintf(stderr, "lathe: %s: expected \"model\", or \"prefill\" and \"decode\", with file names\n",
                path);
        return EXIT_USAGE;
    }
    if (!o->tokenizer) o->tokenizer = manifest_path(o, folder, json_object_get(o->manifest, "tokenizer"));
    if (!o->kv_mapping) o->kv_mapping = manifest_path(o, folder, json_object_get(o->manifest, "kv_mapping"));
    bool given = o->weights.n > 0;
    for (size_t i = 0; !given && i < json_array_size(weights); i++) {
        const char *file = manifest_path(o, folder, json_array_get(weights, i));
        if (file && !tool_add_weights(&o->weights, file)) break;
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
        o->n_models = 2;
    } else {
        o->model[0] = path;
    }
    if (!o->weights.n && ((path = find_in(o, folder, "model.safetensors")) ||
                          (path = find_in(o, folder, "model.safetensors.index.json"))))
        tool_add_weights(&o->weights, path);
    return EXIT_DONE;
}

/* ---- Running ---- */

static lathe_status open_models(const generate_options *o, engine *e, lathe_error *err)
{
    lathe_status status = LATHE_OK;
    for (int i = 0; i < o->n_models && status == LATHE_OK; i++) {
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
    lathe_generator_options options = {.context = o->context,
                                       .chunk = o->chunk,
                                       .kv_mapping = o->kv_mapping,
                                       .kv_type = o->kv_type,
                                       .activations = o->weights.activations,
                                       .placement = o->placement.lathe};
    bool more = o->interactive || !o->prompt || o->how.max_tokens == 0;
    int64_t need = (int64_t)prompt + o->how.max_tokens;
    if (!options.context) options.context = more && need < CHAT_CONTEXT ? CHAT_CONTEXT : need;
    return lathe_generator_create(e->model[0], o->n_models == 2 ? e->model[1] : NULL, e->tokenizer, &options,
                                  &e->generator, err);
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
    int code = o->n_models == 1 ? use_folder(o) : EXIT_DONE;
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
        if (!o->seeded) o->how.sampling.seed = (uint64_t)time(NULL);
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
    generate_options o = {0};
    engine e = {0};
    bool done = false;
    lathe_generation_init(&o.how);
    o.how.max_tokens = DEFAULT_TOKENS;
    o.how.on_text = print_text;
    int code = parse(&o, argc, argv, &done);
    if (code == EXIT_DONE && !done) code = run(&o, &e);
    lathe_generator_destroy(e.generator);
    lathe_tokenizer_close(e.tokenizer);
    lathe_model_close(e.model[0]);
    lathe_model_close(e.model[1]);
    for (int i = 0; i < o.n_names; i++) free(o.names[i]);
    json_decref(o.manifest);
    return code;
}
