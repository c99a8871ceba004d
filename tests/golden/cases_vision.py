"""Golden cases of the vision operators: convolution, pooling, resampling, batch, instance and group norm.

python tests/golden/cases_vision.py FOLDER [PATTERN]   writes the cases whose name matches PATTERN (a regular expression)

Every case is seeded by its name, so that a case stays the same when others come and go.
"""

import copy
import random
import re
import sys
import zlib

import torch
import torch.nn.functional as F

from lathe_export.make_golden import write_case

FLOATS = [torch.float32, torch.float32, torch.float32, torch.float64, torch.bfloat16, torch.float16]


class Cases:
    def __init__(self, folder, pattern):
        self.folder, self.pattern = folder, re.compile(pattern)
        self.written = 0

    def wants(self, name):
        if not self.pattern.search(name):
            return False
        seed = zlib.crc32(name.encode())
        torch.manual_seed(seed)
        self.random = random.Random(seed)
        return True

    def write(self, name, fn, *args, **options):
        options.setdefault("core", True)
        options.setdefault("exact", False)
        try:
            copy.deepcopy(fn)(*args)
        except RuntimeError as error:  # a layout or dtype that PyTorch has no kernel for
            print(f"{name}: left out: {str(error).splitlines()[0]}")
            return
        write_case(self.folder, name, fn, args, **options)
        self.written += 1


def layout(x, how):
    """The same values in another memory layout."""
    if how == "transposed":
        return x.transpose(-1, -2).contiguous().transpose(-1, -2)
    if how == "sliced":
        return torch.stack([x, x + 1], -1)[..., 0]
    if how == "channels_last" and x.dim() == 4:
        return x.contiguous(memory_format=torch.channels_last)
    return x


LAYOUTS = ["plain", "plain", "transposed", "sliced", "channels_last"]


def convolutions(cases, count=60):
    for i in range(count):
        name = f"conv_{i:03d}"
        if not cases.wants(name):
            continue
        r = cases.random
        d = r.choice([1, 2, 2, 2, 3])
        dtype = r.choice(FLOATS)
        transposed = r.random() < 0.35
        groups = r.choice([1, 1, 1, 2, 3])
        cin, cout = groups * r.choice([1, 1, 2, 3, 5]), groups * r.choice([1, 2, 3, 7])
        kernel = [r.choice([1, 2, 3, 4]) for _ in range(d)]
        stride = [r.choice([1, 1, 2, 3]) for _ in range(d)]
        dilation = [r.choice([1, 1, 2, 3]) for _ in range(d)]
        padding = [r.choice([0, 0, 1, 2]) for _ in range(d)]
        size = [k * m + r.choice([2, 3, 6]) for k, m in zip(kernel, dilation)]
        batch = [] if r.random() < 0.15 else [r.choice([1, 2, 3])]
        x = torch.randn(*batch, cin, *size).to(dtype)
        w_shape = (cin, cout // groups, *kernel) if transposed else (cout, cin // groups, *kernel)
        w = torch.randn(*w_shape).to(dtype)
        b = torch.randn(cout).to(dtype) if r.random() < 0.6 else None
        how = r.choice(LAYOUTS)
        if transposed:
            more = [r.randrange(max(s, m)) for s, m in zip(stride, dilation)]
            fn = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][d - 1]
            run = lambda x, w, b, fn=fn, a=(stride, padding, more, groups, dilation): fn(layout(x, how), w, b, *a)
        else:
            fn = [F.conv1d, F.conv2d, F.conv3d][d - 1]
            if r.random() < 0.3:
                padding = r.choice(["same", "valid"])
                stride = 1 if padding == "same" else stride
            run = lambda x, w, b, fn=fn, a=(stride, padding, dilation, groups): fn(layout(x, how), w, b, *a)
        if b is None:
            cases.write(name, lambda x, w: run(x, w, None), x, w, exact=True)
        else:
            cases.write(name, run, x, w, b, exact=True)
    for name, fn in [
        ("conv_int64", lambda x, w: F.conv2d(x, w, padding=1)),
        ("conv_int32", lambda x, w: F.conv1d(x[:, :, 0].int(), w[:, :, 0].int())),
        ("conv_empty_batch", lambda x, w: F.conv2d(x.float()[:0], w.float())),
        ("conv_wide", lambda x, w: F.conv2d(x.float().repeat(1, 20, 3, 3), w.float().repeat(30, 20, 1, 1), padding=2)),
        ("conv_transpose_wide", lambda x, w: F.conv_transpose2d(x.float().repeat(1, 10, 3, 3), w.float().transpose(0, 1).repeat(10, 5, 1, 1), stride=2)),
        ("conv_strided_weight", lambda x, w: F.conv2d(x.float(), w.float().flip(0).transpose(2, 3))),
        ("conv_depthwise_s2", lambda x, w: F.conv2d(x.float().repeat(1, 4, 1, 1), w.float()[:4, :1].repeat(5, 1, 1, 1), stride=2, padding=1, groups=20)),
    ]:
        if cases.wants(name):
            cases.write(name, fn, torch.randint(-9, 9, (2, 5, 9, 8)), torch.randint(-9, 9, (6, 5, 3, 3)))


