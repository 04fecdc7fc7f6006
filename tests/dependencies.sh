#!/usr/bin/env bash
# Builds and runs the core of the suite against other versions of the libraries. See --help.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: tests/dependencies.sh [options] [LEG...]

Builds the unit, gradient and golden tests with -O1 and runs them, once per leg, and prints a table of versions and results.

  system      Eigen and oneTBB of the system
  new-eigen   the Eigen inside the newest PyPI package `eigency`, oneTBB of the system
  new-tbb     Eigen of the system, the newest PyPI packages `tbb-devel` and `tbb`
  newest      both of the newest
  libcxx      Eigen and oneTBB of the system, clang++ with libc++; the unit tests only

Default: all but system, which tests/run.sh covers. What is downloaded and built goes into a temporary folder.

  --compiler CXX  for all legs but libcxx (default: the system's)
  --jobs N        compile and test with N processes (default: one per core)
  --folder DIR    work in this folder and keep it, so that a second run builds only what changed
  --no-install    take the system's packages as they are
  -h, --help      this text

GRU4REC_TEST_DATA names a folder of reference data for the golden tests, which are skipped if it is unset.
TEXT
}

fail() {
    echo "tests/dependencies.sh: $1" >&2
    exit 2
}

legs=()
jobs=$(nproc 2>/dev/null || echo 2)
compiler=
folder=
while [ $# -gt 0 ]; do
    case "$1" in
        --compiler | --jobs | --folder)
            [ -n "${2:-}" ] || fail "$1 needs a value"
            case "$1" in
                --compiler) compiler=$2 ;;
                --jobs) jobs=$2 ;;
                --folder) folder=$2 ;;
            esac
            shift
            ;;
        --no-install) export GRU4REC_NO_INSTALL=1 ;;
        -h | --help)
            usage
            exit 0
            ;;
        system | new-eigen | new-tbb | newest | libcxx) legs+=("$1") ;;
        *)
            usage >&2
            fail "unknown argument '$1'"
            ;;
    esac
    shift
done
[[ "$jobs" =~ ^[1-9][0-9]*$ ]] || fail "--jobs needs a number, 1 or more"
[ ${#legs[@]} -gt 0 ] || legs=(new-eigen new-tbb newest libcxx)
if [ -z "$folder" ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi
folder=$(mkdir -p "$folder" && cd "$folder" && pwd)

cd "$(dirname "${BASH_SOURCE[0]}")/.."
packages=(cmake g++ ninja-build libeigen3-dev libtbb-dev doctest-dev nlohmann-json3-dev python3)
[[ " ${legs[*]} " != *" new"* ]] || packages+=(python3-pip)
[[ " ${legs[*]} " != *" libcxx "* ]] || packages+=(clang libc++-dev libc++abi-dev)
cmake/install_packages.sh "${packages[@]}"

# unpacked PACKAGE...: downloads wheels, without what they depend on, and unpacks them; prints the folder.
unpacked() {
    local to="$folder/packages/$1"
    if [ ! -d "$to" ]; then
        rm -rf "$to.new"
        python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$to.new/wheels" "$@" >&2
        for wheel in "$to.new/wheels"/*.whl; do
            python3 -m zipfile -e "$wheel" "$to.new"
        done
        mv "$to.new" "$to"
    fi
    echo "$to"
}

# Prints a folder with an Eigen3Config.cmake, which the headers inside the wheel lack.
new_eigen() {
    local headers version
    headers=$(dirname "$(dirname "$(find "$(unpacked eigency)" -path '*/Eigen/Core')")")
    [ -f "$headers/Eigen/Core" ] || fail "no Eigen inside the package eigency"
    version=$(sed -nE 's/^#define EIGEN_VERSION_STRING "([0-9.]*).*/\1/p' "$headers"/Eigen/Version)
    mkdir -p "$folder/eigen"
    cat >"$folder/eigen/Eigen3Config.cmake" <<CMAKE
set(Eigen3_VERSION ${version:-5})
add_library(Eigen3::Eigen INTERFACE IMPORTED GLOBAL)
target_include_directories(Eigen3::Eigen INTERFACE "$headers")
CMAKE
    echo "$folder/eigen"
}

# Prints the folder of the TBBConfig.cmake.
new_tbb() {
    local files="$folder/tbb"
    if [ ! -d "$files" ]; then
        mkdir -p "$files.new"
        for data in "$(unpacked tbb-devel tbb)"/*.data/data; do
            cp -R "$data/." "$files.new"
        done
        mv "$files.new" "$files"
    fi
    echo "$files/lib/cmake/tbb"
}

# The second column of the line that the test program begins with WORD.
version_of() {
    sed -nE "s/^$2 +//p" "$1" | head -n 1
}

run_leg() {
    local leg=$1 build="$folder/build-$1" tests=(unit gradient golden) targets
    local options=(-DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE=-O1 -DGRU4REC_NATIVE=ON -DGRU4REC_BUILD_TESTS=ON
        -DGRU4REC_BUILD_EXAMPLES=OFF)
    [ -z "$compiler" ] || options+=("-DCMAKE_CXX_COMPILER=$compiler")
    case "$leg" in
        new-eigen) options+=("-DEigen3_DIR=$(new_eigen)") ;;
        new-tbb) options+=("-DTBB_DIR=$(new_tbb)") ;;
        newest) options+=("-DEigen3_DIR=$(new_eigen)" "-DTBB_DIR=$(new_tbb)") ;;
        libcxx)
            options+=(-DCMAKE_CXX_COMPILER=clang++ -DCMAKE_CXX_FLAGS=-stdlib=libc++)
            tests=(unit)
            ;;
    esac
    echo "== $leg: build"
    cmake -S . -B "$build" -G Ninja "${options[@]}" || return 1
    targets=("${tests[@]/#/gru4rec_}")
    cmake --build "$build" --parallel "$jobs" --target "${targets[@]/%/_tests}" -- -k 0 || return 1
    "$build/bin/gru4rec_unit_tests" --no-run >"$folder/$leg.versions" || return 1
    echo "== $leg: test"
    ctest --test-dir "$build" --parallel "$jobs" --output-on-failure --no-tests=error \
        --label-regex "^($(IFS='|' && echo "${tests[*]}"))\$" || return 1
}

failed=0
rows=()
for leg in "${legs[@]}"; do
    result=passed
    run_leg "$leg" || { result=FAILED && failed=1; }
    versions="$folder/$leg.versions"
    [ -f "$versions" ] || : >"$versions"
    rows+=("$(printf '%-10s %-14s %-28s %-10s %s' "$leg" "$(version_of "$versions" Eigen)" "$(version_of "$versions" TBB)" \
        "$result" "$(version_of "$versions" compiler)")")
done
printf '\n%-10s %-14s %-28s %-10s %s\n' leg Eigen oneTBB result compiler
printf '%s\n' "${rows[@]}"
exit $failed
