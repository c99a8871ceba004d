#!/bin/sh
# Measures decode steps of lathe beside other engines, in turns, into bench/results/peers-*.json. "bench/peers.sh --help" tells the
# rest.
exec python3 "$(dirname "$0")/peers.py" "$@"
