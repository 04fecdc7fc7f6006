#!/usr/bin/env bash
# The study of docs/tune.md: 30 trials with two workers, killed halfway and resumed; then the best on test data.
#
#     GRU4REC_PROGRAM=build/release/bin/gru4rec examples/tune/full_run.sh DATA [STORAGE-URL]
#
# DATA is a folder with train_tr.tsv, train_valid.tsv, train_full.tsv and test.tsv, as `gru4rec preprocess` makes it.
# PYTHON names the interpreter with the packages of requirements.txt (default: python3), KILL_AFTER the seconds until
# the first run is killed (default: 30).
set -euo pipefail

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
data=$1
program=${GRU4REC_PROGRAM:-gru4rec}
python=${PYTHON:-python3}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
storage=${2:-sqlite:///$folder/tune.db}
files=("$data/train_tr.tsv" "$data/train_valid.tsv")
common=(--storage "$storage" --study "full-run-$$" --program "$program")
run=("$python" "$here/tune.py" run "${files[@]}" "${common[@]}" --space cross-entropy
    --params "layers=100,n_epochs=5,n_sample=512" --trials 30 --workers 2 --heartbeat 5)

echo "== killed after ${KILL_AFTER:-30} s"
# setsid puts the workers and their programs into one group, so that all of them are killed at once.
setsid "${run[@]}" &
first=$!
sleep "${KILL_AFTER:-30}"
kill -KILL -- "-$first" || echo "it was done before"
wait "$first" || true

echo "== resumed"
"${run[@]}"

echo "== the best and the defaults, trained on everything before the test data"
"$python" "$here/tune.py" summary "${files[@]}" "${common[@]}" --json >"$folder/summary.json"
best=$("$python" -c '
import json, sys
summary = json.load(open(sys.argv[1]))
best = summary["best"][0]
print(",".join(f"{name}={value}" for name, value in (best["params"] | {"n_epochs": best["best_epoch"]}).items()))
print("MRR@20 of the best {} and of the defaults {} on validation data".format(best["value"], summary["defaults"]),
      file=sys.stderr)
sys.exit(0 if summary["defaults"] < best["value"] else "the best does not beat the defaults")
' "$folder/summary.json")
for parameters in "layers=100,n_sample=512,$best" "layers=100,n_sample=512,n_epochs=5"; do
    "$program" train "$data/train_full.tsv" --params "loss=cross-entropy,$parameters" --test "$data/test.tsv"
done
