#!/bin/sh
# Measures lathe beside other engines, all of them in one run on this machine, and writes bench/results/NAME.json and
# docs/performance.md. A run that was stopped goes on where it was. 'bench/compare.sh --help' tells the rest.
exec python3 "$(dirname "$0")/compare.py" "$@"
