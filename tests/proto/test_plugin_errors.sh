#!/bin/bash
# What protoc-gen-amdrpc refuses, and what it says then. The arguments are the
# command that generates code, to be followed by a file's name.
set -u
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
nfailed=0

# Runs the plugin on the file named $1, read from stdin, into the folder.
generate()
{
    cat >"$folder/$1"
    mkdir -p "$folder/out"
    "${command[@]}" "--proto_path=$folder" "--amdrpc_out=$folder/out" "$1" \
        >"$folder/said" 2>&1
}

# refused WHAT FILE SENTENCE: stdin must be refused with the sentence.
refused()
{
    if generate "$2"; then
        echo "not ok: $1: was not refused"
        nfailed=$((nfailed + 1))
    elif ! grep -qF -- "$3" "$folder/said"; then
        echo "not ok: $1: said"
        sed 's/^/    /' "$folder/said"
        nfailed=$((nfailed + 1))
    else
        echo "ok: $1"
    fi
}

# taken WHAT FILE: stdin must be taken.
taken()
{
    if generate "$2"; then
        echo "ok: $1"
    else
        echo "not ok: $1: said"
        sed 's/^/    /' "$folder/said"
        nfailed=$((nfailed + 1))
    fi
}

# The tests' own targets say where to write; here it is another place.
command=()
plugin=
for arg in "$@"; do
    case $arg in
    --*_out=*) ;;
    --plugin=protoc-gen-amdrpc=*)
        plugin=${arg#--plugin=protoc-gen-amdrpc=}
        command+=("$arg")
        ;;
    *) command+=("$arg") ;;
    esac
done

refused "a proto3 optional field" optional.proto \
    "optional.proto: odd.Outer.Inner.maybe is a proto3 \`optional\` field" <<'PROTO'
syntax = "proto3";
package odd;
message Outer { message Inner { optional string maybe = 1; } }
PROTO

refused "a method named by a word of C" word.proto \
    "word.proto: the method odd.S.Register would be called \"register\" in C" <<'PROTO'
syntax = "proto3";
package odd;
message M {}
service S { rpc Register(M) returns (M); }
PROTO

refused "two methods with one name in C" twins.proto \
    'odd.S.EchoIt and odd.S.echo_it would share the name "odd_s_echo_it"' <<'PROTO'
syntax = "proto3";
package odd;
message M {}
service S { rpc EchoIt(M) returns (M); rpc echo_it(M) returns (M); }
PROTO

refused "a method that takes a name of its service" service.proto \
    'odd.S and odd.S.Service would share the name "odd_s_service"' <<'PROTO'
syntax = "proto3";
package odd;
message M {}
service S { rpc Service(M) returns (M); }
PROTO

refused "a method that takes the name of a submission" submit.proto \
    'odd.S.Job and odd.S.JobSubmit would share the name "odd_s_job_submit"' <<'PROTO'
syntax = "proto3";
package odd;
message M {}
service S {
  rpc Job(M) returns (stream M);
  rpc JobSubmit(M) returns (M);
}
PROTO

refused "another name for the C package" package.proto \
    "package.proto: the option (pb_c_file).c_package" <<'PROTO'
syntax = "proto3";
package odd;
import "protobuf-c/protobuf-c.proto";
option (pb_c_file).c_package = "other";
message M {}
service S { rpc Echo(M) returns (M); }
PROTO

taken "a file without package" bare.proto <<'PROTO'
syntax = "proto3";
message M {}
service S { rpc Echo(M) returns (M); }
PROTO

taken "a file without services" messages.proto <<'PROTO'
syntax = "proto3";
message N {}
PROTO
if [ -e "$folder/out/messages.amdrpc.h" ]; then
    echo "not ok: a file without services gave code"
    nfailed=$((nfailed + 1))
fi

if printf 'no request' | "$plugin" >/dev/null 2>"$folder/said" ||
    ! grep -q CodeGeneratorRequest "$folder/said"; then
    echo "not ok: garbage instead of a request"
    nfailed=$((nfailed + 1))
fi
[ "$nfailed" -eq 0 ]
