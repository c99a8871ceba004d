/* Recurrent layers and cells, unrolled over time. A layer multiplies its whole input by the weights once;
 * what is left for a step is the hidden state's half of the gates. Every operation rounds to the dtype of the
 * layer, as PyTorch's do. */
#include "aten/aten.h"

enum {
    MAX_STEPS = 1 << 16, /* of all layers and directions together: each becomes up to 17 nodes */
    MKLDNN_LSTM = 2      /* `mode` of mkldnn_rnn_layer */
};

/* One direction of one layer. Weights [gates * H, in] and [gates * H, out], biases [gates * H] or LT_NONE;
 * w_hr [out, H] projects the hidden state of an LSTM, or is LT_NONE. */
typedef struct cell_weights {
    lt_id w_ih, w_hh, b_ih, b_hh, w_hr;
} cell_weights;

/* Hidden and cell state [B, out], [B, H]; only an LSTM has the second. */
typedef struct cell_state {
    lt_id h, c;
} cell_state;

/* The state after a step, from the input's half of the gates [B, gates * H]. */
typedef cell_state step_fn(lt_builder *b, lt_op op, lt_id input, const cell_weights *w, cell_state state);

/* ---- Steps ---- */

/* Cuts [B, n * size] into n gates. */
static void split_gates(lt_builder *b, lt_id x, int n, int64_t size, lt_id *gates)
{
    int64_t all = lt_build_size(b, x, -1);
    if (all % n != 0 || all / n != size)
        lt_build_fail(b, LATHE_TYPE, "%d gates of %lld units from weights for %lld", n, (long long)size,
                      (long long)all);
    for (int i = 0; i < n; i++) gates[i] = lt_build_narrow(b, x, -1, i * size, size);
}

static cell_state lstm_step(lt_builder *b, lt_op op, lt_id input, const cell_weights *w, cell_state state)
{
    lt_id gates[4];
    lt_id all = lt_build_add(b, lt_build_linear(b, state.h, w->w_hh, w->b_hh), input);
    split_gates(b, all, 4, lt_build_size(b, state.c, -1), gates);
    lt_id in = lt_build_unary(b, LT_OP_SIGMOID, gates[0]),
          forget = lt_build_unary(b, LT_OP_SIGMOID, gates[1]);
    lt_id fresh = lt_build_unary(b, LT_OP_TANH, gates[2]), out = lt_build_unary(b, LT_OP_SIGMOID, gates[3]);
    (void)op;
    state.c = lt_build_add(b, lt_build_mul(b, forget, state.c), lt_build_mul(b, in, fresh));
    state.h = lt_build_mul(b, out, lt_build_unary(b, LT_OP_TANH, state.c));
    if (w->w_hr != LT_NONE) state.h = lt_build_linear(b, state.h, w->w_hr, LT_NONE);
    return state;
}

static cell_state gru_step(lt_builder *b, lt_op op, lt_id input, const cell_weights *w, cell_state state)
{
    lt_id x[3], h[3];
    int64_t size = lt_build_size(b, state.h, -1);
    split_gates(b, input, 3, size, x);
    split_gates(b, lt_build_linear(b, state.h, w->w_hh, w->b_hh), 3, size, h);
    lt_id reset = lt_build_unary(b, LT_OP_SIGMOID, lt_build_add(b, h[0], x[0]));
    lt_id keep = lt_build_unary(b, LT_OP_SIGMOID, lt_build_add(b, h[1], x[1]));
    lt_id fresh = lt_build_unary(b, LT_OP_TANH, lt_build_add(b, x[2], lt_build_mul(b, h[2], reset)));
    (void)op;
    state.h = lt_build_add(b, lt_build_mul(b, lt_build_sub(b, state.h, fresh), keep), fresh);
    return state;
}

/* One gate: tanh or relu, which is `op`. */
static cell_state plain_step(lt_builder *b, lt_op op, lt_id input, const cell_weights *w, cell_state state)
{
    lt_id gate;
    lt_id all = lt_build_add(b, lt_build_linear(b, state.h, w->w_hh, w->b_hh), input);
    split_gates(b, all, 1, lt_build_size(b, state.h, -1), &gate);
    state.h = lt_build_unary(b, op, gate);
    return state;
}

/* ---- Layers ---- */

/* The sizes and the kind of a call. */
typedef struct recurrence {
    lt_builder *b;
    step_fn *step;
    lt_op op;
    int64_t steps, batch;
} recurrence;

