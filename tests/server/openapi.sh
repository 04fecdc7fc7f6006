#!/usr/bin/env bash
# Checks a server against its own document with schemathesis (PyPI), which makes requests from /openapi.json, good ones
# and bad ones, and compares the answers with what the document says. Exit status 1: they differ.
#
#     tests/server/openapi.sh PROGRAM MODEL [EXAMPLES-FOR-EACH-ROUTE]
#
# SCHEMATHESIS names an installed schemathesis; otherwise one is installed into a temporary folder.
set -euo pipefail

if [ $# -lt 2 ]; then
    sed -n 's/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
export SCHEMATHESIS_HOOKS=openapi_hooks PYTHONDONTWRITEBYTECODE=1
PYTHONPATH=$(dirname "$(realpath "$0")")
export PYTHONPATH
program=$(realpath "$1")
model=$(realpath "$2")
examples=${3:-200}

folder=$(mktemp -d)
server=
end() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$folder"
}
trap end EXIT
cd "$folder"

if [ -z "${SCHEMATHESIS:-}" ]; then
    python3 -m venv venv
    venv/bin/pip install --quiet 'schemathesis>=4,<5'
    SCHEMATHESIS=venv/bin/schemathesis
fi

(umask 077 && head -c 32 /dev/urandom | base64 >token)
"$program" serve "$model" --listen 127.0.0.1:0 --token-file token --state . 2>messages &
server=$!
url=
for _ in $(seq 600); do
    url=$(sed -n 's/.* at \(http:[^ ]*\)$/\1/p' messages)
    [ -z "$url" ] && kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
if [ -z "$url" ]; then
    cat messages >&2
    exit 1
fi

token=$(cat token)
status=0
"$SCHEMATHESIS" run "$url/openapi.json" --header "Authorization: Bearer $token" --checks all --max-examples "$examples" \
    --no-color || status=1
if ! kill -0 "$server" 2>/dev/null; then
    echo "the server has ended:" >&2
    cat messages >&2
    exit 1
fi
kill "$server"
wait "$server" || status=1
server=
if grep -E 'Sanitizer|runtime error' messages >&2; then
    status=1
fi
exit $status
