"""Writes golden cases: an exported archive, its inputs, and PyTorch's own outputs.

    python -m lathe_export.make_golden MODEL.py -o FOLDER [--name NAME]

MODEL.py has a function case() that gives a module (or a function of tensors) and the tuple of its arguments, and
optionally a dict of keyword arguments for write_case. A case NAME is NAME.pt2 (the exported module), NAME.safetensors
(input.K, output.K and, with `exact`, exact.K: the outputs of the same module in float64, rounded to float32) and, with
`core`, NAME.core.pt2 (the graph after run_decompositions, where PyTorch itself computes the same with it).
`lathe verify NAME.pt2` compares.
"""

import argparse
import copy
import os
import runpy
import sys

import torch
from safetensors.torch import save_file
from torch.utils._pytree import tree_flatten, tree_map

from .archive import tidy


class Function(torch.nn.Module):
    """A plain function of tensors as a module."""

    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, *args):
        return self.fn(*args)


def _clone(value):
    if not isinstance(value, torch.Tensor):
        return value
    return torch.empty_strided(value.size(), value.stride(), dtype=value.dtype).copy_(value)


def _tensors(prefix, value):
    flat = tree_flatten(value)[0]
    return {f"{prefix}.{i}": t.detach().clone().contiguous() for i, t in enumerate(flat) if isinstance(t, torch.Tensor)}


def _double(value):
    return value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value


def _agree(a, b):
    """PyTorch's decompositions round elsewhere, and some differ at the edges."""
    return all(torch.allclose(a[k].double(), b[k].double(), rtol=1e-3, atol=1e-5, equal_nan=True) for k in a)


def _save(program, folder, name):
    path = os.path.join(folder, name + ".pt2")
    torch.export.save(program, path)
    tidy(path)


def write_case(folder, name, module, args, kwargs=None, core=True, exact=False, dynamic_shapes=None, run_args=None,
               strict=False):
    """Exports `module` (an nn.Module or a function) for `args` and records its outputs.

    `run_args`: other arguments to record (for dynamic shapes); default: `args`.
    """
    if not isinstance(module, torch.nn.Module):
        module = Function(module)
    module = module.eval()
    kwargs = kwargs or {}
    os.makedirs(folder, exist_ok=True)
    pristine = copy.deepcopy(module)
    with torch.no_grad():
        program = torch.export.export(
            module, tree_map(_clone, args), tree_map(_clone, kwargs), dynamic_shapes=dynamic_shapes, strict=strict
        )
        _save(program, folder, name)
        record = args if run_args is None else run_args
        tensors = _tensors("input", (record, kwargs))
        output = _tensors("output", copy.deepcopy(pristine)(*tree_map(_clone, record), **tree_map(_clone, kwargs)))
        tensors.update(output)
        if core:
            decomposed = program.run_decompositions()
            answer = decomposed.module()(*tree_map(_clone, record), **tree_map(_clone, kwargs))
            if _agree(output, _tensors("output", answer)):
                _save(decomposed, folder, name + ".core")
            else:
                print(f"{name}: PyTorch's own answers differ after run_decompositions(): no .core.pt2")
        if exact:
            answer = copy.deepcopy(pristine).double()(*tree_map(_double, record), **tree_map(_double, kwargs))
            exact_tensors = _tensors("exact", answer)
            tensors.update({k: t.float() if t.is_floating_point() else t for k, t in exact_tensors.items()})
    save_file(tensors, os.path.join(folder, name + ".safetensors"))


def main():
    parser = argparse.ArgumentParser(prog="python -m lathe_export.make_golden", description=__doc__.splitlines()[0])
    parser.add_argument("model", help="Python file with a function case(): module, arguments[, options of write_case]")
    parser.add_argument("-o", "--output", required=True, help="folder to write to")
    parser.add_argument("--name", help="of the case (default: that of the file)")
    parser.add_argument("--no-core", action="store_true", help="without the graph after run_decompositions()")
    parser.add_argument("--no-exact", action="store_true", help="without the outputs in float64")
    args = parser.parse_args()
    name = args.name or os.path.splitext(os.path.basename(args.model))[0]
    sys.path.insert(0, os.path.dirname(os.path.abspath(args.model)))
    module, inputs, *options = runpy.run_path(args.model)["case"]()
    settings = {"core": not args.no_core, "exact": not args.no_exact, **(options[0] if options else {})}
    write_case(args.output, name, module, inputs, **settings)
    print(os.path.join(args.output, name + ".pt2"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
