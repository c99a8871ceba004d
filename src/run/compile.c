/* Settling a model's sizes and settings ahead of its sessions, and showing what it is compiled to. */
#include <string.h>

#include "backend/cpu.h"
#include "pass/hoist.h"
#include "pass/pass.h"
#include "run/placement.h"

static lathe_status fix_dim(lathe_model *model, const lathe_dim *dim, lathe_error *err)
{
    lt_exported *x = model->exported;
    uint32_t index = lt_map_get(&x->symbol_of, dim->name);
    if (index == LT_NONE) {
        lt_text names = {0};
        for (uint32_t i = 0; i < x->n_symbols; i++)
            lt_text_printf(&names, "%s%s", i ? ", " : "", x->symbols[i].name);
        lathe_status status =
            lt_error_set(err, LATHE_INVALID_ARGUMENT, "%s has no symbolic size '%s', but these: %s", x->path,
                         dim->name, names.data ? names.data : "none");
        lt_text_free(&names);
        return status;
    }
    lt_symbol *symbol = &x->symbols[index];
    if (dim->size < symbol->min || dim->size > symbol->max)
        LT_FAIL(err, INVALID_ARGUMENT, "%s = %lld: the model was exported for %lld to %lld", dim->name,
                (long long)dim->size, (long long)symbol->min, (long long)symbol->max);
    symbol->min = symbol->max = dim->size;
    return LATHE_OK;
}

/* Values of all symbols; of an open one its least, or with `fixed` an error that names it. */
static lathe_status bind_all(const lathe_model *model, bool fixed, lt_arena *arena, int64_t **out,
                             lathe_error *err)
{
    const lt_exported *x = model->exported;
    LT_ALLOC(arena, *out, x->n_symbols, err);
    for (uint32_t i = 0; i < x->n_symbols; i++) {
        if (fixed && x->symbols[i].min != x->symbols[i].max)
            LT_FAIL(err, INVALID_ARGUMENT, "size '%s' is open: give it a number", x->symbols[i].name);
        (*out)[i] = lt_max_i64(x->symbols[i].min, 0);
    }
    return lt_import_check(x, *out, err);
}

bool lt_model_is_open(const lathe_model *model)
{
    const lt_exported *x = model->exported;
    for (uint32_t i = 0; i < x->n_symbols; i++)
        if (x->symbols[i].min != x->symbols[i].max) return true;
    return false;
}

static lathe_status set_cache_type(const lathe_model *model, lt_text *passes, lt_graph **graph,
                                   lathe_error *err)
{
    lt_dtype dtype;
    LT_TRY(lt_kv_type_parse(model->settings.kv_type, &dtype, err));
    if (dtype == LATHE_DTYPE_COUNT) return LATHE_OK;
    LT_TRY(lt_pass_cache_type(*graph, dtype, graph, err));
    if (passes) lt_text_printf(passes, "# after cache_type\n");
    if (passes) lt_graph_print(*graph, passes);
    return LATHE_OK;
}

lathe_status lt_model_graph(const lathe_model *model, const lt_graph_request *request, lt_arena *arena,
                            lt_graph **out, lathe_error *err)
{
    struct lt_state_pair *pairs = NULL;
    int64_t *bindings;
    lt_text *passes = request->passes;
    LT_TRY(bind_all(model, request->closed, arena, &bindings, err));
    int optimize = model->settings.optimize ? model->settings.optimize - 1 : LT_OPTIMIZE_MAX;
    lt_import_options options = {.bindings = bindings, .table = model->table};
    if (!request->stateless) LT_TRY(lt_model_find_pairs(model, &pairs, &options.n_pairs, err));
    options.pairs = pairs;
    lathe_status status = lt_import(model->exported, &options, arena, out, NULL, err);
    lt_heap_free(pairs);
    LT_TRY(status);
    if (passes) lt_text_printf(passes, "# as imported\n");
    if (passes) lt_graph_print(*out, passes);
    lt_pass_target target = request->portable ? LT_TARGET_SHARED : LT_TARGET_CPU;
    LT_TRY(lt_passes_run(out, optimize, target, passes, err));
    return request->stateless ? LATHE_OK : set_cache_type(model, passes, out, err);
}

/* ---- Weights ---- */

static lathe_status place_weights(lathe_model *model, const lt_cpu *cpu, lt_arena *arena, lathe_error *err)
{
    lt_graph *graph;
    lt_hoist hoist;
    lt_program *program;
    lt_weight_source source = {.model = model, .pool = cpu->pool};
    lt_weight_layout layout = lt_model_layout(&source);
    LT_TRY(lt_model_graph(model, &(lt_graph_request){0}, arena, &graph, err));
    LT_TRY(lt_hoist_split(graph, &hoist, err));
    return lt_program_build(hoist.rest, &layout, &program, err);
}

/* Which forms are read does not depend on sizes: where they are open, a program of the least ones tells.
 * Where none can be built for those, weights are packed when the file is used. */
