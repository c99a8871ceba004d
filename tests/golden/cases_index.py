"""Golden cases of views, joins, indexing by tensors and in-place writes.

python tests/golden/cases_index.py FOLDER [REGEX]    writes the cases whose name matches (default: all) to FOLDER
python tests/golden/cases_index.py --kept             writes the few that are committed to tests/golden/index
"""

import os
import re
import sys

import torch
import torch.nn.functional as F

from lathe_export.make_golden import write_case

CASES = {}
f32, f64, bf16, f16 = torch.float32, torch.float64, torch.bfloat16, torch.float16
i8, i16, i32, i64, u8, b8 = torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.bool
ALL = [f32, f64, bf16, f16, i8, i16, i32, i64, u8, b8]
aten = torch.ops.aten


def case(name, fn, *args, **options):
    assert name not in CASES, name
    CASES[name] = (fn, args, options)


def rand(*shape, dtype=f32):
    if dtype == b8:
        return torch.rand(shape) < 0.5
    if dtype.is_floating_point:
        return torch.randn(shape).to(dtype)
    return torch.randint(0 if dtype == u8 else -50, 50, shape).to(dtype)


def ints(high, *shape, dtype=i64, low=0):
    return torch.randint(low, high, shape).to(dtype)


def perm(n):
    return torch.randperm(n)


def as_strided_memory(x, y):
    """What lies otherwise than row by row, with and without an offset of its own; writes through."""
    z = x.exp()
    z.as_strided((3,), (5,), 1).neg_()
    t = x.sin().t()
    u = F.conv2d(y, torch.ones(2, 3, 1, 1))
    return (
        z,
        z[1:, 1:].as_strided((2, 3), (3, 1)),
        t.as_strided((3, 4), (4, 1)),
        t[1:, 2:].as_strided((2, 2), (1, 1)),
        torch.as_strided_copy(t, (5,), (2,), 1),
        (t + 1).as_strided((2, 5), (5, 1)),
        y.contiguous().as_strided((2, 4), (9, 2), 3),
        u.as_strided((4, 4), (4, 1)),
    )


def resizes(x):
    """Fewer elements or as many; of what lies row by row, transposed, or behind an offset."""
    a, b, c, d = x + 1, x.exp(), x.sin().t(), (x * 2)[1:]
    a.resize_(2, 3).mul_(2)
    b.resize_(12)
    c.resize_(3, 2)
    e = (x * 3).t()
    return a, b, c, d.resize_(2, 2), e.resize_(4, 3), (x + 2).resize_(0, 5)


def short(dtype):
    return str(dtype).replace("torch.", "")


