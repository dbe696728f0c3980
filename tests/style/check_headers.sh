#!/bin/bash
# Every header compiles alone: as C11, and the public ones also as C++. A public
# header sees nothing but the public headers of its own and lower layers.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need g++

build_root=$2
read -r -a external < <(pkg-config --cflags libprotobuf-c libevent_core libnghttp2 openssl check jansson sqlite3)

# compiles COMPILER-ARGUMENT... HEADER
compiles()
{
    local output

    output=$("$@" 2>&1) || {
        echo "$output"
        return 1
    }
}

check_public()
{
    local header=$1
    local include=(-Icommon "-I${header%%/*}")

    compiles gcc -x c -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only "${include[@]}" "$header" ||
        wrong "$header: does not compile alone as C11"
    compiles g++ -x c++ -std=c++11 -Wall -Wextra -Werror -fsyntax-only "${include[@]}" "$header" ||
        wrong "$header: does not compile alone as C++"
}

check_internal()
{
    compiles gcc -x c -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only \
        -I. -Icommon -Iserver -Iclient "-I$build_root" "-I$build_root/proto" "${external[@]}" "$1" ||
        wrong "$1: does not compile alone as C11"
}

while IFS= read -r -d '' header; do
    case $header in
    */amdrpc/*) check_public "$header" ;;
    *) check_internal "$header" ;;
    esac
done < <(list_source_files | grep -z '\.h$')
finish
