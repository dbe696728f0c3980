#!/bin/bash
# Every option that a program's --help shows stands in its manual page, and the
# page has no others.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The options that an entry of the help, or of the page, begins with.
options_of_help()
{
    sed -nE 's/^  (--[a-z-]+)( .*)?$/\1/p' | sort -u
}

options_of_page()
{
    sed -n 's/\\-/-/g; s/^\.BI* \(--[a-z-]*\).*/\1/p' "$1" | sort -u
}

# check PAGE HELP: compares.
check()
{
    local help page

    help=$(options_of_help <<<"$2")
    page=$(options_of_page "$1")
    [ -n "$help" ] || wrong "$1: the program's --help shows no options"
    while IFS= read -r line; do
        wrong "$1: $line"
    done < <(
        comm -23 <(echo "$help") <(echo "$page") | sed 's/$/ is missing/'
        comm -13 <(echo "$help") <(echo "$page") | sed 's/$/ does not exist/'
    )
}

# help_of PROGRAM COMMAND...: what it prints alone and with each command.
help_of()
{
    local program=$1 command
    shift

    "$program" --help
    for command in "$@"; do
        "$program" "$command" --help
    done
}

build_root=$2
check docs/man/amdrpcd.8 "$(help_of "$build_root/server/amdrpcd")"
check docs/man/amdrpc.1 \
    "$(help_of "$build_root/client/amdrpc" call cancel delete describe get list \
        operations submit wait watch)"
check docs/man/amdrpc-bench.1 \
    "$(help_of "$build_root/client/amdrpc-bench" fairness overload starvation)"
finish
