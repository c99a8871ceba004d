#!/bin/sh
# docs/benchmarks.md and the figures in README.md are those of the results in the tree. Usage: benchmark_page.sh LATHE SOURCE WORK
set -eu
lathe=$1 source=$2 work=$3
rm -rf "$work"
mkdir -p "$work/docs"
cd "$work"
[ -n "$(find "$source/bench/results" -name 'decode-*.json')" ] || exit 77
ln -s "$source/bench" bench
[ ! -d "$source/docs/charts" ] || ln -s "$source/docs/charts" docs/charts
cp "$source/README.md" .
bench/report.sh "$lathe"
cmp "$source/docs/benchmarks.md" docs/benchmarks.md
cmp "$source/README.md" README.md
