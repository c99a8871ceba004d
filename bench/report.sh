#!/bin/sh
# Writes docs/benchmarks.md and the summary in README.md from bench/results/decode-*.json; with --charts draws docs/charts
# first. Usage: report.sh LATHE [--charts], in the folder that has bench, docs and README.md.
set -eu
lathe=$1
if [ "${2-}" = --charts ]; then
    for results in bench/results/decode-*.json; do
        "$lathe" bench plot "$results" -o "docs/charts/$(basename "$results" .json)"
    done
fi
"$lathe" bench report bench/results/decode-*.json -o docs/benchmarks.md --charts docs/charts --published bench/published.json \
    --into README.md
