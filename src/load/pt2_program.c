/* Reader of the exported program around its graph: versions, signature, constraints. */
#include <string.h>

#include "load/pt2_graph.h"

enum { SCHEMA_MAJOR = 8 };

/* ---- Cutting ---- */

/* Most of a program's text is not needed to run it: where nodes come from is only wanted for messages, and
 * on which device PyTorch had its tensors not at all. So these values are cut out before parsing, which then
 * takes half the time: a number stands for each. Metadata is kept, to be parsed when it is asked for. */
static const struct {
    const char *key; /* with its quotes */
    bool keep;
} cuts[] = {{"\"metadata\"", true}, {"\"device\"", false}, {"\"storage_offset\"", false}};

enum { SHORTEST_CUT = 12 }; /* longer than any number */

typedef struct lt_cutter {
    lt_arena *arena;
    lathe_error *err;
    lt_xmetadata *kept;
    uint32_t n, capacity;
    char *out; /* has room for all of the text */
    size_t length;
} lt_cutter;

/* Behind the closing quote of the string that starts at `at`; `end` when there is none. */
static const char *skip_string(const char *at, const char *end)
{
    for (const char *quote = at + 1; (quote = memchr(quote, '"', (size_t)(end - quote))); quote++) {
        const char *slash = quote;
        while (slash > at + 1 && slash[-1] == '\\') slash--;
        if ((quote - slash) % 2 == 0) return quote + 1;
    }
    return end;
}

/* Behind the bracket that closes the object or array at `at`; `end` when there is none. */
static const char *skip_value(const char *at, const char *end)
{
    for (size_t depth = 0; at < end;) {
        char c = *at;
        if (c == '"') {
            at = skip_string(at, end);
            continue;
        }
        at++;
        if (c == '{' || c == '[') depth++;
        if ((c == '}' || c == ']') && --depth == 0) return at;
    }
    return end;
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) at++;
    return at;
}

static void emit(lt_cutter *c, const char *from, const char *to)
{
    memcpy(c->out + c->length, from, (size_t)(to - from));
    c->length += (size_t)(to - from);
}

/* A tensor may have such a name too: what describes one has sizes. */
static bool is_tensor(const char *value, const char *end)
{
    static const char key[] = "\"sizes\"";
    for (const char *at = value; (at = memchr(at, '"', (size_t)(end - at))); at++)
        if ((size_t)(end - at) >= sizeof key && memcmp(at, key, sizeof key - 1) == 0) return true;
    return false;
}

/* The object or array behind a key that is to be cut; NULL when the string from `name` to `name_end` is no
 * such key. */
static const char *value_to_cut(const char *name, const char *name_end, const char *end, bool *keep)
{
    size_t length = (size_t)(name_end - name), i = 0;
    while (i < LT_COUNT(cuts) && (strlen(cuts[i].key) != length || memcmp(cuts[i].key, name, length) != 0))
        i++;
    if (i == LT_COUNT(cuts)) return NULL;
    const char *colon = skip_space(name_end, end);
    const char *value = colon < end && *colon == ':' ? skip_space(colon + 1, end) : end;
    *keep = cuts[i].keep;
    return value < end && (*value == '{' || *value == '[') ? value : NULL;
}

static lathe_status cut_text(lt_cutter *c, const char *text, size_t length)
{
    const char *at = text, *end = text + length, *name;
    while ((name = memchr(at, '"', (size_t)(end - at)))) {
        bool keep = false;
        const char *name_end = skip_string(name, end), *value = value_to_cut(name, name_end, end, &keep);
        const char *value_end = value ? skip_value(value, end) : NULL;
        if (!value || value_end - value < SHORTEST_CUT || value_end == end || is_tensor(value, value_end)) {
            emit(c, at, name_end);
            at = name_end;
            continue;
        }
        emit(c, at, value);
        c->length += (size_t)snprintf(c->out + c->length, SHORTEST_CUT, "%u", c->n);
        if (keep) {
            LT_GROW(c->arena, c->kept, c->n, c->capacity, c->err);
            c->kept[c->n++] = (lt_xmetadata){.text = value, .length = (size_t)(value_end - value)};
        }
        at = value_end;
    }
    emit(c, at, end);
    return LATHE_OK;
}

