"""Golden cases of elementwise operators and tensor creation.

    python cases_pointwise.py FOLDER [SUBSTRING]

A case runs many operators on the same tensors; an operator that PyTorch does not have for a dtype is left out of it.
Cases whose name starts with "k_" are small ones that are kept in tests/golden/pointwise.
"""

import itertools
import math
import os
import sys

import torch
import torch.nn.functional as F

from lathe_export.make_golden import write_case

FLOATS = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
INTS = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
DTYPES = FLOATS + INTS + [torch.bool]
NAN, INF = math.nan, math.inf
SPECIAL = [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.0, -3.0, 7.0, 0.1, 1e-3, -1e-6, 1e-40, -1e-40]
SPECIAL += [20.5, -20.5, 88.5, -88.5, -103.0, 300.0, 65504.0, -7e4, 1e10, -1e30, 0.99999, -0.99999, 0.2, 5.75, -1.2]


def name_of(dtype):
    return str(dtype).replace("torch.", "").replace("float", "f").replace("uint", "u").replace("int", "i").replace("bf16", "bf16")


MILD = [v if abs(v) >= 1e-30 or v == 0 else 2.0 for v in SPECIAL]  # quotients stay finite: PyTorch's vector fmod needs it


def values(dtype, n, seed=0, special=SPECIAL):
    """n values of a dtype: the special ones first, then random ones."""
    g = torch.Generator().manual_seed(seed)
    if dtype == torch.bool:
        return torch.rand(n, generator=g) < 0.5
    if not dtype.is_floating_point:
        info = torch.iinfo(dtype)
        low = info.min + (dtype.is_signed and special is MILD)  # the least number over -1 stops PyTorch
        edge = torch.tensor([low, info.max, 0, 1, 2, 3, 7, info.max - 1, low + 1, 64, 10, 5], dtype=dtype)
        some = torch.randint(max(info.min, -50), 50, (n,), generator=g).to(dtype)
        return torch.cat([edge, some])[:n]
    x = torch.cat([torch.tensor(special, dtype=torch.float64), torch.randn(n, generator=g, dtype=torch.float64) * 3])
    return x[:n].to(dtype)


UNARY = """abs acos acosh asin asinh atan atanh bitwise_not ceil cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1
floor frac isfinite isinf isnan isneginf isposinf isreal lgamma log log10 log1p log2 logical_not logit nan_to_num neg
negative positive rad2deg reciprocal relu round rsqrt sgn sigmoid sign signbit sin sinc sinh sqrt square tan tanh trunc
fix arccos arccosh arcsin arcsinh arctan arctanh absolute special.entr special.ndtr special.expit special.exp2
special.expm1 special.log1p special.erf special.erfc special.erfinv special.gammaln special.digamma special.psi
special.logit special.sinc special.round i0 special.i0e special.i1 special.i1e angle""".split()

ACTIVATIONS = """celu elu gelu hardshrink hardsigmoid hardswish hardtanh leaky_relu logsigmoid mish relu relu6 selu silu
softplus softshrink softsign tanhshrink""".split()


def function(path):
    at = torch
    for part in path.split("."):
        at = getattr(at, part)
    return at


def unary_functions():
    fns = {n: function(n) for n in UNARY}
    fns["round1"] = lambda x: torch.round(x, decimals=1)
    fns["round-1"] = lambda x: torch.round(x, decimals=-1)
    fns["logit_eps"] = lambda x: torch.logit(x, eps=1e-2)
    fns["nan_to_num3"] = lambda x: torch.nan_to_num(x, nan=1.5, posinf=7.0, neginf=-8.0)
    for e in (0, 0.5, -0.5, 1, 2, 3, -1, -2, 4, 1.5, 2.0, 3.0, 0.3, -3, -1.7):
        fns[f"pow{e}"] = lambda x, e=e: x**e
        fns[f"rpow{e}"] = lambda x, e=e: torch.pow(abs(e) + 1, x)
    return fns


