#!/bin/sh
# What passes make of models, as text: run.sh DUMP GOLDEN [--write]. The first line of each NAME.graph here is
# "# MODEL LEVEL [INPUT=SIZES...]"; the rest is what DUMP prints of it (--write: is made so). And forms.list has groups of
# such lines, apart by empty ones: all of a group must end in the same operators, views aside.
set -u
dump=$1 golden=$2 write=${3:-}
here=$(dirname "$0")
failed=0

for file in "$here"/*.graph; do
    arguments=$(sed -n '1s/^# //p' "$file")
    # shellcheck disable=SC2086
    text=$(printf '# %s\n' "$arguments" && "$dump" "$golden"/$arguments) || failed=1
    if [ "$write" = --write ]; then echo "$text" >"$file"; fi
    echo "$text" | diff -u "$file" - || failed=1
done

first= known=
while read -r line; do
    if [ -z "$line" ]; then
        first=
        continue
    fi
    # shellcheck disable=SC2086
    found=$("$dump" "$golden"/$line | sed -n 's/.* = \([a-z_]*\)(.*/\1/p' |
        grep -vE '^(reshape|permute|slice|expand)$' | sort | uniq -c)
    [ -z "$first" ] && first=$line known=$found
    if [ -z "$found" ] || [ "$found" != "$known" ]; then
        echo "$line ends in"; echo "$found"; echo "and $first in"; echo "$known"
        failed=1
    fi
done <"$here/forms.list"
exit $failed
