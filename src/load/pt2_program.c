/* Reader of the exported program around its graph: versions, signature, constraints. */
#include <string.h>

#include "load/pt2_graph.h"

enum { SCHEMA_MAJOR = 8 };

/* ---- Signature ---- */

/* Inputs by what outputs call them when they mutate them. */
typedef struct lt_targets {
    lt_map users, weights; /* placeholder of a user input, full name of a weight → index in x->inputs */
} lt_targets;

static lathe_status read_weight_input(lt_pt2_reader *r, const lt_json *spec, const char *key,
                                      const char *arg_key, lt_xinput *input)
{
    const char *name, *target;
    const lt_json *arg;
    LT_TRY(lt_json_get_object(spec, "arg", &arg, r->err));
    LT_TRY(lt_json_get_string(arg, "name", &name, r->err));
    LT_TRY(lt_json_get_string(spec, arg_key, &target, r->err));
    uint32_t weight = lt_map_get(&r->x->weight_of, target);
    if (weight == LT_NONE)
        LT_FAIL(r->err, FORMAT, "%s '%s' is in no weights config of the archive", key, target);
    *input = (lt_xinput){.kind = LT_X_WEIGHT, .weight = weight, .is_buffer = strcmp(key, "buffer") == 0};
    LT_TRY(lt_pt2_copy_text(r, name, &input->name));
    return lt_pt2_copy_text(r, target, &input->label);
}

/* An int, bool, float, string or None that the model was exported with: the graph has it written in. */
static lathe_status read_constant_input(lt_pt2_reader *r, const lt_json *spec, lt_xinput *input)
{
    const lt_json *value = lt_json_member(spec, "value");
    LT_TRY(lt_pt2_optional_text(r, spec, "name", &input->label));
    return value ? lt_pt2_read_argument(r, value, &input->literal) : LATHE_OK;
}

static lathe_status read_user_input(lt_pt2_reader *r, const lt_json *spec, lt_xinput *input)
{
    const lt_json *arg;
    LT_TRY(lt_json_get_object(spec, "arg", &arg, r->err));
    LT_TRY(lt_pt2_read_argument(r, arg, &input->literal));
    if (input->literal.kind == LT_ARG_NAME) input->name = input->literal.text;
    return LATHE_OK;
}

/* Objects of C++ or Python classes: only refused when an operator uses one. */
static lathe_status read_custom_input(lt_pt2_reader *r, const lt_json *spec, lt_xinput *input)
{
    const lt_json *arg = lt_json_member(spec, "arg");
    const char *class = lt_json_text(lt_json_member(arg, "class_fqn"));
    LT_TRY(lt_pt2_optional_text(r, arg, "name", &input->name));
    input->literal = (lt_arg){.kind = LT_ARG_OTHER};
    input->literal.text = lt_arena_printf(r->arena, "a custom object of class %s", class ? class : "?");
    return input->literal.text ? LATHE_OK : lt_out_of_memory(r->err, 1, 1);
}

static lathe_status read_input_spec(lt_pt2_reader *r, const lt_json *json, lt_xinput *input)
{
    const char *tag;
    const lt_json *spec = NULL;
    LT_TRY(lt_json_union(json, &tag, &spec, r->err));
    if (strcmp(tag, "parameter") == 0) return read_weight_input(r, spec, tag, "parameter_name", input);
    if (strcmp(tag, "buffer") == 0) return read_weight_input(r, spec, tag, "buffer_name", input);
    if (strcmp(tag, "tensor_constant") == 0)
        return read_weight_input(r, spec, tag, "tensor_constant_name", input);
    *input = (lt_xinput){.kind = LT_X_USER_INPUT};
    if (strcmp(tag, "constant_input") == 0) LT_TRY(read_constant_input(r, spec, input));
    else if (strcmp(tag, "user_input") == 0) LT_TRY(read_user_input(r, spec, input));
    else if (strcmp(tag, "custom_obj") == 0 || strcmp(tag, "token") == 0)
        LT_TRY(read_custom_input(r, spec, input));
    else LT_FAIL(r->err, UNSUPPORTED, "input of kind '%s'", tag);
    if (!input->label) input->label = input->name ? input->name : "constant";
    return LATHE_OK;
}

