#!/usr/bin/env bash
# Builds and runs the unit and golden tests for other platforms than this machine's. See --help.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: tests/platforms.sh [options] [LEG...]

Builds the unit and golden tests with -O1 and runs them, once per leg, and prints a table of versions and results.

  i386      32-bit x86 with SSE2, run by this machine
  s390x     big-endian, run by an emulator
  arm64     NEON with its dot products of bytes, run by an emulator; the gradient and property tests as well
  windows   x86-64 Windows: MinGW-w64 with POSIX threads, oneTBB of the system's version compiled from its source; run
            by Wine, as is the program gru4rec
  system new-eigen new-tbb newest libcxx
            other versions of Eigen, oneTBB and the standard library: tests/dependencies.sh

Default: all but system, which tests/run.sh covers. Needs an x86-64 Debian; compilers and emulators are installed,
libraries of other architectures only unpacked into the folder.

  --jobs N        compile and test with N processes (default: one per core)
  --folder DIR    work in this folder and keep it, so that a second run builds only what changed and downloads nothing
                  (default: a temporary one)
  --no-install    take the system's packages as they are
  --skip-missing  a leg whose packages cannot be had does not count as failed
  -h, --help      this text

GRU4REC_TEST_DATA names a folder of reference data for the golden tests; without it, the runs that need it are skipped.
What a leg leaves out it names.
TEXT
}

# shellcheck source=tests/legs.sh
source "$(dirname "${BASH_SOURCE[0]}")/legs.sh"

legs=()
folder=
skip_missing=0
while [ $# -gt 0 ]; do
    if take_option "$@"; then
        shift "$taken"
        continue
    fi
    case "$1" in
        --folder)
            folder=${2:-}
            [ -n "$folder" ] || fail "$1 needs a value"
            shift
            ;;
        --skip-missing) skip_missing=1 ;;
        i386 | s390x | arm64 | windows | system | new-eigen | new-tbb | newest | libcxx) legs+=("$1") ;;
        *) refuse "$1" ;;
    esac
    shift
