"""Golden cases of reductions, norms, softmax, running folds, sorting, searching, distances, losses and recurrent
layers. Usage: cases_reduce.py FOLDER [NAME...]: writes all cases (or those whose names start with a NAME)."""

import sys
import warnings

import torch
import torch.nn.functional as F

from lathe_export.make_golden import write_case

warnings.filterwarnings("ignore")
NAN, INF = float("nan"), float("inf")
FLOATS = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
INTS = [torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8]
CASES = {}


def case(name, fn, *args, **options):
    assert name not in CASES, name
    CASES[name] = (fn, args, options)


def short(dtype):
    return str(dtype).replace("torch.", "").replace("float", "f").replace("bf", "bf").replace("int", "i")


def floats(*shape, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, generator=generator).to(dtype)


def integers(*shape, low=-5, high=6, dtype=torch.int64, seed=0):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    if dtype == torch.uint8:
        low = max(low, 0)
    if dtype == torch.bool:
        low, high = 0, 2
    return torch.randint(low, high, shape, generator=generator).to(dtype)


def some(*shape, dtype, seed=0):
    return floats(*shape, dtype=dtype, seed=seed) if dtype.is_floating_point else integers(*shape, dtype=dtype, seed=seed)


def strided():
    """The same kinds of memory layout for every family: transposed, sliced, with a gap."""
    x = floats(6, 5, 8)
    return [x.transpose(0, 2), x[:, 1:4, ::2], x.permute(1, 2, 0)[:, :, 1]]


def views(*tensors):
    """Inputs of that kind, and one that repeats."""
    return [*tensors, tensors[0][:1].expand(4, -1, -1)]


SPECIAL = torch.tensor(
    [[1.0, NAN, 3.0, -2.0], [INF, 1.0, -INF, 2.0], [-INF, -INF, -INF, -INF], [0.0, -0.0, 0.0, -0.0], [2, 2, 1, 2], [NAN] * 4]
)

# ---- Reductions ----


def dims_of(fn):
    """The reduction over many sets of dims."""

    def all_dims(x):
        out = [fn(x, d, k) for d in (0, 1, -1, -2) for k in (False, True)]
        return out + [fn(x, d, k) for d in ((0, 2), (1, 2), (0, 1), (-1, -3), (0, 1, 2)) for k in (False, True)]

    return all_dims


for dtype in FLOATS + INTS + [torch.bool]:
    x, name = some(3, 4, 5, dtype=dtype), short(dtype)
    case(f"sum_{name}", lambda x: dims_of(lambda x, d, k: x.sum(d, keepdim=k))(x) + [x.sum()], x)
    case(f"prod_{name}", lambda x: [x.prod(), x.prod(1), x.prod(-1, True), x.prod(0, dtype=torch.float32)], x)
    case(f"amax_{name}", lambda x: dims_of(lambda x, d, k: x.amax(d, k))(x) + [x.amax(), x.max(), x.amax(())], x)
    case(f"amin_{name}", lambda x: dims_of(lambda x, d, k: x.amin(d, k))(x) + [x.amin(), x.min(), x.amin(())], x)
    case(
        f"any_all_{name}",
        lambda x: [f(*a) for f in (torch.any, torch.all) for a in ((x,), (x, 1), (x, (0, 2)), (x, -1, True), (x, (0, 1, 2)))]
        + [torch.ops.aten.any.dims(x, []), torch.ops.aten.all.dims(x, None, True), x.count_nonzero(), x.count_nonzero((0, 1))],
        x * integers(3, 4, 5, dtype=torch.bool, seed=3),
    )
    case(
        f"max_dim_{name}",
        lambda x: [r for d in (0, 1, -1) for k in (False, True) for f in (torch.max, torch.min) for r in f(x, d, k)]
        + [r for d in (0, 2) for r in torch.aminmax(x, dim=d)]
        + list(torch.aminmax(x, keepdim=True)),
        x,
    )
    if dtype != torch.bool:
        case(
            f"argmax_{name}",
            lambda x: [f(x, d, k) for f in (torch.argmax, torch.argmin) for d in (None, 0, 1, -1) for k in (False, True)],
            x,
        )
for dtype in FLOATS:
    x, name = floats(3, 4, 5, dtype=dtype), short(dtype)
    case(f"mean_{name}", lambda x: dims_of(lambda x, d, k: x.mean(d, k))(x) + [x.mean(), x.mean(())], x)
    case(
        f"var_{name}",
        lambda x: dims_of(lambda x, d, k: x.var(d, keepdim=k))(x)
        + [x.var(), x.std(), x.var(unbiased=False), x.std(1, unbiased=False), x.std((0, 1), correction=0)]
        + [x.var(1, correction=2), x.std(-1, correction=1, keepdim=True), x.var(1, correction=7), x.var(2, correction=0.5)]
        + list(torch.var_mean(x)) + list(torch.var_mean(x, 1, unbiased=False)) + list(torch.std_mean(x, (0, 2), correction=0))
        + list(torch.std_mean(x, unbiased=False)) + list(torch.var_mean(x, -1, correction=1, keepdim=True)),
        x + 3,
    )
