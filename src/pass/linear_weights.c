/* Lays weights out as kernels read them: linear layers read weights row by row. A weight that lies the other
 * way, and that nothing else reads, is copied; being a weight, once and not in each run, and the copy takes
 * its place in memory. */
#include "pass/pass.h"
#include "pass/rewrite.h"

static bool lies_across(const lt_rewrite *rw, lt_id weight)
{
    const lt_node *permute = lt_rewrite_sole(rw, weight, LT_OP_PERMUTE);
    return permute && permute->attrs.permute.dim[0] == 1 && rw->uses[permute->in[0]] == 1 &&
           rw->from->values[permute->in[0]].kind == LT_VALUE_WEIGHT;
}

static bool lay_out(lt_rewrite *rw, const lt_node *node, lt_id *out)
{
    if (node->op != LT_OP_LINEAR || !lies_across(rw, node->in[1])) return false;
    lt_id in[3];
    for (uint32_t k = 0; k < node->n_in; k++) in[k] = rw->map[node->in[k]];
    in[1] = lt_build(&rw->b, LT_OP_COPY, &(lt_attrs){.dim = {0}}, &in[1], 1);
    *out = lt_build(&rw->b, LT_OP_LINEAR, &node->attrs, in, (int)node->n_in);
    return true;
}

lathe_status lt_pass_linear_weights(const lt_graph *from, lt_graph **out, lathe_error *err)
{
    return lt_rewrite_graph(from, lay_out, out, err);
}
