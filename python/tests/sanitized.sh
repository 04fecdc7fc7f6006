#!/usr/bin/env bash
# Builds the package with AddressSanitizer and UndefinedBehaviorSanitizer in a virtual environment of its own, and runs
# its tests there. Takes several minutes.
# Usage: python/tests/sanitized.sh [DIRECTORY of the environment [ARGUMENTS of pytest]]
set -euo pipefail
python=$(cd "$(dirname "$0")/.." && pwd)
environment=${1:-$(mktemp -d)/venv}
shift || true
python3 -m venv "$environment"
"$environment/bin/pip" install --quiet --config-settings=cmake.define.GRU4REC_SANITIZE=ON \
    --config-settings=cmake.build-type=Debug --config-settings=cmake.define.CMAKE_CXX_FLAGS_DEBUG="-O1 -g1" \
    --config-settings=build-dir="$environment/build" "$python[test]"

# The interpreter has no sanitizers, so they are preloaded, as is the C++ library, whose exceptions they intercept. The
# interpreter frees little when it ends, so leaks are left to test_memory.py. That test and the one of the types run
# without sanitizers.
library() { g++ -print-file-name="$1"; }
LD_PRELOAD="$(library libasan.so) $(library libubsan.so) $(library libstdc++.so.6)" \
    ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc \
    "$environment/bin/pytest" "$python/tests" -c "$python/pyproject.toml" \
    --ignore "$python/tests/test_memory.py" --ignore "$python/tests/test_types.py" \
    -k "not same_bytes_as_the_program and not program_trains_further_alike" "$@"  # other optimisation, other last bits
