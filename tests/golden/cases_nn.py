"""Golden cases of matrix products, attention and normalisation: python cases_nn.py FOLDER [NAME...]"""

import math
import sys

import torch
import torch.nn.functional as F

from lathe_export.make_golden import write_case

FLOATS = {"f32": torch.float32, "f64": torch.float64, "bf16": torch.bfloat16, "f16": torch.float16}
INTS = {"i8": torch.int8, "i16": torch.int16, "i32": torch.int32, "i64": torch.int64, "u8": torch.uint8}

folder = sys.argv[1]
wanted = set(sys.argv[2:])
generator = torch.Generator()


def rand(*size, dtype=torch.float32):
    if dtype.is_floating_point:
        return torch.randn(size, generator=generator).to(dtype)
    low = 0 if dtype in (torch.uint8, torch.bool) else -9
    return torch.randint(low, 2 if dtype == torch.bool else 10, size, generator=generator).to(dtype)


def case(name, fn, *args, exact=None, **options):
    """Cases of half precision are judged by their distance to float64."""
    if wanted and name not in wanted:
        return
    halves = any(isinstance(a, torch.Tensor) and a.dtype in (torch.bfloat16, torch.float16) for a in args)
    try:
        write_case(folder, name, fn, args, exact=halves if exact is None else exact, **options)
    except Exception as error:  # a case that PyTorch itself refuses is a mistake here
        print(f"{name}: {type(error).__name__}: {str(error)[:300]}")


def products():
    shapes = {
        "dot": ((7,), (7,)), "mv": ((3, 7), (7,)), "vm": ((7,), (7, 4)), "mm": ((5, 7), (7, 4)),
        "mm_many": ((33, 70), (70, 45)), "mm_k1": ((5, 1), (1, 4)), "mm_one": ((1, 300), (300, 1)),
        "bmm": ((3, 5, 7), (3, 7, 4)), "b3_2": ((3, 5, 7), (7, 4)), "b2_3": ((5, 7), (3, 7, 4)),
        "b1_3": ((7,), (3, 7, 4)), "b3_1": ((3, 5, 7), (7,)), "bcast": ((2, 1, 5, 7), (3, 7, 4)),
        "bcast5": ((2, 1, 3, 5, 7), (4, 1, 7, 2)), "m0": ((0, 7), (7, 4)), "k0": ((5, 0), (0, 4)),
        "n0": ((5, 7), (7, 0)), "b0": ((0, 5, 7), (7, 4)), "b0_3": ((0, 5, 7), (0, 7, 4)), "dot0": ((0,), (0,)),
    }
    for name, (a, b) in shapes.items():
        case(f"matmul_{name}", torch.matmul, rand(*a), rand(*b))
    for name, dtype in {**FLOATS, **INTS}.items():
        case(f"matmul_{name}", torch.matmul, rand(9, 37, dtype=dtype), rand(37, 11, dtype=dtype))
        case(f"bmm_{name}", torch.bmm, rand(2, 3, 300, dtype=dtype), rand(2, 300, 4, dtype=dtype))
        case(f"mv_{name}", torch.mv, rand(6, 19, dtype=dtype), rand(19, dtype=dtype))
    case("dot", torch.dot, rand(1000), rand(1000))
    case("vdot_i32", torch.vdot, rand(10, dtype=torch.int32), rand(10, dtype=torch.int32))
    case("mm_transposed", lambda a, b: a.t() @ b.t(), rand(7, 12), rand(5, 7))
    case("mm_strided", lambda a, b: a[::2, 1::3] @ b[:, ::2], rand(9, 13), rand(4, 9))
    case("mm_expanded", lambda a, b: a.expand(4, 6) @ b.expand(6, 3), rand(1, 6), rand(6, 1))
    case("matmul_permuted", lambda a, b: a.permute(0, 2, 1, 3) @ b.permute(0, 2, 3, 1), rand(2, 5, 3, 8), rand(2, 6, 3, 8))
    case("bmm_shared", lambda a, b: torch.bmm(a, b.expand(3, 7, 4)), rand(3, 5, 7), rand(7, 4))
    nan = rand(4, 6)
    nan[1, 2], nan[2, 3] = math.nan, math.inf
    case("mm_nan_inf", torch.mm, nan, rand(6, 5))
    case("mm_i64_wraps", torch.mm, torch.full((3, 3), 2**62 + 3), torch.full((3, 3), 2**33 + 5))
    case("mm_i8_wraps", torch.mm, torch.full((3, 9), 100, dtype=torch.int8), torch.full((9, 2), 77, dtype=torch.int8))
    for name, dtype in FLOATS.items():
        case(f"linear_{name}", F.linear, rand(2, 3, 20, dtype=dtype), rand(9, 20, dtype=dtype), rand(9, dtype=dtype))
        case(f"linear_many_{name}", F.linear, rand(40, 300, dtype=dtype), rand(50, 300, dtype=dtype), rand(50, dtype=dtype))
    case("linear_1d", F.linear, rand(20), rand(9, 20), rand(9))
    case("linear_1d_weight", F.linear, rand(3, 20), rand(20))
    case("linear_i32", F.linear, rand(3, 20, dtype=torch.int32), rand(9, 20, dtype=torch.int32))
    case("linear_5d", F.linear, rand(2, 1, 3, 2, 6), rand(5, 6))
    case("linear_rows0", F.linear, rand(0, 6), rand(5, 6), rand(5))
    case("linear_in0", F.linear, rand(3, 0), rand(5, 0), rand(5))
    case("linear_permuted", lambda x, w: F.linear(x.permute(2, 0, 1), w.t()), rand(6, 2, 3), rand(6, 5), core=False)