case("sum_dtype", lambda x, i, b: [x.sum(dtype=torch.float64), x.sum(1, dtype=torch.int64), i.sum(0, dtype=torch.int32),
     i.sum(dtype=torch.uint8), i.sum(dtype=torch.float32), b.sum(0, dtype=torch.bool), b.prod(1, dtype=torch.bool),
     x.bfloat16().sum(0, dtype=torch.float32), i.sum(1, dtype=torch.float16), b.sum(1, dtype=torch.float32),
     x.sum((0, 1), dtype=torch.bfloat16), x.cumsum(0, dtype=torch.float64)],
     floats(4, 5) * 3, integers(4, 5) * 50, integers(4, 5, dtype=torch.bool))
case("mean_dtype", lambda i, x: [i.mean(dtype=torch.float32), i.mean(1, dtype=torch.float64), x.mean(0, dtype=torch.float32),
     x.mean(dtype=torch.float64), i.bool().mean(0, dtype=torch.bfloat16)], integers(4, 5), floats(4, 5, dtype=torch.bfloat16))
case("reduce_strided", lambda *xs: [f(x) for x in views(*xs) for f in (lambda x: x.sum(0), lambda x: x.mean(-1), lambda x: x.amax(1) if x.dim() > 1 else x,
     lambda x: x.argmax(0), lambda x: x.var(0), lambda x: x.min(0)[1], lambda x: x.prod(0), lambda x: x.sum())], *strided())
case("reduce_long", lambda x: [x.sum(0), x.sum(1), x.sum(), x.mean(0), x.var(0), x.var(1), x.argmax(0), x.argmin(1), x.amax(0),
     x.amin(1), x.reshape(100, 7, 43).sum(1), x.reshape(100, 7, 43).sum((0, 2)), x.reshape(100, 7, 43).argmax(1), x.reshape(-1, 2).sum(1)],
     floats(700, 43))
case("reduce_special", lambda x: [x.sum(1), x.mean(1), x.prod(1), x.amax(1), x.amin(1), x.argmax(1), x.argmin(1), x.argmax(0),
     x.argmin(0), x.max(1)[1], x.min(1)[1], x.max(0)[0], x.max(0)[1], x.nansum(1), x.nansum(), x.nanmean(1), x.nanmean(0, True), x.any(1),
     x.all(0), x.count_nonzero(1), x.var(1), x.std(0), torch.logsumexp(x, 1), torch.logsumexp(x, (0, 1)), x.max(), x.argmin()], SPECIAL)
case("reduce_0d", lambda x, i: [x.sum(), x.sum(0), x.sum(-1, keepdim=True), x.mean(0), x.prod(-1), x.amax(), x.amax(0), x.amin(-1), x.argmax(),
     x.argmax(0), x.argmin(-1, True), x.max(0)[0], x.min(-1)[1], x.any(), x.all(0), x.var(correction=0), x.std(0, correction=0),
     x.norm(), x.softmax(0), x.log_softmax(-1), x.cumsum(0), x.cumprod(-1), *x.cummax(0), x.logcumsumexp(0), torch.logsumexp(x, 0),
     *x.sort(), *x.topk(1), *x.kthvalue(1), *x.median(0), x.median(), *x.mode(), i.sum(), i.prod(0), x.nansum(), x.argsort(0),
     torch.linalg.vector_norm(x, 0), torch.linalg.vector_norm(x, INF), x.quantile(0.3), x.count_nonzero(), *torch.aminmax(x, dim=0, keepdim=True)],
     torch.tensor(-2.5), torch.tensor(7))
case("reduce_empty", lambda z, w: [z.sum(), z.sum(0), z.sum(1), z.prod(0), z.prod(), z.mean(0), z.mean(1), z.mean(), z.any(0), z.all(0), z.all(),
     z.any(), z.amax(1), z.argmax(1), z.max(1)[0], z.max(1)[1], z.var(0), z.std(), z.norm(), z.norm(dim=0), torch.linalg.vector_norm(z, 1, 0),
     z.softmax(0), z.softmax(1), z.log_softmax(1), z.cumsum(0), z.cumprod(1), torch.logsumexp(z, 0), torch.logsumexp(z, 1), z.nansum(), z.nanmean(0),
     z.count_nonzero(0), *z.sort(0), *z.sort(1), *w.topk(0), *w.topk(2, 0), z.median(), z.cummax(1)[0], w.sum((0, 2)), z.int().sum(0)],
     torch.zeros(0, 3), torch.zeros(2, 0, 3))
case("reduce_bigger_ints", lambda x: [x.sum(), x.prod(), x.amax(), x.argmax(), x.sum(dtype=torch.int32), x.cumsum(0), x.cumprod(0)],
     torch.tensor([2**62, 2**62, 2**61, -3, 2**53 + 1]))
