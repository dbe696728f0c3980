#!/bin/bash
# The right size is small: files up to 600 lines, functions up to 40.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly MAX_FILE_LINES=600
readonly MAX_FUNCTION_LINES=40

# The format puts the braces of a function, and only those, alone into the first
# column; what a function is called stands above, in the first column too.
long_functions()
{
    awk -v max="$MAX_FUNCTION_LINES" '
        FNR == 1 { open_at = 0 }
        /^[a-z_0-9]+\(/ { name = $0; sub(/\(.*/, "", name) }
        /^\{$/ { open_at = FNR }
        /^\}$/ && open_at {
            lines = FNR - open_at - 1
            if (lines > max)
                print FILENAME ": " name " has " lines " lines"
            open_at = 0
        }
    ' "$@"
}

while IFS= read -r -d '' file; do
    lines=$(wc -l <"$file")
    [ "$lines" -le "$MAX_FILE_LINES" ] || wrong "$file: $lines lines"
done < <(list_source_files | grep -zE '\.([ch]|py|sh|proto|build)$')

mapfile -d '' -t sources < <(list_source_files | grep -z '\.c$')
while IFS= read -r line; do
    wrong "$line"
done < <(long_functions "${sources[@]}")
finish
