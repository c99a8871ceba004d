/* The graphs of regions, and the wires between them. */
#include <string.h>

#include "pass/partition.h"
#include "pass/subgraph.h"

typedef struct lt_assembly {
    lt_partition *p;
    const lt_graph *whole;
    uint32_t cpu;
    uint32_t *wire_of;     /* [n_values]: the wire that carries a value; LT_NONE */
    uint32_t *state_wire;  /* [n_states]: the wire that carries its old value; LT_NONE */
    uint32_t *updater;     /* [n_states]: the region that gives it its next value; LT_NONE: it stays */
    uint32_t *output_from; /* [n_outputs]: the region that delivers it; LT_NONE: there is none */
    lathe_error *err;
} lt_assembly;

/* ---- Who delivers what ---- */

/* The last region of the CPU, made if there is none: for results that no node makes. */
static lathe_status cpu_region(lt_assembly *a, uint32_t *out)
{
    for (*out = a->p->n_regions; *out > 0;)
        if (a->p->regions[--*out].device == a->cpu) return LATHE_OK;
    *out = a->p->n_regions;
    return lt_partition_add_region(a->p, a->cpu, a->err);
}

static lathe_status deliverer(lt_assembly *a, lt_id value, uint32_t *out)
{
    *out = lt_partition_maker(a->p, lt_partition_base(a->p, value));
    return *out == LT_NONE ? cpu_region(a, out) : LATHE_OK;
}

/* The device of the first region that reads a state which nothing changes. */
static uint32_t first_reader(const lt_assembly *a, uint32_t state)
{
    for (uint32_t i = 0; i < a->whole->n_nodes; i++)
        for (uint32_t k = 0; k < a->whole->nodes[i].n_in && a->p->region_of[i] != LT_NONE; k++)
            if (lt_partition_base(a->p, a->whole->nodes[i].in[k]) == a->whole->states[state].before)
                return a->p->device_of[i];
    return a->cpu;
}

static lathe_status find_deliverers(lt_assembly *a)
{
    const lt_graph *g = a->whole;
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        a->output_from[i] = LT_NONE;
        if (g->outputs[i] != LT_NONE) LT_TRY(deliverer(a, g->outputs[i], &a->output_from[i]));
    }
    for (uint32_t i = 0; i < g->n_states; i++) {
        a->updater[i] = LT_NONE;
        if (g->states[i].after != g->states[i].before)
            LT_TRY(deliverer(a, g->states[i].after, &a->updater[i]));
        a->p->state_on[i] =
            a->updater[i] == LT_NONE ? first_reader(a, i) : a->p->regions[a->updater[i]].device;
    }
    return LATHE_OK;
}

/* ---- Wires ---- */

static lathe_status add_wire(lt_assembly *a, const lt_wire *wire, uint32_t *number)
{
    lt_partition *p = a->p;
    LT_GROW(a->whole->arena, p->wires, p->n_wires, p->cap_wires, a->err);
    *number = p->n_wires;
    p->wires[p->n_wires++] = *wire;
    return LATHE_OK;
}

static lathe_status add_after(lt_assembly *a, uint32_t region, uint32_t before)
{
    lt_region *r = &a->p->regions[region];
    if (region == before) return LATHE_OK;
    for (uint32_t i = 0; i < r->n_after; i++)
        if (r->after[i] == before) return LATHE_OK;
    LT_GROW(a->whole->arena, r->after, r->n_after, r->cap_after, a->err);
    r->after[r->n_after++] = before;
    return LATHE_OK;
}

/* Whether the region can read the state where it is kept: on its device, and not after it was changed. */
static bool reads_in_place(const lt_assembly *a, uint32_t region, uint32_t state)
{
    uint32_t updater = a->updater[state];
    return a->p->regions[region].device == a->p->state_on[state] && (updater == LT_NONE || region <= updater);
}

/* What the region needs to read a value, which is no view of no region. */
static lathe_status connect(lt_assembly *a, uint32_t region, lt_id base)
{
    const lt_value *value = &a->whole->values[base];
    uint32_t maker = lt_partition_maker(a->p, base);
    lt_wire wire = {.value = base, .type = value->type, .from = maker, .state = LT_NONE};
    uint32_t *number = &a->wire_of[base];
    if (value->kind == LT_VALUE_STATE) {
        uint32_t updater = a->updater[value->index];
        if (reads_in_place(a, region, value->index))
            return updater == LT_NONE ? LATHE_OK : add_after(a, updater, region);
        number = &a->state_wire[value->index];
        wire.state = value->index;
    } else if (maker == LT_NONE || maker == region) {
        return LATHE_OK;
    }
    if (*number == LT_NONE) LT_TRY(add_wire(a, &wire, number));
    a->p->wires[*number].readers |= 1u << a->p->regions[region].device;
    return maker == LT_NONE ? LATHE_OK : add_after(a, region, maker);
}

static lathe_status connect_all(lt_assembly *a)
{
    const lt_graph *g = a->whole;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_in && a->p->region_of[i] != LT_NONE; k++)
            LT_TRY(connect(a, a->p->region_of[i], lt_partition_base(a->p, g->nodes[i].in[k])));
    for (uint32_t i = 0; i < g->n_outputs; i++)
        if (a->output_from[i] != LT_NONE)
            LT_TRY(connect(a, a->output_from[i], lt_partition_base(a->p, g->outputs[i])));
    for (uint32_t i = 0; i < g->n_states; i++)
        if (a->updater[i] != LT_NONE)
            LT_TRY(connect(a, a->updater[i], lt_partition_base(a->p, g->states[i].after)));
    return LATHE_OK;
}

