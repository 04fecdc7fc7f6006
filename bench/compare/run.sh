#!/usr/bin/env bash
# Builds what compare.py measures, installs the other libraries from PyPI and calls it. See --help.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: bench/compare/run.sh [options]

Measures this library beside what else one would use, in interleaved rounds on this machine: lists for sessions beside
PyTorch and faiss, evaluation and training beside PyTorch, loading beside pandas, Polars and DuckDB. Prints tables in
Markdown. All come to the same results before they are measured. A library that is not there is left out. PyTorch's
trainer is written for this comparison: it stands for the existing ports, whose licence forbids shipping them.

  --only NAMES      tables or rows, separated by commas: many, one, evaluation, training, loading, or for example
                    training/rsc15 (default: all, five minutes)
  --rounds N        rounds (default: 7)
  --threads N       threads of every library (default: 1)
  --quick           tiny sizes, to try the script: the times mean nothing
  --jobs N          compile N files at a time (default: all cores)
  --no-install      take the packages as they are, those of build/compare/venv or else of python3
  -h, --help        this text

The packages go to build/compare/venv. PyTorch as it is on PyPI comes with CUDA, 6 GB in all: pip's settings, such as
PIP_EXTRA_INDEX_URL, can name an index that has it for CPUs alone.
TEXT
}

fail() {
    echo "bench/compare/run.sh: $1" >&2
    usage >&2
    exit 2
}

options=()
jobs=$(nproc)
while [ $# -gt 0 ]; do
    case "$1" in
        --only | --rounds | --threads | --jobs)
            [ -n "${2:-}" ] || fail "$1 needs a value"
            [ "$1" = --only ] || [[ "$2" =~ ^[1-9][0-9]*$ ]] || fail "$1 needs a number, 1 or more"
            if [ "$1" = --jobs ]; then jobs=$2; else options+=("$1" "$2"); fi
            shift
            ;;
        --quick) options+=("$1") ;;
        --no-install) export GRU4REC_NO_INSTALL=1 ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) fail "unknown option '$1'" ;;
    esac
    shift
done

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cmake/install_packages.sh cmake g++ ninja-build libeigen3-dev libtbb-dev libbenchmark-dev python3 python3-venv
cmake --preset bench
cmake --build build/bench --parallel "$jobs" --target gru4rec_side

venv=build/compare/venv
if [ "${GRU4REC_NO_INSTALL:-0}" != 1 ]; then
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
    for package in numpy pandas polars duckdb faiss-cpu torch; do
        "$venv/bin/pip" install --quiet "$package" || echo "bench/compare/run.sh: $package cannot be installed" >&2
    done
fi
python=python3
[ ! -x "$venv/bin/python" ] || python=$venv/bin/python
"$python" bench/compare/compare.py build/bench/bin/gru4rec_side ${options[@]+"${options[@]}"}