def views():
    x = rand(2, 3, 4)
    case("view_minus", lambda x: (x.view(6, -1), x.view(-1), x.view(2, 1, 12), x + 0), x)
    case("view_scalar", lambda x: (x.view(()), x.reshape(1, 1), x.squeeze()), rand(1, 1, 1))
    case("view_empty", lambda x: (x.view(0, 5), x.reshape(5, 0, 2), x.flatten(), x.transpose(0, 1)), rand(0, 10))
    case("reshape_transposed", lambda x: (x.mT.reshape(-1), x.permute(2, 0, 1).reshape(4, 6), x[:, ::2].reshape(-1)), x)
    case("unsafe_view", lambda x: (aten._unsafe_view(x, [4, 6]), aten._reshape_alias(x, [6, 4], [4, 1])), x)
    case("view_as", lambda x, y: (x.view_as(y), x.reshape_as(y), x.expand_as(x)), x, rand(4, 6))
    case("flatten_dims", lambda x: (x.flatten(1), x.flatten(0, 1), x.flatten(-2, -1), x.flatten(1, 1), x.ravel()), x)
    case("flatten_scalar", lambda x: (x.flatten(), x.ravel(), x.reshape(-1)), torch.tensor(3.5))
    case("unflatten", lambda x: (x.unflatten(-1, (2, 2)), x.unflatten(1, (3, -1)), x.unflatten(0, (-1, 1))), x)
    case("unflatten_empty", lambda x: x.unflatten(1, (2, -1, 2)), rand(0, 8))
    case("permutes", lambda x: (x.permute(2, 0, 1), x.permute(-1, 0, -2), x.permute(0, 1, 2)), x)
    case("transposes", lambda x: (x.transpose(0, -1), x.swapaxes(1, 2), x.swapdims(-2, 0), x.mT, x.transpose(1, 1)), x)
    case("t_ranks", lambda x, y, z: (x.t(), y.t(), z.t()), rand(3, 5), rand(4), torch.tensor(2.0))
    case("numpy_t", lambda x, y: (x.permute(*reversed(range(3))), y.T, y.mH, y.H, y.adjoint()), x, rand(3, 5))
    case("movedim", lambda x: (x.movedim(0, -1), x.movedim((0, 1), (2, 0)), torch.moveaxis(x, -1, 0)), x)
    case("squeezes", lambda x: (x.squeeze(), x.squeeze(0), x.squeeze(-1), x.squeeze((0, 2)), x.squeeze(1)), rand(1, 3, 1))
    case("unsqueezes", lambda x: (x.unsqueeze(0), x.unsqueeze(-1), x.unsqueeze(2), x.unsqueeze(-4)), x)
    case("expands", lambda x: (x.expand(4, 2, 3), x.expand(-1, 3), x.expand(2, -1, -1), x.broadcast_to(3, 2, 3)), rand(2, 1))
    case("expand_empty", lambda x: (x.expand(0, 3), x.expand(2, 0, 1, 3)), rand(1, 3))
    case("slices", lambda x: (x[1:], x[:, -2:], x[..., ::2], x[:, 1:100], x[-5:-1], x[:, 2:1], x[:, :, 3:0:1]), x)
    case("selects", lambda x: (x[0], x[-1, 2], x.select(-1, -2), x[:, 1], x[1, 1, 1]), x)
    case("narrows", lambda x: (x.narrow(0, 1, 1), x.narrow(-1, -3, 2), x.narrow(1, 3, 0), torch.narrow_copy(x, 2, 1, 2)), x)
    case("narrow_tensor", lambda x, s: aten.narrow.Tensor(x, 1, s, 3), rand(3, 7), torch.tensor(2), core=False)
    case("splits", lambda x: (*x.split(3, 1), *x.split([1, 4, 2], -1), *torch.split(x, 4)), rand(3, 7))
    case("split_whole", lambda x: (*x.split(10), *x.split(1)), rand(3, 2))
    case("split_zero", lambda x: (*x.split(0, 1), *x.split([0, 0], 1), *x.chunk(3, 1)), rand(3, 0))
    case("chunks", lambda x: (*x.chunk(3, 1), *x.chunk(5, 0), *x.chunk(1), *x.chunk(4, -1)), rand(3, 7))
    case("tensor_splits", lambda x: (*x.tensor_split(3, 1), *x.tensor_split((2, 5), 1), *x.tensor_split((1, 9, -1), 0)), rand(4, 7))
    case("hvd_splits", lambda x, y: (*x.hsplit(2), *x.vsplit([1, 2]), *x.dsplit([1]), *y.hsplit(2)), rand(4, 6, 3), rand(4))
    case("unsafe_splits", lambda x: (*x.unsafe_split(2, 0), *x.unsafe_chunk(2, 1), *x.unsafe_split_with_sizes([3, 4], 1)), rand(3, 7))
    case("unbinds", lambda x: (*x.unbind(), *x.unbind(-1), *x[0].unbind()), x)
    case("diagonals", lambda x: (x.diagonal(), x.diagonal(1, 1, 2), x.diagonal(-1, 2, 0), x.diagonal(9), x.diagonal(-9)), x)
    case("diagonal_transposed", lambda x: (x.mT.diagonal(0, 1, 2), torch.linalg.diagonal(x, offset=1)), x)
    case("diags", lambda x, y: (x.diag(), x.diag(2), x.diag(-1), y.diag(), y.diag(1), y.diag(-2)), rand(3), rand(4, 5))
    case("diag_embeds", lambda x: (x.diag_embed(), x.diag_embed(1), x.diag_embed(-1, 0, 2), torch.diag_embed(x[0, 0], dim1=1, dim2=0)), x)
    case("as_strided", lambda x: (x.as_strided((2, 2), (1, 2)), x.as_strided((3, 3), (0, 1), 2), x.as_strided((), (), 5), x.as_strided((0,), (1,))), x)
    case("unfold_dim", lambda x: (x.unfold(1, 3, 2), x.unfold(-1, 2, 1), x.unfold(0, 2, 5), x.unfold(0, 0, 1)), rand(2, 7))
    case("unfold_scalar", lambda x: (x.unfold(0, 1, 1), x.unfold(0, 0, 1)), torch.tensor(2.0))
    case("unfold_transposed", lambda x: x.t().unfold(0, 3, 2), rand(2, 7))
    case("atleasts", lambda x, y, z, w: (*torch.atleast_1d(x, y), *torch.atleast_2d(x, y, z), *torch.atleast_3d(x, y, z, w), torch.atleast_3d(w)), torch.tensor(1.0), rand(2), rand(2, 3), x)
    case("meshgrids", lambda x, y, z: (*torch.meshgrid(x, y, z, indexing="ij"), *torch.meshgrid(x, y, indexing="xy"), *torch.meshgrid(x, y, z, indexing="xy"), *torch.meshgrid(y, indexing="xy")), rand(3), rand(2), torch.tensor(1.0))
    case("broadcast_tensors", lambda x, y, z: torch.broadcast_tensors(x, y, z), rand(3, 1), rand(2, 1, 4), torch.tensor(1.0))
    case("copies", lambda x: (torch.view_copy(x, (6, 4)), torch.slice_copy(x, 1, 0, 2), torch.select_copy(x, 0, 1), torch.permute_copy(x, (2, 0, 1)), torch.transpose_copy(x, 0, 1), torch.unsqueeze_copy(x, 0), torch.squeeze_copy(x), torch.expand_copy(x, (2, 2, 3, 4)), torch.diagonal_copy(x), *torch.unbind_copy(x), *torch.split_copy(x, 2, 1), *torch.split_with_sizes_copy(x, [1, 2], 1), torch.unfold_copy(x, 2, 2, 1), torch.alias_copy(x), torch.detach_copy(x), torch.as_strided_copy(x, (2, 2), (1, 1)), torch.t_copy(x[0])), x)
    for frm, to in [(f32, i32), (f32, bf16), (bf16, f32), (i16, bf16), (f64, i32), (u8, i64), (i64, u8), (f16, i16), (i8, u8)]:
        case(f"view_dtype_{short(frm)}_{short(to)}", lambda x, to=to: x.view(to), ints(100, 3, 8).to(frm))
    case("view_dtype_rank0", lambda x: x.view(i32), torch.tensor(1.5))
    case("numbers", lambda x: (x + x.size(1), x * x.numel(), x - x.dim()), x)
    for dtype in ALL:
        case(f"moves_{short(dtype)}", lambda x: (x.t().contiguous(), x[:, ::2].clone(), x.flip(0), x.repeat(2, 1), x.roll(1, 1), torch.cat([x, x[:1]]), x.tril()), rand(3, 5, dtype=dtype))
    case("channels_last", lambda x: (x.permute(0, 2, 3, 1).flatten(0, 2), x.flatten(1), x.reshape(-1)), rand(2, 3, 4, 5).to(memory_format=torch.channels_last))
    case("as_strided_inputs", lambda x, y: (x.as_strided((4, 3), (3, 1)), y.as_strided((2, 2), (1, 2), 1), x.as_strided((6,), (2,))), rand(3, 4).t(), rand(2, 2, 2, 2).to(memory_format=torch.channels_last))
    case("resizes", resizes, rand(3, 4))
    case("as_strided_memory", as_strided_memory, rand(3, 4), rand(2, 3, 4, 4).to(memory_format=torch.channels_last))
    case("as_strided_views", lambda x: (x.t().as_strided((3, 4), (4, 1)), x[1:].as_strided((2, 2), (1, 1)), x[1:, 2:].as_strided((2,), (3,), 2), x[:, 1].as_strided((3,), (1,))), rand(3, 4))


