/* lathe compile: a model, its weights and its tokenizer as one file that opens at once. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static const char help[] =
    "Compiles a model ahead: writes graph, weights, settings and tokenizer as one .lathe\n"
    "file, which run, generate, verify, bench, eval and inspect take in place of MODEL. The\n"
    "file runs on every CPU.\n"
    "\n"
    "Usage: lathe compile MODEL -o OUT.lathe [OPTIONS]\n"
    "       lathe compile MODEL --emit graph|passes|program [OPTIONS]\n"
    "\n"
    "  -o, --output F       the file to write\n"
    "  --weights F          weights file; may be repeated\n"
    "  --random-weights     random weights for those that MODEL has no bytes for\n"
    "  --tokenizer F        tokenizer.json, a folder with one, or a GGUF file (default: the\n"
    "                       GGUF file among the weights, else a tokenizer.json beside MODEL,\n"
    "                       else none)\n"
    "  --dim NAME=SIZE      fixes a symbolic size of 'lathe inspect'; may be repeated. Of\n"
    "                       language models, c is the positions of the caches and s the\n"
    "                       tokens of a run\n"
    "  --quantize int8|int4 the matrices of linear layers in 8.5 or 4.5 bits a value; what a\n"
    "                       GGUF file has quantised stays as it is\n"
    "  --activations 8|16   bits of what is multiplied with quantised weights: 16 is as exact\n"
    "                       as float32 (default), 8 is faster\n"
    "  --kv TYPE            what caches are stored as: f32, bf16, f16 or int8 (default: as\n"
    "                       MODEL has them)\n" TOOL_PLACEMENT_HELP
    "  -O0, -O1, -O2        what is optimised: nothing, simplification, all (default: -O2)\n"
    "  --emit graph         prints the optimised graph and writes nothing\n"
    "  --emit passes        prints the graph as imported and after each pass\n"
    "  --emit program       prints the steps, and where what they read and write lies\n"
    "\n"
    "With a device, the file says that it runs there, and which node goes where (--dim: for open\n"
    "sizes that of the least ones); what runs it can be told otherwise, and where the device is not\n"
    "there, it runs on the CPU.\n"
    "For --emit all symbolic sizes must be fixed.\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage or a broken file.\n";

enum { MAX_DIMS = 16 };
enum {
    OPT_WEIGHTS = 256,
    OPT_RANDOM,
    OPT_TOKENIZER,
    OPT_DIM,
    OPT_EMIT,
    OPT_QUANTIZE,
    OPT_ACTIVATIONS,
    OPT_KV,
    OPT_PLACEMENT
};

typedef struct compile_options {
    const char *model, *output, *tokenizer;
    tool_weights weights;
    lathe_dim dims[MAX_DIMS];
    lathe_compile_options how;
    tool_placement placement;
    lathe_dump emit;
    bool emits;
} compile_options;

/* "NAME=SIZE", of which the name stays in `text`. */
static bool parse_dim(char *text, lathe_dim *out)
{
    char *equals = strchr(text, '='), *end;
    if (!equals || equals == text) return false;
    *equals = '\0';
    out->name = text;
    out->size = strtoll(equals + 1, &end, 10);
    return end != equals + 1 && !*end && out->size >= 0;
}

static bool parse_emit(compile_options *o, const char *text)
{
    static const char *const forms[] = {
        [LATHE_DUMP_GRAPH] = "graph", [LATHE_DUMP_PASSES] = "passes", [LATHE_DUMP_PROGRAM] = "program"};
    o->emits = true;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(text, forms[i]) == 0) return o->emit = (lathe_dump)i, true;
    return false;
}

static bool parse_quantization(const char *text, lathe_quantization *out)
{
    *out = strcmp(text, "int8") == 0 ? LATHE_QUANTIZE_INT8 : LATHE_QUANTIZE_INT4;
    return *out == LATHE_QUANTIZE_INT8 || strcmp(text, "int4") == 0;
}

static bool parse_activations(const char *text, int *out)
{
    *out = strcmp(text, "8") == 0 ? 8 : 16;
    return *out == 8 || strcmp(text, "16") == 0;
}

static bool take_option(compile_options *o, int option, char *value)
{
    switch (option) {
    case 'o': o->output = value; return true;
    case OPT_RANDOM: o->weights.random = true; return true;
    case OPT_TOKENIZER: o->tokenizer = value; return true;
    case OPT_KV: o->how.kv_type = value; return true;
    case OPT_EMIT: return parse_emit(o, value);
    case OPT_QUANTIZE: return parse_quantization(value, &o->how.quantization);
    case OPT_ACTIVATIONS: return parse_activations(value, &o->how.activations);
    case OPT_DIM: return o->how.n_dims < MAX_DIMS && parse_dim(value, &o->dims[o->how.n_dims++]);
    case OPT_WEIGHTS: return tool_add_weights(&o->weights, value);
    default: /* -O */
        if (strlen(value) != 1 || *value < '0' || *value > '2') return false;
        o->how.optimize = *value - '0' + 1;
        return true;
    }
}