def input_for(r, d, dtype, batchless=True):
    batch = [] if batchless and r.random() < 0.2 else [r.choice([1, 2])]
    x = torch.randn(*batch, r.choice([1, 2, 3, 5]), *[r.choice([5, 6, 8, 11]) for _ in range(d)])
    return (x * 3).to(dtype)


def max_pools(cases, count=25):
    for i in range(count):
        name = f"max_pool_{i:03d}"
        if not cases.wants(name):
            continue
        r = cases.random
        d = r.choice([1, 2, 2, 3])
        dtype = r.choice(FLOATS + ([torch.int64, torch.uint8, torch.int8, torch.int32] if d > 1 else []))
        x = input_for(r, d, dtype, d > 1)
        if dtype.is_floating_point and r.random() < 0.4:
            x.view(-1)[torch.randint(0, x.numel(), (3,))] = float("nan")
            x.view(-1)[torch.randint(0, x.numel(), (9,))] = float("-inf")
        kernel = [r.choice([1, 2, 3]) for _ in range(d)]
        options = dict(
            kernel_size=kernel if r.random() < 0.7 else kernel[0],
            stride=r.choice([None, 1, 2, 3]),
            dilation=r.choice([1, 1, 2]),
            ceil_mode=r.random() < 0.5,
        )
        options["padding"] = r.choice([0, min(kernel) // 2])
        indices = d > 1 and r.random() < 0.6
        fn = [F.max_pool1d, F.max_pool2d, F.max_pool3d][d - 1]
        how = r.choice(LAYOUTS)
        cases.write(name, lambda x: fn(layout(x, how), return_indices=indices, **options), x)


def avg_pools(cases, count=25):
    for i in range(count):
        name = f"avg_pool_{i:03d}"
        if not cases.wants(name):
            continue
        r = cases.random
        d = r.choice([1, 2, 2, 3])
        dtype = r.choice([t for t in FLOATS + [torch.int64] if d < 3 or t in (torch.float32, torch.float64, torch.int64)])
        x = input_for(r, d, dtype)
        kernel = [r.choice([1, 2, 3, 4]) for _ in range(d)]
        options = dict(
            kernel_size=kernel,
            stride=r.choice([None, 1, 2, 3]),
            padding=[r.randrange(k // 2 + 1) for k in kernel],
            ceil_mode=r.random() < 0.5,
            count_include_pad=r.random() < 0.5,
        )
        if d > 1 and r.random() < 0.3:
            options["divisor_override"] = r.choice([2, 3, 7])
        fn = [F.avg_pool1d, F.avg_pool2d, F.avg_pool3d][d - 1]
        how = r.choice(LAYOUTS)
        cases.write(name, lambda x: fn(layout(x, how), **options), x, exact=dtype.is_floating_point)


def adaptive_pools(cases, count=25):
    for i in range(count):
        name = f"adaptive_pool_{i:03d}"
        if not cases.wants(name):
            continue
        r = cases.random
        d = r.choice([1, 2, 2, 3])
        largest = r.random() < 0.4
        dtype = r.choice(FLOATS[:4] if d == 3 else FLOATS)
        x = input_for(r, d, dtype)
        size = [r.choice([1, 2, 3, 5, 7, 13]) for _ in range(d)]
        if d > 1 and r.random() < 0.2:
            size = [1] * d
        elif d > 1 and r.random() < 0.2:
            size[0] = None
        how = r.choice(LAYOUTS)
        if largest:
            fn = [F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d][d - 1]
            cases.write(name, lambda x: fn(layout(x, how), size, return_indices=True), x)
        else:
            fn = [F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d][d - 1]
            cases.write(name, lambda x: fn(layout(x, how), size), x, exact=True)
    plain = lambda *shape: torch.randn(*shape)
    for name, fn, x in [
        ("lp_pool1d", lambda x: F.lp_pool1d(x.abs(), 2, 3, stride=2), plain(2, 3, 9)),
        ("lp_pool2d", lambda x: F.lp_pool2d(x, 2, (2, 3), ceil_mode=True), plain(2, 3, 9, 8)),
        ("max_unpool1d", lambda x: F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2), plain(2, 3, 8)),
        ("max_unpool2d", lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2, output_size=(9, 8)), plain(2, 3, 9, 8)),
        ("max_unpool2d_nobatch", lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), plain(3, 6, 8)),
        ("max_unpool3d", lambda x: F.max_unpool3d(*F.max_pool3d(x, 2, return_indices=True), 2), plain(2, 3, 4, 6, 8)),
        ("max_pool_empty_batch", lambda x: F.max_pool2d(x, 2), plain(0, 3, 4, 4)),
        ("avg_pool_empty_batch", lambda x: F.avg_pool2d(x, 2), plain(0, 3, 4, 4)),
    ]:
        if cases.wants(name):
            cases.write(name, fn, torch.randn(x.shape))


def resizes(cases, count=60):
    modes = {1: ["nearest", "nearest-exact", "linear"], 2: ["nearest", "nearest-exact", "bilinear", "bicubic"], 3: ["nearest", "nearest-exact", "trilinear"]}
    for i in range(count):
        name = f"resize_{i:03d}"
        if not cases.wants(name):
            continue
        r = cases.random
        d = r.choice([1, 2, 2, 2, 3])
        mode = r.choice(modes[d] + (["bilinear", "bicubic"] if d == 2 else []))
        antialias = mode in ("bilinear", "bicubic") and r.random() < 0.4
        dtypes = [torch.float32, torch.float64] if antialias else FLOATS
        if d == 2 or "nearest" in mode:
            dtypes = dtypes + [torch.uint8]
        dtype = r.choice(dtypes)
        size = [r.choice([3, 7, 10, 33]) for _ in range(d)]
        x = torch.randn(r.choice([1, 2]), r.choice([1, 3, 5]), *size)
        x = (x * 60 + 120).clamp(0, 255).to(dtype) if dtype == torch.uint8 else x.to(dtype)
        options = dict(mode=mode)
        if r.random() < 0.5:
            options["size"] = [r.choice([1, 3, 4, 10, 12, 21, 50]) for _ in range(d)]
        else:
            options["scale_factor"] = [r.choice([0.5, 0.7, 1.0, 1.5, 2.0, 2.3, 3.0]) for _ in range(d)]
            if r.random() < 0.3:
                options["recompute_scale_factor"] = True
        if "nearest" not in mode:
            options["align_corners"] = r.random() < 0.4
        if antialias:
            options["antialias"] = True
        how = r.choice(LAYOUTS)
        exact = dtype.is_floating_point and "nearest" not in mode
        cases.write(name, lambda x: F.interpolate(layout(x, how), **options), x, exact=exact)
    for name, fn, x in [
        ("resize_area", lambda x: F.interpolate(x, size=(3, 5), mode="area"), torch.randn(2, 3, 8, 9)),
        ("resize_large", lambda x: F.interpolate(x, size=(300, 211), mode="bilinear"), torch.randn(1, 1, 224, 224)),
        ("resize_large_bicubic", lambda x: F.interpolate(x, size=(100, 211), mode="bicubic", align_corners=True), torch.randn(1, 1, 224, 124)),
        ("resize_int_nearest_u8", lambda x: F.interpolate(x, scale_factor=2.7), torch.randint(0, 255, (1, 2, 37, 5)).to(torch.uint8)),
        ("resize_nan", lambda x: F.interpolate(x / 0, scale_factor=2, mode="bilinear"), torch.randn(1, 1, 4, 4)),
    ]:
        if cases.wants(name):
            cases.write(name, fn, x)


def grids(cases, count=30):
    for i in range(count):
        name = f"grid_{i:03d}"
        if not cases.wants(name):
            continue
        r = cases.random
        d = r.choice([2, 2, 3])
        dtype = r.choice(FLOATS)
        mode = r.choice(["bilinear", "nearest"] + (["bicubic"] if d == 2 else []))
        options = dict(mode=mode, padding_mode=r.choice(["zeros", "border", "reflection"]), align_corners=r.random() < 0.5)
        n = r.choice([1, 2])
        x = torch.randn(n, r.choice([1, 3]), *[r.choice([1, 4, 7]) for _ in range(d)]).to(dtype)
        out = [r.choice([3, 5, 40]) if d == 2 else 3 for _ in range(d)]
        grid = (torch.rand(n, *out, d) * 3 - 1.5).to(dtype)
        if r.random() < 0.2 and dtype.itemsize > 2:  # in half precision PyTorch makes an index of a NaN
            grid.view(-1)[:6] = torch.tensor([float("nan"), 0.3, 1e20, -1e20, float("inf"), 0.1]).to(dtype)
            options["padding_mode"] = "zeros"
        how = r.choice(LAYOUTS)
        cases.write(name, lambda x, g: F.grid_sample(layout(x, how), g, **options), x, grid)
    for i in range(6):
        name = f"affine_grid_{i:03d}"
        if not cases.wants(name):
            continue
        d = 2 + i % 2
        size = [2, 1] + [4, 5, 1][3 - d :]
        align = i < 3
        theta = torch.randn(2, d, d + 1).to(FLOATS[i] if i != 4 else torch.float32)
        cases.write(name, lambda t: F.affine_grid(t, size, align_corners=align), theta)


class Norm(torch.nn.Module):
    """A batch or instance norm in training: running statistics are buffers that it updates."""

    def __init__(self, norm):
        super().__init__()
        self.norm = norm.train()

    def train(self, mode=True):
        return self

    def forward(self, x):
        return self.norm(x), self.norm.running_mean + 0


def trained(module):
    """Statistics and parameters as training leaves them: means off 0, variances off 1."""
    for m in module.modules():
        if isinstance(m, torch.nn.modules.batchnorm._NormBase) and m.running_mean is not None:
            m.running_mean.normal_(0, 0.3)
            m.running_var.uniform_(0.5, 2)
        if isinstance(m, (torch.nn.modules.batchnorm._NormBase, torch.nn.GroupNorm)) and m.weight is not None:
            m.weight.data.uniform_(0.5, 1.5)
            m.bias.data.normal_(0, 0.3)
    return module


def norms(cases, count=40):
    kinds = {
        "batch": [torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d],
        "instance": [torch.nn.InstanceNorm1d, torch.nn.InstanceNorm2d, torch.nn.InstanceNorm3d],
    }
    for i in range(count):
        name = f"norm_{i:03d}"
        if not cases.wants(name):
            continue
        r = cases.random
        kind = r.choice(["batch", "batch", "instance", "group"])
        d = r.choice([1, 2, 2, 3])
        channels = r.choice([2, 4, 6])
        dtype = r.choice(FLOATS)
        sizes = [r.choice([3, 4, 9]) for _ in range(d)]
        if kind == "batch" and d == 1 and r.random() < 0.4:
            sizes = []
        x = (torch.randn(r.choice([2, 3]), channels, *sizes) * 2 + 0.7).to(dtype)
        training = False
        if kind == "group":
            module = torch.nn.GroupNorm(r.choice([1, 2, channels]), channels, eps=r.choice([1e-5, 1e-3]), affine=r.random() < 0.7)
        else:
            tracked = r.random() < 0.7
            module = kinds[kind][d - 1](
                channels, eps=r.choice([1e-5, 1e-3]), momentum=r.choice([0.1, 0.4]), affine=r.random() < 0.7, track_running_stats=tracked
            )
            training = tracked and r.random() < 0.4
        module = trained(module)
        mixed = dtype in (torch.bfloat16, torch.float16) and r.random() < 0.5 and kind == "batch"
        module = module if mixed else module.to(dtype)
        how = r.choice(LAYOUTS)
        if training:
            cases.write(name, Norm(module), x)
        else:
            cases.write(name, torch.nn.Sequential(Layout(how), module), x, exact=not mixed)


class Layout(torch.nn.Module):
    def __init__(self, how):
        super().__init__()
        self.how = how

    def forward(self, x):
        return layout(x, self.how)


def main():
    cases = Cases(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")
    for family in (convolutions, max_pools, avg_pools, adaptive_pools, resizes, grids, norms):
        family(cases)
    print(f"{cases.written} cases")


if __name__ == "__main__":
    main()
