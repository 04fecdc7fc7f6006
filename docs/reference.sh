#!/usr/bin/env bash
# Builds the API reference (doxygen; Debian package doxygen) and fails on any warning: reference.sh [FOLDER]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export GRU4REC_REFERENCE=${1:-$root/build/reference}
mkdir -p "$GRU4REC_REFERENCE"
GRU4REC_REFERENCE=$(cd "$GRU4REC_REFERENCE" && pwd)
GRU4REC_VERSION=$(sed -n 's/^#define GRU4REC_VERSION_STRING "\(.*\)"/\1/p' "$root/include/gru4rec/version.hpp")
export GRU4REC_VERSION

cd "$root"
rm -rf "$GRU4REC_REFERENCE/html"
doxygen docs/Doxyfile
if [ -s "$GRU4REC_REFERENCE/warnings.txt" ]; then
    cat "$GRU4REC_REFERENCE/warnings.txt" >&2
    echo "$(wc -l <"$GRU4REC_REFERENCE/warnings.txt") lines of warnings" >&2
    exit 1
fi
echo "$GRU4REC_REFERENCE/html/index.html"
