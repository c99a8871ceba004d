"""Qwen2.5-1.5B in PyTorch eager, bfloat16: a decode step over a cache of 2048 positions, and the prefill of 128 tokens.

The graph is the one that lathe runs: the module that python/lathe_export exports. Weights are random.
Prints {"name": "decode" or "prefill", "samples_ms": [...]}.
"""

import json
import os
import sys
import time
import warnings

import torch
from transformers import AutoModelForCausalLM, Qwen2Config

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "python"))
from lathe_export.causal_lm import CausalLM, cache_shape  # noqa: E402

THREADS = 2
CONTEXT = 2048


def make_model():
    config = Qwen2Config(hidden_size=1536, intermediate_size=8960, num_hidden_layers=28, num_attention_heads=12, num_key_value_heads=2,
                         vocab_size=151936, max_position_embeddings=32768, rope_theta=1e6, rms_norm_eps=1e-6, tie_word_embeddings=True)
    torch.set_default_dtype(torch.bfloat16)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    torch.set_default_dtype(torch.float32)
    return model.to(torch.bfloat16).eval()


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
        model = make_model()
        layers, heads, size = cache_shape(model.config)
        kv = [torch.zeros(1, heads, CONTEXT, size, dtype=torch.bfloat16) for _ in range(2 * layers)]
        module = CausalLM(model)
        report("decode", module, kv, 1, 1, 4)
        report("prefill", module, kv, 128, 0, 1)


if __name__ == "__main__":
    main()
