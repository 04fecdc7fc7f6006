#!/usr/bin/env bash
# Installs what is missing, builds, and runs the whole test suite. See --help.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: tests/run.sh [options] [-- CTEST-ARGUMENTS]

Installs missing packages (apt-get), builds everything optimised and runs the whole suite; then builds the unit,
gradient, property and robustness tests again with AddressSanitizer and UndefinedBehaviorSanitizer and runs those.
The second half is compiled with clang++ if there is one, in half the time of g++; CXX in the environment sets
the compiler of both.

  --no-install    do not install packages
  --no-sanitize   leave out the second half
  --werror        warnings in our own programs are errors (first half)
  --jobs N        compile and test with N processes (default: one per core)
  -h, --help      this text

What follows -- goes to ctest: tests/run.sh -- -L unit. What is not in the second half (golden, end_to_end, python,
packaging, lint, bench) needs --no-sanitize.

The tests of the Python package need nanobind, which is fetched from PyPI into build/nanobind if it is not there. If it
cannot be fetched, they are left out.

GRU4REC_TEST_DATA names a folder of reference data; tests that need it say so and are skipped if it is unset.
TEXT
}

sanitize=yes
werror=OFF
jobs=$(nproc 2>/dev/null || echo 2)
while [ $# -gt 0 ]; do
    case "$1" in
        --no-install) export GRU4REC_NO_INSTALL=1 ;;
        --no-sanitize) sanitize=no ;;
        --werror) werror=ON ;;
        --jobs)
            jobs=${2:-}
            shift
            if ! [[ "$jobs" =~ ^[1-9][0-9]*$ ]]; then
                echo "tests/run.sh: --jobs needs a number, 1 or more" >&2
                exit 2
            fi
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        --)
            shift
            break
            ;;
        *)
            echo "tests/run.sh: unknown option '$1'" >&2
            usage >&2
            exit 2
            ;;
    esac
    shift
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
cmake/install_packages.sh cmake g++ clang libclang-rt-dev ninja-build libeigen3-dev libtbb-dev doctest-dev \
    libbenchmark-dev libcli11-dev nlohmann-json3-dev libarchive-dev libboost-dev libhiredis-dev libsimdjson-dev \
    zlib1g-dev python3 python3-numpy doxygen redis-server chromium chromium-driver python3-selenium \
    python3-dev python3-pip python3-pytest python3-pandas python3-tqdm

# Everything is compiled once, so that files may share the time of their headers.
options=(-DGRU4REC_TESTS_PER_UNIT=12 -DCMAKE_UNITY_BUILD=ON)
python=python3
if command -v apt-get >/dev/null && [ -x /usr/bin/python3 ]; then
    python=/usr/bin/python3  # the one that Debian's packages belong to
    options+=("-DPython3_EXECUTABLE=$python")
fi

release=(-DGRU4REC_BUILD_BENCH=ON "-DGRU4REC_WERROR=$werror")
nanobind_folder() { PYTHONPATH="$PWD/build/nanobind" "$python" -m nanobind --cmake_dir 2>/dev/null; }
if [ "${GRU4REC_NO_INSTALL:-0}" != 1 ] && ! nanobind_folder >/dev/null; then
    echo "Fetching nanobind"
    "$python" -m pip install --quiet --root-user-action=ignore --retries 1 --timeout 30 --no-deps \
        --target build/nanobind "nanobind>=2.4" ||
        echo "tests/run.sh: nanobind cannot be fetched from PyPI, so the Python package is not tested" >&2
fi
if folder=$(nanobind_folder); then
    release+=("-Dnanobind_DIR=$folder")
fi

echo "== release: build"
cmake --preset release "${release[@]}" "${options[@]}"
cmake --build --preset release --parallel "$jobs"
echo "== release: test"
ctest --preset release --parallel "$jobs" "$@"

if [ "$sanitize" = yes ]; then
    echo "== dev (sanitizers): build"
    # Never with --werror: sanitizers make GCC see uses of uninitialised values where there are none.
    CXX=${CXX:-$(command -v clang++ || command -v g++)} cmake --preset dev "${options[@]}"
    cmake --build --preset dev --parallel "$jobs" --target gru4rec_sanitized_tests
    echo "== dev (sanitizers): test"
    ctest --preset dev --parallel "$jobs" --label-regex '^sanitized$' "$@"
fi
