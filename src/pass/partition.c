/* Chooses a device for every node, and forms regions. */
#include "pass/partition.h"

#include <string.h>

/* What the cost of small regions is guessed with: the CPU's speed, how many times faster a device is, and
 * what it takes to hand values over. Orders of magnitude are enough: it decides about regions that are far
 * too small. */
#define CPU_BYTES_PER_SECOND 20e9
#define CPU_FLOPS_PER_SECOND 100e9
#define DEVICE_GAIN 10.0
#define CROSS_SECONDS 10e-6
#define CROSS_BYTES_PER_SECOND 10e9

enum { SHAPE_ELEMENTS = 64 };

typedef struct lt_chooser {
    lt_partition *p;
    const lt_graph *graph;
    const lt_partition_rules *rules;
    lathe_error *err;
    bool *pinned; /* [n_nodes] */
} lt_chooser;

static bool is_view(const lt_node *node) { return lt_op_get(node->op)->flags & LT_OP_VIEW; }

static uint32_t index_of(const lt_graph *graph, const lt_node *node)
{
    return (uint32_t)(node - graph->nodes);
}

lt_id lt_partition_base(const lt_partition *p, lt_id value)
{
    const lt_node *node;
    while ((node = lt_graph_producer(p->whole, value)) && is_view(node) &&
           p->device_of[index_of(p->whole, node)] == LT_NONE)
        value = node->in[0];
    return value;
}

uint32_t lt_partition_maker(const lt_partition *p, lt_id base)
{
    const lt_node *node = lt_graph_producer(p->whole, base);
    return node ? p->region_of[index_of(p->whole, node)] : LT_NONE;
}

/* ---- Devices ---- */

/* Views of leaves, and those that show everything, go where they are read. */
static bool is_free(const lt_chooser *c, const lt_node *node)
{
    if (!is_view(node)) return false;
    const lt_value *values = c->graph->values;
    if (lt_type_bytes(&values[node->out].type) >= lt_type_bytes(&values[node->in[0]].type)) return true;
    return !lt_graph_producer(c->graph, lt_partition_base(c->p, node->in[0]));
}

/* Sizes and positions: few integers made of few integers. They stay on the CPU unless they are results. */
static bool is_shape(const lt_chooser *c, const lt_node *node, const bool *results)
{
    const lt_value *out = &c->graph->values[node->out];
    if (lt_dtype_is_float(out->type.dtype) || lt_type_count(&out->type) > SHAPE_ELEMENTS ||
        results[node->out])
        return false;
    for (uint32_t k = 0; k < node->n_in; k++) {
        lt_id base = lt_partition_base(c->p, node->in[k]);
        const lt_node *maker = lt_graph_producer(c->graph, base);
        if (lt_type_count(&c->graph->values[base].type) > SHAPE_ELEMENTS ||
            lt_dtype_is_float(c->graph->values[base].type.dtype) ||
            (maker && c->p->device_of[index_of(c->graph, maker)] != c->rules->n_devices - 1))
            return false;
    }
    return true;
}

static lathe_status choose_device(lt_chooser *c, uint32_t i, const bool *results)
{
    const lt_node *node = &c->graph->nodes[i];
    uint32_t cpu = c->rules->n_devices - 1, *device = &c->p->device_of[i];
    *device = LT_NONE;
    if (is_free(c, node)) return LATHE_OK;
    uint32_t wanted = c->rules->pinned ? c->rules->pinned(c->rules->context, node) : LT_NONE;
    c->pinned[i] = wanted != LT_NONE;
    *device = cpu;
    if (wanted == LT_NONE && is_shape(c, node, results)) {
        c->p->why[i] = "sizes and positions stay on the CPU";
        return LATHE_OK;
    }
    for (uint32_t d = 0; d < cpu; d++) {
        bool takes;
        if (wanted != LT_NONE && wanted != d) continue;
        const char *why = NULL;
        LT_TRY(c->rules->takes(c->rules->context, d, c->graph, node, &why, &takes, c->err));
        if (takes) {
            *device = d;
            break;
        }
        if (!c->p->why[i]) c->p->why[i] = why;
    }
    if (wanted == cpu) c->p->why[i] = "as asked for";
    return LATHE_OK;
}

static lathe_status choose_devices(lt_chooser *c)
{
    bool *results;
    LT_ALLOC(c->graph->arena, results, c->graph->n_values, c->err);
    for (uint32_t i = 0; i < c->graph->n_outputs; i++)
        if (c->graph->outputs[i] != LT_NONE) results[c->graph->outputs[i]] = true;
    for (uint32_t i = 0; i < c->graph->n_states; i++) results[c->graph->states[i].after] = true;
    for (uint32_t i = 0; i < c->graph->n_nodes; i++) LT_TRY(choose_device(c, i, results));
    return LATHE_OK;
}

