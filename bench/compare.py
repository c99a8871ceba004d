"""Measures lathe and the peers that are there, in turns, and writes the figures down with what is aimed at.

usage: bench/compare.sh NAME [--rounds N] [--minutes M] [--only TEXT] [--isa ISA] [--fresh] [--prepare] [--table]

  NAME        of the machine: results go to bench/results/NAME.json
  --rounds N  how often each measurement is made (default: 2)
  --minutes M no further round starts after that time (default: 12)
  --only TEXT only measurements whose name contains TEXT
  --isa avx2  as a processor with no more than AVX2 would run it: lathe, OpenVINO and PyTorch are masked; llama.cpp must
              be one that was built so; onnxruntime cannot be masked
  --fresh     forgets what was measured before
  --prepare   makes the models that are measured, and stops
  --table     measures nothing: writes docs/performance.md from the results that are there, of all machines

A release build is needed, and in the environment, each for the rows that want it:

  LATHE_BENCH_QWEN    folder with bf16.gguf, Q8_0.gguf and Q4_0.gguf of Qwen2.5-1.5B (values do not matter; without it
                      random weights are made, and llama.cpp is not compared)
  LATHE_BENCH_LLAMA   folder with llama.cpp's llama-bench, and llama_depth: llama_depth MODEL FLASH REPEATS DEPTH... prints
                      "d DEPTH ... step median X ms" of decode steps over a cache of that depth
  LATHE_BENCH_PYTHON  a Python with torch, torchvision, transformers, onnxruntime, openvino, ggml-compiler (default:
                      python3)
  LATHE_BENCH_WORK    folder for models of several gigabytes (default: ~/.cache/lathe/bench)

SmolLM2's GGUF file is the one that ./demo downloads.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LATHE = os.path.join(ROOT, "build/release/lathe")
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "lathe")
WORK = os.environ.get("LATHE_BENCH_WORK", os.path.join(CACHE, "bench"))
QWEN = os.environ.get("LATHE_BENCH_QWEN", "")
LLAMA = os.environ.get("LATHE_BENCH_LLAMA", "")
PYTHON = os.environ.get("LATHE_BENCH_PYTHON", "python3")
SMOLLM = os.path.join(CACHE, "SmolLM2-135M-Instruct.Q4_1.gguf")
QWEN_GRAPH = os.path.join(ROOT, "bench/graphs/qwen2.5-1.5b.bf16.pt2")
SMOLLM_GRAPH = os.path.join(ROOT, "share/smollm2-135m.pt2")
THREADS = "2"
MASKS = {"avx2": {"LATHE_CPU": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}}


def qwen(name):
    return os.path.join(QWEN, name)


def made(name):
    return os.path.join(WORK, name)


# ---- Models ----

# What is measured, and how it is made: the options of lathe compile.
QWEN_BF16 = [QWEN_GRAPH] + (["--weights", qwen("bf16.gguf")] if QWEN else ["--random-weights"])
MODELS = {
    "qwen-bf16.lathe": QWEN_BF16,
    "qwen-int8.lathe": QWEN_BF16 + ["--quantize", "int8"],
    "qwen-int4.lathe": QWEN_BF16 + ["--quantize", "int4"],
    "qwen-q8_0.lathe": [QWEN_GRAPH, "--weights", qwen("Q8_0.gguf")],
    "qwen-q4_0.lathe": [QWEN_GRAPH, "--weights", qwen("Q4_0.gguf")],
    "smollm-q4_1.lathe": [SMOLLM_GRAPH, "--weights", SMOLLM],
    "smollm-f32.lathe": [SMOLLM_GRAPH, "--random-weights"],
}


def run(command, timeout=150):
    """Standard output; raises RuntimeError with the last words of a command that fails."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeError(str(error))
    if result.returncode:
        raise RuntimeError((result.stderr.strip() or result.stdout.strip() or "failed").splitlines()[-1])
    return result.stdout


