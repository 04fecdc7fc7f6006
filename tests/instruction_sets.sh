#!/usr/bin/env bash
# Builds and runs the unit, gradient and property tests for other instruction sets than this machine's. See --help.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: tests/instruction_sets.sh [--no-install] [--jobs N] [SET...]

Sets: sse2 avx2 avx512 (default: sse2 avx2). They need a processor that has them. tests/platforms.sh has other
processors.
TEXT
}

# shellcheck source=tests/legs.sh
source "$(dirname "${BASH_SOURCE[0]}")/legs.sh"

sets=()
while [ $# -gt 0 ]; do
    if take_option "$@"; then
        shift "$taken"
        continue
    fi
    case "$1" in
        sse2 | avx2 | avx512) sets+=("$1") ;;
        *) refuse "$1" ;;
    esac
    shift
done
[ ${#sets[@]} -gt 0 ] || sets=(sse2 avx2)

cd "$(dirname "${BASH_SOURCE[0]}")/.."
cmake/install_packages.sh cmake g++ ninja-build libeigen3-dev libtbb-dev doctest-dev nlohmann-json3-dev python3

for set in "${sets[@]}"; do
    build=$PWD/build/$set
    options=(-DCMAKE_CXX_FLAGS_RELEASE=-O2 -DGRU4REC_NATIVE=OFF)
    case "$set" in
        sse2) options+=(-DCMAKE_CXX_FLAGS=-march=x86-64) ;;
        avx2) options+=(-DCMAKE_CXX_FLAGS=-march=x86-64-v3) ;;
        avx512) options+=(-DCMAKE_CXX_FLAGS=-march=x86-64-v4) ;;
    esac
    echo "== $set: build"
    build_tests "$build" unit gradient property
    echo "== $set: test"
    run_tests "$build" unit gradient property
done
