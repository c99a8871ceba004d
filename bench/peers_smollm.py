"""SmolLM2-135M in float32 in OpenVINO and ggml-compiler: the prefill of 128 tokens, and a decode step.

usage: peers_smollm.py openvino|ggml-compiler WORK    (converted models are kept in WORK)

The graph for OpenVINO is the one that lathe runs, the module that python/lathe_export exports, with a cache of 512
positions; ggml-compiler has its own. Weights are random. Prints {"name": "ENGINE prefill" or "ENGINE decode",
"samples_ms": [...]}.
"""

import json
import os
import sys
import time
import warnings

from peers_models import THREADS, make_caches, make_smollm

CONTEXT = 512
LAYERS, KV_HEADS, HEAD = 30, 3, 64
PROMPT, STEPS, WARM = 128, 9, 2


def report(name, call, runs):
    samples = []
    for i in range(runs + WARM):
        start = time.perf_counter()
        call()
        if i >= WARM:
            samples.append((time.perf_counter() - start) * 1e3)
    print(json.dumps({"name": name, "samples_ms": samples}), flush=True)


# ---- OpenVINO ----

def convert(path, tokens):
    import openvino
    import torch

    from lathe_export.causal_lm import CausalLM

    model = make_smollm()
    example = (torch.zeros(1, tokens, dtype=torch.int64), torch.arange(tokens), make_caches(model, CONTEXT))
    with torch.no_grad():
        exported = torch.export.export(CausalLM(model), example, strict=False)
        openvino.save_model(openvino.convert_model(exported.run_decompositions()), path, compress_to_fp16=False)


def run_openvino(folder):
    import numpy as np
    import openvino

    hints = {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    for name, tokens, runs in (("prefill", PROMPT, 5), ("decode", 1, STEPS)):
        path = os.path.join(folder, f"smollm-{name}.xml")
        if not os.path.exists(path):
            convert(path, tokens)
        compiled = openvino.Core().compile_model(path, "CPU", hints)
        feed = [np.zeros((1, tokens), np.int64), np.arange(tokens, dtype=np.int64)]
        feed += [np.zeros((1, KV_HEADS, CONTEXT, HEAD), np.float32) for _ in range(2 * LAYERS)]
        report(f"openvino {name}", lambda: compiled(feed), runs)


# ---- ggml-compiler ----

def run_ggml_compiler(folder):
    import ggml_compiler

    out = os.path.join(folder, "smollm-ggml")
    path = os.path.join(out, "model.gguf")
    if not os.path.exists(path):
        ggml_compiler.compile(ggml_compiler.causal_lm(make_smollm(), max_context=1024), out_dir=out)
    with ggml_compiler.Session(path, backend="cpu", n_threads=THREADS) as session:
        generator = ggml_compiler.Generator(session)

        def prefill():
            generator.reset()
            generator.feed([1] * PROMPT)

        report("ggml-compiler prefill", prefill, 5)
        generator.reset()
        generator.feed([1, 2])
        report("ggml-compiler decode", lambda: generator.feed([1]), STEPS)


def main():
    warnings.filterwarnings("ignore")
    os.makedirs(sys.argv[2], exist_ok=True)
    {"openvino": run_openvino, "ggml-compiler": run_ggml_compiler}[sys.argv[1]](sys.argv[2])


if __name__ == "__main__":
    main()
