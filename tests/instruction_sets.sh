#!/usr/bin/env bash
# Builds and runs the unit, gradient and property tests for other instruction sets than this machine's. See --help.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: tests/instruction_sets.sh [--no-install] [--jobs N] [SET...]

Sets: sse2 avx2 avx512 arm64 (default: sse2 avx2 arm64). Those of x86-64 run as they are and need a processor that has
them; arm64 (NEON with its dot products of bytes) is compiled by a cross compiler and run by an emulator, both Debian
packages, with Debian's TBB for arm64 unpacked into the build folder.
TEXT
}

sets=()
jobs=$(nproc 2>/dev/null || echo 2)
while [ $# -gt 0 ]; do
    case "$1" in
        --no-install) export GRU4REC_NO_INSTALL=1 ;;
        --jobs)
            jobs=${2:-}
            shift
            if ! [[ "$jobs" =~ ^[1-9][0-9]*$ ]]; then
                echo "tests/instruction_sets.sh: --jobs needs a number, 1 or more" >&2
                exit 2
            fi
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        sse2 | avx2 | avx512 | arm64) sets+=("$1") ;;
        *)
            echo "tests/instruction_sets.sh: unknown argument '$1'" >&2
            usage >&2
            exit 2
            ;;
    esac
    shift
done
[ ${#sets[@]} -gt 0 ] || sets=(sse2 avx2 arm64)

cd "$(dirname "${BASH_SOURCE[0]}")/.."
packages=(cmake g++ ninja-build libeigen3-dev libtbb-dev doctest-dev nlohmann-json3-dev python3)
[[ " ${sets[*]} " != *" arm64 "* ]] || packages+=(g++-aarch64-linux-gnu qemu-user-static apt-utils)
cmake/install_packages.sh "${packages[@]}"

# Debian's packages of another architecture, unpacked: nothing of the system is changed.
unpack_for_arm64() {
    local folder=$1 packages=(libtbb-dev libtbb12 libtbbbind-2-5 libtbbmalloc2 libhwloc15)
    local apt=(apt-get -q -o "APT::Architectures::=amd64" -o "APT::Architectures::=arm64" -o "Dir::State::Lists=$folder/lists"
        -o "Dir::Cache=$folder/cache" -o "APT::Sandbox::User=root")
    if [ -d "$folder/root" ]; then
        return
    fi
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" "$folder/new"
    "${apt[@]}" update
    (cd "$folder" && "${apt[@]}" download "${packages[@]/%/:arm64}")
    for package in "$folder"/*.deb; do
        dpkg -x "$package" "$folder/new"
    done
    mv "$folder/new" "$folder/root"
}

for set in "${sets[@]}"; do
    build=$PWD/build/$set
    options=(-DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE=-O2 -DGRU4REC_NATIVE=OFF -DGRU4REC_BUILD_TESTS=ON
        -DGRU4REC_BUILD_EXAMPLES=OFF -DGRU4REC_TESTS_PER_UNIT=12)
    case "$set" in
        sse2) options+=(-DCMAKE_CXX_FLAGS=-march=x86-64) ;;
        avx2) options+=(-DCMAKE_CXX_FLAGS=-march=x86-64-v3) ;;
        avx512) options+=(-DCMAKE_CXX_FLAGS=-march=x86-64-v4) ;;
        arm64)
            unpack_for_arm64 "$build/packages"
            libraries=$build/packages/root/usr/lib/aarch64-linux-gnu
            options+=(-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64
                -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_CXX_FLAGS=-march=armv8.2-a+dotprod
                "-DTBB_DIR=$libraries/cmake/TBB"
                "-DCMAKE_EXE_LINKER_FLAGS=-Wl,-rpath-link,$libraries"
                "-DCMAKE_CROSSCOMPILING_EMULATOR=qemu-aarch64-static;-L;/usr/aarch64-linux-gnu;-E;LD_LIBRARY_PATH=$libraries")
            ;;
    esac
    echo "== $set: build"
    cmake -S . -B "$build" -G Ninja "${options[@]}"
    cmake --build "$build" --parallel "$jobs" \
        --target gru4rec_unit_tests gru4rec_timeline_tests gru4rec_gradient_tests gru4rec_property_tests
    echo "== $set: test"
    ctest --test-dir "$build" --parallel "$jobs" --output-on-failure --label-regex '^(unit|gradient|property)$'
done
