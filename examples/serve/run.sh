#!/usr/bin/env bash
# Installs what is missing, builds the program gru4rec and serves at http://127.0.0.1:8080:
#
#     examples/serve/run.sh                     a made-up shop, on which a model is trained first
#     examples/serve/run.sh MODEL [OPTION...]   a model of yours; the options are those of `gru4rec serve`
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
"$root/cmake/install_packages.sh" cmake g++ ninja-build libeigen3-dev libtbb-dev libcli11-dev nlohmann-json3-dev \
    libboost-dev python3

build() {
    cd "$root"
    if [ -f build/release/build.ninja ]; then
        cmake build/release  # finds what was missing before
    else
        cmake --preset release -DGRU4REC_BUILD_TESTS=OFF  # the tests need more packages
    fi
    cmake --build --preset release --target gru4rec_cli
}
(build)
gru4rec="$root/build/release/bin/gru4rec"

if [ $# -eq 0 ]; then
    shop="$root/build/made_up_shop"
    mkdir -p "$shop"
    "$root/examples/serve/made_up_shop.py" "$gru4rec" "$shop"
    set -- "$shop/shop.safetensors" --catalogue "$shop/names.tsv"
fi
exec "$gru4rec" serve "$@"