/* Errors are told as of the whole text, so that lines and columns are those of the file. */
static lathe_status parse_cut(lt_cutter *c, const char *text, size_t length, json_t **out)
{
    c->out = lt_heap_alloc(length + 1, 1);
    if (!c->out) return lt_out_of_memory(c->err, length, 1);
    lathe_status status = cut_text(c, text, length);
    if (status == LATHE_OK) status = lt_json_parse(c->out, c->length, false, "program", out, c->err);
    lt_heap_free(c->out);
    return status == LATHE_FORMAT ? lt_json_parse(text, length, false, "program", out, c->err) : status;
}

/* ---- Signature ---- */

/* Inputs by what outputs call them when they mutate them. */
typedef struct lt_targets {
    lt_map users, weights; /* placeholder of a user input, full name of a weight → index in x->inputs */
} lt_targets;

static lathe_status read_weight_input(lt_pt2_reader *r, const json_t *spec, const char *key,
                                      const char *arg_key, lt_xinput *input)
{
    const char *name, *target;
    json_t *arg;
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
static lathe_status read_constant_input(lt_pt2_reader *r, const json_t *spec, lt_xinput *input)
{
    const json_t *value = json_object_get(spec, "value");
    LT_TRY(lt_pt2_optional_text(r, spec, "name", &input->label));
    return value ? lt_pt2_read_argument(r, value, &input->literal) : LATHE_OK;
}

static lathe_status read_user_input(lt_pt2_reader *r, const json_t *spec, lt_xinput *input)
{
    json_t *arg;
    LT_TRY(lt_json_get_object(spec, "arg", &arg, r->err));
    LT_TRY(lt_pt2_read_argument(r, arg, &input->literal));
    if (input->literal.kind == LT_ARG_NAME) input->name = input->literal.text;
    return LATHE_OK;
}

/* Objects of C++ or Python classes: only refused when an operator uses one. */
static lathe_status read_custom_input(lt_pt2_reader *r, const json_t *spec, lt_xinput *input)
{
    const json_t *arg = json_object_get(spec, "arg");
    const char *class = json_string_value(json_object_get(arg, "class_fqn"));
    LT_TRY(lt_pt2_optional_text(r, arg, "name", &input->name));
    input->literal = (lt_arg){.kind = LT_ARG_OTHER};
    input->literal.text = lt_arena_printf(r->arena, "a custom object of class %s", class ? class : "?");
    return input->literal.text ? LATHE_OK : lt_out_of_memory(r->err, 1, 1);
}

static lathe_status read_input_spec(lt_pt2_reader *r, const json_t *json, lt_xinput *input)
{
    const char *tag;
    json_t *spec = NULL;
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

static lathe_status read_inputs(lt_pt2_reader *r, const json_t *signature, lt_targets *targets)
{
    json_t *list, *item;
    size_t i;
    lt_exported *x = r->x;
    LT_TRY(lt_json_get_array(signature, "input_specs", &list, r->err));
    LT_ALLOC(r->arena, x->inputs, json_array_size(list), r->err);
    json_array_foreach(list, i, item)
    {
        lt_xinput *input = &x->inputs[i];
        LT_TRY_NOTE(read_input_spec(r, item, input), r->err, "input_specs[%zu]", i);
        if (input->kind == LT_X_WEIGHT)
            LT_TRY(lt_map_put(&targets->weights, input->label, x->n_inputs, r->err));
        else if (input->name) LT_TRY(lt_map_put(&targets->users, input->name, x->n_inputs, r->err));
        x->n_inputs++;
    }
    return LATHE_OK;
}

static lathe_status read_mutation(lt_pt2_reader *r, const json_t *spec, const json_t *arg, const char *key,
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

static lathe_status read_output_spec(lt_pt2_reader *r, const json_t *json, const lt_targets *targets,
                                     lt_xoutput *output)
{
    const char *tag;
    json_t *spec = NULL, *arg;
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

static lathe_status read_outputs(lt_pt2_reader *r, const json_t *signature, const lt_targets *targets)
{
    json_t *list, *item;
    const char *tag;
    json_t *spec = NULL;
    size_t i;
    lt_exported *x = r->x;
    LT_TRY(lt_json_get_array(signature, "output_specs", &list, r->err));
    LT_ALLOC(r->arena, x->outputs, json_array_size(list), r->err);
    json_array_foreach(list, i, item)
    {
        LT_TRY_NOTE(lt_json_union(item, &tag, &spec, r->err), r->err, "output_specs[%zu]", i);
        if (strcmp(tag, "token") == 0) continue; /* orders side effects: nothing to deliver */
        LT_TRY_NOTE(read_output_spec(r, item, targets, &x->outputs[x->n_outputs]), r->err,
                    "output_specs[%zu]", i);
        x->n_outputs++;
    }
    return LATHE_OK;
}

static lathe_status read_signature(lt_pt2_reader *r, const json_t *module)
{
    json_t *signature;
    lt_targets targets = {.users = {.arena = r->arena}, .weights = {.arena = r->arena}};
    LT_TRY(lt_json_get_object(module, "signature", &signature, r->err));
    LT_TRY(read_inputs(r, signature, &targets));
    return read_outputs(r, signature, &targets);
}

/* ---- Constraints ---- */

static void read_constraints(lt_pt2_reader *r, const json_t *program)
{
    json_t *constraints = json_object_get(program, "range_constraints"), *range;
    const char *name;
    json_object_foreach(constraints, name, range)
    {
        uint32_t index = lt_map_get(&r->x->symbol_of, name);
        if (index == LT_NONE) continue;
        const json_t *min = json_object_get(range, "min_val"), *max = json_object_get(range, "max_val");
        if (json_is_integer(min)) r->x->symbols[index].min = (int64_t)json_integer_value(min);
        if (json_is_integer(max)) r->x->symbols[index].max = (int64_t)json_integer_value(max);
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
static lathe_status read_guards(lt_pt2_reader *r, const json_t *program)
{
    const json_t *list = json_object_get(program, "guards_code"), *item;
    lt_exported *x = r->x;
    lt_labels labels = {.x = x, .inputs = {.arena = r->arena}};
    size_t i;
    if (!json_array_size(list)) return LATHE_OK;
    LT_ALLOC(r->arena, x->guards, json_array_size(list), r->err);
    for (uint32_t k = 0; k < x->n_inputs; k++)
        if (x->inputs[k].kind == LT_X_USER_INPUT)
            LT_TRY(lt_map_put(&labels.inputs, x->inputs[k].label, k, r->err));
    json_array_foreach(list, i, item)
    {
        const char *text = json_string_value(item);
        lt_guard guard = {.expr =
                              text ? lt_guard_parse(r->arena, text, &(lt_sizes){&labels, get_size}) : NULL};
        if (!guard.expr) continue;
        LT_TRY(lt_pt2_copy_text(r, text, &guard.text));
        x->guards[x->n_guards++] = guard;
    }
    return LATHE_OK;
}

/* ---- The program ---- */

static lathe_status check_version(lt_pt2_reader *r, const json_t *program)
{
    json_t *version;
    int64_t major;
    LT_TRY(lt_json_get_object(program, "schema_version", &version, r->err));
    LT_TRY(lt_json_get_int(version, "major", &major, r->err));
    if (major != SCHEMA_MAJOR)
        LT_FAIL(r->err, UNSUPPORTED, "schema version %lld, expected %d: export again with torch 2.9 or newer",
                (long long)major, SCHEMA_MAJOR);
    return LATHE_OK;
}

static lathe_status read_program(lt_pt2_reader *r, const json_t *program)
{
    json_t *module, *graph;
    lt_exported *x = r->x;
    LT_TRY(check_version(r, program));
    LT_TRY(lt_pt2_optional_text(r, program, "torch_version", &x->producer));
    const char *dialect = json_string_value(json_array_get(json_object_get(program, "verifiers"), 0));
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
    lt_cutter cutter = {.arena = x->arena, .err = err};
    json_t *program;
    LT_TRY(parse_cut(&cutter, text, length, &program));
    lt_pt2_reader r = {
        .x = x, .arena = x->arena, .err = err, .metadata = cutter.kept, .n_metadata = cutter.n};
    lathe_status status = read_program(&r, program);
    json_decref(program);
    return status;
}
