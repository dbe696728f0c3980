#!/bin/bash
# Every C file is as clang-format leaves it.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need clang-format

while IFS= read -r -d '' file; do
    clang-format --dry-run --Werror "$file" 2>/dev/null || wrong "$file: run clang-format -i"
done < <(list_source_files | grep -z '\.[ch]$')
finish
