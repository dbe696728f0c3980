#!/bin/bash
# Installs into an empty folder, looks whether everything is there, and builds and
# runs the examples as README.md tells its readers to.
#
#   check_install.sh SOURCE-ROOT BUILD-ROOT COMPILER...
set -euo pipefail
cd "$1"
build_root=$2
shift 2
compiler=("$(command -v "$1")" "${@:2}")

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

for program in amdrpc amdrpc-bench amdrpcd protoc-gen-amdrpc; do
    installed "bin/$program" >/dev/null
done
for module in bench checksum command; do
    installed "amdrpc/modules/$module.so" >/dev/null
done
for page in docs/man/*; do
    installed "man/man${page##*.}/${page##*/}" >/dev/null
done

# A user's machine: programs and pkg-config files are found, and cc builds as
# the libraries were built.
pc_dir=$(dirname "$(installed pkgconfig/amdrpc-common.pc)")
export PKG_CONFIG_PATH=$pc_dir PKG_CONFIG_SYSROOT_DIR=$root
LD_LIBRARY_PATH=$(dirname "$pc_dir")
mkdir "$root/path"
printf '#!/bin/sh\nexec %s "$@"\n' "${compiler[*]}" >"$root/path/cc"
chmod +x "$root/path/cc"
PATH=$root/path:$(dirname "$(installed bin/amdrpcd)"):$PATH
export PATH LD_LIBRARY_PATH

# The commands of README.md that build what examples/ has.
readme_commands()
{
    awk '
        /^```/ { is_shell = /^```sh/; next }
        is_shell && (goes_on || /^(protoc|cc) /) { print; goes_on = /\\$/ }
    ' README.md
}

commands=$(readme_commands)
cp -r examples "$root/examples"
(cd "$root/examples" && bash -euxc "$commands")
python3 tests/examples/check_example.py tests/examples/hello.txt \
    "$root/examples/hello_server" "$root/examples/hello_client" Ada
python3 tests/examples/check_module.py \
    "$root/examples/hello.so" "$(command -v amdrpcd)" "$root/examples/hello_client"
