/* One timeline of runs. Each combination of symbol values met gets an entry: a specialised program with its
 * buffers; weights belong to the model and state to the session, so entries share them. */
#include <string.h>

#include "ops/cache_row.h"
#include "ops/convert.h"
#include "pass/pass.h"
#include "run/dispatch.h"
#include "run/profile.h"
#include "run/region_forms.h"

typedef struct lt_entry {
    struct lt_entry *next;
    lt_arena *arena;
    int64_t *bindings; /* [n_symbols] */
    lt_graph *graph;   /* what runs each time */
    lt_dispatch dispatch;
    lt_region_forms forms;
    uint32_t row_output; /* the output that has one row; LT_NONE */
} lt_entry;

typedef struct lt_session_input {
    lt_type type;    /* rank -1: not set yet */
    size_t capacity; /* bytes of its copy */
    bool kept;       /* it is state: only its sizes count */
} lt_session_input;

struct lathe_session {
    lathe_model *model;
    lt_devices devices;
    lt_states states;
    int optimize;             /* 0 … LT_OPTIMIZE_MAX */
    lt_session_input *inputs; /* [n_inputs] */
    void **input_data;        /* [n_inputs + 1]: our copies, contiguous; behind them the selected row */
    int64_t *bindings;        /* [n_symbols]: values of the symbols in the inputs that are set */
    struct lt_state_pair *pairs;
    lt_entry *entries, *current;
    uint32_t n_inputs, n_pairs;
    uint32_t row_output;     /* the output of which one row is selected; LT_NONE */
    lathe_preparation spent; /* since it was last asked for */
    lt_pool_span *traced;    /* [MAX_TRACED] what threads did in the last run; NULL: it is not profiled */
    lt_dtype kv_type;        /* what kept caches are stored as; LATHE_DTYPE_COUNT: as the graph has them */
};

static void entry_destroy(lt_entry *entry)
{
    lt_dispatch_destroy(&entry->dispatch);
    lt_region_forms_release(&entry->forms);
    lt_arena_destroy(entry->arena);
    lt_heap_free(entry);
}

void lathe_session_close(lathe_session *session)
{
    if (!session) return;
    for (lt_entry *entry = session->entries, *next; entry; entry = next) {
        next = entry->next;
        entry_destroy(entry);
    }
    for (uint32_t i = 0; session->input_data && i <= session->n_inputs; i++)
        lt_os_free(session->input_data[i]);
    lt_states_free(&session->states);
    lt_devices_close(&session->devices);
    lt_heap_free(session->traced);
    lt_heap_free(session->inputs);
    lt_heap_free(session->input_data);
    lt_heap_free(session->bindings);
    lt_heap_free(session->pairs);
    lt_heap_free(session);
}

static lathe_status allocate(size_t bytes, void **out, lathe_error *err)
{
    *out = lt_os_alloc(bytes);
    return *out ? LATHE_OK : lt_out_of_memory(err, bytes, 1);
}

