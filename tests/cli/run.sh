#!/bin/sh
# The program as its users call it: exit codes, what goes to which stream, files in and out.
# Usage: run.sh LATHE SOURCE WORK
set -eu
lathe=$1 source=$2 work=$3
golden=$source/tests/golden
rm -rf "$work"
mkdir -p "$work"
cd "$work"

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# expect CODE COMMAND...: runs it with its streams in out and err.
expect() {
    want=$1
    shift
    code=0
    "$@" >out 2>err || code=$?
    [ "$code" = "$want" ] || fail "$* exits with $code, expected $want: $(cat err)"
}

says() { # FILE TEXT
    grep -q -- "$2" "$1" || fail "'$2' is not in what was printed: $(cat "$1")"
}

# Every command's help is of one form; an option that it names is taken, others are not.
for command in inspect ops compile run generate tokenize bench "bench decode" "bench plot" "bench report" profile eval \
    explain diff devices verify; do
    for help in --help -h; do
        # shellcheck disable=SC2086
        expect 0 "$lathe" $command $help
        says out "^Usage: lathe $command"
        says out "^  -h, --help  *print this"
        says out "^Exit status: 0 .*, 2 wrong usage or a broken file\\.$"
        ! grep -q '.\{101\}' out || fail "$command --help is wider than 100 columns: $(grep '.\{101\}' out)"
        [ ! -s err ] || fail "$command --help writes to standard error"
    done
    # shellcheck disable=SC2086
    expect 2 "$lathe" $command --helq
    says err "^lathe $command: unknown option '--helq'; did you mean '--help'?"
    says err "^Try 'lathe $command --help'."
    [ ! -s out ] || fail "a mistake writes to standard output"
done
expect 2 "$lathe"
expect 2 "$lathe" nonsense
expect 2 "$lathe" genrate
says err "no command 'genrate'; did you mean 'generate'?"

mistake() { # MESSAGE ARGUMENTS...
    message=$1
    shift
    expect 2 "$lathe" "$@"
    says err "^lathe .*: $message\$"
}
mistake "FILE is missing" run
mistake "MODEL is missing" bench --random-weights
mistake "unexpected argument 'two.pt2' after MODEL 'one.pt2'" bench --random-weights one.pt2 two.pt2
mistake "unexpected argument 'two.pt2' after FILE 'one.pt2'" run one.pt2 --output y.npy two.pt2
mistake "unexpected argument 'c' after DECODE 'b'" generate a b c -p x
mistake "TEXT is missing" eval model.pt2
mistake "-o DIR is missing" bench plot file.json
mistake "--device D is missing" diff file.pt2
mistake "one of -o and --emit is needed" compile file.pt2
mistake "unknown option '--quantise'; did you mean '--quantize'?" run file.pt2 --quantise int8
mistake "--quantize takes int8 or int4, got 'int5'" inspect file.pt2 --quantize=int5
mistake "--quantize takes one or more of none, int8 and int4, got 'int5'" bench decode file.pt2 --quantize int5
mistake "-d takes a list of numbers from 0 to 16777216, got 'x'" bench file.pt2 -d x
mistake "-d takes a number from 0 to 16777216, got '1,2'" profile file.pt2 -d 1,2
mistake "-t needs a value: a list of numbers from 1 to 16777216" bench file.pt2 -t
mistake "--by takes one or more of kernel, node and module, got 'weather'" profile file.pt2 --by weather
mistake "-O takes 0, 1 or 2, got '3'" verify file.pt2 -O3
mistake "--rtol takes a number of at least 0, got '-1'" verify file.pt2 --rtol -1
mistake "--temperature takes a number of at least 0, got 'hot'" generate model.pt2 -p x --temperature hot
mistake "--kv takes f32, bf16, f16 or int8, got 'int3'" compile file.pt2 -o out.lathe --kv int3
mistake "--executor takes linear or dag, got 'fast'" run file.pt2 --executor fast
mistake "--dim takes NAME=N, got 's'" explain file.pt2 --dim s
mistake "--json takes no value, got 'x'" inspect file.pt2 --json=x
expect 2 "$lathe" run missing.pt2
says err "missing.pt2"

expect 0 "$lathe" verify "$golden/ops/add.pt2"
says out "1 passed, 0 failed"
expect 1 "$lathe" verify "$golden/ops/add.pt2" --golden "$golden/ops/sub.safetensors"
says out "0 passed, 1 failed"
expect 1 "$lathe" verify "$golden/ops/add.pt2" "$golden/ops/sub.safetensors"
says out "1 passed, 1 failed"

