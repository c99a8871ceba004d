"""Golden cases of attention as models write it: python cases_attention.py FOLDER [NAME...]

Repeated heads, scales, masks and roundings in the forms that passes recognise, and forms that they must leave alone.
"""

import math
import sys

import torch
import torch.nn.functional as F

from lathe_export.make_golden import write_case

folder = sys.argv[1]
wanted = set(sys.argv[2:])
generator = torch.Generator().manual_seed(1)
LOWEST = torch.finfo(torch.float32).min


def rand(*size, dtype=torch.float32):
    return torch.randn(size, generator=generator).to(dtype)


def qkv(heads=4, groups=2, rows=5, keys=9, size=8, batch=1, dtype=torch.float32):
    return (rand(batch, heads, rows, size, dtype=dtype), rand(batch, groups, keys, size, dtype=dtype),
            rand(batch, groups, keys, size, dtype=dtype))


def case(name, fn, *args, **options):
    if not wanted or name in wanted:
        write_case(folder, name, fn, args, **options)


def repeat(x, n):
    b, g, s, d = x.shape
    return x[:, :, None].expand(b, g, n, s, d).reshape(b, g * n, s, d)


def eager(q, k, v, mask=None, scale=0.3, upcast=True):
    n = q.shape[1] // k.shape[1]
    scores = torch.matmul(q, repeat(k, n).transpose(2, 3)) * scale
    if mask is not None:
        scores = scores + mask
    weights = torch.softmax(scores, -1, dtype=torch.float32 if upcast else None).to(q.dtype)
    return torch.matmul(weights, repeat(v, n)), weights


def visible(position, keys, window=None):
    key = torch.arange(keys)
    seen = key <= position[:, None]
    return seen if window is None else seen & (key > position[:, None] - window)


def cached(q, k, v, position, key_cache, value_cache, window=None, padding=None, finite=False):
    key_cache = key_cache.index_copy(2, position, k)
    value_cache = value_cache.index_copy(2, position, v)
    mask = visible(position, key_cache.shape[2], window)[None, None]
    if padding is not None:
        mask = mask & padding[:, None, None, :]
    if finite:
        mask = torch.where(mask, torch.tensor(0.0), torch.tensor(LOWEST)).to(q.dtype)
    n = q.shape[1] // k.shape[1]
    out = F.scaled_dot_product_attention(q, repeat(key_cache, n), repeat(value_cache, n), attn_mask=mask)
    return out, key_cache, value_cache


