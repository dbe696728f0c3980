#!/bin/bash
# Every shell script passes shellcheck.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need shellcheck

while IFS= read -r -d '' file; do
    read -r first <"$file" || continue
    case $first in
    '#!/bin/bash' | '#!/bin/sh') shellcheck "$file" || wrong "$file" ;;
    esac
done < <(list_source_files)
finish
