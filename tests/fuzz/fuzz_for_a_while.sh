#!/bin/bash
# Runs one target of libFuzzer: fuzz_for_a_while.sh PROGRAM CORPUS
#
# For FUZZ_SECONDS (10 when unset). It starts from the corpus in the tree and
# from what it found before, which stays in PROGRAM.found. An input that breaks
# something is left in PROGRAM.broken: put it into the corpus with the fix.
set -euo pipefail

# Freed memory is kept back from reuse; by default more of it than a fuzzer needs.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1}:quarantine_size_mb=64

program=$1
corpus=$2
found=$program.found
broken=$program.broken

mkdir -p "$found" "$broken"
"$program" -max_total_time="${FUZZ_SECONDS:-10}" -timeout=10 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="$broken/" "$found" "$corpus"
