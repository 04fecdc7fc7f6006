#!/usr/bin/env bash
# Installs what is missing, builds the quick start and runs it; arguments go to the program.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
"$root/cmake/install_packages.sh" cmake g++ ninja-build libeigen3-dev libtbb-dev

build() {
    cd "$root"
    if [ ! -f build/release/build.ninja ]; then
        cmake --preset release -DGRU4REC_BUILD_TESTS=OFF  # the tests need more packages
    fi
    cmake --build --preset release --target quickstart
}
(build)
exec "$root/build/release/bin/quickstart" "$@"
