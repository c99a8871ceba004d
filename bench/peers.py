"""Decode steps of lathe and of the peers that are there, in turns, in documents as docs/benchmark-json.md describes them.

usage: bench/peers.sh NAME [--rounds N] [--only TEXT] [--positions LIST]

  NAME             of the machine: results go to bench/results/peers-MODEL-NAME.json
  --rounds N       how often every engine has its turn (default: 3)
  --only TEXT      only engines and models whose name contains TEXT, as in "qwen torch"
  --positions LIST numbers between commas, instead of the model's own

llama.cpp runs Qwen2.5-1.5B in bfloat16, Q8_0 and Q4_0, with and without flash attention; PyTorch runs the graph itself in
bfloat16. PyTorch, onnxruntime and OpenVINO run the graph of SmolLM2-135M in float32, with caches of 512 entries, which they
copy at each step, as the graph says. A release build is needed, and the
variables that bench/compare.sh --help names. Engines that are not there are left out, and named.
"""

import json
import os
import platform
import statistics
import sys
import tempfile

import check_json
import compare

FIELDS = check_json.read_tables(check_json.PAGE)
PREFILL = 128
REPEATS = 2  # in each round


def lathe_series(file, weights, context, quantize):
    def measure(positions):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "lathe.json")
            compare.run([compare.LATHE, "bench", "decode", file, *weights, "--json", path, "--max-cache-len", str(context), "--prefill-len", str(PREFILL),
                         "--positions", ",".join(map(str, positions)), "--repeats", str(REPEATS), "--quantize", quantize, "--threads", compare.THREADS], timeout=1200)
            with open(path, encoding="utf-8") as result:
                return json.load(result)
    return measure


def peer_series(engine, weight_type, device, measure):
    """`measure` gives {cache index: samples} and a version for cache indices."""
    def measure_document(positions):
        indices = {position: PREFILL + position - 1 for position in positions}
        samples, version = measure(list(indices.values()))
        series = {key: None for key in FIELDS["A series"]}
        series.update(id=0, engine=engine, version=version, device=device, executor="executor", quantize="none", weight_type=weight_type,
                      threads=int(compare.THREADS), ttft_samples_ms=[])
        rows = []
        for position, index in indices.items():
            if index in samples:
                row = {key: None for key in FIELDS["A row"]}
                row.update(series=0, position=position, cache_index=index, samples_ms=samples[index])
                rows.append(row)
        return {"series": [series], "executor_results": rows, "dag_results": []}
    return measure_document


def by_index(found):
    return {int(name): row["samples_ms"] for name, row in found.items() if name.isdigit()}


def python_peer(engine, model, context, weight_type):
    def measure(indices):
        found = compare.measure_python("peers_decode.py", engine, model, compare.WORK, str(context), str(REPEATS), *map(str, indices))
        return by_index(found), found["version"]["version"]
    return peer_series({"torch": "PyTorch", "openvino": "OpenVINO"}.get(engine, engine), weight_type, "cpu", measure)


def llama_peer(file, flash, weight_type):
    def measure(indices):
        found = compare.measure_llama_depth(compare.qwen(file), flash, *map(str, indices))
        return {int(name.split("/")[1]): row["samples_ms"] for name, row in found.items()}, None
    return peer_series(f"llama.cpp -fa {flash}", weight_type, "cpu", measure)


QWEN_WEIGHTS = ["--weights", compare.qwen("bf16.gguf")] if compare.QWEN else ["--random-weights"]

