#!/bin/sh
# Two independent branches, one on a device and one on the CPU: the trace shows them at the same time with the executor
# dag, and one after the other with linear; what is carried is in it. Usage: trace_overlap.sh LATHE SOURCE WORK DEVICE
set -eu
lathe=$1 model=$2/tests/golden/programs/two_towers.pt2 work=$3 device=$4
mkdir -p "$work"
cd "$work"
if ! "$lathe" devices | grep -q "^$device: "; then
    echo "skipped: there is no device $device"
    exit 77
fi
pins=
for i in '' _1 _2 _3; do pins="$pins --pin sigmoid$i=cpu"; done
for i in _1 _3 _5 _7; do pins="$pins --pin matmul$i=cpu"; done

# The events of a trace, one on a line: row, begin, end, name.
events() { # TRACE
    awk 'BEGIN { RS = "[{]\"name\":" }
        function field(key,  at) {
            at = index($0, "\"" key "\":")
            return at ? substr($0, at + length(key) + 3) + 0 : 0
        }
        named { split($0, text, "\""); row[tid] = text[2]; named = 0 }
        /^"thread_name"/ { tid = field("tid"); named = 1 }
        /"ph":"X"/ {
            split($0, text, "\"")
            n++
            tids[n] = field("tid"); begin[n] = field("ts"); end[n] = begin[n] + field("dur"); names[n] = text[2]
        }
        END { for (i = 1; i <= n; i++) printf "%s\t%.6f\t%.6f\t%s\n", row[tids[i]], begin[i], end[i], names[i] }' "$1"
}

# How many pairs of steps on the device and on the CPU share some time.
overlaps() { # TRACE
    events "$1" | awk -F '\t' -v device="steps on $device" '
        $1 == device { n++; from[n] = $2; to[n] = $3 }
        $1 == "steps on cpu" { m++; begin[m] = $2; end[m] = $3 }
        END {
            for (i = 1; i <= n; i++)
                for (k = 1; k <= m; k++) found += begin[k] < to[i] && from[i] < end[k]
            print n ":" m ":" found + 0
        }'
}

for executor in linear dag; do
    # shellcheck disable=SC2086
    "$lathe" profile "$model" -r 3 --device "$device" --islands keep --executor $executor $pins \
        --trace $executor.json >$executor.txt
    echo "$executor: $(overlaps $executor.json) steps of $device, of the CPU, and pairs that overlap"
done
# The device has its branch before the CPU begins with its own, and is waited for after it: that is no matter of speed.
case "$(overlaps dag.json)" in [1-9]*:[1-9]*:[1-9]*) ;; *) exit 1 ;; esac
case "$(overlaps linear.json)" in [1-9]*:[1-9]*:0) ;; *) exit 1 ;; esac
for executor in linear dag; do
    grep -q "^| transfers | [1-9]" $executor.txt
    events $executor.json | grep -q "^transfers of $device	.*	cpu -> $device: "
    events $executor.json | grep -q "^transfers of $device	.*	$device -> cpu: "
    grep -q '"direction":"cpu -> ' $executor.json
done