static lathe_status session_init(lathe_session *session, lathe_model *model,
                                 const lathe_session_options *options, lathe_error *err)
{
    const char *report;
    LT_TRY(lathe_model_unsupported(model, &report, err));
    if (*report) LT_FAIL(err, UNSUPPORTED, "%s", report);
    session->model = model;
    int optimize = options && options->optimize ? options->optimize : model->settings.optimize;
    session->optimize = optimize ? optimize - 1 : LT_OPTIMIZE_MAX;
    LT_TRY(lt_devices_open(&session->devices, model, options, err));
    session->states.devices = &session->devices;
    int activations = options && options->activations ? options->activations : model->settings.activations;
    if (activations != 0 && activations != 8 && activations != 16)
        LT_FAIL(err, INVALID_ARGUMENT, "activations of %d bits, expected 8 or 16", activations);
    if (session->devices.cpu) session->devices.cpu->digits = activations == 8 ? LT_DIGITS_8 : LT_DIGITS_16;
    session->n_inputs = (uint32_t)lathe_model_input_count(model);
    session->inputs = lt_heap_alloc(session->n_inputs, sizeof *session->inputs);
    session->input_data = lt_heap_alloc(session->n_inputs + 1, sizeof *session->input_data);
    session->row_output = LT_NONE;
    bool keeps = options && options->keep_state;
    const char *kv_type = options && options->kv_type ? options->kv_type
                          : keeps                     ? model->settings.kv_type
                                                      : NULL;
    LT_TRY(lt_kv_type_parse(kv_type, &session->kv_type, err));
    if (!session->inputs || !session->input_data)
        return lt_out_of_memory(err, session->n_inputs, sizeof *session->inputs);
    for (uint32_t i = 0; i < session->n_inputs; i++) session->inputs[i].type.rank = -1;
    session->bindings = lt_heap_alloc(model->exported->n_symbols, sizeof *session->bindings);
    if (!session->bindings)
        return lt_out_of_memory(err, model->exported->n_symbols, sizeof *session->bindings);
    if (!keeps) return LATHE_OK;
    LT_TRY(lt_model_find_pairs(model, &session->pairs, &session->n_pairs, err));
    for (uint32_t i = 0; i < session->n_pairs; i++) session->inputs[session->pairs[i].input].kept = true;
    return LATHE_OK;
}

lathe_status lathe_session_create(lathe_model *model, const lathe_session_options *options,
                                  lathe_session **out, lathe_error *err)
{
    *out = NULL;
    lathe_session *session = lt_heap_alloc(1, sizeof *session);
    if (!session) return lt_out_of_memory(err, 1, sizeof *session);
    lathe_status status = session_init(session, model, options, err);
    if (status != LATHE_OK) {
        lathe_session_close(session);
        return status;
    }
    *out = session;
    return LATHE_OK;
}

/* ---- Inputs ---- */

static lathe_status check_input(const lathe_session *session, size_t index, lathe_error *err)
{
    if (index >= session->n_inputs)
        LT_FAIL(err, INVALID_ARGUMENT, "there is no input %zu: the model has %u", index, session->n_inputs);
    return LATHE_OK;
}

int lathe_session_keeps_input(const lathe_session *session, size_t index)
{
    return index < session->n_inputs && session->inputs[index].kept;
}

/* What the file records of an input; NULL when it was fixed at export. */
static const lt_xtype *recorded_input(const lathe_session *session, size_t index)
{
    const lt_xgraph *graph = &session->model->exported->graph;
    const char *name = lt_model_user_input(session->model, index)->name;
    uint32_t type = name ? lt_map_get(&graph->type_of, name) : LT_NONE;
    return type == LT_NONE || graph->types[type].rank < 0 ? NULL : &graph->types[type];
}

lathe_status lathe_session_set_input(lathe_session *session, size_t index, const lathe_tensor *tensor,
                                     lathe_error *err)
{
    LT_TRY(check_input(session, index, err));
    const lt_xtype *recorded = recorded_input(session, index);
    const char *label = lt_model_user_input(session->model, index)->label;
    if (tensor->rank < 0 || tensor->rank > LT_MAX_RANK)
        LT_FAIL(err, INVALID_ARGUMENT, "input '%s': rank %d", label, tensor->rank);
    if (!recorded) LT_FAIL(err, INVALID_ARGUMENT, "input '%s' was fixed when the model was exported", label);
    if (tensor->dtype != recorded->dtype)
        LT_FAIL(err, TYPE, "input '%s' is %s, expected %s", label, lathe_dtype_name(tensor->dtype),
                lathe_dtype_name(recorded->dtype));
    lt_session_input *input = &session->inputs[index];
    if (input->kept) LT_FAIL(err, INVALID_ARGUMENT, "input '%s' is kept as state by this session", label);
    lt_type type = lt_tensor_type(tensor);
    LT_TRY(lt_type_check(&type, label, err));
    size_t bytes = lt_type_bytes(&type);
    void **copy_of = &session->input_data[index];
    if (!*copy_of || bytes > input->capacity) {
        void *data;
        LT_TRY(allocate(bytes, &data, err));
        lt_os_free(*copy_of);
        *copy_of = data;
        input->capacity = bytes;
    }
    input->type = type;
    lt_tensor copy = lt_tensor_of(&type, *copy_of);
    lt_tensor_copy(tensor, &copy);
    return LATHE_OK;
}

