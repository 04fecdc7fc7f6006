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

# shellcheck source=tests/legs.sh
source "$(dirname "${BASH_SOURCE[0]}")/legs.sh"

legs=()
while [ $# -gt 0 ]; do
    if take_option "$@"; then
        shift "$taken"
        continue
    fi
    case "$1" in
        address | thread | valgrind) legs+=("$1") ;;
        *) refuse "$1" ;;
    esac
    shift
done
[ ${#legs[@]} -gt 0 ] || legs=(address thread valgrind)

cd "$(dirname "${BASH_SOURCE[0]}")/.."
packages=(cmake clang libclang-rt-dev ninja-build libeigen3-dev libtbb-dev doctest-dev libcli11-dev nlohmann-json3-dev
    libarchive-dev libboost-dev libhiredis-dev libsimdjson-dev zlib1g-dev python3 python3-numpy redis-server)
[[ " ${legs[*]} " != *" thread "* ]] || packages+=(dpkg-dev libhwloc-dev)
[[ " ${legs[*]} " != *" valgrind "* ]] || packages+=(valgrind)
cmake/install_packages.sh "${packages[@]}"

# build_tbb_with_thread_sanitizer FOLDER: oneTBB from the source of Debian's package, installed in FOLDER/installed.
# Not to be called where a failure is caught, or in $(...): there `set -e` does nothing.
build_tbb_with_thread_sanitizer() {
    local folder=$1
    if [ -d "$folder/installed" ]; then
        return
    fi
    unpack_source "$folder/package" onetbb
    cmake -S "$folder/package/source" -B "$folder/build" -G Ninja -DCMAKE_CXX_COMPILER=clang++ \
        -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTBB_SANITIZE=thread -DTBB_TEST=OFF -DTBB_STRICT=OFF \
        "-DCMAKE_INSTALL_PREFIX=$folder/new"
    cmake --build "$folder/build" --parallel "$jobs"
    cmake --install "$folder/build"
    mv "$folder/new" "$folder/installed"
}

valgrind=(valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite)
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
            options=(-DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=Debug "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g1"
                -DGRU4REC_SANITIZE=ON -DGRU4REC_NATIVE=ON)
            tests=(--label-exclude '^(packaging|lint|bench|python)$')
            export ASAN_OPTIONS=strict_string_checks=1:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
            ;;
        thread)
            build_tbb_with_thread_sanitizer "$PWD/build/sanitizers/tbb"
            tbb_config=$(find "$PWD/build/sanitizers/tbb/installed" -name TBBConfig.cmake -print -quit)
            # Without it CMake would take the system's TBB.
            [ -n "$tbb_config" ] || fail "no TBBConfig.cmake in build/sanitizers/tbb/installed"
            # ThreadSanitizer's operator new stands beside that of unit/allocations, which cannot count then.
            options=(-DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=Debug -DGRU4REC_NATIVE=ON
                "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g1 -fsanitize=thread" "-DTBB_DIR=$(dirname "$tbb_config")"
                -DCMAKE_EXE_LINKER_FLAGS=-Wl,--allow-multiple-definition)
            targets=(gru4rec_unit_tests gru4rec_property_tests gru4rec_program_tests gru4rec_without_packages_tests
                gru4rec_cli serve_many)
            tests=(--tests-regex '^(unit|property|program)/|^end_to_end/(serve|serve_many|catalogue|life_of_a_model)$'
                --exclude-regex '^unit/(allocations|naive_twin)$')
            export TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1"
            ;;
        valgrind)
            # Valgrind does not know AVX-512. To CMake it is an emulator, used only if it compiles for another system.
            options=(-DCMAKE_BUILD_TYPE=Debug "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g1 -march=x86-64-v3" -DGRU4REC_NATIVE=OFF
                -DGRU4REC_BUILD_EXAMPLES=OFF -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=x86_64
                "-DCMAKE_CROSSCOMPILING_EMULATOR=$(IFS=';' && echo "${valgrind[*]}")")
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