def activation_functions():
    fns = {n: getattr(F, n) for n in ACTIVATIONS}
    fns["gelu_tanh"] = lambda x: F.gelu(x, approximate="tanh")
    fns["elu2"] = lambda x: F.elu(x, alpha=0.7)
    fns["celu2"] = lambda x: F.celu(x, alpha=1.7)
    fns["hardtanh2"] = lambda x: F.hardtanh(x, -0.3, 2.25)
    fns["hardtanh3"] = lambda x: F.hardtanh(x, -3, 2)
    fns["leaky2"] = lambda x: F.leaky_relu(x, 0.3)
    fns["softplus2"] = lambda x: F.softplus(x, beta=2.5, threshold=6)
    fns["hardshrink2"] = lambda x: F.hardshrink(x, 1.25)
    fns["softshrink2"] = lambda x: F.softshrink(x, 1.3)
    fns["threshold"] = lambda x: F.threshold(x, 0.4, -7.5)
    fns["rrelu"] = lambda x: F.rrelu(x, 0.1, 0.4)
    fns["dropout"] = lambda x: F.dropout(x, 0.5, training=False)
    fns["alpha_dropout"] = lambda x: F.alpha_dropout(x, 0.5, training=False)
    fns["threshold_int"] = lambda x: F.threshold(x, 3, 20)
    fns["prelu1"] = lambda x: F.prelu(x, torch.full((1,), 0.3, dtype=x.dtype))
    fns["clamp"] = lambda x: x.clamp(-1.3, 2.7)
    fns["clamp_int"] = lambda x: x.clamp(1, 5)
    fns["clamp_swapped"] = lambda x: x.clamp(4, 2)
    fns["clamp_low"] = lambda x: torch.clamp(x, min=0.3)
    fns["clamp_high"] = lambda x: torch.clamp(x, max=3)
    fns["clamp_nan"] = lambda x: torch.clamp(x, min=NAN, max=2.0)
    fns["clip"] = lambda x: torch.clip(x, 0, 2.5)
    return fns


BINARY = """add sub mul div true_divide floor_divide remainder fmod pow atan2 hypot copysign maximum minimum fmax fmin
logaddexp logaddexp2 xlogy heaviside ldexp eq ne lt le gt ge logical_and logical_or logical_xor bitwise_and bitwise_or
bitwise_xor bitwise_left_shift bitwise_right_shift isclose gcd lcm special.xlog1py float_power rsub max min arctan2
nextafter""".split()


