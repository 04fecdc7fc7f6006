#!/usr/bin/env bash
# Installs the package in a fresh virtual environment as a user would, then runs its example and its tests.
# Usage: python/tests/run.sh [DIRECTORY of the environment]
set -euo pipefail
python=$(cd "$(dirname "$0")/.." && pwd)
environment=${1:-$(mktemp -d)/venv}
python3 -m venv "$environment"
TIMEFORMAT="pip install ./python: %R s, of the processors %U s"
time "$environment/bin/pip" install --quiet "$python"
"$environment/bin/python" "$python/examples/shop.py"
"$environment/bin/pip" install --quiet "gru4rec[test]"  # what the tests need besides the package
"$environment/bin/pytest" "$python/tests" -c "$python/pyproject.toml"
