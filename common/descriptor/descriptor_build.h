/** What the two halves of descriptor building share. */
#ifndef AMDI_DESCRIPTOR_BUILD_H
#define AMDI_DESCRIPTOR_BUILD_H

#include "common/descriptor/descriptor_internal.h"
#include "google/protobuf/descriptor.pb-c.h"

typedef Google__Protobuf__FileDescriptorProto proto_file;
typedef Google__Protobuf__DescriptorProto proto_message;
typedef Google__Protobuf__FieldDescriptorProto proto_field;
typedef Google__Protobuf__EnumDescriptorProto proto_enum;
typedef Google__Protobuf__ServiceDescriptorProto proto_service;

/** A file being built. */
struct build {
    struct amdi_descriptors *descriptors;
    struct descriptor_file *file;
    struct amdi_error *error; // may be NULL
    amdrpc_err err;           // the first fault
};

bool amdi_build_is_good(const struct build *build);

/** Keeps the first fault. */
#define amdi_build_fail(build, ...)                              \
    do {                                                         \
        if (amdi_build_is_good(build)) {                         \
            (build)->err = amdi_error_set(                       \
                    (build)->error, AMDRPC_EINVAL, __VA_ARGS__); \
        }                                                        \
    } while (0)

/** Returns room for zeroed items in the registry's arena, or NULL. */
void *amdi_build_alloc(struct build *build, size_t count, size_t size);

/** Returns "scope.name"; "" after a fault. */
const char *amdi_build_join(
        struct build *build, const char *scope, const char *name);

void amdi_build_symbol(struct build *build, const char *name,
        enum symbol_kind kind, const void *item);

/** Takes the next of the file's messages, and all that lies in it. */
void amdi_build_message(
        struct build *build, const char *scope, const proto_message *proto);

/** Messages, enums and extensions that lie in a message. */
void amdi_build_nested(
        struct build *build, const char *scope, const proto_message *proto);

#endif
