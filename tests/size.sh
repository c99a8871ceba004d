#!/bin/sh
# The stripped program, kernels of every level included, stays under 2 MB (of 2^20 bytes). Usage: size.sh LATHE STRIP WORK
set -eu
lathe=$1 strip=$2 work=$3
limit=$((2 << 20))
mkdir -p "$work"
"$strip" -o "$work/lathe" "$lathe"
size=$(wc -c <"$work/lathe")
echo "$size bytes, at most $limit"
[ "$size" -lt "$limit" ]