static bool begin(recurrence *r, lt_call *c, step_fn *step, lt_id input, int64_t directions)
{
    const lt_type *type = lt_build_type(c->b, input);
    if (type->rank != 3) {
        lt_build_fail(c->b, LATHE_TYPE, "input of rank %d, expected [steps, batch, size]", type->rank);
        return false;
    }
    *r = (recurrence){c->b, step, c->row->op, type->dim[0], type->dim[1]};
    if (r->steps < 1) lt_build_fail(c->b, LATHE_TYPE, "a sequence without steps");
    if (directions < 1 || r->steps > MAX_STEPS / directions)
        lt_build_fail(c->b, LATHE_LIMIT, "%lld steps in %lld layers and directions, at most %d in all",
                      (long long)r->steps, (long long)directions, MAX_STEPS);
    return c->b->status == LATHE_OK;
}

/* One direction over the rows [steps * batch, in] of a sequence: the hidden states [steps * batch, out]. The
 * state is that before it, then that after it. */
static lt_id run_direction(const recurrence *r, lt_id x, const cell_weights *w, cell_state *state,
                           bool backward)
{
    lt_builder *b = r->b;
    lt_id *hidden = lt_arena_alloc(b->graph->arena, (size_t)r->steps, sizeof *hidden);
    if (!hidden) return lt_build_fail(b, LATHE_NO_MEMORY, "out of memory");
    lt_id gates = lt_build_linear(b, x, w->w_ih, w->b_ih);
    for (int64_t i = 0; i < r->steps && b->status == LATHE_OK; i++) {
        int64_t t = backward ? r->steps - 1 - i : i;
        *state = r->step(b, r->op, lt_build_narrow(b, gates, 0, t * r->batch, r->batch), w, *state);
        hidden[t] = state->h;
    }
    return b->status == LATHE_OK ? lt_build_cat(b, hidden, (int)r->steps, 0) : LT_NONE;
}

/* Weights of a layer's direction number i from the list of all; `each` of them belong to one. */
static cell_weights weights_at(const lt_id *params, int64_t i, int64_t each, bool biases)
{
    const lt_id *own = &params[i * each];
    cell_weights w = {own[0], own[1], LT_NONE, LT_NONE, LT_NONE};
    if (biases) {
        w.b_ih = own[2];
        w.b_hh = own[3];
    }
    if (each % 2) w.w_hr = own[each - 1];
    return w;
}

/* A state of all layers and directions has a row of [batch, size] for each. */
static bool state_fits(const recurrence *r, lt_id state, int64_t directions)
{
    const lt_type *type = lt_build_type(r->b, state);
    if (type->rank == 3 && type->dim[0] == directions && type->dim[1] == r->batch) return true;
    lt_build_fail(r->b, LATHE_TYPE, "a state of rank %d, expected [%lld, %lld, size]", type->rank,
                  (long long)directions, (long long)r->batch);
    return false;
}

/* States of [batch, size] as one of [n, batch, size]. */
static lt_id join_states(const recurrence *r, const lt_id *states, int64_t n)
{
    lt_id rows = lt_build_cat(r->b, states, (int)n, 0);
    return lt_build_reshape(r->b, rows, 3, (int64_t[]){n, r->batch, lt_build_size(r->b, rows, -1)});
}

/* Rows [steps * batch, in] through all layers; h and c have an entry for each layer and direction. */
static lt_id run_layers(const recurrence *r, lt_id x, const lt_id *params, int64_t each, bool biases,
                        int64_t layers, int64_t ways, lt_id *h, lt_id *c)
{
    for (int64_t layer = 0; layer < layers && r->b->status == LATHE_OK; layer++) {
        lt_id out[2] = {LT_NONE, LT_NONE};
        for (int64_t way = 0; way < ways; way++) {
            int64_t i = layer * ways + way;
            cell_weights w = weights_at(params, i, each, biases);
            cell_state state = {h[i], c[i]};
            out[way] = run_direction(r, x, &w, &state, way == 1);
            h[i] = state.h;
            c[i] = state.c;
        }
        x = ways == 2 ? lt_build_cat(r->b, out, 2, -1) : out[0];
    }
    return x;
}

static bool check_dropout(lt_call *c, int64_t layers)
{
    double p = lt_call_float(c, "dropout");
    if (!lt_call_bool(c, "train") || layers < 2 || !(p < 0 || p > 0)) return true;
    lt_build_fail(c->b, LATHE_UNSUPPORTED,
                  "dropout between layers in training mode is random: call eval() before exporting");
    return false;
}