def sums_of_products():
    for name, dtype in {**FLOATS, "i32": torch.int32, "i64": torch.int64, "u8": torch.uint8}.items():
        args = rand(4, 6, dtype=dtype), rand(4, 5, dtype=dtype), rand(5, 6, dtype=dtype)
        case(f"addmm_{name}", torch.addmm, *args)
        case(f"addmm_scaled_{name}", lambda i, a, b: torch.addmm(i, a, b, beta=3, alpha=2), *args)
        batch = rand(2, 4, 6, dtype=dtype), rand(2, 4, 5, dtype=dtype), rand(2, 5, 6, dtype=dtype)
        case(f"baddbmm_{name}", lambda i, a, b: torch.baddbmm(i, a, b, beta=2), *batch)
        case(f"addbmm_{name}", torch.addbmm, args[0], *batch[1:])
        case(f"addmv_{name}", lambda i, a, b: torch.addmv(i, a, b, alpha=2), rand(4, dtype=dtype), args[1], rand(5, dtype=dtype))
        case(f"addr_{name}", torch.addr, args[0], rand(4, dtype=dtype), rand(6, dtype=dtype))
        case(f"outer_{name}", torch.outer, rand(4, dtype=dtype), rand(6, dtype=dtype))
    for name, dtype in FLOATS.items():
        args = rand(6, dtype=dtype), rand(4, 5, dtype=dtype), rand(5, 6, dtype=dtype)
        case(f"addmm_bias_{name}", torch.addmm, *args)
        case(f"addmm_fraction_{name}", lambda i, a, b: torch.addmm(i, a, b, beta=0.3, alpha=-1.7), *args)
        case(f"addmm_beta0_{name}", lambda i, a, b: torch.addmm(i * math.nan, a, b, beta=0, alpha=0.5), *args)
        case(f"addmm_relu_{name}", lambda i, a, b: torch._addmm_activation(i, a, b), *args)
    case("addmm_gelu", lambda i, a, b: torch._addmm_activation(i, a, b, use_gelu=True), rand(6), rand(4, 5), rand(5, 6), core=False)
    case("addmm_scalar", torch.addmm, rand(), rand(4, 5), rand(5, 6))
    case("addmm_column", torch.addmm, rand(4, 1), rand(4, 5), rand(5, 6))
    case("addmm_row", torch.addmm, rand(1, 6), rand(4, 5), rand(5, 6))
    case("addmm_one", torch.addmm, rand(1), rand(4, 5), rand(5, 6))
    case("addmm_k0", torch.addmm, rand(4, 6), rand(4, 0), rand(0, 6))
    case("addmm_inplace", lambda i, a, b: i.clone().addmm_(a, b, beta=0.5), rand(4, 6), rand(4, 5), rand(5, 6))
    case("baddbmm_beta0", lambda i, a, b: torch.baddbmm(i, a, b, beta=0, alpha=0.25), rand(1, 4, 6), rand(2, 4, 5), rand(2, 5, 6))
    case("baddbmm_row", torch.baddbmm, rand(6), rand(2, 4, 5), rand(2, 5, 6))
    case("addbmm_scaled", lambda i, a, b: torch.addbmm(i, a, b, beta=0.5, alpha=3), rand(6), rand(2, 4, 5), rand(2, 5, 6))
    case("addmv_beta0", lambda i, a, b: torch.addmv(i, a, b, beta=0), rand(1), rand(4, 5), rand(5))
    case("addr_scaled", lambda i, a, b: torch.addr(i, a, b, beta=0.5, alpha=3), rand(4, 6), rand(4), rand(6))
    case("inner_mm", torch.inner, rand(2, 3, 5), rand(4, 5))
    case("inner_vv", torch.inner, rand(5), rand(5))
    case("inner_scalar", torch.inner, rand(3, 5), rand())
    case("outer_mixed", torch.outer, rand(4), rand(6, dtype=torch.int64))
    case("ger", torch.ger, rand(4), rand(6))