static lathe_status read_inputs(lt_pt2_reader *r, const lt_json *signature, lt_targets *targets)
{
    const lt_json *list, *item;
    size_t i;
    lt_exported *x = r->x;
    LT_TRY(lt_json_get_array(signature, "input_specs", &list, r->err));
    LT_ALLOC(r->arena, x->inputs, lt_json_count(list), r->err);
    lt_json_foreach (list, i, item) {
        lt_xinput *input = &x->inputs[i];
        LT_TRY_NOTE(read_input_spec(r, item, input), r->err, "input_specs[%zu]", i);
        if (input->kind == LT_X_WEIGHT)
            LT_TRY(lt_map_put(&targets->weights, input->label, x->n_inputs, r->err));
        else if (input->name) LT_TRY(lt_map_put(&targets->users, input->name, x->n_inputs, r->err));
        x->n_inputs++;
    }
    return LATHE_OK;
}

static lathe_status read_mutation(lt_pt2_reader *r, const lt_json *spec, const lt_json *arg, const char *key,
                                  const lt_map *inputs, lt_xoutput *output)
{
    const char *value, *target;
    LT_TRY(lt_json_get_string(arg, "name", &value, r->err));
    LT_TRY(lt_json_get_string(spec, key, &target, r->err));
    uint32_t input = lt_map_get(inputs, target);
    if (input == LT_NONE) LT_FAIL(r->err, FORMAT, "mutation of '%s', which is no input", target);
    output->target = r->x->inputs[input].name;
    output->arg = (lt_arg){.kind = LT_ARG_NAME};
    return lt_pt2_copy_text(r, value, &output->arg.text);
}

static lathe_status read_output_spec(lt_pt2_reader *r, const lt_json *json, const lt_targets *targets,
                                     lt_xoutput *output)
{
    const char *tag;
    const lt_json *spec = NULL, *arg;
    LT_TRY(lt_json_union(json, &tag, &spec, r->err));
    LT_TRY(lt_json_get_object(spec, "arg", &arg, r->err));
    output->kind = LT_X_USER_OUTPUT;
    if (strcmp(tag, "user_output") == 0) return lt_pt2_read_argument(r, arg, &output->arg);
    output->kind = LT_X_BUFFER_MUTATION;
    if (strcmp(tag, "buffer_mutation") == 0)
        return read_mutation(r, spec, arg, "buffer_name", &targets->weights, output);
    if (strcmp(tag, "parameter_mutation") == 0)
        return read_mutation(r, spec, arg, "parameter_name", &targets->weights, output);
    output->kind = LT_X_INPUT_MUTATION;
    if (strcmp(tag, "user_input_mutation") == 0)
        return read_mutation(r, spec, arg, "user_input_name", &targets->users, output);
    LT_FAIL(r->err, UNSUPPORTED, "output of kind '%s'", tag);
}

static lathe_status read_outputs(lt_pt2_reader *r, const lt_json *signature, const lt_targets *targets)
{
    const lt_json *list, *item;
    const char *tag;
    const lt_json *spec = NULL;
    size_t i;
    lt_exported *x = r->x;
    LT_TRY(lt_json_get_array(signature, "output_specs", &list, r->err));
    LT_ALLOC(r->arena, x->outputs, lt_json_count(list), r->err);
    lt_json_foreach (list, i, item) {
        LT_TRY_NOTE(lt_json_union(item, &tag, &spec, r->err), r->err, "output_specs[%zu]", i);
        if (strcmp(tag, "token") == 0) continue; /* orders side effects: nothing to deliver */
        LT_TRY_NOTE(read_output_spec(r, item, targets, &x->outputs[x->n_outputs]), r->err,
                    "output_specs[%zu]", i);
        x->n_outputs++;
    }
    return LATHE_OK;
}

static lathe_status read_signature(lt_pt2_reader *r, const lt_json *module)
{
    const lt_json *signature;
    lt_targets targets = {.users = {.arena = r->arena}, .weights = {.arena = r->arena}};
    LT_TRY(lt_json_get_object(module, "signature", &signature, r->err));
    LT_TRY(read_inputs(r, signature, &targets));
    return read_outputs(r, signature, &targets);
}

/* ---- Constraints ---- */

