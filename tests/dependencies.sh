#!/usr/bin/env bash
# Builds and runs the core of the suite against other versions of the libraries. See --help.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: tests/dependencies.sh [options] [LEG...]

Builds the unit, gradient and golden tests with -O1 and runs them, once per leg, and prints a table of versions and
results.

  system      Eigen and oneTBB of the system
  new-eigen   the Eigen inside the newest PyPI package `eigency`, oneTBB of the system
  new-tbb     Eigen of the system, the newest PyPI packages `tbb-devel` and `tbb`
  newest      both of the newest
  libcxx      Eigen and oneTBB of the system, clang++ with libc++; without the gradient tests

Default: all but system, which tests/run.sh covers. What is downloaded and built goes into a temporary folder.

  --compiler CXX  for all legs but libcxx (default: the system's)
  --jobs N        compile and test with N processes (default: one per core)
  --folder DIR    work in this folder and keep it, so that a second run builds only what changed and downloads nothing
  --no-install    take the system's packages as they are
  -h, --help      this text

GRU4REC_TEST_DATA names a folder of reference data for the golden tests, which are skipped if it is unset.
TEXT
}

# shellcheck source=tests/legs.sh
source "$(dirname "${BASH_SOURCE[0]}")/legs.sh"

legs=()
compiler=
folder=
while [ $# -gt 0 ]; do
    if take_option "$@"; then
        shift "$taken"
        continue
    fi
    case "$1" in
        --compiler | --folder)
            [ -n "${2:-}" ] || fail "$1 needs a value"
            case "$1" in
                --compiler) compiler=$2 ;;
                --folder) folder=$2 ;;
            esac
            shift
            ;;
        system | new-eigen | new-tbb | newest | libcxx) legs+=("$1") ;;
        *) refuse "$1" ;;
    esac
    shift
done
[ ${#legs[@]} -gt 0 ] || legs=(new-eigen new-tbb newest libcxx)
use_folder

cd "$(dirname "${BASH_SOURCE[0]}")/.."
packages=(cmake g++ ninja-build libeigen3-dev libtbb-dev doctest-dev nlohmann-json3-dev python3)
[[ " ${legs[*]} " != *" new"* ]] || packages+=(python3-pip)
[[ " ${legs[*]} " != *" libcxx "* ]] || packages+=(clang libc++-dev libc++abi-dev)
cmake/install_packages.sh "${packages[@]}"

# unpacked PACKAGE...: downloads wheels, without what they depend on, and unpacks them; prints the folder.
unpacked() {
    local to="$folder/packages/$1" wheel
    if [ ! -d "$to" ]; then
        rm -rf "$to.new"
        mkdir -p "$to.new/wheels"
        python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
            --dest "$to.new/wheels" "$@" >&2 || return $missing
        for wheel in "$to.new/wheels"/*.whl; do
            python3 -m zipfile -e "$wheel" "$to.new" || return
        done
        mv "$to.new" "$to" || return
    fi
    echo "$to"
}

# Writes an Eigen3Config.cmake, which the headers inside the wheel lack. Sets the options and the version to expect.
use_new_eigen() {
    local files core
    files=$(unpacked eigency) || return
    core=$(find "$files" -path '*/Eigen/Core' -print -quit)
    [ -n "$core" ] || fail "no Eigen inside the package eigency"
    eigen_version=$(sed -nE 's/^#define EIGEN_VERSION_STRING "([0-9.]+).*/\1/p' "${core%Core}Version")
    [ -n "$eigen_version" ] || fail "no version in ${core%Core}Version"
    mkdir -p "$folder/eigen"
    cat >"$folder/eigen/Eigen3Config.cmake" <<CMAKE
set(Eigen3_VERSION $eigen_version)
add_library(Eigen3::Eigen INTERFACE IMPORTED GLOBAL)
target_include_directories(Eigen3::Eigen INTERFACE "${core%/Eigen/Core}")
CMAKE
    options+=("-DEigen3_DIR=$folder/eigen")
}

# Sets the options and the version to expect.
use_new_tbb() {
    local files data config
    files=$(unpacked tbb-devel tbb) || return
    # The wheels keep the headers and the library apart; TBBConfig.cmake expects them side by side.
    if [ ! -d "$folder/tbb" ]; then
        rm -rf "$folder/tbb.new"
        mkdir -p "$folder/tbb.new"
        for data in "$files"/*.data/data; do
            cp -R "$data/." "$folder/tbb.new" || return
        done
        mv "$folder/tbb.new" "$folder/tbb" || return
    fi
    config=$folder/tbb/lib/cmake/tbb
    tbb_version=$(sed -nE 's/^set\(PACKAGE_VERSION "?([0-9]+\.[0-9]+).*/\1/p' "$config/TBBConfigVersion.cmake")
    [ -n "$tbb_version" ] || fail "no version in $config/TBBConfigVersion.cmake"
    options+=("-DTBB_DIR=$config")
}

# expect_version FILE WORD VERSION: fails if the test program was built with another version.
expect_version() {
    case "$(version_of "$1" "$2")" in
        "$3" | "$3".*) ;;
        *)
            echo "tests/dependencies.sh: wanted $2 $3, the tests use $(version_of "$1" "$2")" >&2
            return 1
            ;;
    esac
}

run_leg() {
    local leg=$1 build="$folder/build-$1" tests=(unit gradient golden) eigen_version='' tbb_version=''
    local versions="$folder/$1.versions" options=(-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DGRU4REC_NATIVE=ON)
    [ -z "$compiler" ] || options+=("-DCMAKE_CXX_COMPILER=$compiler")
    case "$leg" in new-eigen | newest) use_new_eigen || return ;; esac
    case "$leg" in new-tbb | newest) use_new_tbb || return ;; esac
    if [ "$leg" = libcxx ]; then
        options+=(-DCMAKE_CXX_COMPILER=clang++ -DCMAKE_CXX_FLAGS=-stdlib=libc++)
        tests=(unit golden)
    fi
    echo "== $leg: build"
    build_tests "$build" "${tests[@]}" || return
    "$build/bin/gru4rec_unit_tests" --no-run >"$versions" || return
    [ -z "$eigen_version" ] || expect_version "$versions" Eigen "$eigen_version" || return
    [ -z "$tbb_version" ] || expect_version "$versions" TBB "$tbb_version" || return
    echo "== $leg: test"
    run_tests "$build" "${tests[@]}" | tee "$folder/$leg.tests" || return
}

status=0
run_legs "${legs[@]}" || status=$?
print_table
exit $status