lathe_status lathe_session_shape_input(lathe_session *session, size_t index, int rank, const int64_t *dim,
                                       lathe_error *err)
{
    LT_TRY(check_input(session, index, err));
    if (rank < 0 || rank > LT_MAX_RANK) LT_FAIL(err, INVALID_ARGUMENT, "rank %d", rank);
    if (!session->inputs[index].kept) LT_FAIL(err, INVALID_ARGUMENT, "input %zu is not kept as state", index);
    session->inputs[index].type = lt_type_make(LATHE_F32, rank, dim);
    return LATHE_OK;
}

static lathe_status bind_symbols(lathe_session *session, lathe_error *err)
{
    int64_t *bindings = session->bindings;
    for (uint32_t i = 0; i < session->model->exported->n_symbols; i++) bindings[i] = LT_UNBOUND;
    for (uint32_t i = 0; i < session->n_inputs; i++) {
        const lt_session_input *input = &session->inputs[i];
        const lt_xinput *x = lt_model_user_input(session->model, i);
        if (input->type.rank >= 0)
            LT_TRY(lt_import_bind(session->model->exported, x, input->type.rank, input->type.dim, bindings,
                                  err));
        else if (!input->kept && recorded_input(session, i))
            LT_FAIL(err, INVALID_ARGUMENT, "input '%s' is not set", x->label);
    }
    return lt_import_check(session->model->exported, bindings, err);
}

/* ---- State ---- */

lathe_status lathe_session_reset(lathe_session *session, lathe_error *err)
{
    for (uint32_t i = 0; session->current && i < session->states.n; i++)
        LT_TRY(lt_states_init(&session->states, i, session->current->graph->states[i].weight, err));
    return LATHE_OK;
}

/* ---- Entries ---- */

static lathe_status import(lathe_session *session, lt_entry *entry, lt_graph **graph, lathe_error *err)
{
    lathe_model *model = session->model;
    lt_import_options options = {.bindings = entry->bindings,
                                 .table = model->table,
                                 .pairs = session->pairs,
                                 .n_pairs = session->n_pairs};
    lt_text report = {0};
    lathe_status status = lt_import(model->exported, &options, entry->arena, graph, &report, err);
    if (status != LATHE_OK && report.data && err && report.length > strlen(err->message) + 1)
        lt_error_set(err, status, "%s", report.data);
    lt_text_free(&report);
    return status;
}

lathe_status lathe_session_select_row(lathe_session *session, size_t output, int64_t row, lathe_error *err)
{
    if (output >= lathe_model_output_count(session->model))
        LT_FAIL(err, INVALID_ARGUMENT, "there is no output %zu", output);
    void **data = &session->input_data[session->n_inputs];
    session->row_output = LT_NONE;
    if (row < 0) return LATHE_OK;
    if (!*data) LT_TRY(allocate(sizeof row, data, err));
    memcpy(*data, &row, sizeof row);
    session->row_output = (uint32_t)output;
    return LATHE_OK;
}

/* The output becomes one row of it, whose number is an input behind those of the model. */
static lathe_status select_row(const lathe_session *session, lt_graph *graph, lathe_error *err)
{
    lt_id *output = &graph->outputs[session->row_output], row;
    const lt_type *type = *output == LT_NONE ? NULL : &graph->values[*output].type;
    if (!type || type->rank < 2)
        LT_FAIL(err, INVALID_ARGUMENT, "output %u has no rows to select", session->row_output);
    if (type->dim[type->rank - 2] == 1) return LATHE_OK;
    lt_value number = {.type = lt_type_make(LATHE_I64, 1, (int64_t[]){1}),
                       .kind = LT_VALUE_INPUT,
                       .index = session->n_inputs};
    LT_TRY(lt_graph_add_value(graph, &number, &row, err));
    lt_builder b = {.graph = graph, .err = err, .source = LT_NONE};
    *output = lt_build_index_dim(&b, *output, -2, row, false);
    return b.status;
}