def binary_functions():
    fns = {n: function(n) for n in BINARY}
    fns["lcm"] = lambda x, y: torch.lcm(x % 16, y % 16)  # what overflows is undefined
    fns["gcd"] = lambda x, y: torch.gcd(x // 2, y)
    fns["div_floor"] = lambda x, y: torch.div(x, y, rounding_mode="floor")
    fns["div_trunc"] = lambda x, y: torch.div(x, y, rounding_mode="trunc")
    fns["add_alpha"] = lambda x, y: torch.add(x, y, alpha=3)
    fns["sub_alpha"] = lambda x, y: torch.sub(x, y, alpha=-2)
    fns["add_alpha_f"] = lambda x, y: torch.add(x, y, alpha=0.3)
    fns["sub_alpha_f"] = lambda x, y: torch.sub(x, y, alpha=1.7)
    fns["rsub_alpha"] = lambda x, y: torch.rsub(x, y, alpha=2)
    fns["isclose_nan"] = lambda x, y: torch.isclose(x, y, rtol=0.1, atol=0.2, equal_nan=True)
    fns["isclose_exact"] = lambda x, y: torch.isclose(x, y, rtol=0.0, atol=0.0)
    fns["where"] = lambda x, y: torch.where(x > y, x, y)
    fns["lerp"] = lambda x, y: torch.lerp(x, y, 0.3)
    fns["lerp_big"] = lambda x, y: torch.lerp(x, y, 1.3)
    fns["lerp_tensor"] = lambda x, y: torch.lerp(x, y, (torch.arange(y.shape[-1]) / 16 - 1).to(x.dtype))
    fns["addcmul"] = lambda x, y: torch.addcmul(x.round(), y.round(), x.round())  # decomposed it rounds twice
    fns["addcmul_v"] = lambda x, y: torch.addcmul(x, y, x, value=3)
    fns["addcmul_f"] = lambda x, y: torch.addcmul(x, y, x, value=0.7 if x.is_floating_point() else 7)
    fns["addcdiv"] = lambda x, y: torch.addcdiv(x, x, y)
    fns["addcdiv_f"] = lambda x, y: torch.addcdiv(x, x, y, value=0.7)
    fns["clamp_min_t"] = lambda x, y: torch.clamp_min(x, y)
    fns["clamp_max_t"] = lambda x, y: torch.clamp_max(x, y)
    fns["clamp_t"] = lambda x, y: torch.clamp(x, min=y, max=y + 1)
    fns["and"] = lambda x, y: x & y
    fns["or"] = lambda x, y: x | y
    fns["xor"] = lambda x, y: x ^ y
    fns["lshift"] = lambda x, y: x << y
    fns["rshift"] = lambda x, y: x >> y
    fns["masked_fill"] = lambda x, y: x.masked_fill(x > y, 3)
    fns["copy"] = lambda x, y: torch.empty_like(y).copy_(x)
    fns["rmul_0d"] = lambda x, y: torch.mul(y.flatten()[-1], x)
    fns["rdiv_0d"] = lambda x, y: torch.div(y.flatten()[-1], x)
    fns["rtrunc_0d"] = lambda x, y: torch.div(y.flatten()[-1], x, rounding_mode="trunc")
    fns["rfloor_0d"] = lambda x, y: torch.floor_divide(y.flatten()[-1], x)
    fns["rsub_0d"] = lambda x, y: torch.sub(y.flatten()[-1], x)
    fns["type_as"] = lambda x, y: x.type_as(y)
    fns["ops"] = lambda x, y: (x + y) * y - x / y
    return fns


NUMBERS = [2, -3, 0, 1, 300, 0.3, -1.5, 2.0, 1e10, True]


def number_functions(numbers=NUMBERS):
    """Tensor with a Python number on either side."""
    fns = {}
    two = {n: function(n) for n in BINARY if n not in ("heaviside", "max", "min", "isclose")}
    two["add_alpha"] = lambda x, y: torch.add(x, y, alpha=2)
    two["where_so"] = lambda x, y: torch.where(x > 0, x, y)
    two["where_ss"] = lambda x, y: torch.where(x > 0, y, x)
    two["where_2"] = lambda x, y: torch.where(x > 0, y, 1)
    two["radd"] = lambda x, y: y + x
    two["rdiv"] = lambda x, y: y / x
    two["rfloordiv"] = lambda x, y: y // x
    two["rmod"] = lambda x, y: y % x
    two["rpow"] = lambda x, y: y**x
    two["rshift"] = lambda x, y: x >> y
    two["lshift"] = lambda x, y: x << y
    two["rlshift"] = lambda x, y: y << x
    two["and"] = lambda x, y: x & y
    two["or"] = lambda x, y: x | y
    two["xor"] = lambda x, y: x ^ y
    two["div_floor"] = lambda x, y: torch.div(x, y, rounding_mode="floor")
    two["div_trunc"] = lambda x, y: torch.div(x, y, rounding_mode="trunc")
    two["fill"] = lambda x, y: torch.fill(x, y)
    two["masked_fill"] = lambda x, y: x.masked_fill(x > 1, y)
    for n, f in two.items():
        for number in numbers:
            if n == "pow" and number is True:
                continue  # recorded as int64, computed as bool
            fns[f"{n}_{number}"] = lambda x, f=f, number=number: f(x, number)
    return fns


def group(folder, name, fns, args, core=False, most=40):
    """Cases of at most `most` operators each, without those that PyTorch refuses. NAME.txt has their names."""
    kept = {}
    for label, f in fns.items():
        try:
            f(*[a.clone() for a in args])
            kept[label] = f
        except Exception:
            pass
    labels = [k for k in kept if not (args[0].dtype == torch.bool and "shift" in k)]  # computed, but not exported
    for i in range(0, len(labels), most):
        part = labels[i : i + most]
        case = f"{name}_{i // most}" if len(labels) > most else name
        write_case(folder, case, lambda *a: tuple(kept[k](*a) for k in part), args, core=core)
        with open(os.path.join(folder, case + ".txt"), "w") as f:
            f.write("\n".join(part) + "\n")


class Cases:
    def __init__(self, folder, only):
        self.folder, self.only = folder, only

    def group(self, name, fns, args, **kw):
        if self.only in name:
            group(self.folder, name, fns, args, **kw)

    def case(self, name, fn, *args, **kw):
        if self.only in name:
            write_case(self.folder, name, fn, args, **kw)


def creation():
    f32, i32, bf16 = torch.float32, torch.int32, torch.bfloat16
    fns = []
    for args, kw in [
        ((5,), {}), ((0,), {}), ((5.0,), {}), ((2, 9), {}), ((2, 9, 3), {}), ((9, 2, -2), {}), ((0.5, 4.0), {}), ((1, 2, 0.1), {}),
        ((1.0, -1.0, -0.25), {}), ((5,), {"dtype": f32}), ((5,), {"dtype": bf16}), ((0.5, 3.7), {"dtype": torch.int64}),
        ((0.5, 3.7), {"dtype": i32}), ((3, 300, 40), {"dtype": torch.uint8}), ((10,), {"dtype": torch.float16}),
        ((0, 1, 0.1), {"dtype": torch.float64}), ((-3, 3), {"dtype": torch.int8}), ((2, 2), {}), ((0, 50, 7.5), {}),
    ]:
        fns.append(lambda args=args, kw=kw: torch.arange(*args, **kw))
    for args, kw in [
        ((0, 1, 5), {}), ((-1, 1, 6), {}), ((2, 2, 1), {}), ((0, 1, 0), {}), ((5, -3, 9), {"dtype": torch.float64}),
        ((0, 10, 5), {"dtype": torch.int64}), ((0, 10, 4), {"dtype": i32}), ((-1024, 1024, 9), {}), ((0, 1, 9), {"dtype": bf16}),
        ((0.1, 0.7, 13), {"dtype": torch.float16}), ((-1, 1, 224), {}), ((-5, 5, 7), {"dtype": torch.int8}), ((3, 7, 2), {}),
    ]:
        fns.append(lambda args=args, kw=kw: torch.linspace(*args, **kw))
        fns.append(lambda args=args, kw=kw: torch.logspace(args[0] / 10, args[1] / 10, args[2], **kw))
    fns.append(lambda: torch.logspace(0, 3, 4, base=2.0))
    fns.append(lambda: torch.linspace(torch.tensor(1.5), torch.tensor(4), 5))
    fns.append(lambda: torch.linspace(torch.tensor(1), 4, 5))
    fns.append(lambda: torch.linspace(1, torch.tensor(4.5), 5))
    for kw in ({}, {"dtype": torch.float64}, {"dtype": torch.bool}, {"dtype": torch.int64}, {"dtype": bf16}):
        fns.append(lambda kw=kw: torch.zeros(2, 3, **kw))
        fns.append(lambda kw=kw: torch.ones(2, 0, 3, **kw))
        fns.append(lambda kw=kw: torch.ones((), **kw))
        fns.append(lambda kw=kw: torch.eye(3, **kw))
        fns.append(lambda kw=kw: torch.eye(2, 4, **kw))
        fns.append(lambda kw=kw: torch.full((2, 2), 3, **kw))
        fns.append(lambda kw=kw: torch.full((2,), 2.5, **kw))
        fns.append(lambda kw=kw: torch.full((1, 2), True, **kw))
        fns.append(lambda kw=kw: torch.full((1, 2), -INF, dtype=kw.get("dtype", f32) if kw.get("dtype", f32).is_floating_point else f32))
        fns.append(lambda kw=kw: torch.scalar_tensor(3, **kw))
        fns.append(lambda kw=kw: torch.scalar_tensor(2.7, **kw))
        fns.append(lambda kw=kw: torch.empty(2, 3, **kw).fill_(1))
        fns.append(lambda kw=kw: torch.empty_strided((2, 3), (1, 2), **kw).zero_())
    for f in (torch.tril_indices, torch.triu_indices):
        for args in ((3, 3), (3, 4, 1), (4, 3, -1), (2, 2, -5), (2, 5, 3), (0, 3), (3, 1, 2)):
            fns.append(lambda f=f, args=args: f(*args))
        fns.append(lambda f=f: f(3, 3, dtype=i32))
    for f in (torch.hann_window, torch.hamming_window, torch.blackman_window):
        for n in (0, 1, 2, 7, 16):
            fns.append(lambda f=f, n=n: f(n))
            fns.append(lambda f=f, n=n: f(n, periodic=False))
        fns.append(lambda f=f: f(9, dtype=torch.float64))
    fns.append(lambda: torch.hamming_window(9, False, 0.6))
    fns.append(lambda: torch.hamming_window(9, True, 0.6, 0.3))
    return fns


def like(dtype):
    fns = [torch.zeros_like, torch.ones_like, lambda x: torch.full_like(x, 3), lambda x: torch.empty_like(x).fill_(1)]
    fns += [lambda x: torch.full_like(x, 1.5), lambda x: x.new_zeros(2, 3), lambda x: x.new_ones(0), lambda x: x.new_full((2,), 3)]
    fns += [lambda x: x.new_full((2, 1), 2.5), lambda x: x.new_empty(3).zero_(), lambda x: x.new_zeros((), dtype=torch.int32)]
    fns += [lambda x: x.new_empty_strided((2, 3), (3, 1)).fill_(2), lambda x: x.new_tensor([1, 0, 3])]
    for d in DTYPES:
        fns.append(lambda x, d=d: torch.zeros_like(x, dtype=d))
        fns.append(lambda x, d=d: torch.full_like(x, 2, dtype=d))
        fns.append(lambda x, d=d: x.to(d))
        fns.append(lambda x, d=d: x.new_ones(2, dtype=d))
        fns.append(lambda x, d=d: x.to(d, copy=True))
    fns += [lambda x: x.float(), lambda x: x.double(), lambda x: x.half(), lambda x: x.bfloat16(), lambda x: x.int(), lambda x: x.long()]
    fns += [lambda x: x.bool(), lambda x: x.short(), lambda x: x.char(), lambda x: x.byte(), lambda x: x.to("cpu"), lambda x: x.cpu()]
    fns += [lambda x: x.to("cpu", torch.float64), lambda x: x.to(torch.ones(1)), lambda x: x.type(torch.int32), lambda x: x.type("torch.FloatTensor")]
    fns += [lambda x: x.clone(), lambda x: x.contiguous(), lambda x: x.detach(), lambda x: x.to(memory_format=torch.contiguous_format)]
    fns += [lambda x: torch.real(x), lambda x: x.conj(), lambda x: x.resolve_conj(), lambda x: x.resolve_neg(), lambda x: torch.isreal(x)]
    fns += [lambda x: torch.positive(x), lambda x: torch.zeros_like(x).copy_(x), lambda x: torch.fill(x, 1), lambda x: torch.zero_(x.clone())]
    return {str(i): f for i, f in enumerate(fns)}


# ---- In-place forms and aliases ----


def in_place(x, y):
    a = x.clone()
    a.add_(y).mul_(2).sub_(y, alpha=0.5).div_(3)
    a.relu_()
    b = x.clone()
    b[1:].sigmoid_()
    b.t().add_(1)
    F.hardtanh_(b, -1, 1)
    F.silu(b, inplace=True)
    c = x.clone()
    c.copy_(y[0])
    c.masked_fill_(x > 0, 5)
    c.clamp_(-2, 4).pow_(2).neg_()
    d = torch.empty_like(x)
    d.fill_(3)
    d[:, 1].zero_()
    d.fmod_(2).remainder_(1.5)
    e = F.dropout(x.clone(), 0.3, training=False)
    e.exp_().log_().floor_()
    return a, b, c, d, e


def out_forms(x, y):
    a, b = torch.empty_like(x), torch.zeros_like(x)
    torch.add(x, y, out=a)
    torch.exp(y, out=b)
    torch.clamp(b, 0, 2, out=b)
    return a, b


def aliases(x):
    """Results that share memory with their input, and results that do not."""
    a = x.clone()
    F.dropout(a, 0.5, training=False).add_(1)
    b = x.clone()
    b.to(torch.float32, copy=True).add_(1)
    c = x.clone()
    c.to(torch.float32).add_(1)
    d = x.clone()
    d.type_as(x).mul_(2)
    e = x.clone()
    e.t().contiguous().mul_(2)
    f = x.clone()
    f.contiguous().mul_(2)
    g = x.clone()
    g.double().mul_(2)
    h = x.clone()
    h.clone().mul_(2)
    i = x.clone()
    torch.positive(i).mul_(3)
    j = x.clone()
    j.t().reshape(-1).mul_(3)
    k = x.clone()
    k.reshape(-1).mul_(3)
    return a, b, c, d, e, f, g, h, i, j, k


def bits_in_place(x, y):
    a = x.clone()
    a &= y
    b = x.clone()
    b |= y
    c = x.clone()
    c ^= 3
    d = x.clone()
    d <<= 2
    e = x.clone()
    e >>= y
    f = x.clone()
    f //= 3
    g = x.clone()
    g %= 4
    h = x.clone()
    h **= 2
    return a, b, c, d, e, f, g, h


def main():
    folder, only = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    cases = Cases(folder, only)
    for dtype in DTYPES:
        cases.group(f"unary_{name_of(dtype)}", unary_functions(), (values(dtype, 120),), core=True)
        cases.group(f"activation_{name_of(dtype)}", activation_functions(), (values(dtype, 120),), core=True)
        x, y = values(dtype, 60, 1, MILD)[:, None], values(dtype, 64, 2, MILD)[None, :]
        cases.group(f"binary_{name_of(dtype)}", binary_functions(), (x, y), core=True)
        cases.group(f"number_{name_of(dtype)}", number_functions(), (values(dtype, 60, 3, MILD),), most=100, core=True)
        cases.group(f"like_{name_of(dtype)}", like(dtype), (values(dtype, 48, 4)[-6:].reshape(2, 3),), most=200, core=True)
    for a, b in itertools.permutations(DTYPES, 2):
        name = f"{name_of(a)}_{name_of(b)}"
        cases.group(f"mixed_{name}", binary_functions(), (values(a, 45, 5, MILD)[:, None], values(b, 45, 6, MILD)), most=100)
        cases.group(f"mixed0_{name}", binary_functions(), (values(a, 45, 5, MILD), values(b, 70, 7, MILD)[-3]), most=100)
        cases.group(f"mixed00_{name}", binary_functions(), (values(a, 70, 5, MILD)[-1], values(b, 70, 7, MILD)[-3]), most=100)
    shapes = [((2, 3), (3,)), ((2, 1, 3), (4, 1)), ((0, 3), (3,)), ((), (2, 2)), ((), ()), ((1, 0), (5, 1)), ((2, 3, 4, 5, 1), (5, 6))]
    for i, (a, b) in enumerate(shapes):
        g = torch.Generator().manual_seed(i)
        args = (torch.randn(a, generator=g), torch.randn(b, generator=g))
        cases.group(f"shapes_{i}", binary_functions(), args, most=100)
    x = torch.randn(6, 5, 8, generator=torch.Generator().manual_seed(3))
    views = {"t": x.transpose(0, 2), "s": x[::2, 1:, ::3], "f": x[1].t()}
    for n, v in views.items():
        cases.group(f"strided_{n}", {**unary_functions(), **activation_functions()}, (v,), most=200)
    for i in range(0, len(creation()), 50):
        part = creation()[i : i + 50]
        cases.case(f"creation_{i}", lambda x: (x + 1, *[f() for f in part]), torch.ones(2))
    m, n = torch.randn(4, 4, generator=torch.Generator().manual_seed(1)), torch.randn(4, 4, generator=torch.Generator().manual_seed(2))
    bessel = [torch.special.i0, torch.special.i0e, torch.special.i1, torch.special.i1e, torch.angle]
    cases.case("k_bessel", lambda a, b: [f(x) for f in bessel for x in (a, b, a.bfloat16())], 20 * m, m.double())
    cases.case("k_in_place", in_place, m, n)
    cases.case("k_out", out_forms, m, n)
    cases.case("k_aliases", aliases, m)
    i, j = values(torch.int32, 16, 3)[-4:], torch.tensor([1, 2, 0, 3], dtype=torch.int32)
    cases.case("k_bits_in_place", bits_in_place, i, j)
    cases.case("k_bool_in_place", lambda a, b: ((a & b).logical_not_(), a.clone().logical_xor_(b)), i > 3, j > 1)
    for p in (0, 1, 2, 3, 0.5, INF, -INF):
        cases.case(f"dist_{p}", lambda a, b: torch.dist(a, b, p), m, n)
    for d in (-1, 0, 1):
        cases.case(f"glu_{d}", lambda a: (F.glu(a, d), F.glu(a.bfloat16(), d)), m)
    for c, shape in ((3, (2, 3, 4)), (3, (2, 3)), (1, (5,)), (1, ()), (4, (2, 4, 1, 3)), (1, (2, 3))):
        weight = torch.linspace(-0.5, 0.8, c)
        cases.case(f"prelu_{c}_{len(shape)}", lambda a, w: (F.prelu(a, w), F.prelu(a.bfloat16(), w.bfloat16())), torch.randn(shape), weight)


if __name__ == "__main__":
    main()