expect 2 "$lathe" run "$golden/ops/add.pt2"
says err "a_0: float32"
expect 0 "$lathe" run "$golden/ops/add.pt2" --inputs "$golden/ops/add.safetensors" --output y.npy --outputs y.safetensors
[ ! -s out ] || fail "run prints although its outputs went to files"
expect 0 "$lathe" run "$golden/ops/add.pt2" --input a_0=y.npy --input 1=y.npy
says out "output.0: float32 \[4, 6\]"
expect 2 "$lathe" run "$golden/ops/add.pt2" --input nobody=y.npy
says err "nobody"
expect 2 "$lathe" run "$golden/ops/linear.pt2" --input 0=y.npy
says err "expected"

expect 0 "$lathe" inspect "$golden/ops/add.pt2" --json
says out '"aten.add.Tensor": 1'
expect 0 "$lathe" inspect "$golden/models/tiny_qwen2_decode_bf16.pt2"
says out " 15  linear  *bfloat16  *bfloat16  *float32  *float32  *bfloat16"
says out "input kv_0, updated by output 1, bfloat16, in place"
expect 0 "$lathe" inspect "$golden/models/tiny_qwen2_decode_bf16.pt2" --quantize int4
says out " 15  linear  *int4_k  *int16  *int32  *int32, float32  *bfloat16"
expect 0 "$lathe" inspect "$golden/programs/sliding_cache.pt2"
says out "input k, updated by output 1: state copied, not in place"
expect 0 "$lathe" inspect "$golden/families/bufkv.pt2"
says out "buffer k, float32, in place"
expect 0 "$lathe" inspect y.safetensors
says out "output.0"
expect 0 "$lathe" inspect "$golden/ops/add.pt2" --graph dot
says out digraph
printf 'not a model' >broken.pt2
expect 2 "$lathe" inspect broken.pt2
says err "broken.pt2"

tokenizer=$source/share/tiny-tokenizer.json
printf 'Hello  world\n' >text
expect 0 sh -c "'$lathe' tokenize '$tokenizer' --ids <text"
expect 0 "$lathe" tokenize "$tokenizer" --decode $(cat out)
cmp -s out text || fail "decoding gives '$(cat out)'"
expect 0 "$lathe" generate "$source/share/tiny.pt2" --tokenizer "$tokenizer" --raw --temperature 0 -n 8 -p Hello
says err "tokens/s"
says err "compile: .* prefill: "
cp out first
expect 0 "$lathe" generate "$source/share/tiny.pt2" --tokenizer "$tokenizer" --raw --temperature 0 -n 8 -p Hello
cmp -s out first || fail "greedy text is not the same twice"

expect 0 "$lathe" compile "$source/share/tiny.pt2" -o tiny.lathe --tokenizer "$tokenizer" --dim c=64
expect 0 "$lathe" generate tiny.lathe --raw --temperature 0 -n 8 -p Hello
cmp -s out first || fail "the compiled model writes '$(cat out)'"
expect 0 "$lathe" tokenize tiny.lathe --ids Hello
cp out first
expect 0 "$lathe" tokenize "$tokenizer" --ids Hello
cmp -s out first || fail "the tokenizer of the compiled model gives '$(cat first)'"
expect 0 "$lathe" inspect tiny.lathe
says out "float32\[1,2,64,8\]"
expect 0 "$lathe" inspect --check tiny.lathe
expect 0 "$lathe" compile "$source/share/tiny.pt2" -o tiny8.lathe --tokenizer "$tokenizer" --quantize int8 --activations 8
expect 0 "$lathe" inspect tiny8.lathe
says out "packed as int8"
expect 0 "$lathe" compile "$source/share/tiny.pt2" -o tiny16.lathe --tokenizer "$tokenizer" --kv bf16
expect 0 "$lathe" inspect tiny16.lathe
says out "caches: bfloat16"
expect 0 "$lathe" bench tiny16.lathe -p 4 -n 1 -r 1 -o json
says out '"kv_type": "bfloat16"'
expect 2 "$lathe" compile "$source/share/tiny.pt2" -o none.lathe --kv int3
expect 0 "$lathe" eval tiny8.lathe "$source/README.md" --context 64 -n 64 --against tiny.lathe
says out "kl_divergence"
expect 0 "$lathe" bench tiny8.lathe -p 4 -n 1 -r 1 -o json
says out '"weight_type": "int8"'
head -c 1000 tiny.lathe >short.lathe
expect 2 "$lathe" run short.lathe
says err "short.lathe: cut off"
expect 0 "$lathe" compile "$golden/ops/linear.pt2" -O0 --emit graph
says out "= linear("
expect 0 "$lathe" compile "$golden/ops/linear.pt2" --emit passes
says out "# after fuse"
expect 0 "$lathe" compile "$golden/ops/linear.pt2" --emit program
says out "= output0: float32"
expect 2 "$lathe" compile "$source/share/tiny.pt2" --emit program
says err "is open"
expect 2 "$lathe" compile "$source/share/tiny.pt2"