def ensure_model(name):
    """A model of an older format is made anew."""
    path = made(name)
    if os.path.exists(path):
        try:
            run([LATHE, "inspect", path, "--json"])
            return path
        except RuntimeError:
            pass
    os.makedirs(WORK, exist_ok=True)
    print(f"making {path}", file=sys.stderr)
    run([LATHE, "compile", "-o", path] + MODELS[name], timeout=1200)
    return path


# ---- Measuring ----

def measure_lathe(model, *options):
    """Rows of lathe bench; times of decode are those of one step."""
    path = ensure_model(model) if model in MODELS else os.path.join(ROOT, model)
    more = [] if model in MODELS else ["--random-weights"]
    rows = json.loads(run([LATHE, "bench", path, "-o", "json", "--no-cold", *more, *options]))
    found = {}
    for row in rows:
        key = row["test"] if row["test"] in ("startup", "latency") else f"{row['test']}/{row['tokens'] if row['test'] == 'prefill' else row['depth']}"
        if row["test"] == "decode":
            row["samples_ms"] = [sample / row["tokens"] for sample in row["samples_ms"]]
            row["bytes"] /= row["tokens"]
            row["flops"] /= row["tokens"]
        if row["test"] == "startup":
            row["samples_ms"] = [row["first_token_ms"]]
        found[f"{key}/t{row['threads']}"] = row
    return found


def measure_llama_bench(model, *options):
    """Prefill of n_prompt tokens, and decode without depth; `options` as llama-bench takes them."""
    rows = json.loads(run([os.path.join(LLAMA, "llama-bench"), "-m", model, "-t", THREADS, "-o", "json", *options]))
    found = {}
    for row in rows:
        flash = "1" if row.get("flash_attn") in (True, 1) else "0"
        tokens = row["n_prompt"] or row["n_gen"]
        key = f"prefill/{tokens}" if row["n_prompt"] else "decode/0"
        each = 1 if row["n_prompt"] else tokens
        found[f"{key}/fa{flash}"] = {"samples_ms": [ns / 1e6 / each for ns in row["samples_ns"]]}
    return found


def measure_llama_depth(model, flash, *depths):
    text = run([os.path.join(LLAMA, "llama_depth"), model, flash, "5", *depths])
    steps = re.findall(r"d +(\d+) .*step median ([\d.]+) ms", text)
    if not steps:
        raise RuntimeError("llama_depth: no steps in what it printed")
    return {f"decode/{depth}/fa{flash}": {"samples_ms": [float(ms)]} for depth, ms in steps}


def measure_python(script, *arguments):
    """Peers in Python print a line of JSON for each figure."""
    found = {}
    for line in run([PYTHON, os.path.join(ROOT, "bench", script), *arguments]).splitlines():
        if line.startswith("{"):
            row = json.loads(line)
            found[row.pop("name")] = row
    return found


def measure_program():
    """From a .pt2 file to the program of a step, nothing packed: the whole command."""
    samples = []
    for _ in range(5):
        start = time.perf_counter()
        run([LATHE, "compile", QWEN_GRAPH, "--dim", "c=2048", "--dim", "s=1", "--emit", "program"])
        samples.append((time.perf_counter() - start) * 1e3)
    return {"program": {"samples_ms": samples}}


def measure_size():
    path = made("stripped")
    os.makedirs(WORK, exist_ok=True)
    run(["strip", "-o", path, LATHE])
    return {"size": {"samples_ms": [], "bytes": os.path.getsize(path)}}