def joins():
    x, y = rand(2, 3, 4), rand(2, 5, 4)
    case("cats", lambda x, y: (torch.cat([x, y], 1), torch.cat([x, y, x], -2), torch.concat([x, x]), torch.concatenate([x, x], 2)), x, y)
    case("cat_legacy", lambda x, e: (torch.cat([e, x], 1), torch.cat([x, e], 0), torch.cat([e, x, e, x], -1), torch.cat([e, e])), x, torch.empty(0))
    case("cat_empty", lambda x: (torch.cat([x[:, :0], x], 1), torch.cat([x[:0], x[:0]])), x)
    case("cat_promotes", lambda a, b, c, d: (torch.cat([a, b]), torch.cat([b, c]), torch.cat([d, b]), torch.cat([c, d, a])), rand(3), rand(2, dtype=i32), rand(2, dtype=i64), rand(4, dtype=b8))
    case("cat_halves", lambda a, b, c: (torch.cat([a, b]), torch.cat([a, c]), torch.cat([b, b])), rand(3, dtype=bf16), rand(3, dtype=f16), rand(3, dtype=f32))
    case("cat_legacy_promotes", lambda x, e: torch.cat([e, x]), rand(3, dtype=i32), torch.empty(0, dtype=f32))
    case("cat_views", lambda x: torch.cat([x.transpose(1, 2), x[..., ::2].transpose(1, 2), x[:1].expand(2, 3, 4).mT], 1), x)
    case("cat_many", lambda *xs: torch.cat(xs, 1), *[rand(2, i % 3) for i in range(20)])
    case("stacks", lambda x, y: (torch.stack([x, y]), torch.stack([x, y], -1), torch.stack([x, y, x], 1)), rand(3, 4), rand(3, 4))
    case("stack_scalars", lambda x, y: (torch.stack([x, y]), torch.stack([x, y], -1)), torch.tensor(1.0), torch.tensor(2, dtype=i64))
    case("stack_empty", lambda x: torch.stack([x, x]), torch.empty(0))
    case("named_stacks", lambda a, v, m: (torch.hstack([v, v]), torch.hstack([m, m]), torch.vstack([v, v]), torch.vstack([m, m]), torch.dstack([v, v]), torch.dstack([m, m]), torch.column_stack([v, m.t()]), torch.hstack([a, a]), torch.vstack([a, a]), torch.dstack([a, a]), torch.column_stack([a, a]), torch.row_stack([v, m])), torch.tensor(1.0), rand(3), rand(2, 3))
    case("block_diags", lambda a, b, c, d: (torch.block_diag(a, b, c, d), torch.block_diag(d)), rand(2, 3), rand(2), torch.tensor(7, dtype=i64), rand(1, 1))

    img = rand(2, 3, 5, 6)
    for mode in ["constant", "reflect", "replicate", "circular"]:
        case(f"pad_{mode}_1d", lambda x, m=mode: (F.pad(x, (2, 1), mode=m), F.pad(x, (0, 3), mode=m), F.pad(x, (-1, 2), mode=m)), rand(2, 3, 5))
        case(f"pad_{mode}_2d", lambda x, m=mode: (F.pad(x, (1, 2, 3, 0), mode=m), F.pad(x, (0, 0, 1, 1), mode=m), F.pad(x, (2, -1, -2, 1), mode=m)), img)
        case(f"pad_{mode}_3d", lambda x, m=mode: F.pad(x, (1, 2, 2, 1, 1, 1), mode=m), rand(1, 2, 3, 4, 5))
    case("pad_values", lambda x: (F.pad(x, (1, 1), value=-2.5), F.pad(x, (0, 0, 2, 0, 0, 0, 1, 0), value=float("-inf")), F.pad(x, (-1, -1, -2, 0)), F.pad(x, (-3, 5))), img)
    case("pad_nothing", lambda x: (F.pad(x, (0, 0)), F.pad(x, ())), img)
    case("pad_empty", lambda x: F.pad(x, (1, 1, 2, 0), value=3), rand(2, 0))
    for dtype in [i64, b8, bf16, u8, f64]:
        case(f"pad_{short(dtype)}", lambda x: F.pad(x, (1, 2), value=1), rand(2, 3, dtype=dtype))
    case("pad_bf16_number", lambda x: F.pad(x, (1, 0), value=0.1), rand(2, 3, dtype=bf16))
    case("pad_modules", lambda x: (torch.nn.ReflectionPad2d(2)(x), torch.nn.ReplicationPad2d((1, 0, 2, 3))(x), torch.nn.ZeroPad2d(1)(x), torch.nn.ConstantPad2d((1, 2, 0, 0), 3.5)(x), torch.nn.CircularPad2d(1)(x)), img)

    case("repeats", lambda x: (x.repeat(2, 3), x.repeat(2, 1, 3), x.repeat(1, 1), x.repeat(0, 2), x.repeat(3, 1, 1, 1)), rand(2, 3))
    case("repeat_many", lambda x: (x.repeat(2, 3, 2, 2), x.repeat(2, 2, 2, 3, 2, 2)), rand(2, 1, 3, 2))
    case("repeat_scalar", lambda x: (x.repeat(3), x.repeat(2, 2), x.repeat(())), torch.tensor(4.0))
    case("tiles", lambda x: (x.tile(2), x.tile((2, 1)), x.tile((2, 2, 2)), x.tile(())), rand(2, 3))
    case("repeat_interleaves", lambda x: (x.repeat_interleave(2), x.repeat_interleave(3, 0), x.repeat_interleave(2, -1), x.repeat_interleave(0, 1)), rand(2, 3))
    case("repeat_interleave_scalar", lambda x: x.repeat_interleave(3), torch.tensor(2.5))
    case("flips", lambda x: (x.flip(0), x.flip(-1, 0), x.flip((0, 1, 2)), x.flip(()), x.fliplr(), x.flipud()), x)
    case("flip_views", lambda x: (x.mT.flip(1), x.flip(1)[:, 1:], x.flip(2).reshape(-1), x[:0].flip(0)), x)
    case("rot90s", lambda x: tuple(x.rot90(k, d) for k in (-3, -1, 0, 1, 2, 3, 6) for d in ((0, 1), (2, 0))), x)
    case("rolls", lambda x: (x.roll(1), x.roll(-3, 1), x.roll((1, -2), (0, 2)), x.roll(7, -1), x.roll((1, 2), (1, 1)), x.roll(0, 0)), x)
    case("roll_empty", lambda x: (x.roll(2, 1), x.roll(1)), rand(2, 0))
    case("roll_scalar", lambda x: x.roll(1), torch.tensor(1.0))
    case("triangles", lambda x: tuple(f(x, d) for f in (torch.tril, torch.triu) for d in (0, 1, -1, 5, -5)), rand(2, 3, 4))
    case("triangle_wide", lambda x: (x.tril(), x.triu(), x.t().tril(1)), rand(2, 5, dtype=i64))
    case("triangle_nan", lambda x: (x.tril(), x.triu(1)), torch.full((3, 3), float("nan")))
    case("triangle_inf", lambda x: torch.full((3, 4), float("-inf")).triu(1) + x, rand(3, 4))
    case("traces", lambda x, y: (x.trace(), y.trace()), rand(3, 5), rand(4, 3, dtype=i32))
    case("pixel_shuffles", lambda x, y: (F.pixel_shuffle(x, 2), F.pixel_unshuffle(y, 2), F.pixel_shuffle(x[0], 2), F.pixel_shuffle(x, 1)), rand(2, 8, 3, 2), rand(2, 3, 4, 6))
    case("pixel_shuffle_batch", lambda x: F.pixel_shuffle(x, 3), rand(2, 2, 9, 2, 3))
    case("channel_shuffles", lambda x: (F.channel_shuffle(x, 3), F.channel_shuffle(x, 1), F.native_channel_shuffle(x, 2)), rand(2, 6, 3, 2))
    case("unfold_image", lambda x: (F.unfold(x, 3), F.unfold(x, (2, 3), padding=(1, 0), stride=(2, 1)), F.unfold(x, 2, dilation=2), F.unfold(x[0], 2, stride=2)), img)
    case("fold_image", lambda x: (F.fold(x, (4, 5), (2, 2)), F.fold(x[0], (4, 5), 2)), rand(2, 12, 12))
    case("fold_padded", lambda x: F.fold(x, (5, 6), 3, padding=1, stride=2), rand(1, 18, 9))
    case("fold_dilated", lambda x: F.fold(x, (5, 4), 2, dilation=2), rand(2, 8, 6))
    case("fold_patches", lambda x: F.fold(F.unfold(x, 2, stride=2), (4, 6), 2, stride=2), rand(2, 3, 4, 6))
    case("fold_bf16", lambda x: F.fold(x, (4, 4), 2), rand(2, 8, 9, dtype=bf16), core=False)


