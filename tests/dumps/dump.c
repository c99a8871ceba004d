/* Prints the graph of a model as the passes of a level leave it: dump MODEL LEVEL
 * [INPUT=1x4…], with the sizes of the inputs that have symbols. Inputs that are state are kept, as a session
 * for text generation keeps them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pass/pass.h"
#include "run/model.h"

/* Binds the symbols in the sizes of an input: "input_ids=1x4". */
static lathe_status bind(const lathe_model *model, const char *text, int64_t *bindings, lathe_error *err)
{
    size_t length = strcspn(text, "=");
    int64_t dim[LT_MAX_RANK];
    int rank = 0;
    for (const char *at = text + length; *at && rank < LT_MAX_RANK; rank++) {
        char *end;
        dim[rank] = strtoll(at + 1, &end, 10);
        at = end;
    }
    for (uint32_t i = 0; i < model->n_user_inputs; i++) {
        const lt_xinput *input = lt_model_user_input(model, i);
        if (strlen(input->label) == length && strncmp(input->label, text, length) == 0)
            return lt_import_bind(model->exported, input, rank, dim, bindings, err);
    }
    LT_FAIL(err, INVALID_ARGUMENT, "there is no input '%s'", text);
}

static lathe_status dump(lathe_model *model, int level, char **args, int n, lt_arena *arena, lathe_error *err)
{
    int64_t *bindings;
    struct lt_state_pair *pairs;
    lt_graph *graph;
    lt_text text = {0};
    LT_ALLOC(arena, bindings, model->exported->n_symbols, err);
    for (uint32_t i = 0; i < model->exported->n_symbols; i++) bindings[i] = LT_UNBOUND;
    for (int i = 0; i < n; i++) LT_TRY(bind(model, args[i], bindings, err));
    LT_TRY(lt_import_check(model->exported, bindings, err));
    lt_import_options options = {.bindings = bindings, .table = model->table};
    LT_TRY(lt_model_find_pairs(model, &pairs, &options.n_pairs, err));
    options.pairs = pairs;
    lathe_status status = lt_import(model->exported, &options, arena, &graph, NULL, err);
    if (status == LATHE_OK) status = lt_passes_run(&graph, level, LT_TARGET_CPU, NULL, err);
    if (status == LATHE_OK) lt_graph_print(graph, &text);
    if (status == LATHE_OK) fputs(text.data, stdout);
    lt_text_free(&text);
    lt_heap_free(pairs);
    return status;
}

int main(int argc, char **argv)
{
    lathe_error err = {0};
    lathe_model *model;
    lt_arena *arena;
    if (argc < 3) return 2;
    lathe_status status = lathe_model_open(argv[1], &model, &err);
    if (status == LATHE_OK) status = lt_arena_create(&arena, &err);
    if (status == LATHE_OK) {
        status = dump(model, atoi(argv[2]), argv + 3, argc - 3, arena, &err);
        lt_arena_destroy(arena);
        lathe_model_close(model);
    }
    if (status != LATHE_OK) fprintf(stderr, "%s: %s\n", argv[1], err.message);
    return status != LATHE_OK;
}
