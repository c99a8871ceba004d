#!/bin/sh
# The steps of a profile add up to the time of a run without one, within 3 %. Other work on the machine can spoil an attempt.
# Usage: profile_sum.sh LATHE SOURCE
set -eu
lathe=$1 source=$2

adds_up() { # MODEL
    for attempt in 1 2 3 4 5 6; do
        off=$("$lathe" profile "$source/tests/golden/models/$1.pt2" -t 1 -r 100 | sed -n 's/.*ms (\([-+0-9.]*\) %)$/\1/p')
        echo "$1, attempt $attempt: $off %"
        if awk -v off="$off" 'BEGIN { exit !(off != "" && off >= -3 && off <= 3) }'; then return 0; fi
    done
    return 1
}

adds_up resnet18_narrow
adds_up mobilenet_v2_narrow