def written():
    causal = torch.full((5, 9), LOWEST).triu(5)[None, None]
    case("eager", lambda q, k, v, m: eager(q, k, v, m)[0], *qkv(), causal)
    case("eager_batch", lambda q, k, v, m: eager(q, k, v, m)[0], *qkv(batch=2), causal.expand(2, 1, 5, 9) + 0)
    for name, dtype in (("bf16", torch.bfloat16), ("f16", torch.float16)):
        mask = torch.zeros(1, 1, 5, 9, dtype=dtype)
        mask[..., 6:] = torch.finfo(dtype).min
        case(f"eager_{name}", lambda q, k, v, m: eager(q, k, v, m)[0], *qkv(dtype=dtype), mask)
        case(f"eager_{name}_mask_f32", lambda q, k, v, m: eager(q, k, v, m)[0].float(), *qkv(dtype=dtype), mask.float())
        case(f"eager_{name}_long", lambda q, k, v: eager(q, k, v, upcast=False)[0], *qkv(rows=1, keys=1100, dtype=dtype))
    case("eager_divided", lambda q, k, v: torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(8), -1) @ v, *qkv(groups=4))
    case("eager_scaled_before", lambda q, k, v: torch.softmax((q * 0.5) @ (k * 0.7).transpose(-1, -2), -1) @ v,
         *qkv(groups=4))
    case("eager_scaled_mask", lambda q, k, v, m: torch.softmax((q @ k.transpose(-1, -2) + m) * 0.5, -1) @ v,
         *qkv(groups=4), rand(5, 9))
    case("eager_interleaved", lambda q, k, v: torch.softmax(
        q @ k.repeat_interleave(2, 1).transpose(-1, -2), -1) @ v.repeat_interleave(2, 1), *qkv())
    order = torch.tensor([0, 0, 1, 1])
    case("eager_indexed", lambda q, k, v: torch.softmax(q @ k[:, order].transpose(-1, -2), -1) @ v[:, order], *qkv())
    other = torch.tensor([0, 1, 0, 1])
    case("eager_indexed_otherwise",
         lambda q, k, v: torch.softmax(q @ k[:, other].transpose(-1, -2), -1) @ v[:, other], *qkv())
    case("eager_filled", lambda q, k, v, m: torch.softmax((q @ k.transpose(-1, -2)).masked_fill(m, LOWEST), -1) @ v,
         *qkv(groups=4), torch.rand(5, 9, generator=generator) > 0.7)
    hidden = torch.rand(5, 9, generator=generator) > 0.7
    hidden[2] = True  # PyTorch gives NaN
    case("eager_hidden", lambda q, k, v, m: torch.softmax((q @ k.transpose(-1, -2)).masked_fill(m, -math.inf), -1) @ v,
         *qkv(groups=4), hidden)
    case("eager_alibi", lambda q, k, v, a, p: torch.softmax(
        q @ k.transpose(-1, -2) * 0.3 + a + torch.where(visible(p, 9), 0.0, LOWEST), -1) @ v,
        *qkv(groups=4), rand(1, 4, 1, 9), torch.arange(4, 9))
    case("eager_weights_too", lambda q, k, v: eager(q, k, v), *qkv())

    def scores_too(q, k, v):
        scores = q @ k.transpose(-1, -2) * 0.3
        return torch.softmax(scores, -1) @ v, scores

    case("eager_scores_too", scores_too, *qkv(groups=4))
    case("eager_flat", lambda q, k, v: torch.bmm(torch.softmax(torch.bmm(q, k.transpose(1, 2)), -1), v),
         rand(6, 5, 8), rand(6, 9, 8), rand(6, 9, 8))


