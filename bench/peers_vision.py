"""Latency of torchvision's ResNet-18, ResNet-50 and MobileNetV2, batch 1, 224x224, in PyTorch, onnxruntime and OpenVINO.

usage: peers_vision.py WORK    (ONNX files are kept in WORK)

Prints {"name": "ENGINE MODEL", "samples_ms": [...]} for each.
"""

import json
import os
import sys
import time
import warnings

import torch
import torchvision

THREADS = 2
RUNS = 15


def report(name, call):
    for _ in range(3):
        call()
    samples = []
    for _ in range(RUNS):
        start = time.perf_counter()
        call()
        samples.append((time.perf_counter() - start) * 1e3)
    print(json.dumps({"name": name, "samples_ms": samples}), flush=True)


def onnx_file(folder, name, model, image):
    path = os.path.join(folder, name + ".onnx")
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        torch.onnx.export(model, (image,), path, dynamo=True, verbose=False)
    return path


def run_onnxruntime(name, path, image):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: image.numpy()}
    report(f"onnxruntime {name}", lambda: session.run(None, feed))


def run_openvino(name, path, image):
    import openvino

    hints = {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(path, "CPU", hints)
    report(f"openvino {name}", lambda: compiled(image.numpy()))


def main():
    warnings.filterwarnings("ignore")
    torch.set_num_threads(THREADS)
    with torch.no_grad():
        for name in ("resnet18", "resnet50", "mobilenet_v2"):
            model, image = torchvision.models.get_model(name).eval(), torch.randn(1, 3, 224, 224)
            report(f"torch {name}", lambda: model(image))
            path = onnx_file(sys.argv[1], name, model, image)
            for engine in (run_onnxruntime, run_openvino):
                try:
                    engine(name, path, image)
                except ImportError as error:
                    print(error, file=sys.stderr)


if __name__ == "__main__":
    main()