def named():
    equations = {
        "trace": ("ii", (4, 4)), "diagonal": ("ii->i", (4, 4)), "diagonal3": ("iji->ij", (3, 2, 3)),
        "transpose": ("ij->ji", (3, 4)), "implicit": ("ba", (3, 4)), "sum": ("ijk->j", (2, 3, 4)),
        "full_sum": ("ij->", (2, 3)), "mm": ("ij,jk->ik", (3, 4), (4, 5)), "mm_implicit": ("ij,jk", (3, 4), (4, 5)),
        "bmm": ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)), "batch_last": ("ijb,jkb->bki", (3, 4, 2), (4, 5, 2)),
        "outer": ("i,j->ij", (3,), (4,)), "dot": ("i,i", (5,), (5,)), "hadamard": ("ij,ij->ij", (3, 4), (3, 4)),
        "attention": ("bqhd,bkhd->bhqk", (2, 3, 2, 4), (2, 5, 2, 4)), "mix": ("bhqk,bkhd->bqhd", (2, 2, 3, 5), (2, 5, 2, 4)),
        "ellipsis": ("...ij,...jk->...ik", (2, 3, 4, 5), (3, 5, 6)), "ellipsis_implicit": ("...ij,jk", (2, 3, 4), (4, 5)),
        "ellipsis_mid": ("i...j,j...->i...", (2, 3, 4), (4, 3)), "ellipsis_sum": ("i...->...", (2, 3, 4)),
        "ellipsis_one": ("...,...->...", (2, 1, 3), (4, 1)), "three": ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
        "bilinear": ("bn,anm,bm->ba", (2, 3), (4, 3, 5), (2, 5)), "spaces": (" i j , j k -> i k ", (3, 4), (4, 5)),
        "upper": ("Ab,bC", (3, 4), (4, 5)), "size1": ("ij,jk->ik", (3, 1), (4, 5)), "size1_batch": ("bij,bjk->bik", (1, 3, 4), (2, 4, 5)),
        "lone_sum": ("ij,k->k", (3, 4), (5,)), "sum_in_both": ("ij,ij->", (3, 4), (3, 4)), "repeat_two": ("ii,ij->j", (3, 3), (3, 4)),
        "scalar": (",ij->ij", (), (3, 4)), "four": ("a,b,c,d->dcba", (2,), (3,), (4,), (5,)),
    }
    for name, (equation, *shapes) in equations.items():
        case(f"einsum_{name}", lambda *t, e=equation: torch.einsum(e, *t), *(rand(*s) for s in shapes))
    for name, dtype in {**FLOATS, "i64": torch.int64}.items():
        case(f"einsum_{name}", lambda a, b: torch.einsum("bhid,bhjd->bhij", a, b), rand(2, 2, 3, 16, dtype=dtype), rand(2, 2, 4, 16, dtype=dtype))
    case("tensordot_int", lambda a, b: torch.tensordot(a, b, dims=2), rand(2, 3, 4), rand(3, 4, 5))
    case("tensordot_lists", lambda a, b: torch.tensordot(a, b, dims=([0, -1], [2, 0])), rand(2, 3, 4), rand(4, 5, 2))
    case("tensordot_0", lambda a, b: torch.tensordot(a, b, dims=0), rand(2, 3), rand(4))
    case("tensordot_all", lambda a, b: torch.tensordot(a, b, dims=2), rand(2, 3), rand(2, 3))
    for name, shapes in {"2": ((2, 3), (4, 5)), "1_2": ((3,), (2, 2)), "3_1": ((2, 1, 3), (2,)), "0": ((), (2, 2))}.items():
        case(f"kron_{name}", torch.kron, rand(*shapes[0]), rand(*shapes[1]))
    for name, dtype in {"f32": torch.float32, "bf16": torch.bfloat16, "f64": torch.float64}.items():
        case(f"bilinear_{name}", F.bilinear, rand(3, 4, dtype=dtype), rand(3, 5, dtype=dtype), rand(6, 4, 5, dtype=dtype), rand(6, dtype=dtype))
    case("bilinear_3d", F.bilinear, rand(2, 3, 4), rand(2, 3, 5), rand(6, 4, 5))
    case("bilinear_1d", F.bilinear, rand(4), rand(5), rand(6, 4, 5), rand(6))
    case("chain_matmul", torch.chain_matmul, rand(2, 3), rand(3, 4), rand(4, 5))
    case("multi_dot", lambda *t: torch.linalg.multi_dot(t), rand(3), rand(3, 4), rand(4, 5), rand(5))
    case("multi_dot_2", lambda *t: torch.linalg.multi_dot(t), rand(2, 3), rand(3, 4))
    case("linalg_matmul", torch.linalg.matmul, rand(2, 3, 4), rand(4, 5))
    for name, dtype in {"f32": torch.float32, "bf16": torch.bfloat16, "i32": torch.int32, "f64": torch.float64}.items():
        case(f"cross_{name}", torch.linalg.cross, rand(4, 3, dtype=dtype), rand(4, 3, dtype=dtype))
    case("cross_dim", lambda a, b: torch.cross(a, b, dim=1), rand(2, 3, 4), rand(2, 3, 4))
    case("cross_no_dim", torch.cross, rand(2, 3, 4), rand(2, 3, 4))
    case("cross_broadcast", lambda a, b: torch.linalg.cross(a, b, dim=-2), rand(1, 3, 4), rand(2, 3, 1))
    for n in (0, 1, 2, 3, 6):
        case(f"matrix_power_{n}", lambda a, k=n: torch.linalg.matrix_power(a, k), rand(2, 4, 4))


