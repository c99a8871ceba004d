#!/bin/sh
# Cross-compiles the library and the program for macOS on Arm, and links them but for the libraries of others, which are
# not there. Usage: macos.sh ZIG SOURCE BUILD WORK [FILE]; with FILE it compiles that alone.
set -eu
zig=$1 source=$2 build=$3 work=$4
ZIG_GLOBAL_CACHE_DIR=$work/cache # what has not changed is not compiled again
export ZIG_GLOBAL_CACHE_DIR

if [ $# -eq 5 ]; then
    case $5 in
    *dotprod.c) cpu=-mcpu=generic+v8_2a+dotprod ;;
    *i8mm.c) cpu=-mcpu=generic+v8_2a+bf16+i8mm ;;
    *) cpu= ;;
    esac
    # shellcheck disable=SC2086
    "$zig" cc -target aarch64-macos $cpu -std=gnu11 -O1 -Wall -Wextra -Wshadow -Werror -ffp-contract=off -D_REENTRANT \
        -I"$source/include" -I"$source/src" -I"$work/include" -I"$build/generated" -c "$5" \
        -o "$work/objects/$(echo "$5" | tr / _).o" && exit
    echo "$5 fails" >&2
    exit 255 # which stops xargs
fi

# Headers of those libraries are the same everywhere; the folder that they are in has this system's own, too.
mkdir -p "$work/include" "$work/objects"
printf '#define PCRE2_CODE_UNIT_WIDTH 8\n#include <zlib.h>\n#include <pcre2.h>\n#include <utf8proc.h>\n#include <jansson.h>\n' |
    cc -M -x c - | tr ' \\' '\n\n' | grep -E '/(zlib|zconf|pcre2|utf8proc|jansson|jansson_config)\.h$' |
    while read -r header; do cp "$header" "$work/include"; done
cd "$source"
{
    find src tools -name '*.c' ! -name '*avx*' | sort
    echo "$build/gpu_texts.c"
} | xargs -P 2 -n 1 "$0" "$zig" "$source" "$build" "$work"
"$zig" cc -target aarch64-macos -Wl,-undefined,dynamic_lookup -o "$work/lathe" "$work"/objects/*.o
file "$work/lathe" 2>/dev/null || echo "$work/lathe is linked"
