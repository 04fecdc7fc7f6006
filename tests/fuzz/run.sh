#!/usr/bin/env bash
# Looks for inputs that end the fuzz targets of this folder, with clang, libFuzzer, AddressSanitizer and
# UndefinedBehaviorSanitizer.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: tests/fuzz/run.sh [--seconds N] [--inputs N] [--merge] [--no-install] [--jobs N] [TARGET...]

Builds the fuzz targets, or those that are named, and lets each make up inputs, beginning with its corpus. A table at
the end says how many inputs each had, in how many seconds, and how many findings there are. The exit status is 1 if
there is one.

  --seconds N    at most N seconds for each target (default: 60; 0: no limit)
  --inputs N     at most N inputs for each target (default: no limit)
  --merge        then adds inputs to tests/fuzz/corpus/TARGET: the 40 that reach the most code which its inputs do not
                 reach, small ones first
  --no-install   does not install missing packages (also GRU4REC_NO_INSTALL=1)
  --jobs N       compiles N files at a time (default: one for each processor); targets run one after another
  -h, --help     shows this text

What ends a target is written to build/fuzz/findings/TARGET-*: mend it, and keep the input in tests/fuzz/corpus/TARGET,
under a name that says what it is. Inputs that reach new code stay in build/fuzz/inputs/TARGET for the next time. CXX
names the compiler (clang++).
TEXT
}

require_number() {
    if ! [[ "${2:-}" =~ ^[0-9]+$ ]]; then
        echo "tests/fuzz/run.sh: $1 needs a number" >&2
        exit 2
    fi
}

# merge TARGET CORPUS MADE: copies inputs from the folder MADE to the folder CORPUS.
#
# libFuzzer goes through the inputs, those of the corpus first and then small before large, and notes for each what code
# it reaches first: a header with the number of the files and their names, then lines "COV number-of-file place...".
merge() {
    local target=$1 corpus=$2 made=$3 control=build/fuzz/$1.merge chosen n
    rm -rf "$control" build/fuzz/merged
    mkdir build/fuzz/merged
    "build/fuzz/bin/gru4rec_fuzz_$target" -merge=1 -merge_control_file="$control" "${limits[@]}" build/fuzz/merged \
        "$corpus" "$made" >>"build/fuzz/$target.log" 2>&1
    mapfile -t chosen < <(awk -v made="$made/" '
        NR == 1 { n = $1 }
        NR > 2 && NR <= n + 2 { name[NR - 3] = $0 }
        $1 == "COV" && NF > 2 && index(name[$2], made) == 1 { print NF - 2, name[$2] }' "$control" |
        sort -rn | cut -d' ' -f2-)
    for n in "${!chosen[@]}"; do
        [ "$n" -ge 40 ] || cp "${chosen[n]}" "$corpus/"
    done
}

seconds=60
inputs=-1
merge=no
jobs=$(nproc 2>/dev/null || echo 2)
while [ $# -gt 0 ]; do
    case "$1" in
        --seconds | --inputs | --jobs)
            require_number "$@"
            case "$1" in
                --seconds) seconds=$2 ;;
                --inputs) inputs=$2 ;;
                --jobs) jobs=$2 ;;
            esac
            shift
            ;;
        --merge) merge=yes ;;
        --no-install) export GRU4REC_NO_INSTALL=1 ;;
        -h | --help)
            usage
            exit 0
            ;;
        -*)
            echo "tests/fuzz/run.sh: unknown option '$1'" >&2
            usage >&2
            exit 2
            ;;
        *) break ;;
    esac
    shift
done

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    for folder in tests/fuzz/corpus/*/; do
        targets+=("$(basename "$folder")")
    done
fi
for target in "${targets[@]}"; do
    if [ ! -f "tests/fuzz/$target.cpp" ]; then
        echo "tests/fuzz/run.sh: there is no target '$target'; the targets are the folders of tests/fuzz/corpus" >&2
        exit 2
    fi
done

cmake/install_packages.sh cmake clang libclang-rt-dev ninja-build libeigen3-dev libtbb-dev doctest-dev libcli11-dev \
    nlohmann-json3-dev libarchive-dev libboost-dev libhiredis-dev libsimdjson-dev zlib1g-dev python3
CXX=${CXX:-clang++} cmake --preset dev -B build/fuzz -DGRU4REC_FUZZ=ON -DCMAKE_CXX_FLAGS=-fsanitize=fuzzer-no-link
cmake --build build/fuzz --parallel "$jobs" --target "${targets[@]/#/gru4rec_fuzz_}"

if [ -w /dev/shm ]; then
    export TMPDIR=/dev/shm  # some targets write files, and wait for the disk
fi
limits=(-max_len=8192 -timeout=20 -rss_limit_mb=1024 -malloc_limit_mb=64)
findings=build/fuzz/findings
mkdir -p "$findings"
table=""
n_all=0
status=0
for target in "${targets[@]}"; do
    echo "== $target"
    corpus=tests/fuzz/corpus/$target
    made=build/fuzz/inputs/$target
    log=build/fuzz/$target.log
    mkdir -p "$made"
    touch build/fuzz/begin
    begin=$SECONDS
    "build/fuzz/bin/gru4rec_fuzz_$target" -runs="$inputs" -max_total_time="$seconds" -print_final_stats=1 \
        "${limits[@]}" -artifact_prefix="$findings/$target-" "$made" "$corpus" >"$log" 2>&1 || tail -n 40 "$log"
    n=$(sed -n 's/^stat::number_of_executed_units: //p' "$log")
    found=$(find "$findings" -name "$target-*" -newer build/fuzz/begin | wc -l)
    table+=$(printf '%-14s %12s %9s %9s' "$target" "${n:-?}" $((SECONDS - begin)) "$found")$'\n'
    n_all=$((n_all + ${n:-0}))
    if [ "$found" -gt 0 ] || [ -z "$n" ]; then
        status=1
    fi
    if [ "$merge" = yes ]; then
        merge "$target" "$corpus" "$made"
    fi
done

printf '\n%-14s %12s %9s %9s\n' target inputs seconds findings
printf '%s' "$table"
printf '%-14s %12s\n' all "$n_all"
exit "$status"
