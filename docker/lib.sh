# What ./run, ./test and the script tests share. To be sourced by bash.
# shellcheck shell=bash

# A checkout that belongs to another user, as in many CI systems, is still ours
# to list; the setting lives as long as the script.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'

# say WORDS: a headline of the running script.
say()
{
    printf '\n== %s\n' "$*"
}

# die WORDS: ends the script with one line about what is wrong.
die()
{
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Prints the files of the source tree (cwd), NUL-terminated: what git tracks and
# is there, or without git (a tarball) what stands outside the build folders.
list_source_files()
{
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        comm -z -23 <(git ls-files -z | sort -z) <(git ls-files -z --deleted | sort -z)
    else
        find . -path ./.git -prune -o -path './build*' -prune -o -type f -print0 |
            sed -z 's|^\./||' | sort -z
    fi
}

# build_into DIR MESON-OPTION...: configures where needed, and compiles. A folder
# that was configured in another way, or for another place, is made anew.
build_into()
{
    local dir=$1
    shift
    local stamp="$PWD ${CC:-cc} $*"

    if [ ! -f "$dir/build.ninja" ] || [ "$(cat "$dir/.configured-as" 2>/dev/null)" != "$stamp" ]; then
        rm -rf "$dir"
        meson setup "$dir" "$@" >"$dir.log" 2>&1 || {
            cat "$dir.log"
            rm -f "$dir.log"
            return 1
        }
        mv "$dir.log" "$dir/meson-logs/setup.txt"
        printf '%s\n' "$stamp" >"$dir/.configured-as"
    fi
    ninja -C "$dir"
}