# Name, and what measures it, in an order in which the two sides of a comparison are neighbours.
MEASUREMENTS = [
    ("qwen-bf16", (measure_lathe, "qwen-bf16.lathe", "-p", "128", "-n", "4", "-d", "1", "-r", "3", "-c", "2048", "-t", THREADS)),
    ("llama-bf16-fa0", (measure_llama_depth, qwen("bf16.gguf"), "0", "1", "32600")),
    ("qwen-bf16-deep", (measure_lathe, "qwen-bf16.lathe", "-p", "0", "-n", "2", "-d", "16384,32640", "-r", "3", "-t", THREADS)),
    ("llama-bf16-fa1", (measure_llama_depth, qwen("bf16.gguf"), "1", "1", "32600")),
    ("llama-bf16-prefill", (measure_llama_bench, qwen("bf16.gguf"), "-p", "128,512", "-n", "0", "-r", "1", "-fa", "0")),
    ("qwen-bf16-512", (measure_lathe, "qwen-bf16.lathe", "-p", "512", "-n", "0", "-r", "1", "-t", THREADS)),
    ("qwen-bf16-one-thread", (measure_lathe, "qwen-bf16.lathe", "-p", "128", "-n", "0", "-r", "1", "-t", "1")),
    ("torch", (measure_python, "peers_torch.py")),
    ("qwen-int8", (measure_lathe, "qwen-int8.lathe", "-p", "128", "-n", "4", "-d", "1", "-r", "3", "-t", THREADS)),
    ("llama-q8_0-fa0", (measure_llama_depth, qwen("Q8_0.gguf"), "0", "1")),
    ("qwen-q8_0", (measure_lathe, "qwen-q8_0.lathe", "-p", "128", "-n", "4", "-d", "1", "-r", "3", "-t", THREADS)),
    ("llama-q8_0-fa1", (measure_llama_depth, qwen("Q8_0.gguf"), "1", "1")),
    ("llama-q8_0-prefill", (measure_llama_bench, qwen("Q8_0.gguf"), "-p", "128", "-n", "0", "-r", "2", "-fa", "0")),
    ("qwen-int4", (measure_lathe, "qwen-int4.lathe", "-p", "128", "-n", "4", "-d", "1", "-r", "3", "-t", THREADS)),
    ("llama-q4_0-fa0", (measure_llama_depth, qwen("Q4_0.gguf"), "0", "1", "4096", "16384")),
    ("qwen-q4_0", (measure_lathe, "qwen-q4_0.lathe", "-p", "0", "-n", "4", "-d", "1,4096,16384", "-r", "3", "-t", THREADS)),
    ("llama-q4_0-fa1", (measure_llama_depth, qwen("Q4_0.gguf"), "1", "1", "4096", "16384")),
    ("smollm-q4_1", (measure_lathe, "smollm-q4_1.lathe", "-p", "128", "-n", "16", "-d", "1", "-r", "5", "-t", THREADS)),
    ("llama-smollm", (measure_llama_bench, SMOLLM, "-p", "128", "-n", "16", "-r", "5", "-fa", "0,1")),
    ("smollm-f32", (measure_lathe, "smollm-f32.lathe", "-p", "128", "-n", "16", "-d", "1", "-r", "5", "-t", THREADS)),
    ("openvino-smollm", (measure_python, "peers_smollm.py", "openvino", WORK)),
    ("ggml-smollm", (measure_python, "peers_smollm.py", "ggml-compiler", WORK)),
    ("resnet18", (measure_lathe, "bench/graphs/resnet18.pt2", "-r", "15", "-t", THREADS)),
    ("resnet50", (measure_lathe, "bench/graphs/resnet50.pt2", "-r", "15", "-t", THREADS)),
    ("mobilenet_v2", (measure_lathe, "bench/graphs/mobilenet_v2.pt2", "-r", "15", "-t", THREADS)),
    ("vision", (measure_python, "peers_vision.py", WORK)),
    ("program", (measure_program,)),
    ("size", (measure_size,)),
]
ONCE = {"torch", "size", "openvino-smollm", "ggml-smollm"}  # long to load, or always the same


