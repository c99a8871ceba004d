"""SmolLM2-135M in float32 in OpenVINO: the prefill of 128 tokens, and a decode step over a cache of 512 positions.

usage: peers_smollm.py WORK    (converted models are kept in WORK)

The graph is the one that lathe runs: the module that python/lathe_export exports. Weights are random.
Prints {"name": "openvino prefill" or "openvino decode", "samples_ms": [...]}.
"""

import json
import os
import sys
import time
import warnings

import numpy as np
import openvino

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "python"))

THREADS = 2
CONTEXT = 512
LAYERS, KV_HEADS, HEAD = 30, 3, 64


def convert(path, tokens):
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    from lathe_export.causal_lm import CausalLM

    config = LlamaConfig(hidden_size=576, intermediate_size=1536, num_hidden_layers=LAYERS, num_attention_heads=9, num_key_value_heads=KV_HEADS,
                         vocab_size=49152, max_position_embeddings=8192, rope_theta=100000, rms_norm_eps=1e-5, tie_word_embeddings=True)
    model = CausalLM(AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").float().eval())
    kv = [torch.zeros(1, KV_HEADS, CONTEXT, HEAD) for _ in range(2 * LAYERS)]
    with torch.no_grad():
        exported = torch.export.export(model, (torch.zeros(1, tokens, dtype=torch.int64), torch.arange(tokens), kv), strict=False)
        openvino.save_model(openvino.convert_model(exported.run_decompositions()), path, compress_to_fp16=False)


def report(name, path, tokens, runs):
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        convert(path, tokens)
    hints = {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(path, "CPU", hints)
    feed = [np.zeros((1, tokens), np.int64), np.arange(tokens, dtype=np.int64)]
    feed += [np.zeros((1, KV_HEADS, CONTEXT, HEAD), np.float32) for _ in range(2 * LAYERS)]
    samples = []
    for i in range(runs + 2):  # the first two warm up
        start = time.perf_counter()
        compiled(feed)
        if i > 1:
            samples.append((time.perf_counter() - start) * 1e3)
    print(json.dumps({"name": name, "samples_ms": samples}), flush=True)


def main():
    warnings.filterwarnings("ignore")
    report("openvino prefill", os.path.join(sys.argv[1], "smollm-prefill.xml"), 128, 5)
    report("openvino decode", os.path.join(sys.argv[1], "smollm-decode.xml"), 1, 9)


if __name__ == "__main__":
    main()