static int parse(compile_options *o, int argc, char **argv, bool *done)
{
    static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                            {"weights", required_argument, NULL, OPT_WEIGHTS},
                                            {"random-weights", no_argument, NULL, OPT_RANDOM},
                                            {"tokenizer", required_argument, NULL, OPT_TOKENIZER},
                                            {"dim", required_argument, NULL, OPT_DIM},
                                            {"emit", required_argument, NULL, OPT_EMIT},
                                            {"quantize", required_argument, NULL, OPT_QUANTIZE},
                                            {"activations", required_argument, NULL, OPT_ACTIVATIONS},
                                            {"kv", required_argument, NULL, OPT_KV},
                                            {"islands", required_argument, NULL, OPT_PLACEMENT},
                                            TOOL_PLACEMENT_LONG(OPT_PLACEMENT),
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    opterr = 0;
    for (int option, which = 0; (option = getopt_long(argc, argv, "o:O:h", options, &which)) != -1;) {
        if (option == 'h') return fputs(help, stdout), *done = true, EXIT_DONE;
        if (option == '?')
            return tool_usage("compile", "unknown option or missing value: '%s'", argv[optind - 1]);
        bool taken = option == OPT_PLACEMENT ? tool_set_placement(&o->placement, options[which].name, optarg)
                                             : take_option(o, option, optarg);
        if (!taken) return tool_usage("compile", "'%s' is no value for this option", optarg);
    }
    if (argc - optind != 1) return tool_usage("compile", "one MODEL is needed");
    o->model = argv[optind];
    o->how.dims = o->dims;
    o->how.placement = o->placement.lathe;
    if (!o->output == !o->emits) return tool_usage("compile", "one of -o and --emit is needed");
    return EXIT_DONE;
}

/* ---- Names of sizes ---- */

static bool has_symbol(lathe_model *model, const char *name)
{
    lathe_value_info info;
    for (size_t i = 0; i < lathe_model_input_count(model); i++)
        if (lathe_model_input(model, i, &info, NULL) == LATHE_OK)
            for (int d = 0; d < info.rank; d++)
                if (info.dim[d] < 0 && strcmp(info.text[d], name) == 0) return true;
    return false;
}

/* What a language model calls its c and s: the caches are [1,heads,c,d], the ids [1,s]. */
static const char *own_name(lathe_model *model, const char *name)
{
    bool cache = strcmp(name, "c") == 0, run = strcmp(name, "s") == 0;
    lathe_value_info info;
    if ((!cache && !run) || has_symbol(model, name)) return name;
    for (size_t i = 0; i < lathe_model_input_count(model); i++) {
        if (lathe_model_input(model, i, &info, NULL) != LATHE_OK) continue;
        if (cache && info.rank == 4 && info.dtype != LATHE_BOOL && info.dim[2] < 0) return info.text[2];
        if (run && info.rank == 2 && info.dtype == LATHE_I64 && info.dim[1] < 0) return info.text[1];
    }
    return name;
}

/* ---- Running ---- */

static lathe_status emit(lathe_model *model, const compile_options *o, lathe_error *err)
{
    char *text;
    lathe_status status = lathe_model_dump(model, o->emit, &text, err);
    if (status != LATHE_OK) return status;
    fputs(text, stdout);
    lathe_text_free(text);
    return LATHE_OK;
}

static lathe_status compile(lathe_model *model, compile_options *o, lathe_error *err)
{
    const char *notes;
    char tokenizer[TOOL_PATH_BYTES];
    for (size_t i = 0; i < o->how.n_dims; i++) o->dims[i].name = own_name(model, o->dims[i].name);
    lathe_status status = lathe_model_compile(model, &o->how, err);
    if (status != LATHE_OK) return status;
    if (o->emits) return emit(model, o, err);
    bool found = tool_find_tokenizer(o->tokenizer, o->model, &o->weights, tokenizer);
    status = lathe_model_save(model, o->output, found ? tokenizer : NULL, err);
    if (status == LATHE_OK) status = lathe_model_notes(model, &notes, err);
    if (status == LATHE_OK) fputs(notes, stderr);
    return status;
}

int cmd_compile(int argc, char **argv)
{
    static compile_options o;
    bool done = false;
    lathe_error err;
    lathe_model *model;
    int code = parse(&o, argc, argv, &done);
    if (code != EXIT_DONE || done) return code;
    if (tool_open_model(o.model, &o.weights, &model, &err) != LATHE_OK) return tool_fail(&err);
    lathe_status status = compile(model, &o, &err);
    lathe_model_close(model);
    if (status != LATHE_OK) return tool_fail(&err);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_DIFFERS;
}