lathe_status lt_model_place_weights(lathe_model *model, lathe_error *err)
{
    lt_arena *arena;
    lt_cpu *cpu;
    LT_TRY(lt_cpu_create(0, &cpu, err));
    lathe_status status = lt_arena_create(&arena, err);
    if (status == LATHE_OK) {
        status = place_weights(model, cpu, arena, err);
        lt_arena_destroy(arena);
    }
    lt_cpu_destroy(cpu);
    return status == LATHE_TYPE && lt_model_is_open(model) ? LATHE_OK : status;
}

/* ---- Showing ---- */

/* Weights whose place is not known yet lie row by row. */
static lathe_status any_strides(void *context, uint32_t weight, int64_t *stride, lathe_error *err)
{
    const lathe_model *model = context;
    const lt_type *type = &model->exported->weights[weight].type;
    (void)err;
    if (model->weights[weight].data)
        memcpy(stride, model->weights[weight].stride, sizeof model->weights[weight].stride);
    else lt_contiguous_strides(type->rank, type->dim, stride);
    return LATHE_OK;
}

/* What is computed once, and what in every run. */
static lathe_status print_programs(lathe_model *model, const lt_graph *graph, lt_text *out, lathe_error *err)
{
    lt_hoist hoist;
    lt_graph *once;
    lt_program *program;
    lt_weight_layout layout = {.context = model, .strides = any_strides};
    LT_TRY(lt_hoist_split(graph, &hoist, err));
    if (hoist.n) {
        LT_TRY(lt_hoist_graph(graph, hoist.values, hoist.n, &once, err));
        LT_TRY(lt_program_build(once, &layout, &program, err));
        lt_text_printf(out, "# once\n");
        lt_program_print(program, out);
    }
    LT_TRY(lt_program_build(hoist.rest, &layout, &program, err));
    lt_text_printf(out, "# every run\n");
    lt_program_print(program, out);
    return LATHE_OK;
}

static lathe_status build(lathe_model *model, lathe_dump form, lt_text *out, lathe_error *err)
{
    lt_arena *arena;
    lt_graph *graph;
    lt_graph_request request = {.closed = true, .passes = form == LATHE_DUMP_PASSES ? out : NULL};
    LT_TRY(lt_arena_create(&arena, err));
    lathe_status status = lt_model_graph(model, &request, arena, &graph, err);
    if (status == LATHE_OK && form == LATHE_DUMP_GRAPH) lt_graph_print(graph, out);
    if (status == LATHE_OK && form == LATHE_DUMP_PROGRAM) status = print_programs(model, graph, out, err);
    lt_arena_destroy(arena);
    return status == LATHE_OK ? lt_text_status(out, err) : status;
}

lathe_status lathe_model_dump(lathe_model *model, lathe_dump form, char **text, lathe_error *err)
{
    lt_text out = {0};
    *text = NULL;
    lathe_status status = build(model, form, &out, err);
    if (status == LATHE_OK) *text = out.data;
    else lt_text_free(&out);
    return status;
}

static lathe_status set_kv_type(lathe_model *model, const char *name, lathe_error *err)
{
    lt_dtype known;
    LT_TRY(lt_kv_type_parse(name, &known, err));
    model->settings.kv_type = lt_arena_strdup(model->arena, name);
    return model->settings.kv_type ? LATHE_OK : lt_out_of_memory(err, 1, strlen(name));
}

lathe_status lathe_model_compile(lathe_model *model, const lathe_compile_options *options, lathe_error *err)
{
    const char *report;
    LT_TRY(lathe_model_unsupported(model, &report, err));
    if (*report) LT_FAIL(err, UNSUPPORTED, "%s", report);
    for (size_t i = 0; options && i < options->n_dims; i++) LT_TRY(fix_dim(model, &options->dims[i], err));
    if (options && (options->optimize < 0 || options->optimize > LT_OPTIMIZE_MAX + 1))
        LT_FAIL(err, INVALID_ARGUMENT, "optimize %d, expected 0 to %d", options->optimize,
                LT_OPTIMIZE_MAX + 1);
    if (options && options->activations && options->activations != 8 && options->activations != 16)
        LT_FAIL(err, INVALID_ARGUMENT, "activations of %d bits, expected 8 or 16", options->activations);
    if (options && options->optimize) model->settings.optimize = options->optimize;
    if (options && options->activations) model->settings.activations = options->activations;
    if (options && options->kv_type) LT_TRY(set_kv_type(model, options->kv_type, err));
    if (options) LT_TRY(lt_model_place(model, &options->placement, err));
    if (options && options->quantization) LT_TRY(lathe_model_quantize(model, options->quantization, err));
    lt_text program = {0};
    lathe_status status =
        lt_model_is_open(model) ? LATHE_OK : build(model, LATHE_DUMP_PROGRAM, &program, err);
    lt_text_free(&program);
    return status;
}

lathe_status lathe_model_check(lathe_model *model, lathe_error *err)
{
    return model->lathe ? lt_lathe_verify(model->lathe, model->exported, err) : LATHE_OK;
}
