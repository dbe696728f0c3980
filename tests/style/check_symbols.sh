#!/bin/bash
# What the libraries show to others: amdrpc_*, and from common also amdi_*, in
# the version node that is ours alone. A module shows its one entry point.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need nm

# strangers FILE ALLOWED: prints the exported symbols that do not match.
strangers()
{
    nm -D --defined-only "$1" | awk '$2 != "A" { print $3 }' | grep -vE "$2" || true
}

# check FILE ALLOWED
check()
{
    local found

    found=$(strangers "$1" "$2")
    [ -z "$found" ] || wrong "$1 exports:"$'\n'"$found"
}

build_root=$2
public='^amdrpc_[a-z0-9_]+@@AMDRPC_[0-9]+$'
check "$build_root/common/libamdrpc-common.so" "$public|^amdi_[a-z0-9_]+@@AMDRPC_PRIVATE$"
for library in "$build_root"/{server,client}/libamdrpc-*.so; do
    [ ! -e "$library" ] || check "$library" "$public"
done
for module in "$build_root"/server/modules/*.so; do
    [ ! -e "$module" ] || check "$module" '^amdrpc_module$'
done
finish
