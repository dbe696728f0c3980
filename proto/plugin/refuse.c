/** Finds in a .proto file what protobuf-c cannot do. */
#include "proto/plugin/refuse.h"

#include "proto/plugin/names.h"

#include <string.h>

typedef Google__Protobuf__FileDescriptorProto proto_file;
typedef Google__Protobuf__ServiceDescriptorProto proto_service;

// protobuf-c.proto: extensions of the options of files, and what is in them.
#define PB_C_FILE 1019u
#define C_PACKAGE_KEY 0x32u // number 6, length-delimited

/*
 * protoc has resolved and limited the nesting of what it hands over, so the
 * recursion is as deep as someone was willing to write.
 */
static void
refuse_in_message(struct gen *gen, const char *file, const char *scope,
        const Google__Protobuf__DescriptorProto *message)
{
    const char *name = scope[0] == '\0'
            ? message->name
            : gen_format(gen, "%s.%s", scope, message->name);

    for (size_t i = 0; i < message->n_field; i++) {
        if (message->field[i]->proto3_optional) {
            gen_fail(gen,
                    "%s: %s.%s is a proto3 `optional` field, which protobuf-c "
                    "cannot do; put it alone into a oneof, the bytes on the "
                    "wire stay the same",
                    file, name, message->field[i]->name);
        }
    }
    for (size_t i = 0; i < message->n_nested_type; i++) {
        refuse_in_message(gen, file, name, message->nested_type[i]);
    }
}

/* protobuf-c makes a member of each method, and looks for no words of C. */
static void
refuse_in_service(struct gen *gen, const proto_file *file, const char *package,
        const proto_service *service)
{
    const char *dot = package[0] != '\0' ? "." : "";

    for (size_t i = 0; i < service->n_method; i++) {
        const char *method = service->method[i]->name;
        const char *member = name_of_functions(gen, method);

        if (name_is_c_keyword(member)) {
            gen_fail(gen,
                    "%s: the method %s%s%s.%s would be called \"%s\" in C, "
                    "which is a word of the language; rename it",
                    file->name, package, dot, service->name, method, member);
        }
    }
}

/* The extension is not known to our descriptors, so its bytes are left. */
static bool
has_c_package(const proto_file *file)
{
    const ProtobufCMessage *options =
            file->options != NULL ? &file->options->base : NULL;

    for (unsigned i = 0; options != NULL && i < options->n_unknown_fields;
            i++) {
        const ProtobufCMessageUnknownField *field = &options->unknown_fields[i];

        // A length of one byte, then the fields. The others are bools, so no
        // other byte can be this key.
        if (field->tag == PB_C_FILE && field->len > 1 &&
                memchr(field->data + 1, C_PACKAGE_KEY, field->len - 1) !=
                        NULL) {
            return true;
        }
    }
    return false;
}

void
gen_refuse_unsupported(struct gen *gen, const proto_file *file)
{
    const char *package = file->package != NULL ? file->package : "";

    for (size_t i = 0; i < file->n_message_type; i++) {
        refuse_in_message(gen, file->name, package, file->message_type[i]);
    }
    for (size_t i = 0; i < file->n_service; i++) {
        refuse_in_service(gen, file, package, file->service[i]);
    }
    if (file->n_service > 0 && has_c_package(file)) {
        gen_fail(gen,
                "%s: the option (pb_c_file).c_package gives the messages names "
                "that protoc-gen-amdrpc does not know; remove it",
                file->name);
    }
}