static void read_constraints(lt_pt2_reader *r, const lt_json *program)
{
    const lt_json *constraints = lt_json_member(program, "range_constraints"), *range;
    size_t i;
    lt_json_foreach (constraints, i, range) {
        uint32_t index = lt_map_get(&r->x->symbol_of, range->key);
        if (index == LT_NONE) continue;
        const lt_json *min = lt_json_member(range, "min_val"), *max = lt_json_member(range, "max_val");
        if (lt_json_is(min, LT_JSON_INTEGER)) r->x->symbols[index].min = lt_json_integer(min);
        if (lt_json_is(max, LT_JSON_INTEGER)) r->x->symbols[index].max = lt_json_integer(max);
    }
}

typedef struct lt_labels {
    const lt_exported *x;
    lt_map inputs; /* label of a user input → index */
} lt_labels;

static bool get_size(void *context, const char *label, int dim, lt_xdim *out)
{
    const lt_labels *labels = context;
    uint32_t input = lt_map_get(&labels->inputs, label);
    const char *name = input == LT_NONE ? NULL : labels->x->inputs[input].name;
    uint32_t type = name ? lt_map_get(&labels->x->graph.type_of, name) : LT_NONE;
    if (type == LT_NONE || dim >= labels->x->graph.types[type].rank) return false;
    *out = labels->x->graph.types[type].dim[dim];
    return true;
}

/* Conditions in Python are checked where they are simple, and never executed. */
static lathe_status read_guards(lt_pt2_reader *r, const lt_json *program)
{
    const lt_json *list = lt_json_member(program, "guards_code"), *item;
    lt_exported *x = r->x;
    lt_labels labels = {.x = x, .inputs = {.arena = r->arena}};
    size_t i;
    if (!lt_json_count(list)) return LATHE_OK;
    LT_ALLOC(r->arena, x->guards, lt_json_count(list), r->err);
    for (uint32_t k = 0; k < x->n_inputs; k++)
        if (x->inputs[k].kind == LT_X_USER_INPUT)
            LT_TRY(lt_map_put(&labels.inputs, x->inputs[k].label, k, r->err));
    lt_json_foreach (list, i, item) {
        const char *text = lt_json_text(item);
        lt_guard guard = {.expr =
                              text ? lt_guard_parse(r->arena, text, &(lt_sizes){&labels, get_size}) : NULL};
        if (!guard.expr) continue;
        LT_TRY(lt_pt2_copy_text(r, text, &guard.text));
        x->guards[x->n_guards++] = guard;
    }
    return LATHE_OK;
}

/* ---- The program ---- */

static lathe_status check_version(lt_pt2_reader *r, const lt_json *program)
{
    const lt_json *version;
    int64_t major;
    LT_TRY(lt_json_get_object(program, "schema_version", &version, r->err));
    LT_TRY(lt_json_get_int(version, "major", &major, r->err));
    if (major != SCHEMA_MAJOR)
        LT_FAIL(r->err, UNSUPPORTED, "schema version %lld, expected %d: export again with torch 2.9 or newer",
                (long long)major, SCHEMA_MAJOR);
    return LATHE_OK;
}

static lathe_status read_program(lt_pt2_reader *r, const lt_json *program)
{
    const lt_json *module, *graph;
    lt_exported *x = r->x;
    LT_TRY(check_version(r, program));
    LT_TRY(lt_pt2_optional_text(r, program, "torch_version", &x->producer));
    const char *dialect = lt_json_text(lt_json_item(lt_json_member(program, "verifiers"), 0));
    LT_TRY(lt_pt2_copy_text(r, dialect ? dialect : "TRAINING", &x->dialect));
    if (!x->producer) x->producer = "unknown";
    LT_TRY(lt_json_get_object(program, "graph_module", &module, r->err));
    LT_TRY(lt_json_get_object(module, "graph", &graph, r->err));
    LT_TRY(lt_pt2_read_graph(r, graph, &x->graph));
    LT_TRY(read_signature(r, module));
    LT_TRY(lt_pt2_name_values(r, module));
    read_constraints(r, program);
    return read_guards(r, program);
}

lathe_status lt_pt2_read_program(const char *text, size_t length, lt_exported *x, lathe_error *err)
{
    lt_pt2_reader r = {.x = x, .arena = x->arena, .err = err, .text = text};
    const lt_json *program;
    LT_TRY(lt_arena_create(&r.scratch, err));
    lathe_status status = lt_json_parse(text, length, false, "program", r.scratch, &program, err);
    if (status == LATHE_OK) status = read_program(&r, program);
    lt_arena_destroy(r.scratch);
    return status;
}