def capped(q, k, v, mask=None, cap=2.0, scale=0.5):
    scores = torch.matmul(q, repeat(k, q.shape[1] // k.shape[1]).transpose(2, 3)) * scale
    scores = torch.tanh(scores / cap) * cap
    if mask is not None:
        scores = scores + mask
    weights = torch.softmax(scores, -1, dtype=torch.float32).to(q.dtype)
    return torch.matmul(weights, repeat(v, q.shape[1] // k.shape[1]))


def sunk(q, k, v, sink, mask=None, shift=True):
    scores = torch.matmul(q, repeat(k, q.shape[1] // k.shape[1]).transpose(2, 3)) * 0.3
    if mask is not None:
        scores = scores + mask
    sink = sink.reshape(1, -1, 1, 1).expand(q.shape[0], q.shape[1], q.shape[2], 1)
    scores = torch.cat([scores, sink], -1)
    if shift:
        scores = scores - scores.max(dim=-1, keepdim=True).values
    weights = torch.softmax(scores, -1, dtype=scores.dtype)[..., :-1]
    return torch.matmul(weights, repeat(v, q.shape[1] // k.shape[1]))


def biased(q, k, v, alibi, position):
    """BLOOM: a product that is not rounded before its bias, and a mask that hides after it."""
    b, h, l, d = q.shape
    scores = alibi.reshape(b * h, 1, -1).baddbmm(q.reshape(b * h, l, d), k.reshape(b * h, -1, d).transpose(1, 2), alpha=0.3)
    lowest = torch.finfo(q.dtype).min
    scores = scores.view(b, h, l, -1) + torch.where(visible(position, k.shape[2]), 0.0, lowest).to(q.dtype)
    weights = torch.softmax(scores, -1, dtype=torch.float32).to(q.dtype)
    return torch.matmul(weights, v)


def cosine(q, k, v, scale, bias, mask):
    """Swin v2: scores of cosines, a factor of each head, a bias of each head and a mask of each window."""
    windows = mask.shape[0]
    scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1) * scale.exp() + bias
    scores = scores.view(q.shape[0] // windows, windows, *scores.shape[1:]) + mask[:, None]
    return torch.softmax(scores.view(q.shape[0], *scores.shape[2:]), -1) @ v


def scores():
    hidden = torch.zeros(5, 9)
    hidden[:, 6:] = LOWEST
    case("capped", capped, *qkv(), hidden)
    case("capped_one_factor", lambda q, k, v: torch.softmax(torch.tanh(q @ k.transpose(-1, -2) * 0.2) * 3, -1) @ v,
         *qkv(groups=4))
    case("sink", sunk, *qkv(), rand(4), hidden)
    case("sink_zero", lambda q, k, v: sunk(q, k, v, torch.zeros(4), shift=False), *qkv())
    for name, dtype in (("bf16", torch.bfloat16), ("f16", torch.float16)):
        half = torch.zeros(5, 9, dtype=dtype)
        half[:, 6:] = torch.finfo(dtype).min
        case(f"capped_{name}", capped, *qkv(dtype=dtype), half)
        case(f"sink_{name}", sunk, *qkv(dtype=dtype), rand(4, dtype=dtype), half)
        case(f"sink_{name}_long", sunk, *qkv(rows=1, keys=1100, dtype=dtype), rand(4, dtype=dtype) * 2)
        case(f"biased_{name}", biased, *qkv(groups=4, dtype=dtype), rand(4, 9, dtype=dtype), torch.arange(4, 9))
    windows = torch.zeros(3, 5, 5)
    windows[1, :2, 2:] = windows[2, 3:, :1] = -100
    case("cosine_windows", cosine, *qkv(groups=4, keys=5, batch=6), rand(4, 1, 1), rand(4, 5, 5), windows)


def masks():
    step = (rand(1, 4, 2, 8), rand(1, 2, 2, 8), rand(1, 2, 2, 8), torch.tensor([3, 4]), rand(1, 2, 12, 8), rand(1, 2, 12, 8))
    case("cache", cached, *step)
    case("cache_finite", lambda *a: cached(*a, finite=True), *step)
    case("cache_window", lambda *a: cached(*a, window=3), *step)
    padding = torch.ones(1, 12, dtype=torch.bool)
    padding[0, :2] = False
    case("cache_padding", lambda *a: cached(*a[:-1], padding=a[-1]), *step, padding)
    case("cache_padding_finite", lambda *a: cached(*a[:-1], padding=a[-1], finite=True), *step, padding)
    half = tuple(a.bfloat16() if a.is_floating_point() else a for a in step)
    case("cache_bf16", cached, *half, exact=True)

    def mask_too(*a):
        mask = torch.where(visible(a[3], 12), torch.tensor(0.0), torch.tensor(LOWEST))
        return F.scaled_dot_product_attention(a[0], repeat(a[4], 2), repeat(a[5], 2), attn_mask=mask), mask

    case("cache_mask_too", mask_too, *step)
    case("mask_blocks", lambda q, k, v, p: F.scaled_dot_product_attention(
        q, k, v, attn_mask=(torch.arange(9) < p[:, None] + 1) & (torch.arange(9) >= (p // 4 * 4)[:, None])),
        *qkv(groups=4), torch.arange(4, 9))
    case("mask_distance", lambda q, k, v: F.scaled_dot_product_attention(
        q, k, v, attn_mask=(torch.arange(5)[:, None] - torch.arange(9) <= 2) & ~(torch.arange(9) > torch.arange(5)[:, None])),
        *qkv(groups=4))


class Head(torch.nn.Module):
    """The end of a language model, of which the last row alone is asked for."""

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.LayerNorm(16)
        self.up, self.down, self.head = (torch.nn.Linear(16, 24), torch.nn.Linear(24, 16), torch.nn.Linear(16, 40))

    def forward(self, x):
        x = x + self.down(F.gelu(self.up(self.norm(x))))
        return self.head(x)[:, -1:]


written()
scores()
masks()
torch.manual_seed(1)
case("last_row", Head(), rand(1, 6, 16))