expect 0 "$lathe" bench "$source/share/tiny.pt2" -p 8 -n 2 -d 0,16 -r 1 -o json
says out '"test": "decode"'
for key in test tokens depth ms samples_ms tokens_per_s bytes flops bandwidth_gb_s peak_gflop_s share_of_bandwidth \
    share_of_peak threads isa device weight_type kv_type activations rss_mb version first_token_ms; do
    says out "\"$key\": "
done
expect 0 "$lathe" bench "$golden/ops/linear.pt2" -r 1 -o csv
says out latency
expect 0 "$lathe" bench tiny.lathe -p 2-8*2 -n 1,2 -d 0-8+4,16 -t 1,2 -r 1 -o csv
[ "$(grep -c prefill out) $(grep -c decode out) $(grep -c startup out)" = "6 16 2" ] || fail "ranges give $(cat out)"
expect 0 "$lathe" bench tiny.lathe -p8 -n4 -r 3 --executor linear,dag
says out "^| decode | 4 | 0 | dag "
says out "^prefill of 8 at depth 0: dag is .*x as fast as linear by the medians, .*x by 3 pairs of steps"
says out "^decode of 4 at depth 0: dag is .*x as fast as linear by the medians, .*x by 12 pairs of steps"
expect 0 "$lathe" bench "$golden/ops/linear.pt2" -r 2 --executor dag,linear -o json
[ "$(grep -c '"executor"' out) $(grep -c '"speedup"' out) $(grep -c '"pair_speedup"' out)" = "2 1 1" ] || fail "executors give $(cat out)"
for list in x 8-4 1-8*1 0-8*2 4- 1,; do
    expect 2 "$lathe" bench "$source/share/tiny.pt2" -p $list
done