/* The graph of an entry, optimised for the session's devices. */
static lathe_status make_graph(lathe_session *session, lt_entry *entry, lt_graph **graph, lathe_error *err)
{
    LT_TRY(import(session, entry, graph, err));
    entry->row_output = session->row_output;
    if (entry->row_output != LT_NONE) LT_TRY(select_row(session, *graph, err));
    lt_pass_target target = session->devices.n ? LT_TARGET_SHARED : LT_TARGET_CPU;
    LT_TRY(lt_passes_run(graph, session->optimize, target, NULL, err));
    if (session->kv_type == LATHE_DTYPE_COUNT) return LATHE_OK;
    return lt_pass_cache_type(*graph, session->kv_type, graph, err);
}

static lathe_status fill_entry(lathe_session *session, lt_entry *entry, lathe_error *err)
{
    lathe_model *model = session->model;
    lt_devices *devices = &session->devices;
    const lt_cpu *cpu = devices->cpu;
    lt_graph *graph;
    lt_partition *partition;
    double start = lt_os_seconds();
    LT_TRY(make_graph(session, entry, &graph, err));
    if (session->optimize) LT_TRY(lt_region_forms_start(&entry->forms, model, cpu, &graph, err));
    LT_TRY(lt_devices_partition(devices, graph, &partition, err));
    LT_TRY(lt_region_forms_make(&entry->forms, partition, devices->n, session->optimize, err));
    lt_weight_source source = {.model = model, .pool = cpu ? cpu->pool : NULL, .reference = cpu == NULL};
    lt_weight_layout layout = lt_model_layout(&source);
    entry->graph = graph;
    lt_dispatch_setup setup = {.arena = entry->arena,
                               .devices = devices,
                               .states = &session->states,
                               .partition = partition,
                               .inputs = session->input_data,
                               .hoisted = entry->forms.hoisted,
                               .n_hoisted = entry->forms.shared.split.n,
                               .layout = &layout};
    LT_TRY(lt_dispatch_create(&entry->dispatch, &setup, err));
    lt_region_forms_finish(&entry->forms, &entry->dispatch);
    double packing = entry->forms.seconds + source.seconds;
    session->spent.pack_seconds += packing;
    session->spent.compile_seconds += lt_os_seconds() - start - packing;
    return LATHE_OK;
}

/* Entries kept at once: enough for the chunk sizes of a conversation, few enough for their buffers. */
enum { MAX_ENTRIES = 8 };

/* Drops the entries that were made longest ago. */
static void trim_entries(lathe_session *session)
{
    lt_entry *entry = session->entries;
    for (int n = 1; entry && n < MAX_ENTRIES; n++) entry = entry->next;
    if (!entry) return;
    for (lt_entry *old = entry->next, *next; old; old = next) {
        next = old->next;
        entry_destroy(old);
    }
    entry->next = NULL;
}

static lathe_status create_entry(lathe_session *session, const int64_t *bindings, lathe_error *err)
{
    uint32_t n = session->model->exported->n_symbols;
    lt_entry *entry = lt_heap_alloc(1, sizeof *entry);
    if (!entry) return lt_out_of_memory(err, 1, sizeof *entry);
    lathe_status status = lt_arena_create(&entry->arena, err);
    if (status == LATHE_OK) {
        entry->bindings = lt_arena_alloc(entry->arena, n, sizeof *bindings);
        if (!entry->bindings) status = lt_out_of_memory(err, n, sizeof *bindings);
    }
    if (status == LATHE_OK) {
        memcpy(entry->bindings, bindings, n * sizeof *bindings);
        status = fill_entry(session, entry, err);
    }
    if (status != LATHE_OK) {
        entry_destroy(entry);
        return status;
    }
    entry->next = session->entries;
    session->entries = session->current = entry;
    trim_entries(session);
    return LATHE_OK;
}

