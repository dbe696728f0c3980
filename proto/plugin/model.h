/** What a .proto file declares, with its C names; read by the writers. */
#ifndef AMDGEN_MODEL_H
#define AMDGEN_MODEL_H

#include "proto/plugin/gen.h"

struct gen_method {
    const char *name;   // "Echo"
    const char *member; // "echo"
    const char *index;  // "FOO_V1_BAR_ECHO"
    const char *prefix; // "foo_v1_bar_echo"
    const char *input;  // "Foo__V1__EchoRequest"
    const char *output;
    const char *input_desc; // "foo__v1__echo_request__descriptor"
    const char *output_desc;
    bool request_stream;
    bool response_stream;
};

struct gen_service {
    const char *name;   // "foo.v1.Bar"
    const char *prefix; // "foo_v1_bar"
    const char *upper;  // "FOO_V1_BAR"
    struct gen_method *methods;
    size_t nmethods;
};

/** One .proto file that has services; owned by the struct gen. */
struct gen_model {
    const Google__Protobuf__FileDescriptorProto *file; // borrowed
    const char *base;                                  // "foo/v1/bar"
    struct gen_service *services;
    size_t nservices;
};

/** Reads a file's services and forms their names. */
void gen_model_read(struct gen *gen,
        const Google__Protobuf__FileDescriptorProto *file,
        struct gen_model *out);

#endif