decode="bench decode $source/share/tiny.pt2 --max-cache-len 64 --prefill-len 8 --prompt-length 4 --repeats 2"
expect 0 "$lathe" bench decode --help
# shellcheck disable=SC2086
expect 0 "$lathe" $decode --quantize none,int8 --positions 1-32*8 --json decode.json
[ "$(grep -c samples_ms decode.json) $(grep -c ttft_samples_ms decode.json)" = "8 2" ] || fail "decode.json: $(cat decode.json)"
says out "| cpu | executor | int8 | 32 |"
says err "position  *32: .* left"
sed 's/"step_time_ms": [0-9.]*/"step_time_ms": 77.5/' decode.json >kept.json
# shellcheck disable=SC2086
expect 0 "$lathe" $decode --quantize none --positions 1,2 --json kept.json --resume
[ "$(grep -c 'step_time_ms": 77.5' kept.json) $(grep -c step_time_ms kept.json)" = "6 7" ] || fail "kept.json: $(cat kept.json)"
# shellcheck disable=SC2086
expect 2 "$lathe" $decode --seed 1 --json kept.json --resume
says err "another 'seed'"
# shellcheck disable=SC2086
expect 2 "$lathe" $decode --positions 57
says err "the last one is 56"
expect 2 "$lathe" bench decode "$source/share/tiny.pt2" --max-cache-len 4096
says err "have 512 positions"
expect 2 "$lathe" bench decode "$source/share/tiny.pt2" --resume
expect 2 "$lathe" bench decode "$source/share/tiny.pt2" --quantize int5

# An interrupted run keeps what it has, and can be gone on with. A very fast machine is done before.
long="bench decode $source/share/tiny.pt2 --positions 1-256 --repeats 100 --warmup 50 --json long.json"
# shellcheck disable=SC2086
timeout --preserve-status -s INT 1 "$lathe" $long >out 2>err || says err "interrupted; --resume goes on"
# shellcheck disable=SC2086
expect 0 "$lathe" $long --resume
[ "$(grep -c step_time_ms long.json)" = 256 ] || fail "not all rows after --resume"

expect 0 "$lathe" profile "$source/share/tiny.pt2" -d 16 -r 3 --by kernel,node,module --top 30 --trace trace.json
says out "| linear float32, joint |"
says out "| m.model.layers.\*.mlp"
says out "| linear_1. |"
says out "steps: .* together .* ms; a run without profile: .* ms"
says trace.json '"name":"steps on cpu"'
says trace.json '"module":"m.model.layers.1.self_attn'
expect 0 "$lathe" profile "$source/share/tiny.pt2" -p 64 -r 1 --top 1
says out "| the rest |"
expect 0 "$lathe" profile "$golden/models/resnet18_narrow.pt2" -r 1 --by kernel
says out "blocked_conv"
expect 2 "$lathe" profile "$source/share/tiny.pt2" --by weather
expect 2 "$lathe" profile missing.pt2

printf 'Before.\n<!-- benchmarks: begin -->\nold\n<!-- benchmarks: end -->\nAfter.\n' >page.md
expect 0 "$lathe" bench report decode.json -o report.md --published "$source/bench/published.json" --into page.md
ms=$(sed -n '/"step_time_ms"/ { s/[^0-9.]//g; p; q }' decode.json)
says report.md "| 1 | .* ($(printf %.1f "$ms") ± "
says report.md "Metal, Apple M4 Pro, position 1: 359.5 ms"
says page.md "| int8 | cpu |"
[ "$(head -1 page.md) $(tail -1 page.md) $(grep -c old page.md || true)" = "Before. After. 0" ] || fail "page: $(cat page.md)"
expect 1 "$lathe" bench report decode.json -o report.md --into report.md
says err "report.md has no lines"

cat >llama.json <<EOF
[{"model_type": "qwen2 1.5B Q8_0", "backends": "CPU", "n_prompt": 0, "n_gen": 4, "n_depth": 0, "flash_attn": false,
  "avg_ts": 17.5, "stddev_ts": 0.5}]
EOF
# shellcheck disable=SC2086
expect 0 "$lathe" $decode --quantize none,int8 --positions 1-32*8 --mode both --device cpu,null:0 --json dag.json
[ "$(grep -c samples_ms dag.json) $(grep -c '"executor": "dag"' dag.json)" = "32 4" ] || fail "dag.json: $(cat dag.json)"
# shellcheck disable=SC2086
expect 2 "$lathe" $decode --device abacus:0
says err "abacus"
expect 0 "$lathe" profile "$golden/models/tiny_bert.pt2" -r 1 --device null:0 --islands keep --executor dag \
    --cpu-ops aten.gelu.default --by kernel --trace trace.json
for where in null:0 cpu; do says trace.json "\"name\":\"steps on $where\""; done
expect 0 "$lathe" profile "$source/share/tiny.pt2" -r 1 --device null:0 --by kernel
says out "steps: "
expect 1 env PATH=/nonexistent "$lathe" bench plot decode.json -o none
says err "gnuplot-nox"
expect 2 "$lathe" bench plot missing.json -o charts
says err "missing.json"
echo '{"rounds": 1}' >other.json
expect 2 "$lathe" bench plot other.json -o charts
says err "other.json"
if command -v gnuplot >/dev/null; then
    expect 0 "$lathe" bench plot dag.json llama.json -o charts
    [ "$(find charts -name '*.svg' | wc -l) $(find charts -name '*.png' -size +8 | wc -l)" = "10 10" ] || fail "charts: $(ls -l charts)"
    for chart in tokens-per-second step-time dag-ratio devices share-of-limit; do
        for text in "position in the cache" int8 DAG ">32<"; do
            says charts/$chart.svg "$text"
            says charts/$chart-dark.svg "$text"
        done
    done
    says charts/tokens-per-second.svg "limit by memory bandwidth"
    says charts/devices.svg "llama.cpp CPU Q8_0"
    # Nothing in a file is a command.
    cat >bad.sed <<'EOF'
s/"device": "null:0"/"device": "x'; system('touch touched'); print `touch touched` '"/
EOF
    sed -f bad.sed dag.json >bad.json
    expect 0 "$lathe" bench plot bad.json -o bad
    says bad/dag-ratio.svg "touch touched"
    [ ! -e touched ] || fail "a chart ran a command"
    expect 0 "$lathe" profile "$source/share/tiny.pt2" -r 1 --roofline roof
    says roof-dark.svg "operations per byte"
    says roof.svg "linear float32, joint"
    # shellcheck disable=SC2086
    expect 0 "$lathe" $decode --mode both --positions 1,2 --chart one.png --comparison-chart two.png --chart-dir more
    [ -s one.png ] && [ -s two.png ] && [ -s one-dark.svg ] && [ -s more/share-of-limit.png ] || fail "charts of decode: $(ls)"
fi

expect 0 "$lathe" eval "$source/share/tiny.pt2" "$source/README.md" --tokenizer "$tokenizer" -n 300 --context 128 --stride 64
says out "tokens  *299"
says err "perplexity"
expect 0 sh -c "'$lathe' eval tiny.lathe - --context 64 --against '$source/share/tiny.pt2' -o json <'$source/README.md'"
says out '"kl_divergence": 0,'
says out '"top1_agreement": 1,'
expect 0 "$lathe" eval tiny.lathe "$source/README.md" --context 64 -n 64 --kv int8 --against tiny.lathe --against-kv bf16
says out "top1_agreement"
expect 2 "$lathe" eval tiny.lathe "$source/README.md" --context 4096
says err "context of 64"
expect 2 "$lathe" eval tiny.lathe missing.txt
says err "missing.txt"

expect 0 "$lathe" devices
says out "cpu: .* kernels"
says out "null:0"
expect 2 "$lathe" run "$golden/models/tiny_bert.pt2" --device nothing
says err "expected cpu, ref, "

# A device that computes nothing takes what it can, and nothing that it gives is right.
expect 0 "$lathe" explain "$golden/models/tiny_bert.pt2" --device null --cpu-ops aten.gelu.default --islands keep
says out "regions on null:0, cpu"
says out "gelu x2 on cpu: as asked for"
says out "the largest cut is"
expect 0 "$lathe" compile "$golden/models/tiny_bert.pt2" --device null:0 --cpu-ops aten.gelu.default --islands keep --executor dag \
    -o placed.lathe
expect 0 "$lathe" inspect placed.lathe
says out 'placement = {"device": "null:0", "executor": "dag", "cpu_ops": "aten.gelu.default"'
says out "nodes: .* on null:0, .* on cpu"
expect 0 "$lathe" explain placed.lathe
says out "regions on null:0, cpu"
says out "the partition is as the file has it"
expect 0 "$lathe" explain placed.lathe --device null:0
says out "formed anew: the file has none for these options"
expect 0 "$lathe" verify placed.lathe --golden "$golden/models/tiny_bert.safetensors" --device cpu
expect 1 "$lathe" verify placed.lathe --golden "$golden/models/tiny_bert.safetensors"
expect 2 "$lathe" compile "$golden/models/tiny_bert.pt2" --device nul:0 -o wrong.lathe
if "$lathe" devices | grep -q "^opencl:0"; then
    expect 0 "$lathe" compile "$golden/models/tiny_bert.pt2" --device opencl:0 -o placed.lathe
    expect 0 "$lathe" verify placed.lathe --golden "$golden/models/tiny_bert.safetensors"
    [ ! -s err ] || fail "a model that runs where it was compiled for says $(cat err)"
    expect 0 env OCL_ICD_VENDORS=/nowhere "$lathe" verify placed.lathe --golden "$golden/models/tiny_bert.safetensors"
    says err "compiled for opencl:0, which is not here: it runs on the CPU"
    expect 1 env OCL_ICD_VENDORS=/nowhere "$lathe" verify placed.lathe --golden "$golden/models/tiny_bert.safetensors" \
        --device opencl:0
fi
expect 0 "$lathe" explain "$golden/models/tiny_llama_dynamic.pt2" --device null --dim s21=3 --graph dot
says out "digraph regions"
expect 1 "$lathe" diff "$golden/models/tiny_bert.pt2" --device null -o case.lathe
says out "written as a model: lathe verify case.lathe --device null"
says out "differs: output 0"
says out "sparse.py"
expect 0 "$lathe" verify case.lathe --device ref
expect 1 "$lathe" verify case.lathe --device null
expect 0 "$lathe" inspect case.safetensors
says out "found.0"
expect 0 "$lathe" diff "$golden/models/tiny_bert.pt2" --device cpu
says out "nodes agree"

expect 0 "$lathe" ops
cmp -s out "$source/docs/ops.md" || fail "docs/ops.md is stale: write it with 'lathe ops > docs/ops.md'"
echo "all commands behave"
