#!/bin/sh
# Parses texts of kernels as Metal, with Clang and a standard library of our own: no double, address spaces apart. Usage:
# parse_metal.sh CLANG INCLUDE FILE.k...
set -eu
clang=$1 include=$2
shift 2
for file; do
    # Arrays that a group shares are not automatic variables.
    sed 's/threadgroup type name\[count\]/STANDIN_LOCAL &/' "$file" |
        "$clang" -x c++ -std=c++14 -fsyntax-only -w -DSTANDIN_PARSE -Xclang -cl-single-precision-constant -nostdinc \
            -nostdinc++ -I"$include" - || { echo "$file is not Metal"; exit 1; }
done
echo "$# kernels are Metal"