static lathe_status choose_entry(lathe_session *session, lathe_error *err)
{
    size_t bytes = session->model->exported->n_symbols * sizeof *session->bindings;
    LT_TRY(bind_symbols(session, err));
    lt_entry *entry = session->entries;
    while (entry && (entry->row_output != session->row_output ||
                     memcmp(entry->bindings, session->bindings, bytes) != 0))
        entry = entry->next;
    if (!entry) return create_entry(session, session->bindings, err);
    LT_TRY(lt_states_need(&session->states, entry->graph, err));
    session->current = entry;
    return LATHE_OK;
}

/* ---- State from outside ---- */

static lathe_status find_state(lathe_session *session, size_t index, uint32_t *state, lathe_error *err)
{
    LT_TRY(check_input(session, index, err));
    if (!session->inputs[index].kept) LT_FAIL(err, INVALID_ARGUMENT, "input %zu is not kept as state", index);
    LT_TRY(choose_entry(session, err));
    const lt_graph *graph = session->current->graph;
    for (*state = 0; *state < graph->n_states; ++*state)
        if (graph->states[*state].input == index) return LATHE_OK;
    LT_FAIL(err, INTERNAL, "input %zu has no state", index);
}

lathe_status lathe_session_state(lathe_session *session, size_t index, lathe_tensor *out, lathe_error *err)
{
    uint32_t state;
    LT_TRY(find_state(session, index, &state, err));
    LT_TRY(lt_states_read(&session->states, state, err));
    *out = lt_tensor_of(&session->states.types[state], session->states.data[state]);
    return LATHE_OK;
}

/* Narrows the state to what the tensor fills; false when it does not fit. `rows`: of int8, which the tensor's
 * rows become. */
static bool narrow_state(const lathe_tensor *tensor, bool rows, lt_tensor *state)
{
    if (tensor->rank != state->rank) return false;
    if (!rows && lt_dtype_is_float(tensor->dtype) != lt_dtype_is_float(state->dtype)) return false;
    for (int i = 0; i < state->rank; i++) {
        bool longer = rows && i == state->rank - 1;
        int64_t size = tensor->dim[i] + (longer ? LT_CACHE_SCALE : 0);
        if (tensor->dim[i] < 0 || size > state->dim[i] || (longer && size != state->dim[i])) return false;
        state->dim[i] = size;
    }
    return true;
}

lathe_status lathe_session_write_state(lathe_session *session, size_t index, const lathe_tensor *tensor,
                                       lathe_error *err)
{
    uint32_t which;
    LT_TRY(find_state(session, index, &which, err));
    LT_TRY(lt_states_move(&session->states, which, session->devices.n, err));
    lt_tensor state = lt_tensor_of(&session->states.types[which], session->states.data[which]);
    bool rows = session->kv_type == LATHE_I8 && lt_dtype_is_float(tensor->dtype);
    if (!narrow_state(tensor, rows, &state))
        LT_FAIL(err, TYPE, "the tensor does not fit the state of input '%s'",
                lt_model_user_input(session->model, index)->label);
    if (rows) lt_cache_rows_put(tensor, &state);
    else lt_tensor_copy(tensor, &state);
    return LATHE_OK;
}

/* ---- Running ---- */

enum { MAX_TRACED = 1 << 16 };

static lathe_status note_source(const lathe_session *session, uint32_t source, lathe_status status,
                                lathe_error *err)
{
    const lt_xgraph *graph = &session->model->exported->graph;
    if (source >= graph->n_nodes) return status;
    const lt_xnode *node = &graph->nodes[source];
    return lt_error_note(err, status, "node '%s' (%s)", node->name, node->target);
}

lathe_status lathe_session_run(lathe_session *session, lathe_error *err)
{
    LT_TRY(choose_entry(session, err));
    uint32_t source;
    lt_dispatch *dispatch = &session->current->dispatch;
    dispatch->timed = session->traced != NULL;
    if (session->devices.cpu) lt_pool_trace(session->devices.cpu->pool, session->traced, MAX_TRACED);
    lathe_status status = lt_dispatch_run(dispatch, session->devices.dag, &source, err);
    return status == LATHE_OK ? status : note_source(session, source, status, err);
}

