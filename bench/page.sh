#!/bin/sh
# Measures what docs/benchmarks.md shows and writes it: decode steps of Qwen2.5-1.5B at all positions, then the
# peers, charts and the page. A run that was stopped goes on where it was. Usage: page.sh NAME [OPTIONS OF lathe bench decode...]
#
# NAME is the machine's; results go to bench/results/decode-*-NAME.json. A release build is needed. LATHE_BENCH_QWEN is the
# folder with the weights, model.safetensors; without it they are random, which takes as long to run. The other
# variables that bench/compare.sh --help names are for the peers.
set -eu
cd "$(dirname "$0")/.."
name=$1
shift
lathe=build/release/lathe
weights=--random-weights
[ -z "${LATHE_BENCH_QWEN-}" ] || weights="--weights $LATHE_BENCH_QWEN/model.safetensors"
# shellcheck disable=SC2086
"$lathe" bench decode bench/graphs/qwen2.5-1.5b.bf16.pt2 $weights --max-cache-len 32768 --prefill-len 128 --prompt-length 64 \
    --quantize none,int8,int4 --json "bench/results/decode-qwen2.5-1.5b-$name.json" --resume "$@"
bench/peers.sh "$name"
bench/report.sh "$lathe" --charts