/* ---- Graphs ---- */

static lathe_status bring_leaf(lt_assembly *a, lt_subgraph *s, uint32_t region, lt_id base)
{
    lt_value value = a->whole->values[base];
    bool wired = value.kind == LT_VALUE_TEMP ||
                 (value.kind == LT_VALUE_STATE && !reads_in_place(a, region, value.index));
    if (wired) {
        uint32_t wire = value.kind == LT_VALUE_TEMP ? a->wire_of[base] : a->state_wire[value.index];
        lt_assert(wire != LT_NONE);
        value = (lt_value){.type = value.type, .kind = LT_VALUE_WIRE, .index = wire, .name = value.name};
    }
    return lt_subgraph_value(s, base, value);
}

/* Makes a value readable in the region's graph: the leaf it comes from, and the views of no region on the
 * way. */
static lathe_status bring(lt_assembly *a, lt_subgraph *s, uint32_t region, lt_id value)
{
    lt_id base = lt_partition_base(a->p, value), *views;
    uint32_t n = 0;
    if (s->map[base] == LT_NONE) LT_TRY(bring_leaf(a, s, region, base));
    for (lt_id id = value; s->map[id] == LT_NONE; id = lt_graph_producer(a->whole, id)->in[0]) n++;
    LT_ALLOC(a->whole->arena, views, n, a->err);
    uint32_t count = n;
    for (lt_id id = value; n > 0; id = lt_graph_producer(a->whole, id)->in[0]) views[--n] = id;
    for (uint32_t i = 0; i < count; i++) LT_TRY(lt_subgraph_node(s, lt_graph_producer(a->whole, views[i])));
    return LATHE_OK;
}

static lathe_status region_states(lt_assembly *a, lt_subgraph *s, uint32_t region)
{
    const lt_graph *g = a->whole;
    for (uint32_t i = 0; i < g->n_states; i++) {
        lt_state state = g->states[i];
        uint32_t index;
        lt_id before = s->map[g->states[i].before];
        bool delivers = a->updater[i] == region;
        if (delivers) LT_TRY(bring(a, s, region, g->states[i].after));
        if (delivers && before == LT_NONE) LT_TRY(bring(a, s, region, g->states[i].before));
        before = s->map[g->states[i].before];
        if (before != LT_NONE && s->to->values[before].kind != LT_VALUE_STATE) before = LT_NONE;
        state.before = before;
        state.after = delivers ? s->map[g->states[i].after] : before;
        LT_TRY(lt_graph_add_state(s->to, &state, &index, a->err));
    }
    return LATHE_OK;
}

static lathe_status region_ends(lt_assembly *a, lt_subgraph *s, uint32_t region)
{
    const lt_graph *g = a->whole;
    lt_graph *to = s->to;
    to->n_inputs = g->n_inputs;
    to->n_outputs = g->n_outputs + a->p->n_wires;
    LT_ALLOC(to->arena, to->inputs, to->n_inputs, a->err);
    LT_ALLOC(to->arena, to->outputs, to->n_outputs, a->err);
    for (uint32_t i = 0; i < to->n_outputs; i++) {
        const lt_wire *wire = i < g->n_outputs ? NULL : &a->p->wires[i - g->n_outputs];
        bool mine = wire ? wire->from == region : a->output_from[i] == region;
        lt_id value = wire ? wire->value : g->outputs[i];
        if (mine) LT_TRY(bring(a, s, region, value));
        to->outputs[i] = mine ? s->map[value] : LT_NONE;
    }
    LT_TRY(region_states(a, s, region));
    for (uint32_t i = 0; i < g->n_inputs; i++)
        to->inputs[i] = g->inputs[i] == LT_NONE ? LT_NONE : s->map[g->inputs[i]];
    return LATHE_OK;
}

static lathe_status build_region(lt_assembly *a, uint32_t region)
{
    lt_subgraph s;
    LT_TRY(lt_subgraph_start(&s, a->whole, a->err));
    for (uint32_t i = 0; i < a->whole->n_nodes; i++) {
        const lt_node *node = &a->whole->nodes[i];
        if (a->p->region_of[i] != region) continue;
        for (uint32_t k = 0; k < node->n_in; k++) LT_TRY(bring(a, &s, region, node->in[k]));
        LT_TRY(lt_subgraph_node(&s, node));
    }
    a->p->regions[region].graph = s.to;
    return region_ends(a, &s, region);
}

lathe_status lt_partition_build(lt_partition *p, uint32_t cpu, lathe_error *err)
{
    const lt_graph *g = p->whole;
    lt_assembly a = {.p = p, .whole = g, .cpu = cpu, .err = err};
    LT_ALLOC(g->arena, a.wire_of, g->n_values, err);
    LT_ALLOC(g->arena, a.state_wire, g->n_states, err);
    LT_ALLOC(g->arena, a.updater, g->n_states, err);
    LT_ALLOC(g->arena, a.output_from, g->n_outputs, err);
    for (uint32_t i = 0; i < g->n_values; i++) a.wire_of[i] = LT_NONE;
    for (uint32_t i = 0; i < g->n_states; i++) a.state_wire[i] = LT_NONE;
    LT_TRY(find_deliverers(&a));
    LT_TRY(connect_all(&a));
    for (uint32_t r = 0; r < p->n_regions; r++) LT_TRY(build_region(&a, r));
    return LATHE_OK;
}
