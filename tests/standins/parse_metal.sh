#!/bin/sh
# Parses texts of kernels as Metal, with Clang and a standard library of our own: no double, address spaces apart. Usage:
# parse_metal.sh CLANG INCLUDE FILE.k...
set -u
clang=$1 include=$2
shift 2
for file; do
    # Arrays that a group shares are not automatic variables. Structures may be copied from one address space to another
    # in Metal, which Clang takes for members that are missing.
    errors=$(sed 's/threadgroup type name\[count\]/STANDIN_LOCAL &/' "$file" |
        "$clang" -x c++ -std=c++14 -fsyntax-only -w -ferror-limit=0 -fno-caret-diagnostics -DSTANDIN_PARSE \
            -Xclang -cl-single-precision-constant -nostdinc -nostdinc++ -I"$include" - 2>&1 |
        grep 'error:' | grep -v -e "no matching constructor for initialization of 'lt_" -e "no viable overloaded '='")
    [ -z "$errors" ] && continue
    echo "$file is not Metal:"
    echo "$errors"
    exit 1
done
echo "$# kernels are Metal"