lathe_status lathe_session_output(lathe_session *session, size_t index, lathe_tensor *out, lathe_error *err)
{
    const lt_entry *entry = session->current;
    if (!entry) LT_FAIL(err, INVALID_ARGUMENT, "the session has not run yet");
    if (index >= entry->graph->n_outputs)
        LT_FAIL(err, INVALID_ARGUMENT, "there is no output %zu: the model has %u", index,
                entry->graph->n_outputs);
    lt_type type = lt_dispatch_output(&entry->dispatch, (uint32_t)index);
    *out = (lathe_tensor){.rank = -1};
    if (type.rank >= 0) *out = lt_tensor_of(&type, entry->dispatch.results[index]);
    return LATHE_OK;
}

lathe_status lathe_session_plain_steps(const lathe_session *session, const char **text, lathe_error *err)
{
    *text = "";
    if (!session->current) LT_FAIL(err, INVALID_ARGUMENT, "the session has not run yet");
    return lt_dispatch_plain_steps(&session->current->dispatch, text, err);
}

/* ---- Profiles ---- */

lathe_status lathe_session_profile(lathe_session *session, int on, lathe_error *err)
{
    if (session->devices.cpu) lt_pool_trace(session->devices.cpu->pool, NULL, 0);
    lt_heap_free(session->traced);
    session->traced = on ? lt_heap_alloc(MAX_TRACED, sizeof *session->traced) : NULL;
    return !on || session->traced ? LATHE_OK : lt_out_of_memory(err, MAX_TRACED, sizeof *session->traced);
}

size_t lathe_session_step_count(const lathe_session *session)
{
    return session->current ? lt_profile_step_count(&session->current->dispatch) : 0;
}

lathe_status lathe_session_step(lathe_session *session, size_t index, lathe_step *out, lathe_error *err)
{
    if (index >= lathe_session_step_count(session))
        LT_FAIL(err, INVALID_ARGUMENT, "there is no step %zu in the last run's program", index);
    return lt_profile_step(&session->current->dispatch, index, out, err);
}

void lathe_session_step_time(const lathe_session *session, size_t index, double *begin, double *end)
{
    *begin = *end = 0;
    if (index < lathe_session_step_count(session))
        lt_profile_time(&session->current->dispatch, index, begin, end);
}

size_t lathe_session_spans(const lathe_session *session, lathe_span *out, size_t room)
{
    return session->traced ? lt_profile_spans(&session->current->dispatch, session->traced, out, room) : 0;
}

size_t lathe_session_transfer_count(const lathe_session *session)
{
    return session->current ? session->current->dispatch.n_transfers : 0;
}

lathe_status lathe_session_transfer(lathe_session *session, size_t index, lathe_transfer *out,
                                    lathe_error *err)
{
    if (index >= lathe_session_transfer_count(session))
        LT_FAIL(err, INVALID_ARGUMENT, "there is no transfer %zu in the last profiled run", index);
    return lt_profile_transfer(&session->current->dispatch, index, out, err);
}

/* ---- Preparation and cost ---- */

lathe_status lathe_session_prepare(lathe_session *session, lathe_preparation *out, lathe_error *err)
{
    session->spent = (lathe_preparation){0};
    LT_TRY(choose_entry(session, err));
    if (out) *out = session->spent;
    return LATHE_OK;
}

lathe_status lathe_session_cost(const lathe_session *session, lathe_cost *out, lathe_error *err)
{
    if (!session->current) LT_FAIL(err, INVALID_ARGUMENT, "the session has not run yet");
    const lt_cpu *cpu = session->devices.cpu;
    lt_dtype activations = cpu && cpu->digits == LT_DIGITS_8 ? LATHE_I8 : LATHE_I16;
    *out = lt_dispatch_cost(&session->current->dispatch, activations);
    return LATHE_OK;
}
