/* Matrix products. */
#include "aten/aten.h"

static void linear(lt_call *c)
{
    lt_id in[3] = {lt_call_tensor(c, "input"), lt_call_tensor(c, "weight"),
                   lt_call_optional_tensor(c, "bias")};
    lt_call_return(c, lt_build(c->b, LT_OP_LINEAR, &(lt_attrs){0}, in, in[2] == LT_NONE ? 2 : 3));
}

static void mm(lt_call *c)
{
    lt_call_return(c, lt_build_matmul(c->b, lt_call_tensor(c, "self"), lt_call_tensor(c, "mat2")));
}

const lt_aten_row lt_aten_linear[] = {
    {"linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor", linear, 0},
    {"mm(Tensor self, Tensor mat2) -> Tensor", mm, 0},
    {"bmm(Tensor self, Tensor mat2) -> Tensor", mm, 0},
    {NULL, NULL, 0}};
