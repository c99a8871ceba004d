"""Golden cases of the pytorch-ir JSON format (pip install pytorch-ir): what the format leaves out or writes oddly.

Usage: cases_quirks.py FOLDER [NAME…]. A case NAME is ir_NAME.json, ir_NAME.weights.safetensors (names are those of the state
dict) and ir_NAME.safetensors with input.K and output.K.
"""

import json
import math
import os
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from torch.utils._pytree import tree_flatten, tree_map
from torch_ir.converter import convert_exported_program

CASES = {}


def plain(value):
    """Python objects that JSON has no form for, as their str()."""
    if isinstance(value, (torch.dtype, torch.layout, torch.memory_format, torch.device, torch.fx.Node)):
        return str(value)
    return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def write_graph(path, program):
    ir = convert_exported_program(program)
    for node in ir.nodes:
        node.attrs = {key: plain(value) for key, value in node.attrs.items()}
    ir.constants = {k: v for k, v in program.constants.items() if isinstance(v, torch.Tensor) and not v.is_meta}
    with open(path, "w") as file:
        json.dump(ir.to_dict(), file)


def tensors(prefix, value):
    flat = [t for t in tree_flatten(value)[0] if isinstance(t, torch.Tensor)]
    return {f"{prefix}.{i}": t.detach().clone().contiguous() for i, t in enumerate(flat)}


def write(folder, name, module, args, kwargs, answer=None):
    base = os.path.join(folder, "ir_" + name)
    module = module.eval()
    clone = lambda t: t.clone() if isinstance(t, torch.Tensor) else t
    with torch.no_grad():
        traced = tree_map(lambda t: t.to("meta"), args) if answer else tree_map(clone, args)
        write_graph(base + ".json", torch.export.export(module, traced, kwargs))
        weights = {k: torch.randn(v.shape).to(v.dtype) if v.is_meta else v.clone() for k, v in module.state_dict().items()}
        out = answer(weights, *args) if answer else module(*tree_map(clone, args), **kwargs)
    save_file({k: v.clone().contiguous() for k, v in weights.items()} or {"none": torch.zeros(1)},
              base + ".weights.safetensors")
    save_file({**tensors("input", (args, kwargs)), **tensors("output", out)}, base + ".safetensors")


def case(make):
    CASES[make.__name__] = make
    return make


class Net(nn.Module):
    """Modules, parameters and buffers by name, and a forward() of them."""

    def __init__(self, forward, **parts):
        super().__init__()
        self.body = forward
        for name, part in parts.items():
            if isinstance(part, (nn.Module, nn.Parameter)):
                setattr(self, name, part)
            else:
                self.register_buffer(name, part, persistent=not name.startswith("const"))

    def forward(self, *args, **kwargs):
        return self.body(self, *args, **kwargs)


def x34():
    return torch.randn(3, 4)


@case
def norms():
    bare = nn.BatchNorm2d(6, affine=False)
    bare.running_mean.uniform_()
    bare.running_var.uniform_(0.5, 2)
    full, no_bias = nn.LayerNorm(8), nn.LayerNorm(8, bias=False)
    for p in (full.weight, full.bias, no_bias.weight):
        nn.init.uniform_(p)
    forward = lambda s, x: (s.bare(x), s.batch(x), s.full(x), s.no_bias(x), s.none(x), s.group(x), s.plain_group(x),
                            F.layer_norm(x, [8], None, s.full.bias))
    return Net(forward, bare=bare, batch=nn.BatchNorm2d(6), full=full, no_bias=no_bias,
               none=nn.LayerNorm(8, elementwise_affine=False), group=nn.GroupNorm(3, 6),
               plain_group=nn.GroupNorm(2, 6, affine=False)), (torch.randn(2, 6, 8, 8),)


@case
def layers():
    forward = lambda s, x: (s.lstm(x), s.gru(x)[0], s.rnn(x)[1], s.conv(x), s.turned(x))
    return Net(forward, lstm=nn.LSTM(4, 5, 2, batch_first=True, bidirectional=True), gru=nn.GRU(4, 3),
               rnn=nn.RNN(4, 3, nonlinearity="relu", bias=False), conv=nn.Conv1d(3, 2, 2, bias=False),
               turned=nn.ConvTranspose1d(3, 2, 2, bias=False)), (torch.randn(2, 3, 4),)


@case
def lists():
    def forward(s, x, i):
        a, b, c = x.split([1, 2, 1], 1)
        p = x.unbind(0)
        y = x.clone()
        y[:, i] = 1.5
        return (torch.cat([a, b, a, c], 1), torch.stack([p[0], p[2], p[0]]), torch.meshgrid(x[0], x[:, 0], indexing="ij")[1],
                torch.chunk(x, 2, 1)[1], torch.einsum("ij,kj->ik", x, x), x[:, i], x[None, :, i, None], x[i, i], y,
                x.index_put((i,), x[:2], accumulate=True))

    return Net(forward), (x34(), torch.tensor([2, 0]))


