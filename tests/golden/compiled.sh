#!/bin/sh
# Every golden archive, compiled to a .lathe file, gives PyTorch's answers too. Usage: compiled.sh LATHE GOLDEN WORK
set -eu
lathe=$1 golden=$2 work=$3
mkdir -p "$work"
file=$work/model.lathe
failed=0 passed=0
for source in "$golden"/*/*.pt2 "$golden"/*/ir_*.json; do
    name=${source%.*}
    answers=${name%.core}.safetensors
    [ -f "$answers" ] || continue
    set --
    [ ! -f "$name.weights.safetensors" ] || set -- --weights "$name.weights.safetensors"
    if "$lathe" compile "$source" -o "$file" "$@" >"$work/log" 2>&1 &&
        "$lathe" inspect --check "$file" >"$work/log" 2>&1 &&
        "$lathe" verify "$file" --golden "$answers" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        echo "$source: $(tail -3 "$work/log")"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
