#!/usr/bin/env bash
# Builds the program with sanitizers and sends its server attacks and malformed requests. See --help.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: tests/server/run.sh [--no-install] [--program FILE]

Builds the program with AddressSanitizer and UndefinedBehaviorSanitizer (build/dev), makes a small model, and runs

  attacks.py    slow clients, floods, paths, request smuggling, wrong tokens, secrets
  malformed.py  100,000 requests that are changed at random
  openapi.sh    requests made from the server's own document, with schemathesis (PyPI)
  killed.py     servers that share sessions in Redis, some of which are killed

  --program FILE  take this program, and build none
  --no-install    do not install packages
TEXT
}

program=
while [ $# -gt 0 ]; do
    case "$1" in
        --no-install) export GRU4REC_NO_INSTALL=1 ;;
        --program)
            program=$(realpath "${2:?--program needs a file}")
            shift
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "tests/server/run.sh: unknown option '$1'" >&2
            usage >&2
            exit 2
            ;;
    esac
    shift
done

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cmake/install_packages.sh cmake g++ clang libclang-rt-dev ninja-build libeigen3-dev libtbb-dev libcli11-dev \
    nlohmann-json3-dev libarchive-dev libboost-dev libhiredis-dev libsimdjson-dev zlib1g-dev python3 python3-venv \
    redis-server
if [ -z "$program" ]; then
    CXX=${CXX:-$(command -v clang++ || command -v g++)} cmake --preset dev -DGRU4REC_BUILD_TESTS=OFF
    cmake --build --preset dev --target gru4rec_cli
    program=$PWD/build/dev/bin/gru4rec
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$program" synth "$folder/shop.tsv" --sessions 800 --items 60
"$program" train "$folder/shop.tsv" --params layers=16,n_epochs=2,n_sample=32 --save "$folder/shop.safetensors"
for script in attacks malformed; do
    echo "== $script"
    python3 "tests/server/$script.py" "$program" "$folder/shop.safetensors"
done
echo "== openapi"
tests/server/openapi.sh "$program" "$folder/shop.safetensors"
echo "== killed"
python3 tests/server/killed.py "$program" "$folder/shop.safetensors"