class Results:
    """Rounds of each measurement: {"rounds": {name: [{key: row}]}, "failures": {name: text}}, on disk after each."""

    def __init__(self, path, fresh):
        self.path = path
        self.data = {"rounds": {}, "failures": {}}
        if os.path.exists(path) and not fresh:
            with open(path) as file:
                loaded = json.load(file)
            if isinstance(loaded, dict) and "rounds" in loaded:
                self.data = loaded

    def save(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path + ".new", "w") as file:
            json.dump(self.data, file, indent=1)
        os.replace(self.path + ".new", self.path)

    def count(self, name):
        return len(self.data["rounds"].get(name, []))

    def rows(self, name, key):
        return [measured[key] for measured in self.data["rounds"].get(name, []) if key in measured]

    def ms(self, name, key):
        """Median over the samples of all rounds; None when there are none."""
        samples = [sample for row in self.rows(name, key) for sample in row["samples_ms"]]
        return statistics.median(samples) if samples else None

    def median(self, name, key, field):
        values = [row[field] for row in self.rows(name, key) if field in row]
        return statistics.median(values) if values else None


def measure(results, rounds, minutes, only):
    start = time.monotonic()
    for number in range(rounds):
        for name, (function, *arguments) in MEASUREMENTS:
            late = number and time.monotonic() - start > 60 * minutes
            if only not in name or results.count(name) > number or (number and name in ONCE) or late:
                continue
            began = time.monotonic()
            try:
                results.data["rounds"].setdefault(name, []).append(function(*arguments))
                results.data["failures"].pop(name, None)
                said = "done"
            except (RuntimeError, ValueError, KeyError) as error:
                results.data["failures"][name] = said = str(error)[:300]
            results.save()
            print(f"round {number + 1}, {name}: {said} ({time.monotonic() - began:.1f} s)", file=sys.stderr)


# ---- Figures ----

T = f"t{THREADS}"


def share(name, key, field):
    """A lathe row's share of a limit; both measured in the same process."""
    def value(r):
        found = r.median(name, key, field)
        return (found, f"{r.ms(name, key):.1f} ms") if found is not None else None
    return value


def of_bandwidth(name, depth):
    return share(name, f"decode/{depth}/{T}", "share_of_bandwidth")


def against(name, key, *peers):
    """How many times faster lathe is than the fastest of the peers."""
    def value(r):
        own = r.ms(name, key)
        times = [(ms, label) for ms, label in ((r.ms(peer, peer_key), label) for peer, peer_key, label in peers) if ms is not None]
        if own is None or not times:
            return None
        ms, label = min(times)
        return ms / own, f"{own:.1f} ms, {label} {ms:.1f} ms"
    return value


def llama(name, depth):
    return [(f"llama-{name}-fa{flash}", f"decode/{depth}/fa{flash}", f"llama.cpp (-fa {flash})") for flash in (0, 1)]


def growth(r):
    """What a step takes longer at depth 32640, over the time its cache takes to read."""
    rows = r.rows("qwen-bf16-deep", f"decode/32640/{T}")
    first, deep = r.ms("qwen-bf16", f"decode/1/{T}"), r.ms("qwen-bf16-deep", f"decode/32640/{T}")
    if first is None or deep is None:
        return None
    more = r.median("qwen-bf16-deep", f"decode/32640/{T}", "bytes") - r.median("qwen-bf16", f"decode/1/{T}", "bytes")
    read = more / statistics.median(row["bandwidth_gb_s"] for row in rows) / 1e6
    return (deep - first) / read, f"{deep - first:.1f} ms for what takes {read:.1f} ms to read"


def startup(r):
    ms = r.ms("qwen-bf16", f"startup/{T}")
    return (ms / 1e3, "") if ms is not None else None


def program(r):
    ms = r.ms("program", "program")
    return (ms / 1e3, "") if ms is not None else None


