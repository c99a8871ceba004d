"""Golden cases of what files can hold around operators: regions, symbols, arguments, weights, writes in place.

Usage: cases_programs.py FOLDER [NAME…]: all cases, or those named, into FOLDER.
"""

import sys

import torch
from torch import nn
from torch.export import Dim

from lathe_export.make_golden import write_case

CASES = {}


def case(**options):
    """Registers a class whose `args` (and `kwargs`, `run`) make the case."""

    def register(cls):
        CASES[cls.__name__] = (cls, options)
        return cls

    return register


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(4, 4)
        self.register_buffer("buf", torch.arange(12.0).reshape(3, 4))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))


def x34():
    return torch.randn(3, 4)


# ---- Regions ----


@case()
class cond_data(Net):
    args = [x34]

    def forward(self, x):
        return torch.cond(x.sum() > 100, lambda a: (a.sin(), a + 1), lambda a: (a.cos() + 1, a * 2), (x,))


@case()
class cond_data_true(Net):
    args = [x34]

    def forward(self, x):
        return torch.cond((x.abs().sum() > 0).reshape(1), lambda a, b: a.sin() + b, lambda a, b: a.cos() + b, (x, self.buf))


@case(dynamic=({0: Dim("b", min=2, max=10)},), run=[lambda: torch.randn(7, 4)])
class cond_size(Net):
    args = [x34]

    def forward(self, x):
        return torch.cond(x.shape[0] > 4, lambda a: a.sin(), lambda a: a.cos() + 1, (x,))


@case()
class no_grad(Net):
    args = [x34]

    def forward(self, x):
        with torch.no_grad():
            y = x * 2
            z = self.lin(y)
        with torch.enable_grad():
            w = z + y
        return w + x, z


@case(core=False)
class autocast_linear(Net):
    args = [x34]

    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = self.lin(x)
            z = torch.softmax(y, -1) @ self.lin.weight
            with torch.autocast("cpu", enabled=False):
                w = self.lin(z.float())
            c = torch.cat([y, x]) + 1
        return y.float() + x, z, w, c


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.norm = nn.LayerNorm(4)
        self.q = nn.Linear(4, 4)


