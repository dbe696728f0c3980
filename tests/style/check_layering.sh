#!/bin/bash
# Who may include whom, seen in the #include lines.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# forbid WHERE WHAT WHY: no file whose path matches WHERE includes WHAT.
forbid()
{
    local found

    found=$(grep -E "$1" <<<"$includes" | grep -E "^[^:]*:[0-9]*:#include $2" || true)
    [ -z "$found" ] || wrong "$3:"$'\n'"$found"
}

includes=$(list_source_files | grep -z '\.[ch]$' |
    xargs -0 grep -nE '^#include' /dev/null | sed 's/#include  */#include /')

forbid '^common/' '"(server|client)/|<amdrpc/(server|call|module|client)' \
    'common includes no other layer'
forbid '^server/' '"client/' 'server does not include client'
forbid '^client/' '"server/' 'client does not include server'
forbid '^(common|server|client)/' '"tests/' 'only tests include tests'
forbid '^[a-z]+/amdrpc/' '"' 'public headers include only public headers'
forbid '^[a-z]+/amdrpc/' '<(event2|nghttp2|openssl|sqlite3|libpq|jansson|zlib|ini)' \
    'public headers show no types of our libraries'
# The examples are like a user's own folder.
forbid '^(client|common|proto|server|tests)/' '"[^/"]*\.h"' \
    'internal includes are written from the root'

# The libraries that stand behind one door each.
forbid '^(server|client|common/([^h]|h[^2]))' '<nghttp2/' \
    'only common/h2 uses nghttp2'
forbid '^(common|client|server/[^s][^/:]*|server/(auth|conn|daemon|dispatch|metrics|modules|services|stream)/.*|server/s[^/:]*:)' \
    '<(sqlite3|libpq-fe)' 'only server/store uses the databases'
finish
