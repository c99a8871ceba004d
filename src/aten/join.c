/* Operators that put tensors together: joins. */
#include <string.h>

#include "aten/aten.h"

static void cat(lt_call *c)
{
    int n;
    const lt_id *x = lt_call_tensors(c, "tensors", &n);
    lt_call_return(c, lt_build_cat(c->b, x, n, lt_call_int(c, "dim")));
}

static void stack(lt_call *c)
{
    int n;
    const lt_id *x = lt_call_tensors(c, "tensors", &n);
    int64_t dim = lt_call_int(c, "dim");
    lt_id *rows = lt_arena_alloc(c->b->graph->arena, (size_t)n + 1, sizeof *rows);
    if (!rows) lt_build_fail(c->b, LATHE_NO_MEMORY, "out of memory");
    for (int i = 0; i < n && rows; i++) rows[i] = lt_build_unsqueeze(c->b, x[i], dim);
    if (c->b->status == LATHE_OK)
        lt_call_return(c, lt_build_cat(c->b, rows, n, lt_build_dim(c->b, dim, lt_build_rank(c->b, rows[0]))));
}

const lt_aten_row lt_aten_join[] = {{"cat(Tensor[] tensors, int dim=0) -> Tensor", cat, 0},
                                    {"concat(Tensor[] tensors, int dim=0) -> Tensor", cat, 0},
                                    {"concatenate(Tensor[] tensors, int dim=0) -> Tensor", cat, 0},
                                    {"stack(Tensor[] tensors, int dim=0) -> Tensor", stack, 0},
                                    {NULL, NULL, 0}};