# For each document: context, positions, and the engines in the order of their turns.
DOCUMENTS = {
    "qwen2.5-1.5b": (32768, [1, 1024, 8192, 32640], {
        "lathe bf16": lathe_series(compare.QWEN_GRAPH, QWEN_WEIGHTS, 32768, "none"),
        "llama.cpp bf16 fa0": llama_peer("bf16.gguf", "0", "bfloat16"),
        "llama.cpp bf16 fa1": llama_peer("bf16.gguf", "1", "bfloat16"),
        "torch": python_peer("torch", "qwen", 32768, "bfloat16"),
        "lathe int8": lathe_series(compare.QWEN_GRAPH, QWEN_WEIGHTS, 32768, "int8"),
        "llama.cpp q8_0 fa0": llama_peer("Q8_0.gguf", "0", "Q8_0"),
        "llama.cpp q8_0 fa1": llama_peer("Q8_0.gguf", "1", "Q8_0"),
        "lathe int4": lathe_series(compare.QWEN_GRAPH, QWEN_WEIGHTS, 32768, "int4"),
        "llama.cpp q4_0 fa0": llama_peer("Q4_0.gguf", "0", "Q4_0"),
        "llama.cpp q4_0 fa1": llama_peer("Q4_0.gguf", "1", "Q4_0"),
    }),
    "smollm2-135m": (512, [1, 64, 384], {
        "lathe f32": lathe_series(compare.SMOLLM_GRAPH, ["--random-weights"], 512, "none"),
        "torch": python_peer("torch", "smollm", 512, "float32"),
        "onnxruntime": python_peer("onnxruntime", "smollm", 512, "float32"),
        "openvino": python_peer("openvino", "smollm", 512, "float32"),
    }),
}


# ---- Documents ----

def same_series(a, b):
    return all(a[key] == b[key] for key in ("engine", "device", "executor", "weight_type"))


def finish(row):
    """What follows from a row's samples."""
    samples = row["samples_ms"]
    ms = statistics.median(samples)
    row.update(step_time_ms=ms, step_time_std_ms=statistics.stdev(samples) if len(samples) > 1 else 0, tps=1000 / ms)
    if row["bytes"]:
        row["read_gb_s"] = row["bytes"] / ms / 1e6
        row["share_of_bandwidth"] = row["read_gb_s"] / row["bandwidth_gb_s"]


def merge(doc, more):
    """Adds a turn's series and samples to those of the turns before."""
    for series in more["series"]:
        known = next((old for old in doc["series"] if same_series(old, series)), None)
        if known is None:
            known = dict(series, id=len(doc["series"]))
            doc["series"].append(known)
        for row in (row for row in more["executor_results"] if row["series"] == series["id"]):
            old = next((old for old in doc["executor_results"] if (old["series"], old["position"]) == (known["id"], row["position"])), None)
            if old is None:
                old = dict(row, series=known["id"], samples_ms=[])
                doc["executor_results"].append(old)
            old["samples_ms"] = old["samples_ms"] + row["samples_ms"]
            finish(old)


def save(doc, path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(doc, file, indent=1)
        file.write("\n")
    os.replace(path + ".new", path)


def measure(name, machine, rounds, only, wanted):
    context, positions, engines = DOCUMENTS[name]
    positions, doc = wanted or positions, None
    path = os.path.join(compare.ROOT, "bench/results", f"peers-{name}-{machine}.json")
    for number in range(rounds):
        for engine, turn in engines.items():
            if only not in f"{name} {engine}":
                continue
            try:
                found = turn(positions)
            except (RuntimeError, ValueError, KeyError) as error:
                print(f"round {number + 1}, {name}, {engine}: left out: {str(error)[:300]}", file=sys.stderr)
                continue
            print(f"round {number + 1}, {name}, {engine}: done", file=sys.stderr)
            if doc is None and "schema" not in found:
                raise SystemExit("The first turn must be lathe's: it describes the machine.")
            if doc is None:
                doc = dict(found, series=[], executor_results=[], repeats=REPEATS * rounds)
                doc["environment"]["python"] = platform.python_version()
            merge(doc, found)
            save(doc, path)
    if doc:
        print(f"wrote {os.path.relpath(path, compare.ROOT)}", file=sys.stderr)


def main():
    arguments = sys.argv[1:]
    if not arguments or arguments[0].startswith("-"):
        print(__doc__.strip())
        return 0 if "--help" in arguments else 2
    if not os.path.exists(compare.LATHE):
        print("There is no build/release/lathe: build the release preset first.", file=sys.stderr)
        return 2
    positions = [int(text) for text in compare.option(arguments, "--positions", "").split(",") if text]
    for name in DOCUMENTS:
        measure(name, arguments[0], compare.option(arguments, "--rounds", 3), compare.option(arguments, "--only", ""), positions)
    return 0


if __name__ == "__main__":
    sys.exit(main())