/* The devices that are given; which views are free does not depend on who chooses. */
static lathe_status take_devices(lt_chooser *c)
{
    const lt_choice *given = &c->rules->given;
    if (given->n_nodes != c->graph->n_nodes)
        LT_FAIL(c->err, FORMAT, "a partition of %u nodes, the graph has %u", given->n_nodes,
                c->graph->n_nodes);
    for (uint32_t i = 0; i < given->n_nodes; i++) {
        const lt_node *node = &c->graph->nodes[i];
        uint32_t device = given->device_of[i] == LT_CHOICE_FREE ? LT_NONE : given->device_of[i];
        c->p->device_of[i] = LT_NONE;
        if (is_free(c, node) != (device == LT_NONE) || (device != LT_NONE && device >= c->rules->n_devices))
            LT_FAIL(c->err, FORMAT, "a partition with node %u (%s) on device %u of %u", i,
                    lt_op_get(node->op)->name, given->device_of[i], c->rules->n_devices);
        c->p->device_of[i] = device;
        c->pinned[i] = c->rules->pinned && c->rules->pinned(c->rules->context, node) != LT_NONE;
        if (device != LT_NONE && device != 0) c->p->why[i] = "as the file has it";
    }
    return LATHE_OK;
}

/* ---- States ---- */

/* A state that anything on the CPU touches lives there, and is updated there: or all of it would cross in
 * every run. *moved: such updates were elsewhere. */
static lathe_status settle_states(lt_chooser *c, bool *moved)
{
    const lt_graph *g = c->graph;
    uint32_t cpu = c->rules->n_devices - 1,
             *state_of; /* [n_values]: the state that a value is a version of */
    bool *on_cpu;
    LT_ALLOC(g->arena, state_of, g->n_values, c->err);
    LT_ALLOC(g->arena, on_cpu, g->n_states, c->err);
    for (uint32_t i = 0; i < g->n_values; i++)
        state_of[i] = g->values[i].kind == LT_VALUE_STATE ? g->values[i].index : LT_NONE;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const lt_node *node = &g->nodes[i];
        bool follows = is_view(node) || (lt_op_get(node->op)->flags & LT_OP_UPDATE);
        for (uint32_t k = 0; k < node->n_in; k++) {
            uint32_t state = state_of[node->in[k]];
            if (state == LT_NONE) continue;
            if (c->p->device_of[i] == cpu) on_cpu[state] = true;
            if (follows && k == 0) state_of[node->out] = state;
        }
    }
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const lt_node *node = &g->nodes[i];
        if (!(lt_op_get(node->op)->flags & LT_OP_UPDATE) || state_of[node->in[0]] == LT_NONE ||
            !on_cpu[state_of[node->in[0]]] || c->p->device_of[i] == cpu || c->pinned[i])
            continue;
        c->p->device_of[i] = cpu;
        c->p->why[i] = "writes to a state that the CPU reads";
        *moved = true;
    }
    return LATHE_OK;
}

static lathe_status settle_all(lt_chooser *c)
{
    for (bool moved = true; moved;) {
        moved = false;
        LT_TRY(settle_states(c, &moved));
        if (moved && c->rules->given.device_of)
            LT_FAIL(c->err, FORMAT, "a partition that writes elsewhere to a state of the CPU");
    }
    return LATHE_OK;
}

/* ---- Regions ---- */

lathe_status lt_partition_add_region(lt_partition *p, uint32_t device, lathe_error *err)
{
    LT_GROW(p->whole->arena, p->regions, p->n_regions, p->cap_regions, err);
    p->regions[p->n_regions++] = (lt_region){.device = device};
    return LATHE_OK;
}

/* A node joins the first region of its device from which on everything it reads is there. */
static lathe_status form_regions(lt_chooser *c)
{
    lt_partition *p = c->p;
    p->n_regions = 0;
    for (uint32_t i = 0; i < c->graph->n_nodes; i++) {
        const lt_node *node = &c->graph->nodes[i];
        uint32_t first = 0;
        p->region_of[i] = LT_NONE;
        if (p->device_of[i] == LT_NONE) continue;
        for (uint32_t k = 0; k < node->n_in; k++) {
            uint32_t maker = lt_partition_maker(p, lt_partition_base(p, node->in[k]));
            if (maker != LT_NONE && maker > first) first = maker;
        }
        while (first < p->n_regions && p->regions[first].device != p->device_of[i]) first++;
        if (first == p->n_regions) LT_TRY(lt_partition_add_region(p, p->device_of[i], c->err));
        p->region_of[i] = first;
        p->regions[first].n_nodes++;
    }
    return LATHE_OK;
}