case("nansum_types", lambda x, h, i: [x.nansum(), x.nansum(0), x.nansum((0, 1), True), x.nansum(1, dtype=torch.float64), h.nansum(1), i.nansum(0),
     i.nansum(dtype=torch.float32), h.nanmean(), h.nanmean(0, dtype=torch.float32), x.nanmean((0, 1))], SPECIAL, SPECIAL[:2].bfloat16(), integers(3, 4))
case("max_other", lambda x, y, i: [torch.max(x, y), torch.min(x, y[0]), torch.max(i, x), torch.min(x, i[:, :1])], floats(3, 4), floats(3, 4, seed=9), integers(3, 4))
case("var_stable", lambda x, y: [x.var(0), x.std(1), y.var(0), torch.var_mean(x)[0], x.double().var(1)], floats(50, 3) + 4000, torch.full((9, 2), 0.1))

# ---- Norms ----

ORDERS = (0, 0.5, 1, 2, 3, -1, -2.5, INF, -INF)
for dtype in FLOATS:
    case(f"vector_norm_{short(dtype)}", lambda x: [torch.linalg.vector_norm(x, p, d, k) for p in ORDERS for d, k in ((None, False), (1, True), ((0, -1), False))],
         floats(3, 4, 5, dtype=dtype))
    case(f"norm_{short(dtype)}", lambda x: [x.norm(), x.norm(1), x.norm(2, 1), x.norm(3.5, (0, 2), True), x.norm(INF, -1), x.norm("fro"), x.norm(dim=(1, 2)), x.norm(dim=1, p="fro")],
         floats(3, 4, 5, dtype=dtype))
case("norm_overloads", lambda x, h: [torch.ops.aten.norm.Scalar(x, 2), torch.ops.aten.norm.Scalar(x, 0), torch.ops.aten.norm.ScalarOpt_dim(x, None, [1]),
     torch.ops.aten.norm.ScalarOpt_dim_dtype(h, 2, [0], True, dtype=torch.float32), torch.ops.aten.norm.ScalarOpt_dtype(x, 1, dtype=torch.float64),
     torch.ops.aten.frobenius_norm.dim(x, [0, 1]), torch.ops.aten.frobenius_norm.dim(x, [1], True), torch.linalg.vector_norm(h, 3, 0, dtype=torch.float32),
     torch.linalg.norm(x), torch.linalg.norm(x, 1), torch.linalg.norm(x, dim=0), torch.linalg.norm(x, 3, 1, True), torch.linalg.norm(x, INF),
     torch.linalg.norm(x, -INF, keepdim=True), torch.linalg.norm(x, -1), torch.linalg.norm(x, "fro"), torch.linalg.matrix_norm(x),
     torch.linalg.matrix_norm(x, 1), torch.linalg.matrix_norm(x, INF, (1, 0)), torch.linalg.matrix_norm(x, -INF, dtype=torch.float64),
     torch.linalg.matrix_norm(x, keepdim=True), torch.linalg.norm(x[0], -INF), torch.linalg.norm(x[0], 0)], floats(4, 5), floats(4, 5, dtype=torch.bfloat16))
case("matrix_norm_batch", lambda x: [torch.linalg.matrix_norm(x, p, d, k) for p in ("fro", 1, -1, INF, -INF) for d in ((-2, -1), (0, 2), (2, 0)) for k in (False, True)],
     floats(3, 4, 5))
case("norm_special", lambda x: [torch.linalg.vector_norm(x, p, 1) for p in ORDERS], SPECIAL)
case("normalize", lambda x, h: [F.normalize(x), F.normalize(x, 1, -1), F.normalize(x, INF, 0), F.normalize(h, dim=-1), F.normalize(x * 0)], floats(3, 4, 5), floats(3, 4, dtype=torch.bfloat16))

# ---- Softmax ----

for dtype in FLOATS:
    case(f"softmax_{short(dtype)}", lambda x: [f(x, d) for f in (torch.softmax, torch.log_softmax, F.softmin) for d in (0, 1, -1, -2)] + [torch.logsumexp(x, d, k) for d in (0, -1, (0, 2), (0, 1, 2)) for k in (False, True)],
         floats(3, 4, 5, dtype=dtype) * 3)
case("softmax_dtype", lambda h, i, x: [h.softmax(-1, dtype=torch.float32), h.log_softmax(0, dtype=torch.float64), i.softmax(1, dtype=torch.float32),
     i.log_softmax(-1, dtype=torch.bfloat16), x.softmax(0, dtype=torch.float64), x.double().softmax(0, dtype=torch.float32), x.softmax(1, dtype=torch.float16),
     torch.logsumexp(i, 0), torch.special.softmax(x, 1), torch.special.log_softmax(x, 0), torch.special.logsumexp(x, 1),
     torch.ops.aten._softmax(x, 1, False), torch.ops.aten._log_softmax(h, -1, False)], floats(4, 6, dtype=torch.bfloat16) * 4, integers(4, 6), floats(4, 6) * 10)
