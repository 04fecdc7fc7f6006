#!/usr/bin/env bash
# Installs the package in a fresh virtual environment as a user would, then runs its example and its tests.
# Usage: python/tests/run.sh [DIRECTORY of the environment]
set -euo pipefail
python=$(cd "$(dirname "$0")/.." && pwd)
environment=${1:-$(mktemp -d)/venv}
python3 -m venv "$environment"
start=$SECONDS
"$environment/bin/pip" install --quiet "$python"
echo "pip install ./python: $((SECONDS - start)) s"
"$environment/bin/python" "$python/examples/shop.py"
"$environment/bin/pip" install --quiet "$python[test]"
"$environment/bin/python" -m pytest "$python/tests" -c "$python/pyproject.toml"
