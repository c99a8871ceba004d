#!/bin/sh
# clang-format, clang-tidy (.clang-tidy) and cppcheck over the tree, each where it is installed. Usage: lint.sh SOURCE BUILD
# Exit status: 0 clean, 1 not, 77 none of them is there.
set -u
cd "$1" || exit 2
build=$2
failed=0 ran=0

have() { # TOOL
    if command -v "$1" >/dev/null; then
        ran=1
        return 0
    fi
    echo "not run: $1 is not installed"
    return 1
}

# Kernels of another architecture have no commands in this build; headers are read with what includes them.
here=$(grep -o '"file": "[^"]*\.c"' "$build/compile_commands.json" | sed 's/.*: "//; s/"$//' | grep -v '/tests/')
all=$(find src include tools examples tests -name '*.[ch]' ! -path 'tests/data/*')

if have clang-format; then
    # shellcheck disable=SC2086
    clang-format --dry-run -Werror $all || failed=1
fi
if have clang-tidy; then
    echo "$here" | xargs -P "$(nproc)" -n 8 clang-tidy -p "$build" --quiet 2>"$build/clang-tidy.log" || {
        failed=1
        grep -v 'warnings* .*generated' "$build/clang-tidy.log"
    }
fi
if have cppcheck; then
    # It takes bytes that are read as floats, log(0) and macros of lists for mistakes.
    cppcheck -j "$(nproc)" --std=c11 --enable=warning,performance,portability --inline-suppr --quiet --error-exitcode=1 \
        -Iinclude -Isrc --suppress=invalidPointerCast --suppress=invalidFunctionArg --suppress=unknownMacro --suppress=internalAstError \
        --template='{file}:{line}: {message} [{id}]' src tools examples || failed=1
fi
[ "$ran" = 1 ] || exit 77
exit "$failed"