def indexing():
    w = rand(10, 4)
    case("embeddings", lambda w, i: (F.embedding(i, w), F.embedding(i[0, 0], w), F.embedding(i, w, padding_idx=3)), w, ints(10, 2, 3))
    case("embedding_int32", lambda w, i: F.embedding(i, w), rand(10, 4, dtype=bf16), ints(10, 5, dtype=i32))
    case("embedding_empty", lambda w, i: F.embedding(i, w), w, ints(10, 0, 3))
    case("embedding_tied", lambda w, i: F.embedding(i, w) @ w.t(), w, ints(10, 3))
    bags = [ints(10, 7), torch.tensor([0, 2, 2, 5])]
    for mode in ["sum", "mean", "max"]:
        case(f"bag_{mode}", lambda i, o, w, m=mode: (F.embedding_bag(i, w, o, mode=m), F.embedding_bag(i, w, torch.cat([o, o[-1:] + 2]), mode=m, include_last_offset=True), F.embedding_bag(i.view(1, -1).expand(2, -1), w, mode=m)), *bags, w)
        case(f"bag_padding_{mode}", lambda i, o, w, m=mode: (F.embedding_bag(i, w, o, mode=m, padding_idx=3), F.embedding_bag(i, w, o, mode=m, padding_idx=-2)), torch.tensor([3, 1, 3, 3, 8, 2, 8]), bags[1], w)
        case(f"bag_bf16_{mode}", lambda i, o, w, m=mode: F.embedding_bag(i, w, o, mode=m), *bags, rand(10, 4, dtype=bf16))
    case("bag_weighted", lambda i, o, w, s: F.embedding_bag(i, w, o, mode="sum", per_sample_weights=s), *bags, w, rand(7))
    case("bag_int32", lambda i, o, w: F.embedding_bag(i, w, o, mode="mean"), bags[0].to(i32), bags[1].to(i32), w)
    case("one_hots", lambda x: (F.one_hot(x, 7), F.one_hot(x[0], 5)), ints(5, 2, 3))

    x = rand(4, 5, 6)
    i, j, k = ints(4, 3, low=-4), ints(5, 3, low=-5), ints(6, 3, low=-6)
    case("index_one", lambda x, i: (x[i], x[:, i], x[..., i], x[i, None], x[i, 1:3], x[i, ..., ::2]), x, ints(4, 3, low=-4))
    case("index_two", lambda x, i, j: (x[i, j], x[:, i, j], x[i, :, j], x[i, 2, j], x[None, i, j], x[..., i, j]), x, i % 4, j % 5)
    case("index_three", lambda x, i, j, k: (x[i, j, k], x[i[:, None], j, 2], x[i[:, None], :, k], x[i[:, None, None], j[:, None], k]), x, i, j, k)
    case("index_shapes", lambda x, i: (x[i], x[:, i], x[i[0, 0]], x[i[:0]], x[:, i[0, 0], i]), x, ints(4, 2, 3))
    case("index_by_int32", lambda x, i: (x[i], x[:, i, i]), x, ints(4, 3, dtype=i32))
    case("index_empty", lambda x, i: (x[i], x[:0, i]), x, torch.empty(0, dtype=i64))
    case("index_list", lambda x: (x[[0, 2]], x[[[0, 1], [2, 3]]], x[:, [1, -1], [0, 0]]), x)
    case("index_transposed", lambda x, i, j: (x.permute(2, 0, 1)[i, j], x[::2].mT[0, i], x[:1].expand(4, 5, 6)[i]), x, i % 4, ints(4, 3))
    for dtype in ALL:
        case(f"index_{short(dtype)}", lambda x, i: (x[i], x.gather(0, i[:, None]), x.index_select(1, i), x.take(i)), rand(4, 5, dtype=dtype), ints(4, 3))
    case("index_selects", lambda x, i: (x.index_select(0, i), x.index_select(-1, i), x.index_select(1, i[0])), x, ints(4, 3))
    case("index_select_scalar", lambda x, i: x.index_select(0, i), torch.tensor(2.0), torch.tensor([0]))
    case("index_select_int32", lambda x, i: x.index_select(1, i), x, ints(4, 3, dtype=i32))
    case("takes", lambda x, i: (x.take(i), torch.take(x.mT, i), x.take(i[0, 0])), x, ints(120, 2, 3, low=-120))
    case("take_along", lambda x, i, y: (x.take_along_dim(i, 1), torch.take_along_dim(x, x.argsort(2), 2), x.take_along_dim(y), torch.take_along_dim(x, i[:1, :, :1], -2)), x, ints(5, 4, 2, 6), ints(120, 7), core=False)
    case("take_along_simple", lambda x, i, y: (x.take_along_dim(i, 1), x.take_along_dim(y)), x, ints(5, 4, 2, 1), ints(120, 7))
    case("gathers", lambda x, i: (x.gather(0, i), x.gather(1, i), x.gather(-1, i), x.mT.gather(1, i)), x, ints(4, 3, 2, 5))
    case("gather_scalar", lambda x, i: (x.gather(0, i), x.gather(0, i[None])), torch.tensor(2.0), torch.tensor(0))
    case("gather_big", lambda x, i: x.gather(0, i), rand(3, 2), ints(3, 9, 2))
    case("gather_empty", lambda x, i: x.gather(1, i), rand(3, 2), torch.empty(3, 0, dtype=i64))
    case("gather_row", lambda x, i: x[:, 0].gather(1, i), x, ints(6, 4, 6))

    for dtype in [f32, bf16, i64, u8, b8, f64, i32, f16]:
        case(f"scatter_{short(dtype)}", lambda x, i, s: (x.scatter(0, i, s), x.scatter(1, i, 1), x.scatter(-1, i[:1], s)), rand(4, 5, dtype=dtype), torch.stack([perm(4)[:4] for _ in range(3)], 1), rand(4, 5, dtype=dtype))
        if dtype != b8:
            case(f"scatter_add_{short(dtype)}", lambda x, i, s: (x.scatter_add(0, i, s), x.scatter_add(1, i, s)), rand(4, 5, dtype=dtype), ints(4, 4, 3), rand(4, 5, dtype=dtype))
            case(f"scatter_reduce_{short(dtype)}", lambda x, i, s: tuple(x.scatter_reduce(d, i, s, r, include_self=c) for d in (0, 1) for r in ("sum", "prod", "mean", "amax", "amin") for c in (True, False)), (rand(4, 5) * 4).to(dtype), ints(4, 4, 3), (rand(4, 5) * 4).to(dtype))
    case("scatter_scalar", lambda x, i, s: (x.scatter(0, i, s), x.scatter_add(0, i, s)), torch.tensor(2.0), torch.tensor(0), torch.tensor(3.0))
    case("scatter_modes", lambda x, i, s: (x.scatter(0, i, s, reduce="add"), x.scatter(1, i, s, reduce="multiply"), x.scatter(1, i, 2.5, reduce="multiply"), x.scatter(0, i, -1, reduce="add")), rand(4, 5), ints(4, 3, 3), rand(4, 5))
    case("scatter_views", lambda x, i, s: (x.t().scatter(0, i, s.t()), x[:1].expand(4, 5).scatter_add(1, i.t(), s[:, :3])), rand(4, 5), ints(4, 3, 4), rand(4, 5))
    case("scatter_reduce_nan", lambda x, i, s: tuple(x.scatter_reduce(0, i, s, r) for r in ("amax", "amin")), torch.tensor([1.0, float("nan"), 3.0]), torch.tensor([0, 1, 2, 2]), torch.tensor([float("nan"), 1.0, 2.0, 9.0]))
    case("scatter_empty", lambda x, i, s: (x.scatter(0, i, s), x.scatter_reduce(0, i, s, "amax", include_self=False)), rand(3), torch.empty(0, dtype=i64), torch.empty(0))

    for dtype in ALL:
        case(f"index_put_{short(dtype)}", lambda x, i, v: (x.index_put((i,), v), x.index_put((None, i), v[:, :3])), rand(5, 4, dtype=dtype), perm(4)[:3], rand(1, 4, dtype=dtype))
        case(f"index_copy_{short(dtype)}", lambda x, i, v: (x.index_copy(0, i, v), x.index_copy(-1, i, v.t()[:, :3].repeat(2, 1)[:5])), rand(5, 4, dtype=dtype), perm(4)[:3], rand(3, 4, dtype=dtype))
        if dtype != b8:
            case(f"index_add_{short(dtype)}", lambda x, i, v: (x.index_add(0, i, v), x.index_add(0, i, v, alpha=2)), rand(5, 4, dtype=dtype), ints(4, 6), (rand(6, 4) * 3).to(dtype))
            case(f"index_put_add_{short(dtype)}", lambda x, i, v: (x.index_put((i,), v, accumulate=True), x.index_put((i, i % 4), v[:, 0], accumulate=True)), rand(5, 4, dtype=dtype), ints(4, 6), (rand(6, 4) * 3).to(dtype))
    case("index_put_two", lambda x, i, j, v: (x.index_put((i, j), v), x.index_put((None, i, j), v[0]), x.index_put((i[:, None], j), v[0, 0]), x.index_put((i, None, j), v[:, :5])), x, perm(4)[:3], perm(5)[:3], rand(3, 6))
    case("index_put_scalar", lambda x, i: (x.index_put((i,), torch.tensor(2.0)), x.index_put((i - 4,), torch.tensor(1.0))), x, perm(4)[:3])
    case("index_put_number", lambda x, i: x.index_put((i, i), torch.tensor(2.0), accumulate=True), x, ints(4, 6))
    case("unsafe_index", lambda x, i, j: (aten._unsafe_index(x, [None, i, j]), aten._unsafe_index_put(x, [i], x[0])), x, perm(4), perm(4))
    case("masked_index", lambda x, m, i, j: aten._unsafe_masked_index(x, m, [None, i[:, None], j], 7), x, torch.rand(3, 4) < 0.5, ints(5, 3), ints(6, 4), core=False)
    case("masked_index_put", lambda x, m, i, v: aten._unsafe_masked_index_put_accumulate(x, m, [i], v), rand(4), torch.rand(6) < 0.5, ints(4, 6), rand(6), core=False)
    case("index_fills", lambda x, i: (x.index_fill(1, i, 2), x.index_fill(-1, i - 4, torch.tensor(7.5)), x.index_fill(0, i[0], -1.5)), x, perm(4)[:3])
    case("index_fill_int", lambda x, i: x.index_fill(0, i, 3), rand(4, 2, dtype=i32), perm(4)[:3])
    case("index_copy_scalar", lambda x, i, s: (x.index_copy(0, i, s), x.index_add(0, i, s)), torch.tensor(1.0), torch.tensor([0]), torch.tensor(5.0))
    case("index_reduces", lambda x, i, s: tuple(x.index_reduce(1, i, s, r, include_self=c) for r in ("prod", "mean", "amax", "amin") for c in (True, False)), rand(3, 4), ints(4, 6), rand(3, 6), core=False)
    case("puts", lambda x, i, s: (x.put(i, s), x.put(i - 20, s, accumulate=True)), rand(4, 5), perm(20)[:6].view(2, 3), rand(6))
    case("put_adds", lambda x, i, s: x.put(i, s, accumulate=True), rand(4, 5), ints(20, 30), rand(30))
    case("masked_scatters", lambda x, m, s: (x.masked_scatter(m, s), x.masked_scatter(m[:1], s), x[:1].masked_scatter(m, s)), rand(4, 5), torch.rand(4, 5) < 0.5, rand(5, 5))
    case("masked_scatter_bf16", lambda x, m, s: x.masked_scatter(m, s.t()), rand(4, 5, dtype=bf16), torch.rand(4, 1) < 0.5, rand(5, 5, dtype=bf16))
    case("mask_put", lambda x, m, v: (x.index_put((m,), torch.tensor(1.0)), x.index_put((m[:, 0],), v), x.index_put((None, m[0]), torch.tensor(3.0)), x.index_put((m,), torch.tensor([2.0]))), rand(4, 5), torch.rand(4, 5) < 0.5, rand(5), core=False)
    case("mask_put_add", lambda x, m, v: x.index_put((m,), v, accumulate=True), rand(4, 5), torch.rand(4, 5) < 0.5, torch.tensor(2.0), core=False)
    case("mask_put_rows", lambda x, m, v: (x.index_put((m,), v[:1]), x.index_put((None, m[:3]), v[0, 0])), rand(4, 3, 2), torch.rand(4) < 0.5, rand(1, 3, 2), core=False)

    case("slice_scatters", lambda x, s: (x.slice_scatter(s[:2], 0, 1, 3), x.slice_scatter(s[:, :2], 1, -4, None, 2), x.slice_scatter(s, 0, 0, 100)), rand(4, 5), rand(4, 5))
    case("select_scatters", lambda x, s: (x.select_scatter(s[0], 0, 2), x.select_scatter(s[:, 0], -1, -2)), rand(4, 5), rand(4, 5))
    case("diagonal_scatters", lambda x, s: (x.diagonal_scatter(s[:4]), x.diagonal_scatter(s[:4], 1), x.diagonal_scatter(s[:3], -1)), rand(4, 5), rand(5))
    case("as_strided_scatters", lambda x, s: (x.as_strided_scatter(s, (2, 3), (1, 2), 1), torch.as_strided_scatter(x, s, (2, 3), (7, 2))), rand(4, 5), rand(2, 3))
    case("slice_scatter_bf16", lambda x, s: x.slice_scatter(s, 1, 1, 3), rand(4, 5, dtype=bf16), rand(4, 2, dtype=bf16))
    case("copy_functional", lambda x, s: (aten.copy(x, s), aten.copy(x, s[0].double()), aten.fill.Scalar(x, 3), aten.fill.Tensor(x, s[0, 0])), rand(4, 5), rand(4, 5))