def memory(r):
    """Peak memory over weights and cache of 2048 positions (28 layers, 2 heads of 128, keys and values, bfloat16)."""
    peak = r.median("qwen-bf16", f"decode/1/{T}", "rss_mb")
    weights = r.median("qwen-bf16", f"decode/1/{T}", "bytes")
    if peak is None:
        return None
    allowed = (weights + 2048 * 28 * 2 * 2 * 128 * 2) / 2**20 * 1.05 + 64
    return peak / allowed, f"{peak:.0f} MB of {allowed:.0f} MB (weights, cache, 5 % and 64 MB)"


def size(r):
    found = r.median("size", "size", "bytes")
    return (found / 2**20, f"{found:.0f} bytes") if found is not None else None


def isa(r):
    rows = r.rows("qwen-bf16", f"decode/1/{T}")
    return rows[0]["isa"] if rows else ""


def wide(r):
    return isa(r).startswith("avx512")


VISION = ("torch", "onnxruntime", "openvino")

# Text, value, sign and aim (a number, or a function of the results), unit ("%", "x", "s", "MB").
ROWS = [
    ("Qwen2.5-1.5B bf16 decode, depth 1: of read bandwidth", of_bandwidth("qwen-bf16", 1), ">=", 0.9, "%"),
    ("the same at depth 16384, cache counted", of_bandwidth("qwen-bf16-deep", 16384), ">=", 0.85, "%"),
    ("the same at depth 32640", of_bandwidth("qwen-bf16-deep", 32640), ">=", lambda r: 0.85 if wide(r) else 0.75, "%"),
    ("int8 decode: of read bandwidth", of_bandwidth("qwen-int8", 1), ">=", 0.88, "%"),
    ("int4 decode: of read bandwidth", of_bandwidth("qwen-int4", 1), ">=", 0.88, "%"),
    ("bf16 decode, depth 1", against("qwen-bf16", f"decode/1/{T}", *llama("bf16", 1)), ">=", 1.05, "x"),
    ("Q8_0 decode, depth 1", against("qwen-q8_0", f"decode/1/{T}", *llama("q8_0", 1)), ">=", 1.3, "x"),
    ("Q4_0 decode, depth 1", against("qwen-q4_0", f"decode/1/{T}", *llama("q4_0", 1)), ">=", 1.4, "x"),
    ("Q4_0 decode, depth 4096", against("qwen-q4_0", f"decode/4096/{T}", *llama("q4_0", 4096)), ">=", 1.5, "x"),
    ("Q4_0 decode, depth 16384", against("qwen-q4_0", f"decode/16384/{T}", *llama("q4_0", 16384)), ">=", 1.8, "x"),
    ("bf16 decode, depth 32600 (lathe: 32640)", against("qwen-bf16-deep", f"decode/32640/{T}", *llama("bf16", 32600)), ">=", 1.5, "x"),
    ("bf16 prefill of 128: of peak", share("qwen-bf16", f"prefill/128/{T}", "share_of_peak"), ">=", 0.7, "%"),
    ("bf16 prefill of 512: of peak", share("qwen-bf16-512", f"prefill/512/{T}", "share_of_peak"), ">=", 0.7, "%"),
    ("bf16 prefill of 128", against("qwen-bf16", f"prefill/128/{T}", ("llama-bf16-prefill", "prefill/128/fa0", "llama.cpp")), ">=", 1.5, "x"),
    ("bf16 prefill of 512", against("qwen-bf16-512", f"prefill/512/{T}", ("llama-bf16-prefill", "prefill/512/fa0", "llama.cpp")), ">=", 1.5, "x"),
    ("int8 prefill of 128, llama.cpp's Q8_0", against("qwen-int8", f"prefill/128/{T}", ("llama-q8_0-prefill", "prefill/128/fa0", "llama.cpp")), ">=", 1.3, "x"),
    ("SmolLM2 Q4_1 decode", against("smollm-q4_1", f"decode/1/{T}", *[("llama-smollm", f"decode/0/fa{f}", f"llama.cpp (-fa {f})") for f in (0, 1)]), ">=", 1.2, "x"),
    ("SmolLM2 Q4_1 prefill of 128", against("smollm-q4_1", f"prefill/128/{T}", *[("llama-smollm", f"prefill/128/fa{f}", f"llama.cpp (-fa {f})") for f in (0, 1)]), ">=", 1.8, "x"),
    ("SmolLM2 float32 decode, ggml-compiler", against("smollm-f32", f"decode/1/{T}", ("ggml-smollm", "ggml-compiler decode", "ggml-compiler")), ">=", 1.3, "x"),
    ("SmolLM2 float32 prefill of 128, OpenVINO", against("smollm-f32", f"prefill/128/{T}", ("openvino-smollm", "openvino prefill", "OpenVINO")), ">=", 1.1, "x"),
    ("ResNet-18", against("resnet18", f"latency/{T}", *[("vision", f"{p} resnet18", p) for p in VISION]), ">=", 1.1, "x"),
    ("ResNet-50", against("resnet50", f"latency/{T}", *[("vision", f"{p} resnet50", p) for p in VISION]), ">=", 1.1, "x"),
    ("MobileNetV2", against("mobilenet_v2", f"latency/{T}", *[("vision", f"{p} mobilenet_v2", p) for p in VISION]), ">=", 1.0, "x"),
    ("bf16 decode, depth 1, PyTorch eager", against("qwen-bf16", f"decode/1/{T}", ("torch", "decode", "PyTorch")), ">=", 2.8, "x"),
    ("bf16 prefill of 128, PyTorch eager", against("qwen-bf16", f"prefill/128/{T}", ("torch", "prefill", "PyTorch")), ">=", 15, "x"),
    ("step at depth 32640 less that at 1, over the time to read the cache", growth, "<=", lambda r: 1.3 if wide(r) else 2, "x"),
    ("Qwen2.5-1.5B `.lathe`, open to first token, warm", startup, "<=", 0.3, "s"),
    ("Qwen2.5-1.5B `.pt2` to program, nothing packed", program, "<=", 0.15, "s"),
    ("peak memory, 1.5B bf16, context 2048, over what is allowed", memory, "<=", 1, "x"),
    ("bf16 prefill of 128: two threads over one", against("qwen-bf16", f"prefill/128/{T}", ("qwen-bf16-one-thread", "prefill/128/t1", "one thread")), ">=", 1.8, "x"),
    ("the stripped program, all CPU levels", size, "<=", 2, "MB"),
]