/* How many parameters a direction has: the list must divide so. */
static int64_t params_each(lt_call *c, int n_params, int64_t directions, bool biases, bool projects)
{
    int64_t each = (biases ? 4 : 2) + projects;
    if (n_params % each == 0 && n_params / each == directions) return each;
    lt_build_fail(c->b, LATHE_FORMAT, "%d parameters, expected %lld for each of %lld layers and directions",
                  n_params, (long long)each, (long long)directions);
    return 0;
}

/* All of lstm.input and its like: the first states h0 and, of an LSTM, c0 (else LT_NONE). */
static void run_network(lt_call *call, step_fn *step, lt_id h0, lt_id c0)
{
    lt_builder *b = call->b;
    int n_params;
    recurrence r;
    int64_t layers = lt_call_int(call, "num_layers"), ways = lt_call_bool(call, "bidirectional") ? 2 : 1;
    bool biases = lt_call_bool(call, "has_biases"), batch_first = lt_call_bool(call, "batch_first");
    const lt_id *params = lt_call_tensors(call, "params", &n_params);
    lt_id x = lt_call_tensor(call, "input");
    if (batch_first) x = lt_build_transpose(b, x, 0, 1);
    if (layers < 1 || layers > n_params) {
        lt_build_fail(b, LATHE_FORMAT, "%lld layers with %d parameters", (long long)layers, n_params);
        return;
    }
    int64_t n = layers * ways;
    if (!begin(&r, call, step, x, n) || !check_dropout(call, layers) || !state_fits(&r, h0, n)) return;
    if (c0 != LT_NONE && !state_fits(&r, c0, n)) return;
    bool projects = c0 != LT_NONE && lt_build_size(b, h0, 2) != lt_build_size(b, c0, 2);
    int64_t each = params_each(call, n_params, n, biases, projects);
    for (int i = 0; i < n_params; i++)
        if (params[i] == LT_NONE) lt_build_fail(b, LATHE_FORMAT, "parameter %d is missing", i);
    lt_id *h = lt_arena_alloc(b->graph->arena, (size_t)n, sizeof *h);
    lt_id *c = lt_arena_alloc(b->graph->arena, (size_t)n, sizeof *c);
    if (!h || !c) lt_build_fail(b, LATHE_NO_MEMORY, "out of memory");
    if (b->status != LATHE_OK) return;
    for (int64_t i = 0; i < n; i++) {
        h[i] = lt_build_select(b, h0, 0, i);
        c[i] = c0 == LT_NONE ? LT_NONE : lt_build_select(b, c0, 0, i);
    }
    x = lt_build_reshape(b, x, 2, (int64_t[]){r.steps * r.batch, lt_build_size(b, x, 2)});
    x = run_layers(&r, x, params, each, biases, layers, ways, h, c);
    x = lt_build_reshape(b, x, 3, (int64_t[]){r.steps, r.batch, lt_build_size(b, x, -1)});
    lt_call_return(call, batch_first ? lt_build_transpose(b, x, 0, 1) : x);
    lt_call_return(call, join_states(&r, h, n));
    if (c0 != LT_NONE) lt_call_return(call, join_states(&r, c, n));
}

/* The two states of an LSTM from the list `hx`; false when it does not hold two. */
static bool lstm_states(lt_call *c, cell_state *state)
{
    int n;
    const lt_id *hx = lt_call_tensors(c, "hx", &n);
    if (n != 2 || hx[0] == LT_NONE || hx[1] == LT_NONE) {
        lt_build_fail(c->b, LATHE_FORMAT, "hx has %d tensors, expected a hidden and a cell state", n);
        return false;
    }
    *state = (cell_state){hx[0], hx[1]};
    return true;
}

static void lstm(lt_call *c)
{
    cell_state first;
    if (lstm_states(c, &first)) run_network(c, lstm_step, first.h, first.c);
}

static void gru(lt_call *c) { run_network(c, gru_step, lt_call_tensor(c, "hx"), LT_NONE); }
static void rnn(lt_call *c) { run_network(c, plain_step, lt_call_tensor(c, "hx"), LT_NONE); }

/* What Core ATen makes of an LSTM on the CPU: one direction of one layer, time first whatever `batch_first`
 * says. Without biases the file still names two tensors of zeros. The last result is scratch. */
