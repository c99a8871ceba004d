/* Makes chains of elementwise formulas, and takes them apart. From each formula backwards, whatever only it
 * and its chain read, of the same shape, becomes part of the chain. A value that is an output or a state as
 * well ends one, and so does one that is computed once for all runs. */
#include <string.h>

#include "ops/elementwise.h"
#include "pass/hoist.h"
#include "pass/pass.h"
#include "pass/rewrite.h"

typedef struct lt_group {
    uint32_t node[LT_CHAIN_STEPS]; /* in the order of the graph, the last one is the chain's result */
    lt_id in[LT_CHAIN_INPUTS];
    int n, n_in;
} lt_group;

typedef struct lt_chains {
    const lt_graph *graph;
    const uint32_t *uses;
    const bool *fixed;  /* the same in every run: hoisted */
    uint32_t *group_of; /* [n_nodes]: LT_NONE: none */
    lt_group *groups;
    uint32_t n;
} lt_chains;

static bool is_formula(const lt_node *node)
{
    return node->op == LT_OP_CAST || lt_op_get(node->op)->flags & LT_OP_ELEMENTWISE;
}

static bool is_made_in(const lt_group *group, const lt_graph *graph, lt_id value)
{
    for (int i = 0; i < group->n; i++)
        if (graph->nodes[group->node[i]].out == value) return true;
    return false;
}

/* How often the group's nodes read the value. */
static uint32_t reads(const lt_group *group, const lt_graph *graph, lt_id value)
{
    uint32_t n = 0;
    for (int i = 0; i < group->n; i++)
        for (uint32_t k = 0; k < graph->nodes[group->node[i]].n_in; k++)
            n += graph->nodes[group->node[i]].in[k] == value;
    return n;
}

/* The values that the group reads from outside; false: too many. */
static bool find_inputs(lt_group *group, const lt_graph *graph)
{
    group->n_in = 0;
    for (int i = 0; i < group->n; i++) {
        const lt_node *node = &graph->nodes[group->node[i]];
        for (uint32_t k = 0; k < node->n_in; k++) {
            int known = 0;
            while (known < group->n_in && group->in[known] != node->in[k]) known++;
            if (known < group->n_in || is_made_in(group, graph, node->in[k])) continue;
            if (group->n_in == LT_CHAIN_INPUTS) return false;
            group->in[group->n_in++] = node->in[k];
        }
    }
    return true;
}

/* Takes in the node that makes the value, if it may. */
static bool absorb(lt_chains *c, lt_group *group, lt_id value)
{
    const lt_node *node = lt_graph_producer(c->graph, value);
    if (!node || !is_formula(node) || group->n == LT_CHAIN_STEPS) return false;
    lt_id result = c->graph->nodes[group->node[group->n - 1]].out;
    const lt_type *type = &c->graph->values[value].type, *shape = &c->graph->values[result].type;
    uint32_t index = (uint32_t)(node - c->graph->nodes);
    if (c->group_of[index] != LT_NONE || c->fixed[value] != c->fixed[result] || type->rank != shape->rank ||
        memcmp(type->dim, shape->dim, sizeof type->dim) != 0 ||
        reads(group, c->graph, value) != c->uses[value])
        return false;
    lt_group wider = *group;
    int at = group->n++;
    for (; at > 0 && group->node[at - 1] > index; at--) group->node[at] = group->node[at - 1];
    group->node[at] = index;
    if (find_inputs(group, c->graph)) return true;
    *group = wider;
    return false;
}

static bool grow(lt_chains *c, lt_group *group)
{
    for (int i = group->n - 1; i >= 0; i--) {
        const lt_node *node = &c->graph->nodes[group->node[i]];
        for (uint32_t k = 0; k < node->n_in; k++)
            if (!is_made_in(group, c->graph, node->in[k]) && absorb(c, group, node->in[k])) return true;
    }
    return false;
}

