#!/bin/bash
# Installs into an empty folder and builds a program against what is there.
#
#   check_install.sh SOURCE-ROOT BUILD-ROOT COMPILER...
set -euo pipefail
cd "$1"
build_root=$2
shift 2
compiler=("$@")

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
DESTDIR=$root meson install -C "$build_root" --no-rebuild --quiet

# installed NAME: the path of an installed file, found by how its path ends.
installed()
{
    local found

    found=$(find "$root" -path "*/$1" -print -quit)
    [ -n "$found" ] || {
        echo "not installed: $1" >&2
        return 1
    }
    printf '%s\n' "$found"
}

for header in */amdrpc/*.h; do
    installed "include/amdrpc/${header##*/}" >/dev/null
done

pc_dir=$(dirname "$(installed pkgconfig/amdrpc-common.pc)")
export PKG_CONFIG_PATH=$pc_dir PKG_CONFIG_SYSROOT_DIR=$root
modules=()
for pc in "$pc_dir"/amdrpc-*.pc; do
    modules+=("$(basename "$pc" .pc)")
done
read -r -a flags < <(pkg-config --cflags --libs "${modules[@]}")
"${compiler[@]}" -std=c11 -o "$root/program" tests/install/program.c "${flags[@]}"
[ "$(LD_LIBRARY_PATH=$(dirname "$pc_dir") "$root/program")" = OK ]
