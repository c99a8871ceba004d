#!/bin/sh
# Records the kernels of models in a dialect and compiles each. Usage: compile.sh RECORD DIALECT WORK MODELS -- COMPILER...
set -eu
record=$1 dialect=$2 work=$3
shift 3
rm -rf "$work"
mkdir -p "$work"
n=0
for model; do
    [ "$model" = -- ] && break
    n=$((n + 1))
done
models=$(for model; do [ "$model" = -- ] && break; echo "$model"; done)
shift $((n + 1))
# shellcheck disable=SC2086
"$record" "$dialect" "$work" $models
exec "$@" "$work"/*.k
