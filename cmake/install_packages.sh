#!/usr/bin/env bash
# Installs the named Debian packages that are missing; does nothing where all are there.
#
#   cmake/install_packages.sh PACKAGE...
#
# Needs apt-get, and sudo where not root. Elsewhere it prints what to install and fails, unless
# GRU4REC_NO_INSTALL=1 says that everything is there already.
set -euo pipefail

if [ "${GRU4REC_NO_INSTALL:-0}" = 1 ]; then
    exit 0
fi

advise() {
    {
        printf '%s\n' "$1" "Please install what these Debian packages hold:" "    ${missing[*]}"
        printf '%s\n' "then run again, with GRU4REC_NO_INSTALL=1 where the packages go by other names."
    } >&2
    exit 1
}

is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=("$@")
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    advise "There is no apt-get here."
fi

missing=()
for package in "$@"; do
    is_installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || advise "Installing packages needs root, and there is no sudo here."
    as_root=(sudo)
fi

echo "Installing ${missing[*]}"
apt=(${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
"${apt[@]}" update || echo "apt-get update failed; trying with the lists that are there" >&2
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" || advise "apt-get could not install them."