/* ---- Islands ---- */

/* A guess of what a node takes on the CPU. */
static double node_seconds(const lt_graph *graph, const lt_node *node)
{
    double bytes = (double)lt_type_bytes(&graph->values[node->out].type), flops = 0;
    double out = (double)lt_type_count(&graph->values[node->out].type);
    for (uint32_t k = 0; k < node->n_in; k++)
        bytes += (double)lt_type_bytes(&graph->values[node->in[k]].type);
    const lt_type *x = node->n_in ? &graph->values[node->in[0]].type : NULL;
    const lt_type *w = node->n_in > 1 ? &graph->values[node->in[1]].type : NULL;
    if ((node->op == LT_OP_LINEAR || node->op == LT_OP_MATMUL) && x->rank)
        flops = 2 * out * (double)x->dim[x->rank - 1];
    if (node->op == LT_OP_CONV && w->rank && w->dim[0])
        flops = 2 * out * (double)lt_type_count(w) / (double)w->dim[0];
    if (node->op == LT_OP_SDPA) flops = 4 * out * (double)w->dim[2];
    return bytes / CPU_BYTES_PER_SECOND + flops / CPU_FLOPS_PER_SECOND;
}

/* Adds what it costs each region that is not on the CPU to read a value of another device. */
static void add_crossing(const lt_partition *p, double *crossing, uint32_t from, uint32_t to, lt_id value)
{
    if (from == LT_NONE || from == to || p->regions[from].device == p->regions[to].device) return;
    double seconds =
        CROSS_SECONDS + (double)lt_type_bytes(&p->whole->values[value].type) / CROSS_BYTES_PER_SECOND;
    crossing[from] += seconds;
    crossing[to] += seconds;
}

/* Moves regions to the CPU whose values cost more to carry than their work gains; *moved: some were. A graph
 * that one device takes whole has nothing to carry and stays. */
static lathe_status merge_islands(lt_chooser *c, bool *moved)
{
    lt_partition *p = c->p;
    uint32_t cpu = c->rules->n_devices - 1;
    bool stays = c->rules->keep_islands || c->rules->given.device_of;
    double *crossing;
    LT_ALLOC(c->graph->arena, crossing, p->n_regions, c->err);
    for (uint32_t i = 0; i < c->graph->n_nodes; i++) {
        const lt_node *node = &c->graph->nodes[i];
        uint32_t to = p->region_of[i];
        if (to == LT_NONE) continue;
        p->regions[to].seconds += node_seconds(c->graph, node);
        for (uint32_t k = 0; k < node->n_in; k++) {
            lt_id base = lt_partition_base(p, node->in[k]);
            add_crossing(p, crossing, lt_partition_maker(p, base), to, base);
        }
    }
    *moved = false;
    for (uint32_t i = 0; i < c->graph->n_nodes; i++) {
        uint32_t r = p->region_of[i];
        if (r == LT_NONE || p->regions[r].device == cpu || c->pinned[i] || stays ||
            crossing[r] <= p->regions[r].seconds * (1 - 1 / DEVICE_GAIN))
            continue;
        p->device_of[i] = cpu;
        p->why[i] = "too little work for what would have to be carried";
        *moved = true;
    }
    return LATHE_OK;
}

lathe_status lt_partition_graph(const lt_graph *graph, const lt_partition_rules *rules, lt_partition **out,
                                lathe_error *err)
{
    lt_partition *p;
    lt_chooser c = {.graph = graph, .rules = rules, .err = err};
    bool moved = false;
    lt_assert(rules->n_devices >= 1 && rules->n_devices <= LT_MAX_DEVICES);
    LT_ALLOC(graph->arena, p, 1, err);
    LT_ALLOC(graph->arena, p->device_of, graph->n_nodes, err);
    LT_ALLOC(graph->arena, p->region_of, graph->n_nodes, err);
    LT_ALLOC(graph->arena, p->why, graph->n_nodes, err);
    LT_ALLOC(graph->arena, p->state_on, graph->n_states, err);
    LT_ALLOC(graph->arena, c.pinned, graph->n_nodes, err);
    p->whole = graph;
    c.p = p;
    LT_TRY(rules->given.device_of ? take_devices(&c) : choose_devices(&c));
    LT_TRY(settle_all(&c));
    do { /* each time some nodes fewer are left that can move */
        LT_TRY(form_regions(&c));
        LT_TRY(merge_islands(&c, &moved)); /* also guesses their work */
        if (moved) LT_TRY(settle_all(&c));
    } while (moved);
    *out = p;
    return lt_partition_build(p, rules->n_devices - 1, err);
}
