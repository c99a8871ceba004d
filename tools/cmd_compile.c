/* lathe compile: a model, its weights and its tokenizer as one file that opens at once. */
#include <stdio.h>
#include <string.h>

#define TOOL_STRUCT compile_options
#include "tool.h"

typedef struct compile_options {
    const char *model, *output, *tokenizer;
    tool_weights weights;
    tool_dims dims;
    lathe_compile_options how;
    tool_placement placement;
    int emit; /* a lathe_dump; negative: none */
} compile_options;

static const tool_word emit_words[] = {
    {"graph", LATHE_DUMP_GRAPH}, {"passes", LATHE_DUMP_PASSES}, {"program", LATHE_DUMP_PROGRAM}, {0}};

static const tool_option options[] = {
    {"-o, --output F", TOOL_TEXT(output), "the file to write"},
    TOOL_SHARED(weights, tool_weights_options),
    TOOL_SHARED(weights, tool_random_options),
    TOOL_SHARED(tokenizer, tool_tokenizer_options),
    {"--dim NAME=SIZE", TOOL_CUSTOM(dims, tool_take_dim),
     "fixes a symbolic size of 'lathe inspect'; may be repeated. Of language models, c is the positions of "
     "the caches and s the tokens of a run"},
    TOOL_SHARED(weights, tool_quantize_options),
    TOOL_SHARED(how.kv_type, tool_kv_options),
    TOOL_SHARED(placement, tool_placement_options),
    TOOL_SHARED(how.optimize, tool_optimize_options),
    {"--emit WHAT", TOOL_CHOICE(emit, emit_words),
     "prints and writes nothing: graph, the optimised one; passes, the graph as imported and after each "
     "pass; program, the steps, and where what they read and write lies"},
    {0},
};

static const tool_command command = {
    .name = "compile",
    .intro = "Compiles a model ahead: writes graph, weights, settings and tokenizer as one .lathe file, "
             "which run, generate, verify, bench, eval and inspect take in place of MODEL. The file runs "
             "on every CPU.",
    .usage = "MODEL -o OUT.lathe [OPTIONS]\nMODEL --emit graph|passes|program [OPTIONS]",
    .arguments = {{"MODEL", TOOL_ONE(model)}},
    .options = options,
    .notes = "int8 and int4 are 8.5 and 4.5 bits a value of linear layers' matrices; what a GGUF file has "
             "quantised stays as it is. Activations of int16 are as exact as float32, int8 is faster.\n"
             "With a device, the file says that it runs there, and which node goes where (--dim: for open "
             "sizes that of the least ones); what runs it can be told otherwise, and where the device is "
             "not there, it runs on the CPU.\n"
             "For --emit all symbolic sizes must be fixed.",
};

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
    lathe_status status = lathe_model_dump(model, (lathe_dump)o->emit, &text, err);
    if (status != LATHE_OK) return status;
    fputs(text, stdout);
    lathe_text_free(text);
    return LATHE_OK;
}

static lathe_status compile(lathe_model *model, compile_options *o, lathe_error *err)
{
    const char *notes;
    char tokenizer[TOOL_PATH_BYTES];
    for (size_t i = 0; i < o->dims.n; i++) o->dims.dim[i].name = own_name(model, o->dims.dim[i].name);
    o->how.dims = o->dims.dim;
    o->how.n_dims = o->dims.n;
    o->how.activations = o->weights.activations;
    o->how.placement = o->placement.lathe;
    lathe_status status = lathe_model_compile(model, &o->how, err);
    if (status != LATHE_OK) return status;
    if (o->emit >= 0) return emit(model, o, err);
    bool found = tool_find_tokenizer(o->tokenizer, o->model, &o->weights, tokenizer);
    status = lathe_model_save(model, o->output, found ? tokenizer : NULL, err);
    if (status == LATHE_OK) status = lathe_model_notes(model, &notes, err);
    if (status == LATHE_OK) fputs(notes, stderr);
    return status;
}

int cmd_compile(int argc, char **argv)
{
    compile_options o = {.emit = -1};
    lathe_error err;
    lathe_model *model;
    int code = tool_parse(&command, argc, argv, &o);
    if (code != TOOL_GO_ON) return code;
    if (!o.output == (o.emit < 0)) return tool_usage("compile", "one of -o and --emit is needed");
    if (tool_open_model(o.model, &o.weights, &model, &err) != LATHE_OK) return tool_fail(&err);
    lathe_status status = compile(model, &o, &err);
    lathe_model_close(model);
    if (status != LATHE_OK) return tool_fail(&err);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_DIFFERS;
}