case("softmax_special", lambda x: [x.softmax(1), x.log_softmax(1), x.softmax(0), x.log_softmax(0), torch.ops.aten._safe_softmax(x, 1), torch.ops.aten._safe_softmax(x.bfloat16(), -1),
     torch.ops.aten._safe_softmax(x, 0, torch.float64), torch.logsumexp(x, 1), (x * 1e30).softmax(1), x.logcumsumexp(1), x.logcumsumexp(0)], SPECIAL)
case("softmax_strided", lambda *xs: [x.softmax(d) for x in views(*xs) for d in range(x.dim())], *strided())
case("softmax_long", lambda x: [x.softmax(-1), x.log_softmax(0), torch.logsumexp(x, 1)], floats(40, 3000) * 5, core=False)

# ---- Running folds ----

for dtype in FLOATS + INTS + [torch.bool]:
    x, name = some(3, 4, 5, dtype=dtype), short(dtype)
    case(f"cumsum_{name}", lambda x: [f(x, d) for f in (torch.cumsum, torch.cumprod) for d in (0, 1, -1)], x)
    case(f"cummax_{name}", lambda x: [r for f in (torch.cummax, torch.cummin) for d in (0, 1, -1) for r in f(x, d)], x)
for dtype in FLOATS:
    case(f"logcumsumexp_{short(dtype)}", lambda x: [torch.logcumsumexp(x, d) for d in (0, 1, -1)], floats(3, 4, 5, dtype=dtype) * 4)
case("cum_special", lambda x: [*x.cummax(1), *x.cummin(1), *x.cummax(0), x.cumsum(1), x.cumprod(0)], SPECIAL)
case("cum_strided", lambda *xs: [f(x, d) for x in views(*xs) for d in range(x.dim()) for f in (torch.cumsum, lambda x, d: x.cummax(d)[1])], *strided())
case("cum_long", lambda x: [x.cumsum(0), x.cumsum(1), x.cummax(1)[1], x.logcumsumexp(0), x.cumsum(1, dtype=torch.float64)], floats(300, 20))
case("diff", lambda x, i, b, y: [torch.diff(x), torch.diff(x, 2), torch.diff(x, dim=0), torch.diff(i, 3, 1), torch.diff(b), torch.diff(x, 9), torch.diff(x, 0),
     torch.diff(x, prepend=y, append=y), torch.diff(x, 2, -1, y), torch.diff(i, append=i[:, :1])], floats(3, 5), integers(3, 5), integers(3, 5, dtype=torch.bool), floats(3, 2))
case("trapezoid", lambda y, x: [torch.trapezoid(y), torch.trapezoid(y, dx=0.5), torch.trapezoid(y, dim=0), torch.trapezoid(y, x), torch.trapezoid(y, y * 2, dim=0), torch.trapz(y),
     torch.trapezoid(y, x[:3], dim=1) if False else torch.trapz(y, x), torch.trapezoid(y[:, :1])], floats(3, 5), floats(5))

# ---- Sorting ----

for dtype in FLOATS + INTS + [torch.bool]:
    x, name = some(3, 40, dtype=dtype), short(dtype)
    case(f"sort_{name}", lambda x: [r for d in (0, 1, -1) for e in (False, True) for r in torch.sort(x, d, e)] + list(torch.sort(x, stable=True, dim=0, descending=True))
         + [x.argsort(), x.argsort(0, True), torch.argsort(x, stable=True, dim=1), torch.msort(x)], x)
    if dtype != torch.bool:
        case(f"topk_{name}", lambda x: [r for k, d in ((1, -1), (5, 1), (2, 0), (17, -1), (30, 1)) for l in (True, False) for s in (True, False) for r in torch.topk(x, k, d, l, s)], x)
        case(f"median_{name}", lambda x: [x.median(), *x.median(0), *x.median(1, True), x.nanmedian(), *x.nanmedian(-1), x.kthvalue(3)[0], x.kthvalue(2, 0, True)[0], x.mode(1)[0], x.mode(0, True)[0]], x)
case("topk_many", lambda x, i: [*x.topk(3), *i.topk(3), *i.topk(5, largest=False), *i.topk(20, sorted=False), *x.topk(8, sorted=False)], floats(4, 700), integers(4, 700))
case("topk_long_ties", lambda i: [*i.topk(300), *i.topk(1500), *i.topk(10), *i.topk(2000, largest=False)], integers(2, 2000, low=0, high=40), core=False)
case("sort_special", lambda x: [*x.sort(1), *x.sort(1, True), *x.sort(0), *x.topk(3), *x.topk(2, largest=False), *x.median(1), *x[:5].nanmedian(1), x.nanmedian(1)[0], x.median(), x.nanmedian(),
     *x.mode(1), *x.kthvalue(4, 1)], SPECIAL)
