#!/bin/sh
# What lathe bench decode writes, and all results in the tree, are as docs/benchmark-json.md says.
# Usage: benchmark_json.sh LATHE SOURCE WORK PYTHON
set -eu
lathe=$1 source=$2 work=$3 python=$4
check=$source/bench/check_json.py
rm -rf "$work"
mkdir -p "$work"
cd "$work"

"$lathe" bench decode "$source/share/tiny.pt2" --positions 1,4-64*4 --quantize none,int4 --kv bf16 --repeats 2 --json run.json
"$python" "$check" run.json
for change in 's/"tps": /"tps": 1/' 's/"seed": 0/"seed": "0"/' '/"isa"/d' 's/"engine"/"motor"/' 's/"cache_index": 128/"cache_index": 1/'; do
    sed "$change" run.json >bad.json
    if "$python" "$check" bad.json 2>err; then
        echo "FAILED: $change is not noticed" >&2
        exit 1
    fi
    grep -q "bad.json: " err
done
for results in "$source"/bench/results/decode-*.json "$source"/bench/results/peers-*.json; do
    [ ! -e "$results" ] || "$python" "$check" "$results"
done