def attention():
    sdpa = F.scaled_dot_product_attention
    for name, dtype in FLOATS.items():
        q, k, v = rand(2, 4, 5, 16, dtype=dtype), rand(2, 4, 7, 16, dtype=dtype), rand(2, 4, 7, 16, dtype=dtype)
        case(f"sdpa_{name}", sdpa, q, k, v)
        case(f"sdpa_causal_{name}", lambda q, k, v: sdpa(q, k, v, is_causal=True), q, k, v)
        case(f"sdpa_long_{name}", sdpa, rand(1, 2, 40, 8, dtype=dtype), rand(1, 2, 300, 8, dtype=dtype), rand(1, 2, 300, 8, dtype=dtype))
        mask = rand(2, 1, 5, 7, dtype=torch.bool)
        mask[..., 0] = True
        case(f"sdpa_bool_{name}", lambda q, k, v, m: sdpa(q, k, v, attn_mask=m), q, k, v, mask)
        case(f"sdpa_added_{name}", lambda q, k, v, m: sdpa(q, k, v, attn_mask=m), q, k, v, rand(5, 7, dtype=dtype))
        case(f"sdpa_decode_{name}", lambda q, k, v, m: sdpa(q, k, v, attn_mask=m, enable_gqa=True), rand(1, 6, 1, 16, dtype=dtype),
             rand(1, 2, 50, 16, dtype=dtype), rand(1, 2, 50, 16, dtype=dtype), (torch.arange(50) <= 20)[None, None, None])
        low = torch.zeros(5, 7, dtype=dtype)
        low[:, 4:] = torch.finfo(dtype).min
        low[3] = torch.finfo(dtype).min
        case(f"sdpa_lowest_{name}", lambda q, k, v, m: sdpa(q, k, v, attn_mask=m), q, k, v, low)
    q, k, v = rand(2, 6, 5, 8), rand(2, 2, 7, 8), rand(2, 2, 7, 12)
    case("sdpa_gqa", lambda q, k, v: sdpa(q, k, v, enable_gqa=True), q, k, v)
    case("sdpa_gqa_causal", lambda q, k, v: sdpa(q, k, v, is_causal=True, enable_gqa=True), q, k, v)
    case("sdpa_gqa_mask", lambda q, k, v, m: sdpa(q, k, v, attn_mask=m, enable_gqa=True), q, k, v, rand(6, 5, 7))
    case("sdpa_gqa_two", lambda q, k, v: sdpa(q, k, v, enable_gqa=True), rand(2, 6, 5, 8), rand(2, 3, 7, 8), rand(2, 2, 7, 8))
    case("sdpa_gqa_one_query", lambda q, k, v: sdpa(q, k, v, enable_gqa=True), rand(2, 6, 1, 8), k, v)
    case("sdpa_causal_one_query", lambda q, k, v: sdpa(q, k, v, is_causal=True, enable_gqa=True), rand(2, 6, 1, 8), k, v)
    case("sdpa_2d", sdpa, rand(5, 8), rand(7, 8), rand(7, 4))
    case("sdpa_3d", sdpa, rand(3, 5, 8), rand(3, 7, 8), rand(3, 7, 4))
    case("sdpa_3d_mask", lambda q, k, v, m: sdpa(q, k, v, attn_mask=m), rand(3, 5, 8), rand(3, 7, 8), rand(3, 7, 4), rand(3, 1, 7))
    case("sdpa_5d", sdpa, rand(2, 3, 2, 5, 8), rand(2, 3, 2, 7, 8), rand(2, 3, 2, 7, 4))
    case("sdpa_5d_mask", lambda q, k, v, m: sdpa(q, k, v, attn_mask=m), rand(2, 3, 2, 5, 8), rand(2, 3, 2, 7, 8), rand(2, 3, 2, 7, 4), rand(3, 1, 5, 7, dtype=torch.bool))
    case("sdpa_broadcast", sdpa, rand(2, 4, 5, 8), rand(1, 4, 7, 8), rand(2, 1, 7, 8))
    case("sdpa_broadcast_query", sdpa, rand(1, 1, 5, 8), rand(2, 3, 7, 8), rand(2, 3, 7, 8))
    case("sdpa_scale", lambda q, k, v: sdpa(q, k, v, scale=0.7), rand(1, 2, 5, 8), rand(1, 2, 7, 8), rand(1, 2, 7, 8))
    case("sdpa_causal_wide", lambda q, k, v: sdpa(q, k, v, is_causal=True), rand(1, 2, 7, 8), rand(1, 2, 4, 8), rand(1, 2, 4, 8))
    case("sdpa_transposed", lambda q, k, v: sdpa(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)), rand(2, 5, 3, 8), rand(2, 7, 3, 8), rand(2, 7, 3, 8))
    case("sdpa_no_keys", sdpa, rand(1, 2, 5, 8), rand(1, 2, 0, 8), rand(1, 2, 0, 8))
    case("sdpa_no_queries", sdpa, rand(1, 2, 0, 8), rand(1, 2, 5, 8), rand(1, 2, 5, 8))
    never = rand(2, 1, 5, 7, dtype=torch.bool)
    never[0, 0, 2] = never[1] = False
    case("sdpa_never", lambda q, k, v, m: sdpa(q, k, v, attn_mask=m), rand(2, 3, 5, 8), rand(2, 3, 7, 8), rand(2, 3, 7, 8), never)
    minus = torch.zeros(5, 7)
    minus[1:, 3:] = minus[2] = -math.inf
    case("sdpa_minus_inf", lambda q, k, v, m: sdpa(q, k, v, attn_mask=m), rand(2, 3, 5, 8), rand(2, 3, 7, 8), rand(2, 3, 7, 8), minus)
    cpu = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default
    case("sdpa_flash_cpu", lambda q, k, v: cpu(q, k, v), rand(2, 3, 5, 8), rand(2, 3, 7, 8), rand(2, 3, 7, 8), core=False)
    case("sdpa_flash_cpu_causal", lambda q, k, v: cpu(q, k, v, 0.0, True), rand(2, 3, 5, 8), rand(2, 3, 5, 8), rand(2, 3, 5, 8), core=False)
    case("sdpa_flash_cpu_mask", lambda q, k, v, m: cpu(q, k, v, attn_mask=m, scale=0.3), rand(2, 3, 5, 8), rand(2, 3, 7, 8), rand(2, 3, 7, 8), rand(2, 1, 5, 7), core=False)
    whole = torch.ops.aten._scaled_dot_product_attention_math.default
    case("sdpa_math", lambda q, k, v: whole(q, k, v), rand(2, 3, 5, 8), rand(2, 3, 7, 8), rand(2, 3, 7, 8))
    case("sdpa_math_gqa", lambda q, k, v: whole(q, k, v, is_causal=True, enable_gqa=True), rand(2, 6, 5, 8), rand(2, 3, 5, 8), rand(2, 3, 5, 8))
    for name, dtype in FLOATS.items():
        heads = torch.nn.MultiheadAttention(16, 4, batch_first=True, dtype=dtype)
        x = rand(2, 5, 16, dtype=dtype)
        case(f"mha_{name}", heads, x, x, x)
        case(f"mha_no_weights_{name}", Wrapped(heads, need_weights=False), x, x, x)
    own = torch.ops.aten._native_multi_head_attention.default
    x, w, wb, p, pb = rand(2, 5, 16), rand(48, 16), rand(48), rand(16, 16), rand(16)
    pad = rand(2, 5, dtype=torch.bool)
    pad[:, 0] = False
    look = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1)
    case("native_mha", lambda x, *a: own(x, x, x, 16, 4, *a), x, w, wb, p, pb, core=False)
    case("native_mha_heads", lambda x, *a: own(x, x, x, 16, 4, *a, None, True, False), x, w, wb, p, pb, core=False)
    case("native_mha_padding", lambda x, m, *a: own(x, x, x, 16, 4, *a, m, True, True, 1), x, pad, w, wb, p, pb, core=False)
    case("native_mha_causal", lambda x, m, *a: own(x, x, x, 16, 4, *a, m, False, True, 0)[0], x, look, w, wb, p, pb, core=False)
    for name, options in {"relu": {}, "gelu_first": dict(activation="gelu", norm_first=True)}.items():
        layer = torch.nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, **options).eval().requires_grad_(False)
        for bias in (layer.self_attn.in_proj_bias, layer.norm1.weight, layer.norm2.bias):
            torch.nn.init.normal_(bias)
        case(f"encoder_layer_{name}", layer, rand(2, 5, 16), strict=True)
        case(f"encoder_layer_{name}_mask", Wrapped(layer, src_mask=look), rand(2, 5, 16), strict=True)
        case(f"encoder_layer_{name}_padding", Wrapped(layer, src_key_padding_mask=pad), rand(2, 5, 16), strict=True)