static lathe_status find_chains(lt_chains *c, lathe_error *err)
{
    const lt_graph *g = c->graph;
    LT_ALLOC(g->arena, c->group_of, g->n_nodes, err);
    LT_ALLOC(g->arena, c->groups, g->n_nodes / 2, err);
    for (uint32_t i = 0; i < g->n_nodes; i++) c->group_of[i] = LT_NONE;
    for (uint32_t i = g->n_nodes; i-- > 0;) {
        if (!is_formula(&g->nodes[i]) || c->group_of[i] != LT_NONE || !c->uses[g->nodes[i].out]) continue;
        lt_group group = {.node = {i}, .n = 1};
        if (!find_inputs(&group, g)) continue;
        while (grow(c, &group)) {
        }
        if (group.n == 1) continue;
        for (int k = 0; k < group.n; k++) c->group_of[group.node[k]] = c->n;
        c->groups[c->n++] = group;
    }
    return LATHE_OK;
}

static lt_chain_step step_of(const lt_group *group, const lt_graph *graph, const lt_node *node)
{
    lt_chain_step step = {.op = (uint16_t)node->op};
    bool cast = node->op == LT_OP_CAST;
    step.compute = (uint8_t)(cast ? graph->values[node->in[0]].type.dtype : node->attrs.elementwise.compute);
    step.out = (uint8_t)graph->values[node->out].type.dtype;
    for (uint32_t k = 0; k < node->n_in; k++) {
        for (int i = 0; i < group->n_in; i++)
            if (group->in[i] == node->in[k]) step.arg[k] = (uint8_t)i;
        for (int i = 0; i < group->n; i++)
            if (graph->nodes[group->node[i]].out == node->in[k]) step.arg[k] = (uint8_t)(LT_CHAIN_INPUTS + i);
    }
    return step;
}

static bool build_chain(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    const lt_chains *c = rw->context;
    uint32_t index = (uint32_t)(node - rw->from->nodes);
    if (c->group_of[index] == LT_NONE) return false;
    const lt_group *group = &c->groups[c->group_of[index]];
    if (group->node[group->n - 1] != index) return true; /* only the chain reads it */
    lt_attrs attrs = {.chain = {.n = group->n}};
    lt_id in[LT_CHAIN_INPUTS];
    for (int i = 0; i < group->n; i++)
        attrs.chain.step[i] = step_of(group, rw->from, &rw->from->nodes[group->node[i]]);
    for (int i = 0; i < group->n_in; i++) in[i] = rw->map[group->in[i]];
    *out = lt_build(&rw->b, LT_OP_CHAIN, &attrs, in, group->n_in);
    return true;
}

lathe_status lt_pass_chain(const lt_graph *from, lt_graph **out, lathe_error *err)
{
    lt_chains chains = {.graph = from};
    uint32_t *uses;
    bool *fixed;
    LT_TRY(lt_rewrite_uses(from, &uses, err));
    LT_TRY(lt_hoist_fixed(from, &fixed, err));
    chains.uses = uses;
    chains.fixed = fixed;
    LT_TRY(find_chains(&chains, err));
    return lt_rewrite_graph_with(from, build_chain, &chains, out, err);
}

/* ---- Apart again ---- */

static bool take_apart(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    const lt_attrs_chain *chain = &node->attrs.chain;
    lt_id made[LT_CHAIN_STEPS];
    if (node->op != LT_OP_CHAIN) return false;
    for (int i = 0; i < chain->n; i++) {
        const lt_chain_step *step = &chain->step[i];
        lt_id in[LT_CHAIN_ARGS];
        int n = lt_chain_operands(step);
        for (int k = 0; k < n; k++)
            in[k] = step->arg[k] < LT_CHAIN_INPUTS ? rw->map[node->in[step->arg[k]]]
                                                   : made[step->arg[k] - LT_CHAIN_INPUTS];
        made[i] = step->op == LT_OP_CAST ? lt_build_cast(&rw->b, in[0], (lt_dtype)step->out)
                                         : lt_build_formula(&rw->b, (lt_op)step->op, (lt_dtype)step->compute,
                                                            (lt_dtype)step->out, in, n);
    }
    *out = made[chain->n - 1];
    return true;
}

lathe_status lt_pass_unchain(const lt_graph *from, lt_graph **out, lathe_error *err)
{
    return lt_rewrite_graph(from, take_apart, out, err);
}
