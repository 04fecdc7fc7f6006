#!/usr/bin/env bash
# Installs what is missing, builds the benchmarks, runs them and writes a report. See --help.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: bench/run.sh [options] [-- BENCHMARK-OPTIONS]

Builds every benchmark, runs each several times and writes into a folder: one JSON file per program, all figures as
tables in report.md, and plots as SVG. A benchmark whose result differs from the naive twin's ends the run.

  --out FOLDER      where to write (default: build/bench/report)
  --only NAME       run bench_NAME alone; may come several times (default: all)
  --jobs N          compile N files at a time (default: all cores)
  --repetitions N   runs of each benchmark; the report gives medians and ranges (default: 5)
  --compiler CXX    for example clang++; builds into a folder of its own (default: the system's)
  --march ARCH      for example x86-64-v3, AVX2 alone (default: native)
  --no-install      take the packages as they are
  -h, --help        this text

What follows -- goes to every program: bench/run.sh --only kernels -- --benchmark_filter=tile
TEXT
}

fail() {
    echo "bench/run.sh: $1" >&2
    usage >&2
    exit 2
}

out=
only=()
repetitions=5
jobs=$(nproc)
compiler=
march=native
while [ $# -gt 0 ]; do
    case "$1" in
        --out | --only | --jobs | --repetitions | --compiler | --march)
            [ -n "${2:-}" ] || fail "$1 needs a value"
            case "$1" in
                --out) out=$2 ;;
                --only) only+=("$2") ;;
                --jobs) jobs=$2 ;;
                --repetitions) repetitions=$2 ;;
                --compiler) compiler=$2 ;;
                --march) march=$2 ;;
            esac
            shift
            ;;
        --no-install) export GRU4REC_NO_INSTALL=1 ;;
        -h | --help)
            usage
            exit 0
            ;;
        --)
            shift
            break
            ;;
        *) fail "unknown option '$1'" ;;
    esac
    shift
done
[[ "$repetitions" =~ ^[1-9][0-9]*$ ]] || fail "--repetitions needs a number, 1 or more"
[[ "$jobs" =~ ^[1-9][0-9]*$ ]] || fail "--jobs needs a number, 1 or more"
for name in ${only[@]+"${only[@]}"}; do
    [ -f "$(dirname "${BASH_SOURCE[0]}")/bench_$name.cpp" ] || fail "there is no bench_$name"
done
[ -z "$out" ] || out=$(mkdir -p "$out" && cd "$out" && pwd)

cd "$(dirname "${BASH_SOURCE[0]}")/.."
cmake/install_packages.sh cmake g++ ninja-build libeigen3-dev libtbb-dev libbenchmark-dev python3 python3-matplotlib

build=build/bench
options=()
if [ -n "$compiler" ] || [ "$march" != native ]; then
    build=build/bench-${compiler##*/}-$march
    options+=("-DCMAKE_CXX_FLAGS=-march=$march" -DGRU4REC_NATIVE=OFF)
    [ -z "$compiler" ] || options+=("-DCMAKE_CXX_COMPILER=$compiler")
fi
out=${out:-$build/report}
cmake --preset bench -B "$build" ${options[@]+"${options[@]}"}
targets=()
[ ${#only[@]} -eq 0 ] || targets=(--target "${only[@]/#/bench_}")
cmake --build "$build" --parallel "$jobs" ${targets[@]+"${targets[@]}"}

mkdir -p "$out"
if [ ${#only[@]} -eq 0 ]; then
    programs=("$build"/bin/bench_*)
else
    programs=("${only[@]/#/$build/bin/bench_}")
fi
for program in "${programs[@]}"; do
    echo "== ${program##*/}"
    "$program" --benchmark_repetitions="$repetitions" --benchmark_out_format=json \
        --benchmark_out="$out/${program##*/bench_}.json" "$@"
done

python=python3
[ ! -x /usr/bin/python3 ] || python=/usr/bin/python3  # the one that python3-matplotlib belongs to
"$python" bench/report.py "$out"