done
[ ${#legs[@]} -gt 0 ] || legs=(i386 s390x arm64 windows new-eigen new-tbb newest libcxx)
use_folder

cd "$(dirname "${BASH_SOURCE[0]}")/.."

common_packages=(cmake g++ ninja-build libeigen3-dev doctest-dev nlohmann-json3-dev python3 apt-utils)

# use_other_linux TRIPLE ARCHITECTURE: a cross compiler, and Debian's oneTBB for that architecture.
use_other_linux() {
    local triple=$1 architecture=$2
    cmake/install_packages.sh "${common_packages[@]}" "g++-$triple" || return $missing
    unpack_debs "$folder/packages-$architecture" "$architecture" libtbb-dev libtbb12 libtbbbind-2-5 libtbbmalloc2 \
        libhwloc15 || return
    libraries=$(echo "$folder/packages-$architecture/root/usr/lib"/*-linux-gnu)
    options+=(-DCMAKE_SYSTEM_NAME=Linux "-DCMAKE_SYSTEM_PROCESSOR=${triple%%-*}" "-DCMAKE_CXX_COMPILER=$triple-g++"
        "-DTBB_DIR=$libraries/cmake/TBB" "-DCMAKE_EXE_LINKER_FLAGS=-Wl,-rpath-link,$libraries")
}

# use_emulator PROCESSOR TRIPLE
use_emulator() {
    cmake/install_packages.sh qemu-user-static || return $missing
    emulator=("qemu-$1-static" -L "/usr/$2" -E "LD_LIBRARY_PATH=$libraries")
}

# oneTBB's wheels for Windows are compiled by MSVC, whose names and tables of virtual functions are not MinGW's.
use_windows() {
    local compiler=x86_64-w64-mingw32-g++-posix place=$folder/windows runtime
    cmake/install_packages.sh "${common_packages[@]}" g++-mingw-w64-x86-64-posix wine64 || return $missing
    # Headers alone: beside those in /usr/include stand the system's, which are not for Windows.
    unpack_debs "$place/packages" "$(dpkg --print-architecture)" libeigen3-dev doctest-dev nlohmann-json3-dev \
        libcli11-dev || return
    # doctest's CMake files name /usr, where the system's headers are.
    sed -i "s|_IMPORT_PREFIX \"/usr\"|_IMPORT_PREFIX \"$place/packages/root/usr\"|" \
        "$place/packages/root/usr/lib/cmake/doctest/doctestTargets.cmake" || return
    unpack_source "$place/onetbb" onetbb || return
    options=(-DCMAKE_SYSTEM_NAME=Windows -DCMAKE_SYSTEM_PROCESSOR=AMD64 "-DCMAKE_CXX_COMPILER=$compiler"
        -DCMAKE_RC_COMPILER=x86_64-w64-mingw32-windres)
    if [ ! -d "$place/tbb" ]; then
        cmake -S "$place/onetbb/source" -B "$place/onetbb/build" -G Ninja "${options[@]}" -DCMAKE_BUILD_TYPE=Release \
            -DTBB_TEST=OFF -DTBB_STRICT=OFF -DTBBMALLOC_BUILD=OFF -DTBB_ENABLE_IPO=OFF \
            "-DCMAKE_INSTALL_PREFIX=$place/tbb.new" || return
        cmake --build "$place/onetbb/build" --parallel "$jobs" || return
        cmake --install "$place/onetbb/build" || return
        mv "$place/tbb.new" "$place/tbb" || return
    fi
    options+=("-DCMAKE_FIND_ROOT_PATH=$place/packages/root/usr" -DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=ONLY
        -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY -DCMAKE_FIND_ROOT_PATH_MODE_LIBRARY=ONLY
        -DCMAKE_FIND_ROOT_PATH_MODE_PROGRAM=NEVER "-DTBB_DIR=$place/tbb/lib/cmake/TBB" -DGRU4REC_BUILD_EXAMPLES=ON)
    runtime=$(dirname "$("$compiler" -print-file-name=libstdc++-6.dll)") || return
    export WINEPREFIX=$place/wine WINEDEBUG=-all
    export WINEPATH="Z:$place/tbb/bin;Z:$runtime;Z:/usr/x86_64-w64-mingw32/lib"
    emulator=("$(command -v wine64 || echo /usr/lib/wine/wine64)")
    "${emulator[@]}" cmd /c ver || return  # makes the folder of a first start, before several programs want it
}

run_leg() {
    local leg=$1 build="$folder/build-$1" tests=(unit golden) options=() emulator=() libraries='' program
    case "$leg" in
        i386)
            use_other_linux i686-linux-gnu i386 || return
            options+=("-DCMAKE_CXX_FLAGS=-msse2 -mfpmath=sse -D_FILE_OFFSET_BITS=64")
            emulator=(/usr/i686-linux-gnu/lib/ld-linux.so.2 --library-path "/usr/i686-linux-gnu/lib:$libraries")
            ;;
        s390x)
            use_other_linux s390x-linux-gnu s390x || return
            use_emulator s390x s390x-linux-gnu || return
            ;;
        arm64)
            use_other_linux aarch64-linux-gnu arm64 || return
            use_emulator aarch64 aarch64-linux-gnu || return
            options+=(-DCMAKE_CXX_FLAGS=-march=armv8.2-a+dotprod)
            tests+=(gradient property)
            ;;
        windows) use_windows || return ;;
        *)
            run_dependencies "$leg"
            return
            ;;
    esac
    options+=("-DCMAKE_CROSSCOMPILING_EMULATOR=$(IFS=';' && echo "${emulator[*]}")" -DCMAKE_CXX_FLAGS_RELEASE=-O1
        -DGRU4REC_NATIVE=OFF)
    echo "== $leg: build"
    build_tests "$build" "${tests[@]}" || return
    program=$(ls "$build"/bin/gru4rec_unit_tests{,.exe} 2>/dev/null) || true
    "${emulator[@]}" "$program" --no-run >"$folder/$leg.versions" || return
    if [ "$leg" = windows ]; then
        cmake --build "$build" --parallel "$jobs" --target gru4rec_cli || return
        try_program "${emulator[@]}" "$build/bin/gru4rec.exe" || return
    fi
    echo "== $leg: test"
    run_tests "$build" "${tests[@]}" | tee "$folder/$leg.tests" || return
}

# run_dependencies LEG: takes over what dependencies.sh says of the leg.
run_dependencies() {
    local leg=$1 there="$folder/dependencies" status=0 result
    rm -f "$there/rows"
    tests/dependencies.sh --folder "$there" --jobs "$jobs" "$leg" || status=$?
    for result in versions tests; do
        [ ! -f "$there/$leg.$result" ] || cp "$there/$leg.$result" "$folder/" || return
    done
    if [ ! -f "$there/rows" ] || grep -q MISSING "$there/rows"; then
        return $missing  # it stops where the system's packages cannot be had
    fi
    return $status
}

# try_program COMMAND...: the program gru4rec trains, evaluates and recommends.
try_program() {
    local place="$folder/windows/run"
    rm -rf "$place"
    mkdir -p "$place"
    (cd "$place" && "$@" --version &&
        "$@" synth train.tsv --test test.tsv --sessions 500 --items 50 &&
        "$@" train train.tsv --params n_epochs=1,layers=8 --save model.safetensors &&
        "$@" evaluate model.safetensors test.tsv &&
        "$@" recommend model.safetensors --session 1,2)
}

status=0
run_legs "${legs[@]}" || status=$?
print_table
exit $status
