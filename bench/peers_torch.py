"""Qwen2.5-1.5B in PyTorch eager, bfloat16: a decode step over a cache of 2048 positions, and the prefill of 128 tokens.

The graph is the one that lathe runs: the module that python/lathe_export exports. Weights are random.
Prints {"name": "decode" or "prefill", "samples_ms": [...]}.
"""

import json
import time
import warnings

import torch
from peers_models import THREADS, make_caches, make_qwen

from lathe_export.causal_lm import CausalLM

CONTEXT = 2048


def report(name, module, kv, tokens, first, runs):
    samples = []
    for i in range(runs + 1):  # the first one warms up
        ids, positions = torch.ones(1, tokens, dtype=torch.int64), torch.arange(first, first + tokens)
        start = time.perf_counter()
        module(ids, positions, kv)
        if i:
            samples.append((time.perf_counter() - start) * 1e3)
    print(json.dumps({"name": name, "samples_ms": samples}), flush=True)


def main():
    warnings.filterwarnings("ignore")
    torch.set_num_threads(THREADS)
    with torch.no_grad():
        model = make_qwen()
        kv = make_caches(model, CONTEXT)
        module = CausalLM(model)
        report("decode", module, kv, 1, 1, 4)
        report("prefill", module, kv, 128, 0, 1)


if __name__ == "__main__":
    main()