@case(core=False)
class autocast_block(Block):
    args = [lambda: torch.randn(2, 3, 6, 6), lambda: torch.randn(2, 5, 4)]

    def forward(self, image, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = self.conv(image).relu()
            h = self.norm(x)
            q = self.q(h)
            a = nn.functional.scaled_dot_product_attention(q, q, h)
            s = (q.exp() + h.pow(2)).sum(-1)
        return y, q, a, s


# ---- Arguments and results ----


@case(kwargs={"mask": x34, "scale": lambda: 3})
class named_arguments(Net):
    args = [x34, lambda: [x34(), x34()], lambda: {"b": x34(), "a": (x34(), 2)}]

    def forward(self, x, kv, more, *, mask=None, scale=2):
        return {"first": x + kv[0] * scale, "rest": (kv[1], mask + 1, 7, None, more["a"][0] * more["a"][1] - more["b"])}


@case()
class literals(Net):
    args = [x34, lambda: 3, lambda: True, lambda: "hi", lambda: None, lambda: 2.5]

    def forward(self, x, n, flag, name, none, f):
        return (x * n if flag else x), x + f


@case()
class repeated_results(Net):
    args = [x34]

    def forward(self, x):
        y = x + 1
        return y, y, x, self.buf, self.lin.weight, y[0]


@case()
class unused_results(Net):
    args = [lambda: torch.randn(6, 4)]

    def forward(self, x):
        a, _, c = x.split(2)
        values, _ = x.max(1)
        parts = x.unbind(1)
        return a + c, values, parts[2], x.chunk(3)[1]


@case()
class lifted_constants(Net):
    args = [x34]

    def forward(self, x):
        t = torch.tensor([1.0, 2.0, 3.0, 4.0])
        i = torch.tensor([2, 0])
        t.add_(1)
        return x * t + torch.tensor(0.5), x[i], x + torch.tensor([])[:0].sum()


# ---- Symbols ----


@case(dynamic=({0: Dim.AUTO, 1: Dim.AUTO},), run=[lambda: torch.randn(9, 6)])
class size_arithmetic(Net):
    args = [lambda: torch.randn(6, 4)]

    def forward(self, x):
        b, c = x.shape
        return (
            x[: b // 2],
            x[: max(b - 3, 2)],
            torch.full((min(b, 5), c + 2), 1.5),
            x.new_zeros(b + c * 2 - 1),
            torch.arange(b * 2) % 5,
            x.reshape(c, b),
            x * (b / c) + b**2 - (-c),
            x[:, :-1].flatten(),
        )


@case(dynamic=({0: 2 * Dim("h", min=2, max=20)},), run=[lambda: torch.randn(10, 4)])
class derived_size(Net):
    args = [lambda: torch.randn(6, 4)]

    def forward(self, x):
        return x.view(2, -1, 4).sum(0), x.view(-1, 2, 4)[:, 1]


@case(dynamic=({0: Dim.AUTO}, {0: Dim.AUTO}), run=[lambda: torch.randn(5, 4), lambda: torch.randn(5, 4)])
class equal_sizes(Net):
    args = [x34, x34]

    def forward(self, x, y):
        return x + y, torch.cat([x, y]).reshape(2, -1)


@case(dynamic=({0: Dim("b")},), run=[lambda: torch.randn(7, 4)])
class size_results(Net):
    args = [x34]

    def forward(self, x):
        return x.shape[0], x.sum(), x.shape[0] * 2 + 1, x.numel()


@case(dynamic=({1: Dim("s", max=64)},), run=[lambda: torch.randint(0, 9, (1, 11))])
class causal_mask(Net):
    args = [lambda: torch.randint(0, 9, (1, 5))]

    def forward(self, ids):
        s = ids.shape[1]
        mask = torch.full((s, s), float("-inf")).triu(1)
        rows = torch.arange(s)[:, None] >= torch.arange(s)[None]
        return mask + ids, torch.where(rows, ids, -1), torch.ones(s, s).tril()


# ---- Weights ----


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.emb.weight


@case()
class tied_weights(Tied):
    args = [lambda: torch.randint(0, 10, (2, 3))]

    def forward(self, ids):
        return self.head(self.emb(ids))


class Strided(nn.Module):
    def __init__(self):
        super().__init__()
        base = torch.randn(10, 6)
        self.slice = nn.Parameter(base[2:5, 1:5])
        self.turned = nn.Parameter(torch.randn(4, 3).t())
        self.column = nn.Parameter(base[:, 3])
        self.empty = nn.Parameter(torch.zeros(0, 4))
        self.scalar = nn.Parameter(torch.tensor(2.5))
        self.register_buffer("short", torch.randn(3, 4).to(torch.bfloat16))
        self.register_buffer("flags", torch.tensor([[True, False, True, True]]).expand(3, 4), persistent=False)
        self.register_buffer("repeated", torch.randn(1, 4).expand(3, 4))


@case()
class strided_weights(Strided):
    args = [x34]

    def forward(self, x):
        y = x * self.slice + self.turned * self.scalar + self.short
        return torch.cat([y, self.empty]), torch.where(self.flags, x, self.repeated), self.column[:4] + x


@case()
class batch_counts(nn.Sequential):
    args = [lambda: torch.randn(2, 3, 4, 4)]

    def __init__(self):
        super().__init__(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.BatchNorm2d(4, affine=False))


# ---- Writes in place ----


@case()
class buffer_counters(Net):
    args = [x34]

    def forward(self, x):
        self.count.add_(1)
        self.buf[1].mul_(2)
        self.buf[:, 2:].copy_(x[:, :2])
        self.buf.t()[0] = 7
        return x * self.buf + self.count


@case()
class views_in_place(Net):
    args = [x34]

    def forward(self, x):
        y = x.clone()
        y.unsqueeze_(1)
        y.add_(1)
        z = y.squeeze(1)
        z.transpose_(0, 1)
        z[0] = 5
        z.pow_(2).pow_(x[:, :1].t().abs())
        w = y.view(-1)
        w[::3].zero_()
        v = y.reshape(4, 3)
        v.t_()
        v += 10
        return y, z, w, v


@case()
class input_in_place(Net):
    args = [x34, x34]

    def forward(self, x, y):
        x.mul_(2)
        view = y[1:]
        view.relu_()
        y[0, 0] = x.sum()
        return x + 1, y, view


@case()
class in_place_in_region(Net):
    args = [x34]

    def forward(self, x):
        y = x.clone()
        with torch.no_grad():
            y.add_(1)
            y[0] = 0
        return y * 2


# ---- What depends on weights alone ----


@case()
class hoisted(Net):
    """Results that are the same in every run: read by nodes, outputs, both, twice; through views; beside state."""

    args = [x34]

    def forward(self, x):
        scaled = self.lin.weight * 2 + self.buf.sum()
        again = self.lin.weight * 2
        mixed = self.lin.weight.t().reshape(2, 8).exp()
        repeated = self.buf[:, None].expand(3, 2, 4).reshape(6, 4)
        self.count.add_(1)
        return x @ scaled.t(), scaled, again, mixed[1], x + repeated[1:4], repeated * self.count, self.lin.weight.t()


@case(dynamic=({0: Dim("s", min=2, max=64)},), run=[lambda: torch.randn(7, 4)])
class hoisted_by_size(Net):
    args = [x34]

    def forward(self, x):
        position = torch.arange(x.shape[0])
        angle = position[:, None] * self.buf.sum(0)[None]
        later = position[None] > position[:, None]
        return x * angle.cos(), torch.where(later, -1.0, x @ x.t())


@case()
class sliding_cache(Net):
    """Caches that move up by one: their next values are no updates in place."""
    args = [x34, lambda: torch.randn(1, 2, 6, 4), lambda: torch.randn(1, 2, 6, 4)]

    def forward(self, x, k, v):
        new = x.view(1, 1, 3, 4).expand(1, 2, 3, 4)
        k, v = torch.cat([k[:, :, 3:], new], 2), torch.cat([v[:, :, 3:], 2 * new], 2)
        return torch.nn.functional.scaled_dot_product_attention(new, k, v), k, v


# ---- Devices ----


@case()
class two_branches(nn.Module):
    """Two chains that do not depend on each other until the end."""

    args = [x34, x34]

    def forward(self, x, y):
        return x.exp().tanh() + y.sin().cos()


@case(core=False)
class two_towers(nn.Module):
    """The same with work in it: products, which are not joined to one chain."""

    args = [lambda: torch.randn(48, 48) / 8, lambda: torch.randn(48, 48) / 8]

    def forward(self, x, y):
        for _ in range(4):
            x = (x @ x).tanh()
            y = (y @ y).sigmoid()
        return x + y


def values(makers):
    return tuple(make() for make in makers)


def main():
    folder, names = sys.argv[1], sys.argv[2:]
    for name, (cls, options) in CASES.items():
        if names and name not in names:
            continue
        torch.manual_seed(sum(map(ord, name)))
        kwargs = {k: make() for k, make in options.get("kwargs", {}).items()}
        run = values(options["run"]) if "run" in options else None
        try:
            write_case(folder, name, cls(), values(cls.args), kwargs, core=options.get("core", True),
                       dynamic_shapes=options.get("dynamic"), run_args=run)
        except Exception as error:  # the other cases are still written
            print(f"{name}: {type(error).__name__}: {str(error)[:400]}", file=sys.stderr)


if __name__ == "__main__":
    main()
