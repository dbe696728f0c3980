#!/bin/bash
# Runs the queries of docs/operations.md on a store, and looks whether the page
# names every column.
#
#   test_queries.sh SOURCE-ROOT CRASH-CHILD
set -euo pipefail

readonly page=$1/docs/operations.md
readonly child=$2
readonly noperations=40
failed=0

wrong()
{
    echo "WRONG: $*"
    failed=1
}

command -v sqlite3 >/dev/null || exit 77 # skipped

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$child" "$dir" q "$noperations" >"$dir/reports"
shell=(sqlite3 -readonly -bail "$dir/operations.db")

# Each block of SQL goes into a file of its own.
awk -v dir="$dir" '
    /^```sql$/ { name = sprintf("%s/%02d.sql", dir, ++n); next }
    /^```$/ { name = "" }
    name != "" { print > name }
' "$page"

nqueries=0
for query in "$dir"/*.sql; do
    nqueries=$((nqueries + 1))
    "${shell[@]}" <"$query" >"${query%.sql}.out" 2>&1 ||
        wrong "$(cat "$query")"$'\n'"$(cat "${query%.sql}.out")"
done
[ "$nqueries" -ge 7 ] || wrong "only $nqueries queries"

# Some answers are known: one in eight was left running by the child.
grep -qx '/test/Do|running|5' "$dir/01.out" || wrong "states: $(cat "$dir/01.out")"
grep -qx '/test/Do|succeeded|35' "$dir/01.out" || wrong "states: $(cat "$dir/01.out")"
name=$(head -1 "$dir/02.out" | cut -d '|' -f 1)
[[ $name =~ ^operations/[0-9a-v]{13}$ ]] || wrong "name: $name"
id=$(sed "s/0t3mchg2c0001/${name#operations/}/" "$dir/03.sql" | "${shell[@]}")
[[ $id =~ ^[0-9]+\|1\|0$ ]] || wrong "row of $name: $id"
grep -qE '^[0-9]+\|2\|0\|1$' "$dir/06.out" || wrong "request q-1: $(cat "$dir/06.out")"

while IFS='|' read -r table column; do
    grep -qE "\*\*$table\*\*" "$page" || wrong "$table is not on the page"
    grep -qE "(\`$column\`|^\|.*\b$column\b.*\|)" "$page" ||
        wrong "$table.$column is not on the page"
done < <("${shell[@]}" "SELECT m.name, c.name FROM sqlite_schema AS m
    JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table'")
exit "$failed"
