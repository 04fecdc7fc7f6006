#!/usr/bin/env bash
# Builds the fuzz targets with clang, libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer, and runs them.
#
#   tests/fuzz/run.sh [INPUTS [TARGET...]]     1000000 inputs; every target of this folder
#
# What ends a target is written to build/fuzz/TARGET-crash-*: mend it, and keep the input in tests/fuzz/corpus/TARGET.
# CXX names the compiler (clang++), SECONDS_EACH a limit of time.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
inputs=${1:-1000000}
shift || true
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    targets=(container date json_lines session_bytes session_lines table)
fi

sources_of() {
    case "$1" in
        container) echo examples/cli/containers.cpp examples/cli/unpacking.cpp -larchive -lz ;;
        session_bytes | table) echo -ltbb ;;
        json_lines) echo examples/cli/json_lines.cpp -lsimdjson ;;
        *) ;;
    esac
}

mkdir -p build/fuzz
for target in "${targets[@]}"; do
    # shellcheck disable=SC2046 # several words are meant
    "${CXX:-clang++}" -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
        -DGRU4REC_HAS_LIBARCHIVE=1 -DGRU4REC_HAS_SIMDJSON=1 -Iinclude -Iexamples -Itests -isystem /usr/include/eigen3 \
        "tests/fuzz/$target.cpp" $(sources_of "$target") -o "build/fuzz/$target"
done
for target in "${targets[@]}"; do
    echo "== $target"
    mkdir -p "build/fuzz/$target-corpus"
    "build/fuzz/$target" -runs="$inputs" -max_total_time="${SECONDS_EACH:-0}" -print_final_stats=1 -verbosity=0 \
        -max_len=4096 -timeout=20 -rss_limit_mb=2048 -artifact_prefix="build/fuzz/$target-" \
        "build/fuzz/$target-corpus" "tests/fuzz/corpus/$target"
done
