#!/usr/bin/env bash
# Builds the Debian packages, installs them into an empty root and tests them there. See --help.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: tests/debian_packages.sh [--no-install] [--jobs N]

Builds libgru4rec-dev and gru4rec with CPack, looks for mistakes in them, unpacks all that they depend on into an empty
root, installs them there, and then

  * looks for hardening, and whether the bill of materials says what is linked,
  * builds examples/cmake_project with the installed headers,
  * runs the program inside the root, with each engine,
  * runs the tests of the program and the reference runs with each engine,
  * runs the engines of x86-64 on emulated processors that lack what the next engine needs.

Needs a Debian or Ubuntu whose kernel allows user namespaces. GRU4REC_TEST_DATA names the folder of reference runs.
TEXT
}

jobs=$(nproc)
while [ $# -gt 0 ]; do
    case "$1" in
        --no-install) export GRU4REC_NO_INSTALL=1 ;;
        --jobs)
            jobs=${2:-}
            shift
            if ! [[ "$jobs" =~ ^[1-9][0-9]*$ ]]; then
                echo "tests/debian_packages.sh: --jobs needs a number, 1 or more" >&2
                exit 2
            fi
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "tests/debian_packages.sh: unknown option '$1'" >&2
            usage >&2
            exit 2
            ;;
    esac
    shift
done
export CMAKE_BUILD_PARALLEL_LEVEL=$jobs  # also for the builds of the engines

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
cmake/install_packages.sh cmake g++ ninja-build libeigen3-dev libtbb-dev libcli11-dev nlohmann-json3-dev \
    libarchive-dev libboost-dev libhiredis-dev libsimdjson-dev zlib1g-dev dpkg-dev file lintian python3 qemu-user-static

build=$PWD/build/packages
root=$build/root
unset GRU4REC_ENGINE

echo "== build"
cmake --preset packages
cmake --build --preset packages
rm -f "$build"/*.deb
(cd "$build" && cpack)
headers_deb=$(echo "$build"/libgru4rec-dev_*_all.deb)
program_deb=$(echo "$build"/gru4rec_*.deb)
ls -l "$headers_deb" "$program_deb"

echo "== contents"
for deb in "$headers_deb" "$program_deb"; do
    dpkg-deb --info "$deb" | grep -E '^ (Package|Version|Architecture|Depends|Installed-Size|Description)'
    rm -rf "$build/contents"
    dpkg-deb --extract "$deb" "$build/contents"
    if grep -rlF "$PWD" "$build/contents"; then
        fail "these files of $deb name the folder in which they were built"
    fi
    lintian --fail-on error "$deb"
done
mapfile -t engines < <(cd "$build/contents/usr/libexec/gru4rec" && ls)
echo "engines: ${engines[*]}"
if readelf --dynamic "$build"/contents/usr/bin/gru4rec "$build"/contents/usr/libexec/gru4rec/*/gru4rec |
    grep -E 'R(UN)?PATH'; then
    fail "the program looks for libraries outside the system's folders"
fi
python3 tests/packaging/hardening.py "$build"/contents/usr/bin/gru4rec "$build"/contents/usr/libexec/gru4rec/*/gru4rec
python3 tests/packaging/software_bill_test.py --bill "$build/contents/usr/share/doc/gru4rec/gru4rec.spdx.json" \
    "$build"/contents/usr/libexec/gru4rec/*/gru4rec

echo "== install into an empty root"
rm -rf "$root" "$build/dependencies"
mkdir -p "$root"/{proc,tmp,var/lib/dpkg/{info,updates}} "$build/dependencies/partial"
touch "$root/var/lib/dpkg/status"
apt-get -q -y --no-install-recommends --download-only -o Dir::State::status=/dev/null -o Debug::NoLocking=1 \
    -o "Dir::Cache::archives=$build/dependencies" -o APT::Sandbox::User=root install "$headers_deb" "$program_deb"
for deb in "$build"/dependencies/*.deb; do
    dpkg-deb --extract "$deb" "$root"
done
unshare --map-root-user dpkg --root="$root" --log=/dev/null --force-depends --install "$headers_deb" "$program_deb"
dpkg --root="$root" --verify libgru4rec-dev gru4rec

echo "== headers"
rm -rf "$build/consumer"
cmake -S examples/cmake_project -B "$build/consumer" -G Ninja -DCMAKE_PREFIX_PATH="$root/usr" -DCMAKE_BUILD_TYPE=Debug
for package in gru4rec Eigen3 TBB; do
    grep -q "^${package}_DIR:PATH=$root/" "$build/consumer/CMakeCache.txt" || fail "$package was not found in the root"
done
cmake --build "$build/consumer"
"$build/consumer/shop"

echo "== program"
in_root() {
    # shellcheck disable=SC2016
    unshare --map-root-user --mount sh -c \
        'root=$1; shift; mount --rbind /proc "$root/proc" && exec chroot "$root" "$@"' sh "$root" "$@"
}
in_root gru4rec --version
for engine in "${engines[@]}"; do
    export GRU4REC_ENGINE=$engine
    [[ "$(in_root gru4rec --version)" == *"(engine $engine)" ]] || fail "$engine does not run"
    in_root gru4rec synth /tmp/train.tsv --sessions 2000 --test /tmp/test.tsv
    in_root gru4rec train /tmp/train.tsv --params layers=32,n_epochs=1 --test /tmp/test.tsv --save /tmp/m.st
    in_root gru4rec recommend /tmp/m.st --session 1,2 --top 3
done
for engine in "${engines[@]}"; do
    export GRU4REC_ENGINE=$engine
    echo "== $engine: tests of the program, reference runs among them"
    python3 tests/end_to_end/cli_test.py "$root/usr/bin/gru4rec"
    python3 tests/end_to_end/weights_test.py "$root/usr/bin/gru4rec"
done
unset GRU4REC_ENGINE

# on CPU PROGRAM...: runs a program on an emulated processor. An engine that the launcher starts runs on the real one,
# because the kernel starts it.
on() {
    local cpu=$1
    shift
    qemu-x86_64-static -cpu "$cpu" "$@" 2> >(grep -v 'TCG doesn.t support' >&2)
}
chooses() {
    [[ "$(on "$1" "$root/usr/bin/gru4rec" --version)" == *"(engine $2)" ]] || fail "on $1 the launcher should take $2"
    on "$1" "$root/usr/libexec/gru4rec/$2/gru4rec" train "$root/tmp/train.tsv" --params layers=32,n_epochs=1 --test \
        "$root/tmp/test.tsv"
}
if [[ " ${engines[*]} " == *" x86-64-v4 "* ]]; then
    echo "== other processors"
    chooses Nehalem x86-64-v2
    chooses Haswell x86-64-v3
    # Shows that the emulated processor really lacks the instructions.
    if on Nehalem "$root/usr/libexec/gru4rec/x86-64-v3/gru4rec" train "$root/tmp/train.tsv" --params n_epochs=1; then
        fail "x86-64-v3 should not run on a Nehalem"
    fi
    status=0
    problem=$(on core2duo "$root/usr/bin/gru4rec" --version 2>&1) || status=$?
    [[ $status = 2 && "$problem" == *"runs none of the engines"* ]] ||
        fail "a processor that is too old: $status $problem"
    echo "$problem"
fi
echo "The packages pass: $headers_deb $program_deb"
