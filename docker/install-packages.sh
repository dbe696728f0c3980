#!/bin/bash
# Installs the packages of the named sections of packages.txt, where missing.
#
#   docker/install-packages.sh build test
set -euo pipefail

list=$(dirname "${BASH_SOURCE[0]}")/packages.txt

die()
{
    echo "install-packages.sh: $*" >&2
    exit 1
}

# Prints the packages of the sections, one in a line.
packages_of()
{
    awk -v wanted=" $* " '
        { sub(/#.*/, "") }
        /^\[.*\]/ { section = substr($1, 2, length($1) - 2); next }
        NF && index(wanted, " " section " ") { print $1 }
    ' "$list" | sort -u
}

is_installed()
{
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

as_root()
{
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "no permission to install, and no sudo; as root: apt-get install ${missing[*]}"
    fi
}

[ $# -gt 0 ] || die "which sections? They are: $(grep -o '^\[.*\]' "$list" | tr -d '[]' | xargs)"
for section in "$@"; do
    grep -qxF "[$section]" "$list" || die "no section '$section' in $list"
done
if ! command -v dpkg-query >/dev/null; then
    echo "install-packages.sh: not a Debian system; the packages of $list are taken to be here" >&2
    exit 0
fi

missing=()
for package in $(packages_of "$@"); do
    is_installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

echo "installing ${#missing[@]} Debian packages: ${missing[*]}"
as_root apt-get update -q || die "apt-get update failed; is the network there?"
as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "${missing[@]}" ||
    die "apt-get could not install: ${missing[*]}"
