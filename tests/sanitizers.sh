#!/usr/bin/env bash
# Runs the suite with tools that watch memory and threads. See --help.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: tests/sanitizers.sh [--no-install] [--jobs N] [LEG...]

  address   the whole suite, programs and server among it, with AddressSanitizer, UndefinedBehaviorSanitizer and
            LeakSanitizer (tests/run.sh runs a part of it so)
  thread    threads, training, lists, session stores and the server with ThreadSanitizer; oneTBB is built from Debian's
            source with it, since reports about a TBB without it would be false
  valgrind  unit and robustness tests with memcheck: values that were never written, which the sanitizers do not see

Default: all. Each takes from twenty minutes to an hour on two cores. Works in build/sanitizers.
TEXT
}

legs=()
jobs=$(nproc 2>/dev/null || echo 2)
while [ $# -gt 0 ]; do
    case "$1" in
        --no-install) export GRU4REC_NO_INSTALL=1 ;;
        --jobs)
            jobs=${2:-}
            shift
            if ! [[ "$jobs" =~ ^[1-9][0-9]*$ ]]; then
                echo "tests/sanitizers.sh: --jobs needs a number, 1 or more" >&2
                exit 2
            fi
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        address | thread | valgrind) legs+=("$1") ;;
        *)
            echo "tests/sanitizers.sh: unknown argument '$1'" >&2
            usage >&2
            exit 2
            ;;
    esac
    shift
done
[ ${#legs[@]} -gt 0 ] || legs=(address thread valgrind)

cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tests/legs.sh
packages=(cmake clang libclang-rt-dev ninja-build libeigen3-dev libtbb-dev doctest-dev libcli11-dev nlohmann-json3-dev
    libarchive-dev libboost-dev libhiredis-dev libsimdjson-dev zlib1g-dev python3 python3-numpy redis-server)
[[ " ${legs[*]} " != *" thread "* ]] || packages+=(dpkg-dev libhwloc-dev)
[[ " ${legs[*]} " != *" valgrind "* ]] || packages+=(valgrind)
cmake/install_packages.sh "${packages[@]}"

# oneTBB from the source of Debian's package, with ThreadSanitizer, installed in a folder that is printed.
tbb_with_thread_sanitizer() {
    local folder=$PWD/build/sanitizers/tbb
    if [ ! -d "$folder/installed" ]; then
        unpack_source "$folder/package" onetbb >&2
        cmake -S "$folder/package/source" -B "$folder/build" -G Ninja -DCMAKE_CXX_COMPILER=clang++ \
            -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTBB_SANITIZE=thread -DTBB_TEST=OFF -DTBB_STRICT=OFF \
            "-DCMAKE_INSTALL_PREFIX=$folder/new" >&2
        cmake --build "$folder/build" --parallel "$jobs" >&2
        cmake --install "$folder/build" >&2
        mv "$folder/new" "$folder/installed"
    fi
    echo "$folder/installed"
}

common=(-G Ninja -DGRU4REC_BUILD_TESTS=ON -DGRU4REC_TESTS_PER_UNIT=12 -DCMAKE_UNITY_BUILD=ON)
if [ -x /usr/bin/python3 ]; then
    common+=(-DPython3_EXECUTABLE=/usr/bin/python3)  # the one that Debian's packages belong to
fi
for leg in "${legs[@]}"; do
    build=build/sanitizers/$leg
    targets=()
    tests=()
    case "$leg" in
        address)
            options=(-DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=Debug "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g1" -DGRU4REC_SANITIZE=ON
                -DGRU4REC_NATIVE=ON)
            tests=(--label-exclude '^(packaging|lint|bench|python)$')
            export ASAN_OPTIONS=strict_string_checks=1:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
            ;;
        thread)
            tbb=$(tbb_with_thread_sanitizer)
            options=(-DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=Debug "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g1 -fsanitize=thread"
                -DGRU4REC_NATIVE=ON "-DTBB_DIR=$(dirname "$(find "$tbb" -name TBBConfig.cmake)")")
            targets=(gru4rec_unit_tests gru4rec_property_tests gru4rec_program_tests gru4rec_cli serve_many)
            tests=(--tests-regex '^(unit|property|program)/|^end_to_end/(serve|serve_many|catalogue|life_of_a_model)$')
            export TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1"
            ;;
        valgrind)
            # Valgrind knows no AVX-512. To CMake it is an emulator, which it asks for only if it compiles for another system.
            options=(-DCMAKE_BUILD_TYPE=Debug "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g1 -march=x86-64-v3" -DGRU4REC_NATIVE=OFF
                -DGRU4REC_BUILD_EXAMPLES=OFF -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=x86_64
                "-DCMAKE_CROSSCOMPILING_EMULATOR=valgrind;--quiet;--error-exitcode=99;--leak-check=full;--errors-for-leak-kinds=definite")
            targets=(gru4rec_unit_tests gru4rec_robustness_tests)
            tests=(--tests-regex '^(unit|robustness)/' --exclude-regex '^unit/(allocations|naive_twin)$')
            ;;
    esac
    echo "== $leg: build"
    cmake -S . -B "$build" "${common[@]}" "${options[@]}"
    cmake --build "$build" --parallel "$jobs" ${targets[@]+--target "${targets[@]}"}
    echo "== $leg: test"
    ctest --test-dir "$build" --parallel "$jobs" --output-on-failure --no-tests=error --timeout 3600 "${tests[@]}"
done