case("sort_strided", lambda *xs: [r for x in views(*xs) for d in range(x.dim()) for r in x.sort(d)] + [r for x in views(*xs) for r in x.topk(2, 0)], *strided())
case("sort_long", lambda x, i: [*x.sort(0), *x.sort(1, True), *i.sort(-1), *i.sort(0, True)], floats(100, 70), integers(60, 90), core=False)
case("mode_small", lambda i: [*i.mode(), *i.mode(0), *i.mode(1, True), *i.float().mode(0, True)], integers(3, 4, 12, low=0, high=4))
Q = torch.tensor([0.0, 0.1, 0.5, 0.77, 1.0])
case("quantile", lambda x, q: [f(x, a, d, k, interpolation=m) for f in (torch.quantile, torch.nanquantile) for a in (0.4, q) for d, k in ((None, False), (None, True), (0, False), (1, True), (-1, False))
     for m in ("linear", "lower", "higher", "nearest", "midpoint")], floats(3, 4, 5), Q, core=False)
case("quantile_special", lambda x, q: [torch.quantile(x, q, 1), torch.nanquantile(x, q, 1), torch.quantile(x.double(), 0.3, 0), torch.nanquantile(x, 0.3), torch.quantile(x, q[2], 0)], SPECIAL[:2].nan_to_num(posinf=9, neginf=-9, nan=NAN), Q, core=False)

# ---- Searching ----

for dtype in FLOATS + INTS:
    edges = some(3, 9, dtype=dtype).sort(-1)[0]
    case(f"searchsorted_{short(dtype)}", lambda e, v: [torch.searchsorted(e, v, right=r, out_int32=o) for r in (False, True) for o in (False, True)]
         + [torch.bucketize(v, e[0], right=r) for r in (False, True)] + [torch.searchsorted(e[1], v, side="right"), torch.searchsorted(e[2], 1), torch.bucketize(2, e[0], right=True)],
         edges, some(3, 7, dtype=dtype, seed=4))
case("searchsorted_more", lambda e, v, i: [torch.searchsorted(e, v, sorter=e.argsort()), torch.searchsorted(e.sort(-1)[0], 0.3) if e.dim() == 1 else torch.searchsorted(e[0].sort()[0], 0.3),
     torch.searchsorted(i.sort(-1)[0][0], v), torch.bucketize(i, e[0].sort()[0]), torch.bucketize(0.5, i[0].sort()[0]), torch.bucketize(v.t(), e[0].sort()[0], out_int32=True),
     torch.searchsorted(e[0].sort()[0], torch.tensor(0.1)), torch.searchsorted(torch.tensor([1.0, 2.0, NAN]), torch.tensor([NAN, 1.5, 9.0, -INF]))],
     floats(3, 6), floats(3, 4), integers(3, 6))
case("isin", lambda x, i, b: [torch.isin(x, i.float()), torch.isin(i, i[0]), torch.isin(i, 3), torch.isin(2, i), torch.isin(i, i[:1], invert=True), torch.isin(x, torch.zeros(0)),
     torch.isin(x, torch.tensor([NAN, 1.0])), torch.isin(i.int(), b), torch.isin(i, torch.tensor([1.0, 2.5])), torch.isin(i.to(torch.uint8), i.to(torch.int8)), torch.isin(x, 1), torch.isin(x, torch.tensor([NAN])), torch.isin(x.bfloat16(), x.reshape(-1).bfloat16(), invert=True)],
     torch.tensor([[1.0, NAN, -0.0], [2.0, INF, 5.0]]), integers(3, 4), integers(2, 2, dtype=torch.int64))
case("histc", lambda x, h: [x.histc(), x.histc(7), x.histc(5, -1, 1), x.histc(4, 0.5, 2.5), torch.histc(x * 0 + 3, 4), torch.histc(x.double(), 9), h.histc(6, -2, 2), x.histc(3, 2, 2)], floats(5, 40), floats(60, dtype=torch.float64))

# ---- Distances ----

