/** C names of protobuf things, as protobuf-c and as amdrpc form them. */
#ifndef AMDGEN_NAMES_H
#define AMDGEN_NAMES_H

#include "proto/plugin/gen.h"

/** ".foo.v1.BarBaz" → "Foo__V1__BarBaz": protobuf-c's struct. */
const char *name_of_type(struct gen *gen, const char *full_name);

/** ".foo.v1.BarBaz" → "foo__v1__bar_baz": protobuf-c's functions. */
const char *name_of_functions(struct gen *gen, const char *full_name);

/** "foo.v1.BarBaz" → "foo_v1_bar_baz": amdrpc's functions. */
const char *name_snake(struct gen *gen, const char *full_name);

/** As name_snake; a word of C++ alone gets a `_` behind it. */
const char *name_member(struct gen *gen, const char *name);

/** "foo_v1_bar" → "FOO_V1_BAR"; what is neither letter nor digit gives `_`. */
const char *name_upper(struct gen *gen, const char *name);

/** Tells whether the C compiler would read it as a word of C11. */
bool name_is_c_keyword(const char *name);

/** "foo/bar.proto" → "foo/bar". */
const char *name_without_proto(struct gen *gen, const char *file_name);

#endif