def combined():
    x, y = rand(3), rand(4)
    case("cartesian", lambda x, y, z: (torch.cartesian_prod(x), torch.cartesian_prod(x, y), torch.cartesian_prod(x, y, z[0], z[1])), x, y, rand(2, 2))
    case("choices", lambda x: [torch.combinations(x, r, with_replacement=w) for r in (1, 2, 3, 4) for w in (False, True)] + [torch.combinations(x[:2].int(), 3)], y, core=False)
    case("nonzero_sized", lambda x: (torch.nonzero_static(x, size=5), torch.nonzero_static(x, size=40, fill_value=-7), torch.nonzero_static(x[0, 0], size=2), torch.nonzero_static(x > 1, size=0)), ints(3, 2, 3, 4))
    case("diagonals_flat", lambda x: (torch.diagflat(x), torch.diagflat(x[0], 2), torch.diagflat(x[0, 0], -1)), rand(2, 3))
    case("gather_nothing", lambda x, i: (torch.gather(x, 0, i), torch.take_along_dim(x, torch.tensor([[-1, 0]]), 1), torch.take_along_dim(x, torch.tensor([0, 4]))), rand(3, 4), ints(2, 2, 0))
    case("strided_scatter_memory", lambda x, s: (x.t().as_strided_scatter(s, (2, 3), (1, 2), 1), x[1:, 1:].as_strided_scatter(s, (2, 3), (7, 2)), x[1].as_strided_scatter(s[0], (3,), (2,), 3)), rand(4, 5), rand(2, 3), core=False)


KEPT = []


def build():
    torch.manual_seed(20)
    views()
    joins()
    indexing()
    combined()


def main():
    build()
    kept = sys.argv[1] == "--kept"
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "index") if kept else sys.argv[1]
    pattern = re.compile(sys.argv[2] if len(sys.argv) > 2 else "")
    for name, (fn, args, options) in CASES.items():
        if (name in KEPT) if kept else pattern.search(name):
            try:
                write_case(folder, name, fn, args, **{"core": True, **options})
            except Exception as error:
                print(f"{name}: {type(error).__name__}: {str(error).splitlines()[0][:160]}")


if __name__ == "__main__":
    main()
