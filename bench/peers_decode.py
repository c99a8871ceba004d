"""Decode steps of a language model behind a cache of random values, in PyTorch, onnxruntime or OpenVINO.

usage: peers_decode.py torch|onnxruntime|openvino qwen|smollm WORK CONTEXT REPEATS INDEX...

The graph is the one that lathe runs, the module that python/lathe_export exports, with caches of CONTEXT entries; a step
writes entry INDEX. Converted models are kept in WORK. Prints {"name": INDEX, "samples_ms": [...]} for each, and first
{"name": "version", "samples_ms": [], "version": ...}. New caches stay in the engine's memory; they are not fed back.
"""

import json
import os
import sys
import time
import warnings

import torch
from peers_models import THREADS, make_caches, make_qwen, make_smollm

from lathe_export.causal_lm import CausalLM

WARM = 1


def make_module(name, context):
    torch.manual_seed(0)
    model = {"qwen": make_qwen, "smollm": make_smollm}[name]()
    return CausalLM(model), make_caches(model, context, lambda shape: torch.rand(shape) * 2 - 1)


def inputs_at(index):
    return torch.ones(1, 1, dtype=torch.int64), torch.tensor([index])


def converted(folder, name, context, ending, convert):
    """The path of a converted model; convert(exported program, path) makes it."""
    path = os.path.join(folder, f"{name}-decode-{context}.{ending}")
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        module, kv = make_module(name, context)
        exported = torch.export.export(module, (*inputs_at(1), kv), strict=False)
        convert(exported.run_decompositions(), path)
    return path


# ---- Engines: each gives its version and a function that runs the step at an index, whose logits have then arrived ----

def open_torch(folder, name, context):
    torch.set_num_threads(THREADS)
    module, kv = make_module(name, context)
    return torch.__version__, lambda index: module(*inputs_at(index), kv)[0]


def open_onnxruntime(folder, name, context):
    import onnxruntime

    path = converted(folder, name, context, "onnx", lambda exported, path: torch.onnx.export(exported, (), dynamo=True, verbose=False).save(path, external_data=True))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    _, kv = make_module(name, context)
    caches = {key: onnxruntime.OrtValue.ortvalue_from_numpy(value.numpy()) for key, value in zip(names[2:], kv)}
    outputs = [value.name for value in session.get_outputs()]

    def step(index):
        ids, position = (onnxruntime.OrtValue.ortvalue_from_numpy(value.numpy()) for value in inputs_at(index))
        return session.run_with_ort_values(outputs, {names[0]: ids, names[1]: position, **caches})[0].numpy()

    return onnxruntime.__version__, step


def open_openvino(folder, name, context):
    import openvino

    path = converted(folder, name, context, "xml", lambda exported, path: openvino.save_model(openvino.convert_model(exported), path, compress_to_fp16=False))
    hints = {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(path, "CPU", hints)
    _, kv = make_module(name, context)
    caches = [value.numpy() for value in kv]

    def step(index):
        feed = [value.numpy() for value in inputs_at(index)] + caches
        return compiled(feed, share_inputs=True, share_outputs=True)[0]

    return openvino.__version__, step


ENGINES = {"torch": open_torch, "onnxruntime": open_onnxruntime, "openvino": open_openvino}


def main():
    engine, name, folder, context, repeats, *indices = sys.argv[1:]
    warnings.filterwarnings("ignore")
    with torch.no_grad():
        version, step = ENGINES[engine](folder, name, int(context))
        print(json.dumps({"name": "version", "samples_ms": [], "version": version}), flush=True)
        for index in indices:
            samples = []
            for i in range(WARM + int(repeats)):
                start = time.perf_counter()
                step(int(index))
                if i >= WARM:
                    samples.append((time.perf_counter() - start) * 1e3)
            print(json.dumps({"name": index, "samples_ms": samples}), flush=True)


if __name__ == "__main__":
    main()
