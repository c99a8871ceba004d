"""Golden cases of PyTorch's own sample inputs (torch.testing's op_db): every operator there, in one archive for each dtype.

    python cases_opinfo.py FOLDER [SUBSTRING] [--dtypes float32,int64] [--most N]

Needs the package expecttest, or a stub of it. What PyTorch cannot export is left out, as are operators without an
answer that one can compare: random ones, and those whose results depend on memory that nobody wrote. What lathe does
not have is reported by lathe verify.
"""

import argparse
import warnings

import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_flatten, tree_unflatten

from lathe_export.make_golden import write_case

DTYPES = "float32,bfloat16,int64,bool,float16,float64,uint8,int32"
UNDEFINED = """empty empty_like new_empty empty_strided new_empty_strided empty_permuted resize_ resize_as_ randn randn_like
rand_like randint randint_like normal bernoulli multinomial cauchy exponential geometric log_normal uniform
nn.functional.dropout nn.functional.dropout2d nn.functional.dropout3d nn.functional.alpha_dropout nn.functional.rrelu
nn.functional.feature_alpha_dropout nn.functional.fractional_max_pool2d nn.functional.fractional_max_pool3d
svd_lowrank pca_lowrank""".split()
# Families that lathe refuses by name: linear algebra, Fourier transforms, sparse tensors, special functions.
REFUSED = ("linalg", "fft", "special", "sparse", "to_sparse", "lu", "stft", "istft", "cholesky", "svd", "jiterator", "masked.")


class Calls(torch.nn.Module):
    """Calls of one operator: `calls` holds (flat arguments with None for tensors, spec)."""

    def __init__(self, op, calls):
        super().__init__()
        self.op, self.calls = op, calls

    def forward(self, *tensors):
        results, at = [], 0
        for flat, spec in self.calls:
            filled = []
            for value in flat:
                filled.append(tensors[at] if value is None else value[0])
                at += value is None
            args, kwargs = tree_unflatten(filled, spec)
            results.append(self.op(*args, **kwargs))
        return results


def split(sample):
    """A sample's tensors, and the call that takes them."""
    flat, spec = tree_flatten(((sample.input, *sample.args), sample.kwargs))
    tensors = [x.detach().clone() for x in flat if isinstance(x, torch.Tensor)]
    return tensors, ([None if isinstance(x, torch.Tensor) else (x,) for x in flat], spec)


def usable(op, tensors, call):
    """Runs, exports, and gives tensors of dtypes that archives of weights know."""
    module = Calls(op, [call])
    try:
        results = [r for r in tree_flatten(module(*[t.clone() for t in tensors]))[0]]
        if not results or any(not isinstance(r, torch.Tensor) or r.is_complex() or r.layout != torch.strided for r in results):
            return False
        torch.export.export(module, tuple(t.clone() for t in tensors))
        return True
    except Exception:
        return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("only", nargs="?", default="")
    parser.add_argument("--dtypes", default=DTYPES)
    parser.add_argument("--most", type=int, default=16)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for op in op_db:
        name = op.name + ("." + op.variant_test_name if op.variant_test_name else "")
        if options.only not in name or op.name in UNDEFINED or op.name.startswith(REFUSED):
            continue
        for dtype in (getattr(torch, d) for d in options.dtypes.split(",")):
            if dtype not in op.dtypes:
                continue
            torch.manual_seed(0)
            tensors, calls = [], []
            try:
                samples = list(op.sample_inputs("cpu", dtype))
            except Exception:
                continue
            step = max(1, len(samples) // options.most)
            for sample in samples[::step][: options.most]:
                own, call = split(sample)
                if any(t.is_complex() or t.layout != torch.strided for t in own) or not usable(op.op, own, call):
                    continue
                tensors += own
                calls.append(call)
            if calls:
                try:
                    write_case(options.folder, f"{name}_{dtype}".replace("torch.", ""), Calls(op.op, calls), tuple(tensors))
                except Exception as e:
                    print(f"{name} {dtype}: left out: {str(e).splitlines()[0][:120]}")


if __name__ == "__main__":
    main()