PS = (0.0, 0.5, 1.0, 2.0, 3.0, INF)
case("cdist", lambda x, y: [torch.cdist(x, y, p) for p in PS] + [torch.cdist(x, y[0]), torch.cdist(x[0], y), torch.cdist(x, y, compute_mode="use_mm_for_euclid_dist"),
     torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")], floats(2, 5, 4), floats(2, 3, 4, seed=8))
case("cdist_many", lambda x, y: [torch.cdist(x, y), torch.cdist(x, y, 1.0), torch.cdist(x.double(), y.double()), torch.ops.aten._euclidean_dist(x, y), torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")],
     floats(30, 8), floats(41, 8), core=False)
case("cdist_odd", lambda x, z: [torch.cdist(x, z), torch.cdist(z, x), torch.cdist(x[:, :0], x[:, :0]), torch.cdist(x[:, :0], x[:, :0], INF), torch.cdist(x.expand(2, 3, 4), x.reshape(1, 3, 4)),
     torch.cdist(x.reshape(1, 1, 3, 4), x.expand(5, 3, 4), 1)], floats(3, 4), torch.zeros(0, 4))
case("cdist_blocks", lambda x, y: [torch.cdist(x, y, 3.0), torch.cdist(x, y, 1.0)], floats(700, 100), floats(80, 100), core=False)
case("pdist", lambda x: [torch.pdist(x, p) for p in PS] + [torch.pdist(x[:1]), torch.pdist(x[:2]), torch.pdist(x.double()), F.pdist(x[:, :0])], floats(6, 4))
case("dist", lambda x, y: [torch.dist(x, y), *[torch.dist(x, y, p) for p in (0, 1, 3, INF)], torch.dist(x, y[0]), torch.dist(x.bfloat16(), y.bfloat16()),
     F.pairwise_distance(x, y), F.pairwise_distance(x, y[0], 1, 0.1, True), F.pairwise_distance(x[0], y[0], 3), F.pairwise_distance(x, y, INF)], floats(3, 4), floats(3, 4, seed=5))
case("cosine_similarity", lambda x, y: [F.cosine_similarity(x, y), F.cosine_similarity(x, y, -1), F.cosine_similarity(x, y[0], 2), F.cosine_similarity(x[:, :1], y, 1), F.cosine_similarity(x * 0, y, 0),
     F.cosine_similarity(x.bfloat16(), y.bfloat16(), -1), F.cosine_similarity(x.double(), y.double(), 0), F.cosine_similarity(x.int(), y, 0), F.cosine_similarity(x.int(), y.double(), 0), F.cosine_similarity(x.int(), y.bfloat16(), -1), F.cosine_similarity(x, y.bfloat16(), 1), F.cosine_similarity(x[0, 0], y, -1, 1e-2), F.cosine_similarity(x[0, 0], y[0, 0], 0)],
     floats(3, 4, 5), floats(3, 4, 5, seed=7))

# ---- Losses ----

REDUCTIONS = ("none", "mean", "sum")


for dtype in FLOATS:
    x, y, name = floats(4, 5, dtype=dtype), floats(4, 5, dtype=dtype, seed=6), short(dtype)
    case(f"loss_{name}", lambda x, y: [f(x, y, reduction=r, **k) for r in REDUCTIONS for f, k in ((F.mse_loss, {}), (F.l1_loss, {}), (F.smooth_l1_loss, {}), (F.smooth_l1_loss, {"beta": 0.3}),
         (F.smooth_l1_loss, {"beta": 0.0}), (F.huber_loss, {}), (F.huber_loss, {"delta": 0.4}), (F.binary_cross_entropy_with_logits, {}), (F.soft_margin_loss, {}))], x, y, core=dtype != torch.float16)
    case(f"cross_entropy_{name}", lambda x, t: [F.cross_entropy(x, t, reduction=r, **k) for r in REDUCTIONS for k in ({}, {"label_smoothing": 0.1}, {"ignore_index": 2})], x, integers(4, low=0, high=5))
P, T = floats(4, 5).sigmoid(), floats(4, 5, seed=2).sigmoid()
case("bce", lambda p, t, w: [F.binary_cross_entropy(p, t, reduction=r) for r in REDUCTIONS] + [F.binary_cross_entropy(p, t, w), F.binary_cross_entropy(p.round(), t),
     F.binary_cross_entropy_with_logits(p * 9, t, w), F.binary_cross_entropy_with_logits(p, t, pos_weight=w), F.binary_cross_entropy_with_logits(p, t, w, pos_weight=w, reduction="none")], P, T, floats(5).abs())
case("kl_div", lambda x, t: [F.kl_div(x, t, reduction=r) for r in REDUCTIONS + ("batchmean",)] + [F.kl_div(x, t.log(), log_target=True), F.kl_div(x, t.round(), reduction="none")], floats(4, 5).log_softmax(-1), T)
case("poisson", lambda x, t: [F.poisson_nll_loss(x, t, log_input=l, full=f, reduction=r) for l in (True, False) for f in (True, False) for r in REDUCTIONS], P + 0.5, integers(4, 5, low=0, high=6).float())
S = integers(4, dtype=torch.bool) * 2 - 1
case("margin", lambda x, y, s: [F.margin_ranking_loss(x[:, 0], y[:, 0], s, m, reduction=r) for r in REDUCTIONS for m in (0, 0.5)]
     + [F.hinge_embedding_loss(x, s[:, None].expand(4, 5), 0.7, reduction=r) for r in REDUCTIONS] + [F.cosine_embedding_loss(x, y, s, 0.1, reduction=r) for r in REDUCTIONS]
     + [F.soft_margin_loss(x, s[:, None].float().expand(4, 5)), F.cosine_embedding_loss(x[0], y[0], s[0])], floats(4, 5), floats(4, 5, seed=6), S)
case("triplet", lambda a, p, n: [F.triplet_margin_loss(a, p, n, 1.5, q, swap=s, reduction=r) for q in (1, 2) for s in (True, False) for r in REDUCTIONS], floats(4, 5), floats(4, 5, seed=1), floats(4, 5, seed=2))
case("cross_entropy_nd", lambda x, t, w: [F.cross_entropy(x, t, reduction=r, **k) for r in REDUCTIONS for k in ({}, {"weight": w}, {"weight": w, "ignore_index": 1}, {"weight": w, "label_smoothing": 0.2})],
     floats(2, 4, 3, 5), integers(2, 3, 5, low=0, high=4), floats(4).abs())
case("cross_entropy_prob", lambda x, t, w: [F.cross_entropy(x, t, reduction=r, **k) for r in REDUCTIONS for k in ({}, {"weight": w}, {"label_smoothing": 0.2})] + [F.cross_entropy(x[0], t[0])],
     floats(6, 4), floats(6, 4, seed=3).softmax(-1), floats(4).abs())
case("cross_entropy_odd", lambda x, t: [F.cross_entropy(x[0], t[0]), F.cross_entropy(x, t * 0 - 100), F.cross_entropy(x, t, ignore_index=-100, reduction="none"), F.nll_loss(x, t),
     F.nll_loss(x[1], t[1], reduction="sum"), F.cross_entropy(x, torch.where(t == 1, -100, t), label_smoothing=0.3)], floats(6, 4), integers(6, low=0, high=4))
case("nll", lambda x, t, w, y, u: [F.nll_loss(x, t, w, reduction=r) for r in REDUCTIONS] + [F.nll_loss(y, u, w, reduction=r, ignore_index=3) for r in REDUCTIONS], floats(6, 4).log_softmax(1), integers(6, low=0, high=4),
     floats(4).abs(), floats(2, 4, 3, 2).log_softmax(1), integers(2, 3, 2, low=0, high=4))

# ---- Recurrent layers ----


class Recurrent(torch.nn.Module):
    """A layer with or without a first state."""

    def __init__(self, kind, *args, dtype=torch.float32, **options):
        super().__init__()
        torch.manual_seed(5)
        self.layer = getattr(torch.nn, kind)(*args, **options).to(dtype)

    def forward(self, x, *state):
        if not state:
            return self.layer(x)
        return self.layer(x, state if len(state) > 1 else state[0])


LAYERS = {"LSTM": {}, "GRU": {}, "RNN": {"nonlinearity": "tanh"}}
for kind, extra in LAYERS.items():
    low = kind.lower()
    n_states = 2 if kind == "LSTM" else 1

    def states(count, batch, hidden, projected=None, dtype=torch.float32, n_states=n_states):
        sizes = [projected or hidden, hidden][:n_states]
        return [floats(*([count] + ([batch] if batch else []) + [size]), seed=i, dtype=dtype) for i, size in enumerate(sizes)]

    case(f"{low}_plain", Recurrent(kind, 5, 6, **extra), floats(7, 3, 5))
    case(f"{low}_state", Recurrent(kind, 5, 6, **extra), floats(7, 3, 5), *states(1, 3, 6))
    case(f"{low}_batch_first", Recurrent(kind, 5, 6, batch_first=True, **extra), floats(3, 7, 5), *states(1, 3, 6))
    case(f"{low}_two", Recurrent(kind, 5, 6, 2, dropout=0.5, **extra), floats(4, 2, 5))
    case(f"{low}_both_ways", Recurrent(kind, 5, 6, 2, bidirectional=True, batch_first=True, **extra), floats(2, 4, 5), *states(4, 2, 6))
    case(f"{low}_no_bias", Recurrent(kind, 5, 6, 2, bias=False, bidirectional=True, **extra), floats(4, 2, 5))
    case(f"{low}_no_batch", Recurrent(kind, 5, 6, bidirectional=True, **extra), floats(4, 5), *states(2, None, 6))
    case(f"{low}_one_step", Recurrent(kind, 5, 6, **extra), floats(1, 1, 5))
    case(f"{low}_strided", Recurrent(kind, 5, 6, batch_first=True, **extra), floats(5, 3, 4).permute(1, 2, 0))
    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        case(f"{low}_{short(dtype)}", Recurrent(kind, 8, 6, 2, bidirectional=True, dtype=dtype, **extra), floats(5, 2, 8, dtype=dtype), core=False)
case("rnn_relu", Recurrent("RNN", 5, 6, 2, nonlinearity="relu", bidirectional=True), floats(4, 2, 5), floats(4, 2, 6))
case("lstm_projected", Recurrent("LSTM", 5, 6, 2, proj_size=3, bidirectional=True), floats(4, 2, 5), floats(4, 2, 3), floats(4, 2, 6))
case("lstm_projected_no_bias", Recurrent("LSTM", 5, 6, proj_size=4, bias=False, batch_first=True), floats(2, 4, 5))
for kind in ("LSTMCell", "GRUCell", "RNNCell"):
    state = [(floats(3, 6), floats(3, 6, seed=1))] if kind == "LSTMCell" else [floats(3, 6)]
    case(f"{kind.lower()}", Recurrent(kind, 5, 6), floats(3, 5))
    case(f"{kind.lower()}_no_bias", Recurrent(kind, 5, 6, bias=False), floats(3, 5), *(state[0] if kind == "LSTMCell" else state))
    case(f"{kind.lower()}_no_batch", Recurrent(kind, 5, 6), floats(5))
case("rnncell_relu", Recurrent("RNNCell", 5, 6, nonlinearity="relu"), floats(3, 5), floats(3, 6))


# ---- Rarer ones ----

case("class_margins", lambda x, t, w: [F.multi_margin_loss(x, t, p=p, margin=m, weight=v, reduction=r) for p, m in ((1, 1.0), (2, 0.3)) for v in (None, w) for r in REDUCTIONS]
     + [F.multi_margin_loss(x[0], t[0])], floats(5, 4), integers(5, low=0, high=4), floats(4).abs())
case("label_margins", lambda x, t: [F.multilabel_margin_loss(x, t, reduction=r) for r in REDUCTIONS] + [F.multilabel_margin_loss(x[0], t[0])],
     floats(4, 5), torch.tensor([[3, 0, -1, 1, 2], [-1, 0, 1, 2, 3], [0, 1, 2, 3, 4], [2, 2, -1, 4, 4]]))
for dtype in (torch.bfloat16, torch.float16):  # rounded at every operator
    x, y, s = floats(4, 5, dtype=dtype), floats(4, 5, seed=6, dtype=dtype), torch.tensor([1, -1, -1, 1])
    case(f"composed_losses_{short(dtype)}", lambda x, y, s: [F.soft_margin_loss(3 * x, s[:, None].to(x.dtype), reduction="none"), F.hinge_embedding_loss(x, s[:, None].expand(4, 5), 0.7),
         F.margin_ranking_loss(x[:, 0], y[:, 0], s.to(x.dtype), 0.3), F.cosine_embedding_loss(x, y, s, 0.1, reduction="none"), F.kl_div(x, y.softmax(1), reduction="sum"),
         F.poisson_nll_loss(x, y.abs() * 3, full=True, reduction="none"), F.binary_cross_entropy_with_logits(x, y, reduction="none"),
         F.triplet_margin_loss(x, y, x.flip(0), reduction="none")], x, y, s, core=False)
    case(f"stepwise_{short(dtype)}", lambda x, y, m: [torch.linalg.cross(m[:, 0], m[:, 1]), torch.addr(x, x[:, 0], y[0], beta=0.6, alpha=0.3), torch.addr(x, x[:, 0], y[0], beta=0),
         torch.addbmm(x[:3, :3], m, m, beta=0.6, alpha=0.3), torch.addbmm(x[:3, :3], m, m, beta=0)], x, y, floats(4, 3, 3, dtype=dtype), core=False)
case("losses_of_integers", lambda x, y, s: [F.margin_ranking_loss(x[:, 0], y[:, 0], s), F.cosine_embedding_loss(x, y, s, 0.1), F.poisson_nll_loss(x, y), F.triplet_margin_loss(x, y, x + 1)],
     integers(4, 5), integers(4, 5, seed=6), torch.tensor([1, -1, -1, 1]), core=False)
case("trapezoids", lambda y, x: [torch.cumulative_trapezoid(y, dim=d, **k) for d in (0, -1) for k in ({}, {"dx": 0.3})] + [torch.cumulative_trapezoid(y, x, dim=1), torch.cumulative_trapezoid(y, y * 2, dim=0)]
     + [torch.cumulative_trapezoid((y * 4).int())], floats(4, 5), floats(5))
case("sums_to_size", lambda x: [x.sum_to_size(s) for s in ((2, 3, 4), (3, 4), (1, 4), (3, 1), (4,), (1,), (), (2, 1, 1))] + [x.int().sum_to_size(4), x.bfloat16().sum_to_size(3, 1)], 3 * floats(2, 3, 4), core=False)
case("renorms", lambda x: [torch.renorm(x, p, d, 1.5) for p in (1, 2, 3.5, INF) for d in (0, -1)] + [torch.renorm(x[0], 2, 0, 0.5)], floats(3, 4, 5), core=False)
case("frexps", lambda *x: [part for v in x for part in torch.frexp(v)], torch.tensor([0.0, -0.0, 1.0, -3.5, 1e-40, 1e30, NAN, INF]), floats(5, dtype=torch.float64), floats(5, dtype=torch.bfloat16))
case("table_renormed", lambda w, i: (torch.embedding_renorm_(w.clone(), i, 1.2, 2.0), torch.embedding_renorm_(w.clone(), i, 0.7, 1.0)), floats(6, 4), torch.tensor([[1, 4, 1], [0, 4, 4]]), core=False)
case("norm_with_update", lambda x, w, m, v: (*torch.ops.aten._batch_norm_with_update(x, w, w - 1, m, v, 0.1, 1e-5)[:3], m + 0, v + 0, *torch.ops.aten._batch_norm_no_update(x, w, w, m, v, 0.1, 1e-5)[:1]),
     floats(4, 3, 5), floats(3), floats(3, seed=1), floats(3).abs())


def main():
    folder, wanted = sys.argv[1], tuple(sys.argv[2:])
    for name, (fn, args, options) in CASES.items():
        if wanted and not name.startswith(wanted):
            continue
        try:
            write_case(folder, name, fn, args, **options)
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {str(error)[:300]}")


main()