static void mkldnn_layer(lt_call *call)
{
    lt_builder *b = call->b;
    recurrence r;
    lt_id x = lt_call_tensor(call, "input"), h0 = lt_call_tensor(call, "hx_"),
          c0 = lt_call_tensor(call, "cx_");
    if (lt_call_int(call, "mode") != MKLDNN_LSTM) {
        lt_build_fail(b, LATHE_UNSUPPORTED, "mode %lld, only %d (LSTM) is supported: export without oneDNN",
                      (long long)lt_call_int(call, "mode"), MKLDNN_LSTM);
        return;
    }
    if (!begin(&r, call, lstm_step, x, 1) || !state_fits(&r, h0, 1) || !state_fits(&r, c0, 1)) return;
    cell_weights w = {lt_call_tensor(call, "weight0"), lt_call_tensor(call, "weight1"), LT_NONE, LT_NONE,
                      LT_NONE};
    if (lt_call_bool(call, "has_biases")) {
        w.b_ih = lt_call_tensor(call, "weight2");
        w.b_hh = lt_call_tensor(call, "weight3");
    }
    cell_state state = {lt_build_select(b, h0, 0, 0), lt_build_select(b, c0, 0, 0)};
    x = lt_build_reshape(b, x, 2, (int64_t[]){r.steps * r.batch, lt_build_size(b, x, 2)});
    x = run_direction(&r, x, &w, &state, lt_call_bool(call, "reverse"));
    lt_call_return(call, lt_build_reshape(b, x, 3, (int64_t[]){r.steps, r.batch, lt_build_size(b, x, -1)}));
    lt_call_return(call, join_states(&r, &state.h, 1));
    lt_call_return(call, join_states(&r, &state.c, 1));
    lt_call_return(call, lt_build_zeros(b, &(lt_type){.dtype = LATHE_U8, .rank = 1}));
}

/* ---- Cells ---- */

static cell_state run_cell(lt_call *c, step_fn *step, cell_state state)
{
    lt_id input = lt_call_tensor(c, "input");
    cell_weights w = {lt_call_tensor(c, "w_ih"), lt_call_tensor(c, "w_hh"),
                      lt_call_optional_tensor(c, "b_ih"), lt_call_optional_tensor(c, "b_hh"), LT_NONE};
    return step(c->b, c->row->op, lt_build_linear(c->b, input, w.w_ih, w.b_ih), &w, state);
}

static void lstm_cell(lt_call *c)
{
    cell_state state;
    if (!lstm_states(c, &state)) return;
    state = run_cell(c, lstm_step, state);
    lt_call_return(c, state.h);
    lt_call_return(c, state.c);
}

static void gru_cell(lt_call *c)
{
    lt_call_return(c, run_cell(c, gru_step, (cell_state){lt_call_tensor(c, "hx"), LT_NONE}).h);
}

static void rnn_cell(lt_call *c)
{
    lt_call_return(c, run_cell(c, plain_step, (cell_state){lt_call_tensor(c, "hx"), LT_NONE}).h);
}

const lt_aten_row lt_aten_recurrent[] = {
    {"lstm.input(Tensor input, Tensor[] hx, Tensor[] params, bool has_biases, int num_layers, float dropout, "
     "bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor, Tensor)",
     lstm, 0},
    {"gru.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float dropout, "
     "bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)",
     gru, 0},
    {"rnn_tanh.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float "
     "dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)",
     rnn, LT_OP_TANH},
    {"rnn_relu.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float "
     "dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)",
     rnn, LT_OP_RELU},
    {"mkldnn_rnn_layer(Tensor input, Tensor weight0, Tensor weight1, Tensor weight2, Tensor weight3, Tensor "
     "hx_, Tensor cx_, bool reverse, int[] batch_sizes, int mode, int hidden_size, int num_layers, bool "
     "has_biases, bool bidirectional, bool batch_first, bool train) -> (Tensor, Tensor, Tensor, Tensor)",
     mkldnn_layer, 0},
    {"lstm_cell(Tensor input, Tensor[] hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None) "
     "-> (Tensor, Tensor)",
     lstm_cell, 0},
    {"gru_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None) -> "
     "Tensor",
     gru_cell, 0},
    {"rnn_tanh_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None) "
     "-> Tensor",
     rnn_cell, LT_OP_TANH},
    {"rnn_relu_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None) "
     "-> Tensor",
     rnn_cell, LT_OP_RELU},
    {NULL, NULL, 0}};
