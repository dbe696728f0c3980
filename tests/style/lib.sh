# What the style checks share. To be sourced first, with the arguments of the
# check: the root of the source, the root of the build.
# shellcheck shell=bash
set -euo pipefail

export LC_ALL=C
cd "$1"
. docker/lib.sh

readonly SKIPPED=77 # how a test tells meson that it could not run
nwrong=0

# need PROGRAM: skips the check where the program is missing.
need()
{
    command -v "$1" >/dev/null || {
        echo "skipped: $1 is not installed"
        exit "$SKIPPED"
    }
}

wrong()
{
    echo "$*"
    nwrong=$((nwrong + 1))
}

# To be called last: the verdict.
finish()
{
    echo "$nwrong wrong"
    [ "$nwrong" -eq 0 ]
}