@case
def tuples():
    def forward(s, x):
        values, i = x.max(1)
        _, j = x.min(0)
        return values, i, j, x.topk(2)[1], torch.var_mean(x, 1), x.sort(0)[1], torch.maximum(x, x * 2)

    return Net(forward), (x34(),)


@case
def keywords():
    def forward(s, q, m, b):
        return (F.scaled_dot_product_attention(q, q, q, attn_mask=m),
                F.scaled_dot_product_attention(q, q, q, is_causal=True, scale=0.3),
                F.scaled_dot_product_attention(q, q, q, b))

    return Net(forward), (torch.randn(1, 2, 5, 4), torch.randn(5, 5), torch.rand(5, 5) > 0.2)


@case
def scalars():
    def forward(s, x):
        return (x / 2.0, x + 1, x * True, 1 - x, 2**x, x**2, 3 / x, x // 0.5, torch.add(x, x, alpha=2.5),
                x.masked_fill(x > 0, float("-inf")), torch.full((2, 2), float("nan")), x.clamp(-0.5), x.clamp(max=0.1),
                torch.where(x > 0, x, 0.0), torch.full_like(x, math.inf), torch.rsub(x, 2), torch.arange(1, 4, 0.5),
                torch.zeros(2, dtype=torch.int64), F.softmax(x, -1, dtype=torch.float64), x.to(torch.bfloat16), x.long(),
                x[:, 1:], x.sum(dtype=torch.float64))

    return Net(forward), (x34(),)


@case
def in_place():
    def forward(s, x):
        y = s.conv(x)
        F.relu_(y)
        y.add_(x.mean())
        y[0].mul_(2)
        y[:, 1:, ::2] = 0.5
        z = y.view(-1)
        z[3] = 9
        s.count.add_(1)
        return y, z.clamp_(max=8), x * s.count

    return Net(forward, conv=nn.Conv2d(2, 2, 1), count=torch.ones(4)), (torch.randn(1, 2, 4, 4),)


@case
def results():
    def forward(s, x, kv, d, m=None):
        y = x + kv[0] * d["k"] - m
        return y, y, x, s.w, None, 3, s.b, {"a": y[0], "b": d["z"][0]}

    args = (x34(), [x34(), x34()], {"k": x34(), "z": (x34(),)})
    return Net(forward, w=nn.Parameter(torch.randn(3)), b=torch.arange(4)), args, {"m": x34()}


@case
def constants():
    def forward(s, x):
        t = torch.tensor([1.0, float("inf"), -2, 0.5])
        e = torch.tensor([])
        b = torch.tensor([[True, False, True, False]])
        return (x * t, x + torch.tensor(3), torch.cat([e, x[0]]), x.masked_fill(b, 0), x + s.const_n, x[s.const_i],
                x.to(torch.bfloat16) * s.const_h)

    return Net(forward, const_n=torch.randn(3, 1), const_i=torch.tensor([2, 1]), const_h=torch.randn(4).bfloat16()), (x34(),)


@case
def tied():
    embedding, head = nn.Embedding(10, 4), nn.Linear(4, 10, bias=False)
    head.weight = embedding.weight
    return Net(lambda s, i: s.head(s.embedding(i)), embedding=embedding, head=head), (torch.tensor([[1, 2, 9]]),)


@case
def mixed_types():
    """Traced on the meta device, where operands of different float types pass."""

    def forward(s, x, cache, i):
        y = s.linear(x)
        c = cache.index_copy(0, i, y[:2].to(torch.bfloat16))
        half = y.to(torch.bfloat16)
        return y, c, half @ c.t(), torch.addmm(y, half, s.linear.weight), s.norm(y) * s.norm.weight, x.mm(s.linear.weight)

    def answer(weights, x, cache, i):
        w = {k: v.float() for k, v in weights.items()}
        y = F.linear(x, w["linear.weight"], w["linear.bias"])
        half = y.bfloat16().float()
        c = cache.index_copy(0, i, half[:2])
        return (y, c, (half @ c.t()).bfloat16(), torch.addmm(y, half, w["linear.weight"]),
                F.layer_norm(y, [4], w["norm.weight"], w["norm.bias"]) * w["norm.weight"], x.mm(w["linear.weight"]))

    with torch.device("meta"):
        net = Net(forward, linear=nn.Linear(4, 4).bfloat16(), norm=nn.LayerNorm(4).bfloat16())
    return net, (x34(), torch.randn(5, 4), torch.tensor([3, 0])), {}, answer


def main():
    folder, names = sys.argv[1], sys.argv[2:]
    os.makedirs(folder, exist_ok=True)
    for name, make in CASES.items():
        if not names or name in names:
            torch.manual_seed(sum(map(ord, name)))
            module, args, *rest = make()
            write(folder, name, module, args, *(rest or [{}]))


if __name__ == "__main__":
    main()