class Wrapped(torch.nn.Module):
    def __init__(self, module, **options):
        super().__init__()
        self.module, self.options = module, options

    def forward(self, *args):
        return self.module(*args, **self.options)


def norms():
    ln, rms = F.layer_norm, F.rms_norm
    for name, dtype in FLOATS.items():
        x, w, b = rand(3, 4, 40, dtype=dtype), rand(40, dtype=dtype), rand(40, dtype=dtype)
        case(f"layer_norm_{name}", lambda x, w, b: ln(x, (40,), w, b), x, w, b)
        case(f"layer_norm_plain_{name}", lambda x: ln(x, (4, 40), eps=1e-3), x)
        case(f"rms_norm_{name}", lambda x, w: rms(x, (40,), w, 1e-6), x, w)
        case(f"rms_norm_plain_{name}", lambda x: rms(x, (4, 40)), x)
        case(f"rms_norm_small_{name}", lambda x, w: rms(x * 1e-3, (40,), w), x, w)
        case(f"native_layer_norm_{name}", lambda x, w, b: torch.native_layer_norm(x, (40,), w, b, 1e-5), x, w, b, exact=False)
        case(f"native_layer_norm_plain_{name}", lambda x: torch.native_layer_norm(x, (40,), None, None, 1e-5), x, exact=False)
    half = rand(3, 40, dtype=torch.bfloat16)
    case("layer_norm_mixed", lambda x, w, b: ln(x, (40,), w, b), half, rand(40), rand(40))
    case("rms_norm_mixed", lambda x, w: rms(x, (40,), w, 1e-6), half, rand(40), core=False)
    case("layer_norm_weight_only", lambda x, w: ln(x, (40,), w), rand(3, 40), rand(40))
    case("layer_norm_bias_only", lambda x, b: ln(x, (40,), None, b), rand(3, 40), rand(40))
    case("layer_norm_all_dims", lambda x, w, b: ln(x, (2, 3, 4), w, b), rand(2, 3, 4), rand(2, 3, 4), rand(2, 3, 4))
    case("layer_norm_transposed", lambda x, w: ln(x.transpose(0, 2), (3, 2), w.t()), rand(2, 3, 4), rand(2, 3))
    case("layer_norm_constant", lambda x: ln(x, (8,)), torch.full((2, 8), 1000.0))
    case("layer_norm_offset", lambda x: ln(x + 1e4, (64,)), rand(2, 64), exact=True)
    case("layer_norm_one", lambda x: ln(x, (1,)), rand(3, 1))
    case("layer_norm_empty", lambda x: ln(x, (8,)), rand(0, 8))
    nan = rand(3, 8)
    nan[0, 1], nan[1, 1] = math.nan, math.inf
    case("layer_norm_nan", lambda x: ln(x, (8,)), nan)
    case("rms_norm_nan", lambda x: rms(x, (8,)), nan)
    case("rms_norm_zero", lambda x: rms(x, (8,), eps=1e-6), torch.zeros(2, 8))
    case("rms_norm_transposed", lambda x: rms(x.transpose(0, 2), (3, 2)), rand(2, 3, 4))
    case("fused_rms_norm", lambda x, w: torch.ops.aten._fused_rms_norm(x, [40], w, 1e-5), rand(3, 40), rand(40))


def items():
    def limited(x, i):
        k = i.item()
        torch._check(k >= 0)
        torch._check(k < 10)
        return x * k, x.long() + k, x > k

    case("item_factor", lambda x, s: (x * s.item(), torch.arange(3) + s.item(), x.bfloat16() * s.item()), rand(3), rand(dtype=torch.float64), exact=False)
    case("item_limited", limited, rand(3), torch.tensor([[2]]))
    case("item_filled", lambda x, b: (torch.full_like(x, b.max().item()), torch.where(x > 0, x, b.sum().item())), rand(3), rand(4))
    case("item_known", lambda x: x[:, : torch.tensor(3).item()], rand(2, 5))


torch.manual_seed(0)
for make in (products, sums_of_products, named, attention, norms, items):
    generator.manual_seed(7)
    make()
