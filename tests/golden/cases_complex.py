"""Golden cases of complex numbers inside of models: rotary embeddings, spectra, and what is done to them on the way.

Usage: cases_complex.py FOLDER [NAME…]: all cases, or those named, into FOLDER.
"""

import sys

import torch
from torch import nn
from torch.export import Dim

from lathe_export.make_golden import write_case

CASES = {}


def case(*shapes, **options):
    """Registers a function of tensors, or a module, and the shapes of its arguments."""

    def register(fn):
        CASES[fn.__name__] = (fn, shapes, options)
        return fn

    return register


def rotate(x, table):
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * table).flatten(-2).type_as(x)


def angles(length, dim):
    return torch.outer(torch.arange(length).float(), 10000.0 ** -(torch.arange(0, dim, 2).float() / dim))


@case((2, 5, 3, 8), (2, 5, 1, 8), dynamic_shapes=({1: Dim("s", min=2, max=16)},) * 2, run=((2, 9, 3, 8), (2, 9, 1, 8)))
class rope_table(nn.Module):
    """The table is a constant of the file."""

    def __init__(self):
        super().__init__()
        a = angles(16, 8)
        self.table = torch.polar(torch.ones_like(a), a)

    def forward(self, q, k):
        table = self.table[: q.shape[1]].view(1, q.shape[1], 1, -1)
        return rotate(q, table), rotate(k, table)


@case((2, 5, 3, 8), (2, 5))
def rope_polar(x, positions):
    freqs = positions[..., None].abs() * (10000.0 ** -(torch.arange(0, 8, 2).float() / 8))
    table = torch.polar(torch.ones_like(freqs), freqs)[:, :, None, :].to("cpu")
    return rotate(x, table)


@case((2, 5, 3, 8))
def rope_bf16(x):
    table = torch.polar(torch.ones(5, 4), angles(5, 8)).view(5, 1, 4)
    return rotate(x.to(torch.bfloat16), table)


@case((3, 4, 2), (3, 4))
def arithmetic(pairs, r):
    x = torch.view_as_complex(pairs)
    y = torch.complex(r, r * 2 - 1)
    sums = [x * y, x + y - r, x * r, 2 * x, x + 3, x / r, x * y.conj(), -x]
    return [torch.view_as_real(z) for z in sums] + [x.abs(), y.angle(), x.real + y.imag]


@case((3, 4, 2), (3, 4))
def moves(pairs, r):
    x = torch.view_as_complex(pairs)
    a, b = x.chunk(2, 1)
    stacked = torch.stack([x, torch.complex(r, r)], 0)
    chosen = torch.where(r > 0, x, r)[torch.tensor([2, 0])]
    moved = [torch.cat([b, a], 1), stacked, chosen, x.transpose(0, 1)[:, 1:].unsqueeze(-1), x.sum(0), x.cumsum(1)]
    return [torch.view_as_real(z.contiguous()) for z in moved]


@case((3, 4, 2), exact=False)
def double(pairs):
    x = torch.view_as_complex(pairs.double())
    y = x.to(torch.complex64) * pairs.sum(-1).to(torch.complex64)
    return torch.view_as_real(x * x), (x * x).abs().float(), torch.view_as_real(y)


@case((2, 6, 5))
def fourier_mixing(x):
    return torch.fft.fft(torch.fft.fft(x, dim=-1), dim=-2).real, torch.fft.fftn(x, dim=(1, 2)).imag


@case((2, 3, 8, 7), (3, 8, 4, 2))
def fourier_filter(x, w):
    y = torch.fft.rfft2(x, norm="ortho") * torch.view_as_complex(w)
    return torch.fft.irfft2(y, s=x.shape[-2:], norm="ortho")


@case((3, 10), (3, 6, 2))
def fourier_norms(x, pairs):
    half = torch.fft.rfft(x, n=7, norm="forward")
    numbers = torch.view_as_complex(pairs)
    back = [torch.fft.irfft(half, norm="forward"), torch.fft.irfft(half, n=9), torch.fft.irfft(numbers, norm="ortho")]
    both = [torch.fft.ifft(numbers, n=8), torch.fft.ifftn(numbers, norm="forward"), torch.fft.fft(x, dim=0), half]
    return back + [torch.view_as_real(z) for z in both]


@case((2, 16), exact=False)
def autocorrelation(x):
    f = torch.fft.rfft(x.double(), n=32)
    return torch.fft.irfft(f * f.conj(), n=32).float()


def write(folder, name):
    fn, shapes, options = CASES[name]
    torch.manual_seed(0)
    tensors = lambda sizes: tuple(torch.randn(s) for s in sizes)
    options = dict(options)
    run = options.pop("run", None)
    module = fn() if isinstance(fn, type) else fn
    write_case(folder, name, module, tensors(shapes), run_args=run and tensors(run), **options)


def main():
    for name in sys.argv[2:] or CASES:
        write(sys.argv[1], name)


if __name__ == "__main__":
    main()
