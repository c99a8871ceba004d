#!/bin/sh
# The layers point one way: a file includes only headers of its own layer and of those below it. Usage: includes.sh SOURCE
set -u
cd "$1" || exit 2
failed=0

# may_see FILES ALLOWED…: what may stand in the quoted includes of these files, as regular expressions. Lists (.def) are free.
may_see() {
    files=$1
    shift
    allowed=$(echo "$*" | tr ' ' '|')
    # shellcheck disable=SC2086
    bad=$(grep -nE '^ *# *include *"' $(find $files -name '*.[ch]') /dev/null |
        grep -vE "include *\"(($allowed).*\.h|.*\.def)\"")
    [ -z "$bad" ] && return
    echo "$files may include $* only, but:"
    echo "$bad"
    failed=1
}

may_see src/base lathe/ base/
may_see src/kernels base/ kernels/
may_see src/ir lathe/ base/ ir/
may_see src/ops lathe/ base/ ir/ ops/
may_see src/aten lathe/ base/ ir/ ops/ aten/
may_see src/load lathe/ base/ kernels/packed ir/ load/
[ -d src/pass ] && may_see src/pass lathe/ base/ ir/ ops/ aten/ pass/
may_see src/program lathe/ base/ ir/ program/
may_see src/backend lathe/ base/ kernels/ ir/ ops/ program/ backend/
may_see src/run lathe/ base/ ir/ ops/ aten/ load/ pass/ program/ backend/ run/
may_see src/llm lathe/ base/ llm/ load/gguf load/lathe_file # tokenizers come in these files too
may_see include lathe/
may_see tools lathe/ tool

for layer in src/*/; do
    grep -q "may_see ${layer%/} " tests/includes.sh && continue
    echo "$layer has no line in tests/includes.sh"
    failed=1
done
exit $failed
