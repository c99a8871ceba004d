#!/bin/sh
# Measures this machine and writes bench/results/NAME.json and docs/performance.md. Usage: bench/measure.sh NAME
# Needs a release build and, for the language model, the weights that ./demo downloads.
set -eu
cd "$(dirname "$0")/.."
name=$1
lathe=build/release/lathe
weights=${XDG_CACHE_HOME:-$HOME/.cache}/lathe/SmolLM2-135M-Instruct.Q4_1.gguf
results=bench/results/$name.json
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ -f "$weights" ] || { echo "Run ./demo first: it downloads the model." >&2; exit 1; }
"$lathe" bench share/smollm2-135m.pt2 --weights "$weights" -p 32,128 -n 16 -d 0,512,1024 -r 5 -o json >"$work/SmolLM2-135M float32"
for graph in resnet18 resnet50 mobilenet_v2; do
    "$lathe" bench bench/graphs/$graph.pt2 --random-weights -r 7 -o json >"$work/$graph float32"
done

python3 - "$work" "$results" <<'PYTHON'
import json, os, sys

work, results = sys.argv[1:3]
rows = []
for model in sorted(os.listdir(work)):
    for row in json.load(open(os.path.join(work, model))):
        rows.append({"model": model, **row})
with open(results, "w") as file:
    json.dump(rows, file, indent=1)

cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
first = rows[0]
out = [
    "# Performance",
    "",
    "Written by `bench/measure.sh`; do not edit. Medians, with the fastest and slowest run: a wide spread means that others used the machine. Its limits were measured in the same runs.",
    "",
    f"Machine: {cpu}, {first['threads']} threads, {first['isa']}; read bandwidth {first['bandwidth_gb_s']:.1f} GB/s, "
    f"float32 multiply-adds {first['peak_gflop_s']:.0f} GFLOP/s.",
    "",
    "| model | test | tokens | depth | ms | fastest to slowest ms | tokens/s | of bandwidth | of peak |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
]
for row in rows:
    low, high = min(row["samples_ms"]), max(row["samples_ms"])
    speed = f"{row['tokens_per_s']:.1f}" if row["test"] != "latency" else ""
    out.append(
        f"| {row['model']} | {row['test']} | {row['tokens']} | {row['depth']} | {row['ms']:.1f} | {low:.1f} to {high:.1f} | {speed} "
        f"| {100 * row['share_of_bandwidth']:.0f} % | {100 * row['share_of_peak']:.0f} % |"
    )
out += [
    "",
    "Matrix products with float32, bfloat16 and float16 weights have kernels for AVX2 (measured here), AVX-512 and NEON",
    "(these two compiled, not run on such processors). Everything else runs on the operators' references: attention,",
    "convolutions, normalisation and elementwise operators are where the time of a prefill and of a vision model goes.",
    "",
]
open("docs/performance.md", "w").write("\n".join(out))
PYTHON
echo "wrote $results and docs/performance.md"
