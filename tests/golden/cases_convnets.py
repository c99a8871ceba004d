"""Golden cases of convolutional networks with their weights: what passes fold, fuse and lay out anew.

python tests/golden/cases_convnets.py FOLDER [PATTERN]   writes the cases whose name matches PATTERN

Named cases are forms that a pass could get wrong; net_NNN are networks put together at random.
"""

import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

from cases_vision import Cases, trained


class Net(nn.Module):
    """Layers by name, and a function of the module and its inputs."""

    def __init__(self, forward, **layers):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.run = forward

    def forward(self, *args):
        return self.run(self, *args)


def conv(cin, cout, kernel=3, **options):
    options.setdefault("padding", kernel // 2 if isinstance(kernel, int) else 0)
    return nn.Conv2d(cin, cout, kernel, **options)


class Training(nn.Module):
    """Keeps a module in training mode: batch statistics."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner.train()

    def train(self, mode=True):
        return self

    def forward(self, x):
        return self.inner(x)


class GivenWeight(nn.Module):
    def forward(self, x, w):
        return F.relu(F.conv2d(x, w, padding=1)) + 1


def squeeze_excite(m, x):
    x = F.silu(m.a(x))
    scale = F.hardsigmoid(m.up(F.relu(m.down(F.adaptive_avg_pool2d(x, 1)))))
    return m.b(x * scale)


def unet(m, x):
    a = F.relu(m.a(x))
    b = F.relu(m.b(F.max_pool2d(a, 2)))
    up = F.interpolate(b, scale_factor=2, mode="nearest")
    return m.c(torch.cat([a, m.up(b), up], 1))


def dense_block(m, x):
    for layer in m.layers:
        x = torch.cat([x, layer(x)], 1)
    return x


def shuffle(m, x):
    a, b = m.first(x).chunk(2, 1)
    y = torch.cat([a, m.second(b)], 1)
    n, c, h, w = y.shape
    return m.third(y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w))


def named(cases):
    bn = nn.BatchNorm2d
    image = lambda *shape: (torch.randn(*shape),)
    seq = nn.Sequential
    table = {
        "norm_and_conv_read": (Net(lambda m, x: (m.n(y := m.c(x)), F.relu(y)), c=conv(3, 20), n=bn(20)), image(2, 3, 9, 7)),
        "norm_conv_is_output": (Net(lambda m, x: (y := m.c(x), m.n(y)), c=conv(20, 33), n=bn(33)), image(1, 20, 8, 8)),
        "norm_without_bias": (seq(conv(3, 32, bias=False), bn(32), nn.ReLU()), image(1, 3, 11, 10)),
        "norm_not_affine": (seq(conv(16, 16), bn(16, affine=False), nn.ReLU6()), image(1, 16, 5, 5)),
        "norm_in_training": (Training(seq(conv(3, 16), bn(16), nn.ReLU())), image(2, 3, 6, 6)),
        "norm_before_conv": (seq(bn(20), nn.ReLU(), conv(20, 24, bias=False), bn(24)), image(2, 20, 6, 9)),
        "norm_1d": (seq(nn.Conv1d(12, 20, 3, stride=2, padding=1), nn.BatchNorm1d(20), nn.ReLU(), nn.MaxPool1d(3, 2), nn.Conv1d(20, 17, 4, dilation=2)), image(2, 12, 41)),
        "norm_3d": (seq(nn.Conv3d(3, 6, 3, bias=False), nn.BatchNorm3d(6), nn.ReLU()), image(1, 3, 5, 6, 7)),
        "norm_transposed": (seq(nn.ConvTranspose2d(6, 20, 3, stride=2, bias=False), bn(20), nn.ReLU(), conv(20, 8)), image(1, 6, 5, 4)),
        "norm_transposed_groups": (seq(nn.ConvTranspose2d(6, 20, 3, stride=2, groups=2), bn(20)), image(1, 6, 5, 4)),
        "norm_f64": (seq(conv(3, 16), bn(16), nn.ReLU()).double(), (torch.randn(1, 3, 6, 6).double(),)),
        "norm_bf16": (seq(conv(3, 16), bn(16), nn.ReLU()).bfloat16(), (torch.randn(1, 3, 6, 6).bfloat16(),)),
        "scalar_factor": (Net(lambda m, x: 3 - (m.c(x) * 2 + 1), c=conv(3, 20)), image(1, 3, 6, 6)),
        "channel_terms": (Net(lambda m, x: m.c(x) - m.v + (m.v * m.d(x)), c=conv(3, 20), d=conv(3, 20), v=nn.Parameter(torch.randn(20, 1, 1))), image(1, 3, 6, 6)),
        "other_terms": (Net(lambda m, x: m.c(x) * m.v + m.w, c=conv(3, 20), v=nn.Parameter(torch.randn(1, 6)), w=nn.Parameter(torch.randn(1, 20, 6, 1))), image(1, 3, 6, 6)),
        "add_is_output": (Net(lambda m, x: (a := F.relu(m.a(x)), F.relu(m.b(a) + a)), a=conv(3, 32), b=conv(32, 32)), image(1, 3, 8, 8)),
        "add_two_convs": (Net(lambda m, x: F.relu(m.a(x) + m.b(x)), a=conv(32, 48, 1), b=conv(32, 48, 3)), image(2, 32, 7, 7)),
        "add_conv_twice": (Net(lambda m, x: (y := m.a(x)) + y, a=conv(32, 48, 1)), image(1, 32, 7, 7)),
        "add_after_activation": (Net(lambda m, x: F.silu(m.a(x)) + x, a=conv(32, 32)), image(1, 32, 7, 7)),
        "add_broadcast": (Net(lambda m, x: m.a(x) + m.b(x).mean((2, 3), keepdim=True), a=conv(16, 20), b=conv(16, 20)), image(2, 16, 7, 5)),
        "sum_is_output": (Net(lambda m, x: (s := m.a(x) + x, F.relu(s)), a=conv(32, 32)), image(1, 32, 7, 7)),
        "activations": (Net(lambda m, x: [f(m.c(x)) for f in (F.relu, F.relu6, F.silu, F.gelu, F.hardswish, F.hardsigmoid, torch.sigmoid, torch.tanh, F.leaky_relu, F.elu, F.mish, lambda y: F.gelu(y, approximate="tanh"), lambda y: y.clamp(min=-0.5), lambda y: y.clamp(-1, 0.2))], c=conv(3, 17)), image(1, 3, 5, 6)),
        "activation_twice": (seq(conv(3, 16), nn.ReLU(), nn.Sigmoid(), nn.Hardswish()), image(1, 3, 5, 5)),
        "pools": (Net(lambda m, x: (y := m.c(x), F.max_pool2d(y, 3, 2, 1, ceil_mode=True), F.avg_pool2d(y, 3, 2, 1, ceil_mode=True), F.avg_pool2d(y, 3, 2, 1, count_include_pad=False), F.avg_pool2d(y, (2, 3), divisor_override=5), F.adaptive_avg_pool2d(y, (3, 2)), F.max_pool2d(y, 3, dilation=2), F.adaptive_max_pool2d(y, 4))[1:], c=conv(3, 20)), image(2, 3, 12, 9)),
        "pool_positions": (Net(lambda m, x: F.max_pool2d(m.c(x), 2, return_indices=True), c=conv(3, 16)), image(1, 3, 8, 8)),
        "pool_nan": (Net(lambda m, x: F.max_pool2d(m.c(x), 2), c=conv(3, 16, 1)), (torch.tensor([float("nan"), 1, -float("inf"), 2] * 12).view(1, 3, 4, 4),)),
        "mean_flat": (Net(lambda m, x: m.l(F.relu(m.c(x)).mean((2, 3))), c=conv(3, 20), l=nn.Linear(20, 5)), image(2, 3, 6, 5)),
        "mean_other_dims": (Net(lambda m, x: (y := m.c(x), y.mean(1), y.mean((1, 2)), y.mean((-1, -2)), y.mean(3))[1:], c=conv(3, 20)), image(2, 3, 6, 5)),
        "depthwise": (seq(conv(3, 20), nn.ReLU6(), conv(20, 20, 3, stride=2, groups=20, bias=False), bn(20), nn.ReLU6(), conv(20, 40, 1)), image(2, 3, 11, 14)),
        "depthwise_5x5": (seq(conv(40, 40, 5, groups=40, dilation=2, padding=4), nn.SiLU(), conv(40, 40, (1, 7), groups=40, stride=(1, 3))), image(1, 40, 9, 23)),
        "depthwise_multiplier": (seq(conv(20, 60, 3, groups=20), nn.ReLU(), conv(60, 20, 1)), image(1, 20, 6, 6)),
        "groups_of_4": (seq(conv(32, 32, 3, groups=8, bias=False), bn(32), nn.ReLU(), conv(32, 64, 3, groups=2, stride=2)), image(1, 32, 9, 9)),
        "groups_of_24": (seq(conv(96, 96, 3, groups=4), nn.ReLU(), conv(96, 48, 3, groups=4)), image(1, 96, 5, 6)),
        "groups_of_5": (seq(conv(15, 30, 3, groups=3), nn.ReLU(), conv(30, 16, 1)), image(1, 15, 6, 6)),
        "kernels": (seq(conv(3, 18, (5, 2), stride=(2, 3), padding=(1, 0)), nn.ReLU(), conv(18, 20, (2, 4), padding="same"), nn.ReLU(), conv(20, 33, 3, dilation=(2, 3), padding=(0, 2))), image(2, 3, 21, 31)),
        "patches": (seq(conv(3, 40, 4, stride=4, padding=0), nn.GELU(), conv(40, 70, 2, stride=2, padding=0)), image(1, 3, 25, 33)),
        "circular": (seq(conv(6, 20, 3, padding_mode="circular"), nn.ReLU(), conv(20, 8, 3, padding_mode="reflect")), image(1, 6, 7, 7)),
        "one_channel_out": (seq(conv(20, 1), nn.Sigmoid()), image(2, 20, 6, 6)),
        "unused_lanes": (Net(lambda m, x: m.b(1 / m.a(x).abs().clamp(min=0.1)), a=conv(3, 20), b=conv(20, 20)), image(1, 3, 6, 6)),
        "infinite_lanes": (Net(lambda m, x: m.b(1 / (m.a(x) * 0 + m.v)), a=conv(3, 20), b=conv(20, 20), v=nn.Parameter(torch.rand(20, 1, 1) + 1)), image(1, 3, 6, 6)),
        "cat_blocks": (Net(lambda m, x: m.d(torch.cat([m.a(x), m.b(x), m.c(x)], 1)), a=conv(3, 16), b=conv(3, 32), c=conv(3, 5), d=conv(53, 16, 1)), image(1, 3, 6, 6)),
        "cat_no_blocks": (Net(lambda m, x: m.d(torch.cat([m.c(x), m.a(x), x], 1)), a=conv(3, 16), c=conv(3, 5), d=conv(24, 16, 1)), image(1, 3, 6, 6)),
        "cat_width": (Net(lambda m, x: m.d(torch.cat([m.a(x), m.a(-x)], 3)), a=conv(3, 20), d=conv(20, 16, 1)), image(1, 3, 6, 6)),
        "slices": (Net(lambda m, x: (y := m.a(x), m.b(y[:, 16:]), y[:, 3:19].sum(), m.c(y[:, :, 1:5, ::2]), y[:, ::2])[1:], a=conv(3, 40), b=conv(24, 8), c=conv(40, 8)), image(1, 3, 7, 8)),
        "squeeze_excite": (Net(squeeze_excite, a=conv(3, 24), down=conv(24, 8, 1), up=conv(8, 24, 1), b=conv(24, 10, 1)), image(2, 3, 6, 6)),
        "squeeze_excite_one": (Net(squeeze_excite, a=conv(3, 24), down=conv(24, 8, 1), up=conv(8, 24, 1), b=conv(24, 10, 1)), image(1, 3, 6, 6)),
        "channel_factors": (Net(lambda m, x: (y := m.c(x), F.silu(y * m.v), m.v * y + x, m.n(F.relu(y)), y * y.mean(1, keepdim=True))[1:], c=conv(20, 20), v=nn.Parameter(torch.randn(20, 1, 1)), n=bn(20)), image(1, 20, 6, 5)),
        "channel_factors_batch": (Net(lambda m, x: (y := m.c(x), F.silu(y * m.v), y * x.mean((2, 3), keepdim=True))[1:], c=conv(20, 20), v=nn.Parameter(torch.randn(20, 1, 1))), image(2, 20, 6, 5)),
        "unet": (Net(unet, a=conv(3, 16), b=conv(16, 32), up=nn.ConvTranspose2d(32, 16, 2, stride=2), c=conv(64, 2, 1)), image(1, 3, 12, 8)),
        "dense_block": (Net(dense_block, layers=nn.ModuleList(seq(bn(32 + 16 * i), nn.ReLU(), conv(32 + 16 * i, 16, bias=False)) for i in range(3))), image(1, 32, 6, 6)),
        "shuffle": (Net(shuffle, first=conv(3, 32), second=seq(conv(16, 16, 1), nn.ReLU()), third=conv(32, 8, 1)), image(1, 3, 6, 6)),
        "channels_last": (Net(lambda m, x: m.b(m.n(m.a(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)), a=conv(3, 32), n=nn.LayerNorm(32), b=conv(32, 8)), image(1, 3, 6, 6)),
        "no_batch": (Net(lambda m, x: F.relu(m.b(F.relu(m.a(x)))), a=conv(3, 20), b=conv(20, 4)), image(3, 6, 6)),
        "shared_weight": (Net(lambda m, x: m.c(F.relu(m.c(x))) + x, c=conv(20, 20)), image(1, 20, 6, 6)),
        "tiles": (seq(conv(3, 40), nn.ReLU(), conv(40, 72), nn.ReLU6(), conv(72, 1, 1), nn.AvgPool2d(3)), image(2, 3, 45, 49)),
        "tiles_many": (Net(lambda m, x: m.c(F.max_pool2d(F.relu(m.b(y := F.relu(m.a(x))) + y), 4)), a=conv(3, 64), b=conv(64, 64), c=conv(64, 2, 1)), image(1, 3, 61, 58)),
        "tiles_padding": (seq(conv(3, 48), nn.SiLU(), conv(48, 48, padding=2), nn.SiLU(), conv(48, 64, padding=0), nn.Hardswish(), conv(64, 49, padding=(0, 2)), nn.Sigmoid(), conv(49, 1, 1), nn.AvgPool2d(3)), image(1, 3, 74, 77)),
        "tiles_sum": (Net(lambda m, x: (y := m.a(x), F.relu(m.b(y) + y).mean((2, 3)), m.d(F.gelu(m.c(y)) * m.b(y)))[1:], a=conv(3, 48, 1), b=conv(48, 48), c=conv(48, 48), d=conv(48, 1, 1)), image(1, 3, 73, 70)),
        "many_terms": (seq(conv(600, 20, 3), nn.ReLU()), image(1, 600, 5, 5)),
    }
    for name, (module, args) in table.items():
        if cases.wants(name):
            exact = args[0].dtype == torch.float32 and name not in ("pool_nan", "pool_positions")
            for p in module.parameters():
                p.data = torch.randn(p.shape).to(p.dtype) / max(1, p[0].numel()) ** 0.5
            cases.write(name, trained(module) if name != "norm_in_training" else module, *args, exact=exact)
    if cases.wants("given_weight"):
        cases.write("given_weight", GivenWeight(), torch.randn(1, 20, 6, 6), torch.randn(8, 20, 3, 3), exact=True)


def unet_3d(m, x):
    a = F.relu(m.a(x))
    b = F.relu(m.b(F.max_pool3d(a, 2)))
    return m.c(torch.cat([a, m.up(b)], 1))


def forms(cases):
    """What is rewritten before it is laid out: transposed convolutions, those of three dims and of half precision."""
    seq, up1, up2, up3 = nn.Sequential, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d
    c1, c2, c3 = nn.Conv1d, nn.Conv2d, nn.Conv3d
    x = torch.randn
    table = {
        "up_1d": (seq(up1(20, 32, 16, 8, padding=4), nn.LeakyReLU(0.1), up1(32, 16, 7, 3, padding=2, output_padding=1), nn.LeakyReLU(0.1), up1(16, 5, 4, 2, padding=1)), x(2, 20, 7)),
        "up_2d": (seq(up2(6, 32, 3, 2, padding=1, output_padding=1), nn.ReLU(), up2(32, 16, 4, 2, padding=1, bias=False), nn.SiLU(), conv(16, 3)), x(2, 6, 5, 4)),
        "up_2d_uneven": (seq(up2(3, 17, (3, 5), (1, 3), padding=(0, 2), output_padding=(0, 2)), nn.ReLU(), up2(17, 4, (2, 1), (2, 1))), x(1, 3, 4, 6)),
        "up_2d_no_taps": (Net(lambda m, x: (m.a(x), m.b(x), m.c(x), m.d(x)), a=up2(3, 16, 2, 3), b=up2(3, 16, (1, 3), (3, 2)), c=up2(3, 4, 1, 2, output_padding=1), d=up2(3, 4, 2, 2, padding=2)), x(1, 3, 4, 5)),
        "up_2d_declined": (Net(lambda m, x: (m.a(x), m.b(x)), a=up2(6, 8, 3, 2, groups=2), b=up2(6, 8, 3, 2, dilation=2)), x(1, 6, 4, 5)),
        "up_3d": (seq(up3(4, 16, 2, 2), nn.ReLU(), up3(16, 3, 3, (1, 2, 2), padding=1, output_padding=(0, 1, 1))), x(2, 4, 3, 2, 3)),
        "volume": (seq(c3(3, 16, 3, padding=1), nn.ReLU(), c3(16, 20, 3, stride=2, padding=1, bias=False), nn.BatchNorm3d(20), nn.ReLU(), c3(20, 7, (2, 3, 1), dilation=(2, 1, 1))), x(1, 3, 7, 9, 8)),
        "volume_batch": (seq(c3(3, 16, (3, 5, 5), padding=(1, 2, 2), stride=(1, 2, 2)), nn.ReLU(), c3(16, 16, (3, 3, 2), stride=(2, 1, 2), padding=(2, 0, 1)), nn.Sigmoid(), nn.AvgPool3d(2)), x(3, 3, 5, 9, 10)),
        "volume_separable": (seq(c3(3, 24, (1, 7, 7), stride=(1, 2, 2), padding=(0, 3, 3)), nn.BatchNorm3d(24), nn.ReLU(), c3(24, 24, (3, 1, 1), stride=(2, 1, 1), padding=(1, 0, 0)), nn.ReLU(), nn.MaxPool3d((1, 3, 3), 2, (0, 1, 1)), c3(24, 5, 1)), x(2, 3, 6, 11, 13)),
        "volume_groups": (seq(c3(3, 20, 2, padding="same"), c3(20, 20, 3, padding=1, groups=20, stride=(1, 2, 2)), nn.Hardswish(), c3(20, 10, 3, groups=5)), x(1, 3, 4, 8, 7)),
        "volume_patches": (Net(lambda m, x: m.c(x).flatten(2).transpose(1, 2), c=c3(3, 40, (2, 4, 4), (2, 4, 4))), x(2, 3, 4, 9, 8)),
        "volume_pools": (Net(lambda m, x: (y := m.c(x), F.max_pool3d(y, 3, 2, 1, ceil_mode=True), F.max_pool3d(y, (1, 2, 3), dilation=(1, 2, 1)), F.avg_pool3d(y, 3, 2, 1), F.avg_pool3d(y, (3, 2, 2), 1, 1, count_include_pad=False), F.avg_pool3d(y, 3, 2, ceil_mode=True), F.avg_pool3d(y, 2, divisor_override=3), F.adaptive_avg_pool3d(y, (2, 3, 1)), F.adaptive_max_pool3d(y, (3, 1, 4)))[1:], c=c3(3, 16, 1)), x(1, 3, 4, 6, 5)),
        "unet_3d": (Net(unet_3d, a=c3(1, 16, 3, padding=1), b=c3(16, 32, 3, padding=1), up=up3(32, 16, 2, 2), c=c3(32, 2, 1)), x(1, 1, 4, 6, 8)),
    }
    for dtype, short in ((torch.bfloat16, "bf16"), (torch.float16, "f16")):
        table[f"half_{short}"] = (seq(conv(3, 20), nn.ReLU(), conv(20, 20, groups=20, stride=2), nn.Hardtanh(-1, 0.8), nn.MaxPool2d(2), conv(20, 33, 1, bias=False)).to(dtype), x(2, 3, 9, 12).to(dtype))
        table[f"half_{short}_1d"] = (seq(c1(5, 16, 4, stride=3), nn.ReLU(), c1(16, 16, 3, dilation=2)).to(dtype), x(1, 5, 40).to(dtype))
        table[f"half_{short}_volume"] = (seq(c3(3, 16, 3, padding=1), nn.ReLU(), c3(16, 8, (3, 1, 1))).to(dtype), x(1, 3, 5, 6, 7).to(dtype))
    for name, (module, args) in table.items():
        if cases.wants(name):
            for p in module.parameters():
                p.data = torch.randn(p.shape).to(p.dtype) / max(1, p[0].numel()) ** 0.5
            cases.write(name, trained(module), args, exact=args.dtype == torch.float32, core=False)


def layer(r, channels):
    """A random layer and how many channels it gives."""
    kind = r.choice(["conv", "conv", "conv", "conv_norm", "conv_norm", "depthwise", "groups", "pool", "act", "residual"])
    kernel, options = r.choice([1, 1, 2, 3, 3, 5]), {}
    options = dict(stride=r.choice([1, 1, 1, 2, 3]), dilation=r.choice([1, 1, 2]), bias=r.random() < 0.5)
    options["padding"] = r.randrange(kernel)
    out = r.choice([1, 5, 8, 16, 20, 32, 48])
    act = r.choice([nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.GELU, nn.Identity, nn.Identity])()
    if kind == "conv":
        return nn.Sequential(nn.Conv2d(channels, out, kernel, **options), act), out
    if kind == "conv_norm":
        return nn.Sequential(nn.Conv2d(channels, out, kernel, **options), nn.BatchNorm2d(out), act), out
    if kind == "depthwise":
        return nn.Sequential(nn.Conv2d(channels, channels, kernel, groups=channels, **options), act), channels
    if kind == "groups":
        groups = r.choice([g for g in range(1, channels + 1) if channels % g == 0])
        return nn.Conv2d(channels, channels, kernel, groups=groups, **options), channels
    if kind == "pool":
        window = dict(stride=r.choice([1, 2]), ceil_mode=r.random() < 0.5)
        pool = r.choice([lambda: nn.MaxPool2d(2, **window), lambda: nn.AvgPool2d(3, padding=1, count_include_pad=r.random() < 0.5, **window)])
        return pool(), channels
    if kind == "act":
        return act, channels
    inner = nn.Conv2d(channels, channels, 3, padding=1, bias=options["bias"])
    return Net(lambda m, x: m.act(m.c(x) + x), c=inner, act=act), channels


def at_random(cases, count=60):
    for i in range(count):
        name = f"net_{i:03d}"
        if not cases.wants(name):
            continue
        r = cases.random
        channels = r.choice([1, 3, 16, 20])
        x = torch.randn(r.choice([1, 1, 2, 3]), channels, r.choice([9, 14, 17, 23]), r.choice([9, 14, 16, 27]))
        layers = []
        for _ in range(r.choice([2, 4, 6])):
            new, channels = layer(r, channels)
            layers.append(new)
        cases.write(name, trained(nn.Sequential(*layers)), x, exact=True)


if __name__ == "__main__":
    cases = Cases(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")
    named(cases)
    forms(cases)
    at_random(cases)
    print(f"{cases.written} cases")
