#!/bin/sh
# Installs the built project into a fresh folder, builds the examples against it with CMake and with pkg-config, and
# runs them. Usage: run.sh SOURCE BUILD WORK
set -eu
source=$1 build=$2 work=$3
rm -rf "$work"
cmake --install "$build" --prefix "$work/lathe" >/dev/null
cmake -S "$source/examples" -B "$work/examples" -G Ninja -DCMAKE_PREFIX_PATH="$work/lathe" >/dev/null
cmake --build "$work/examples" >/dev/null

"$work/lathe/bin/lathe" run "$source/tests/golden/ops/softmax.pt2" --inputs "$source/tests/golden/ops/softmax.safetensors" \
    --output "$work/scores.npy"
PKG_CONFIG_PATH="$work/lathe/lib/pkgconfig:$work/lathe/lib/$(gcc -print-multiarch 2>/dev/null)/pkgconfig"
export PKG_CONFIG_PATH
# shellcheck disable=SC2046
gcc -o "$work/classify" "$source/examples/classify.c" $(pkg-config --static --cflags --libs lathe)

image=$work/image.npy
"$work/lathe/bin/lathe" run "$source/tests/golden/ops/relu.pt2" --inputs "$source/tests/golden/ops/relu.safetensors" --output "$image"
"$work/classify" "$source/tests/golden/ops/relu.pt2" "$image" | grep -q '^class '
"$work/examples/classify" "$source/tests/golden/ops/relu.pt2" "$image" | grep -q '^class '
"$work/examples/generate" "$source/share/tiny.pt2" "$source/share/tiny-tokenizer.json" "Hello" | grep -q .
# A device of a kind that lathe does not have; it compiles kernels with the C++ compiler.
if command -v c++ >/dev/null; then
    "$work/examples/backend" "$source/tests/golden/ops/softmax.pt2" "$source/tests/golden/ops/softmax.safetensors"
else
    echo "the device of its own was not run: there is no c++"
fi
echo "examples ran"
