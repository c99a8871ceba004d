#!/bin/sh
# Writes docs/benchmarks.md and the summary in README.md from bench/results/decode-*.json and peers-*.json; with --charts draws
# docs/charts first. Usage: report.sh LATHE [--charts], in the folder that has bench, docs and README.md.
set -eu
lathe=$1
results=$(find bench/results/ -name 'decode-*.json' | sort; find bench/results/ -name 'peers-*.json' | sort)
if [ "${2-}" = --charts ]; then
    mkdir -p docs/charts
    for file in $results; do
        "$lathe" bench plot "$file" -o "docs/charts/$(basename "$file" .json)"
    done
fi
# shellcheck disable=SC2086
"$lathe" bench report $results -o docs/benchmarks.md --charts docs/charts --published bench/published.json --into README.md