def form(value, unit):
    return f"{100 * value:.0f} %" if unit == "%" else f"{value:.2f} {unit}" if unit in ("s", "MB") else f"{value:.2f}x"


def target_lines(r):
    lines = ["| what | measured | figure | aim | reached |", "| --- | --- | --- | --- | --- |"]
    for text, value, sign, aim, unit in ROWS:
        found = value(r)
        wanted = aim(r) if callable(aim) else aim
        words = ("at least " if sign == ">=" else "at most ") + form(wanted, unit)
        if found is None:
            lines.append(f"| {text} | not measured | | {words} | |")
            continue
        figure, detail = found
        reached = figure >= wanted if sign == ">=" else figure <= wanted
        lines.append(f"| {text} | {detail} | {form(figure, unit)} | {words} | {'yes' if reached else 'no'} |")
    return lines


def row_lines(r):
    lines = ["| model | test | tokens | depth | threads | ms | fastest to slowest | tokens/s | of bandwidth | of peak | weights | cache | peak memory |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for name, (function, *_) in MEASUREMENTS:
        if function is not measure_lathe or not r.count(name):
            continue
        for key, row in r.data["rounds"][name][0].items():
            if row["test"] == "startup":
                continue
            ms, samples = r.ms(name, key), [sample for found in r.rows(name, key) for sample in found["samples_ms"]]
            tokens = row["tokens"] if row["test"] == "prefill" else 1
            lines.append(f"| {name} | {row['test']} | {tokens} | {row['depth']} | {row['threads']} | {ms:.1f} | {min(samples):.1f} to {max(samples):.1f} "
                         f"| {tokens * 1e3 / ms:.1f} | {100 * r.median(name, key, 'share_of_bandwidth'):.0f} % "
                         f"| {100 * r.median(name, key, 'share_of_peak'):.0f} % | {row['weight_type']} | {row['kv_type']} | {row['rss_mb']:.0f} MB |")
    return lines


def all_measured(r):
    return [row for rounds in r.data["rounds"].values() for measured in rounds for row in measured.values()]


def limit(r, field):
    values = [row[field] for row in all_measured(r) if row.get("threads") == int(THREADS) and field in row]
    return statistics.median(values) if values else 0


def section(name, r):
    first = next((row for row in all_measured(r) if "isa" in row), {})
    masked = r.data.get("mask")
    out = [f"## {name}", "",
           f"Machine: {r.data.get('machine', 'unknown')}, {THREADS} threads, {first.get('isa', '?')}; read bandwidth {limit(r, 'bandwidth_gb_s'):.1f} GB/s, "
           f"float32 multiply-adds {limit(r, 'peak_gflop_s'):.0f} GFLOP/s."]
    if masked:
        out.append(f"lathe, PyTorch and OpenVINO are held to {masked}, llama.cpp is built for it; onnxruntime uses all that the processor has.")
    out += ["", "### Aims", "", *target_lines(r), ""]
    if r.data["failures"]:
        out += ["Not measured:", "", *[f"- {name}: {text}" for name, text in sorted(r.data["failures"].items())], ""]
    return out + ["### All figures of lathe", "", *row_lines(r), ""]


def write_table(folder, path):
    """A section for each machine that has results of a comparison."""
    out = ["# Performance", "",
           "Written by `bench/compare.sh`; do not edit. lathe and its peers ran in turns on one machine; times are medians over all",
           "samples of all rounds. Shares are of what lathe's own threads read and multiply at most, measured in the same process.", ""]
    for file in sorted(os.listdir(folder)):
        r = Results(os.path.join(folder, file), False)
        if r.data["rounds"]:
            out += section(file.removesuffix(".json"), r)
    with open(path, "w") as file:
        file.write("\n".join(out))


def machine():
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        return f"{names[0]}, {len(names)} processors"
    except (OSError, IndexError):
        return "unknown"


def option(arguments, name, default):
    return type(default)(arguments[arguments.index(name) + 1]) if name in arguments else default


def main():
    arguments = sys.argv[1:]
    if not arguments or arguments[0].startswith("-"):
        print(__doc__.strip())
        return 0 if "--help" in arguments else 2
    if not os.path.exists(LATHE):
        print("There is no build/release/lathe: build the release preset first.", file=sys.stderr)
        return 2
    results = Results(os.path.join(ROOT, "bench/results", arguments[0] + ".json"), "--fresh" in arguments)
    if "--prepare" in arguments:
        for name in MODELS:
            try:
                ensure_model(name)
            except RuntimeError as error:
                print(f"{name}: {error}", file=sys.stderr)
        return 0
    if "--table" not in arguments:
        mask = option(arguments, "--isa", "")
        if mask and mask not in MASKS:
            print(f"--isa {mask}: expected one of {', '.join(MASKS)}", file=sys.stderr)
            return 2
        os.environ.update(MASKS.get(mask, {}))
        results.data.update({"machine": machine(), "mask": mask})
        measure(results, option(arguments, "--rounds", 2), option(arguments, "--minutes", 12.0), option(arguments, "--only", ""))
        results.save()
    write_table(os.path.join(ROOT, "bench/results"), os.path.join(ROOT, "docs/performance.md"))
    print(f"wrote {os.path.relpath(results.path, ROOT)} and docs/performance.md", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
