/** Finds in a .proto file what protobuf-c cannot do. */
#include "proto/plugin/refuse.h"

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

void
gen_refuse_unsupported(
        struct gen *gen, const Google__Protobuf__FileDescriptorProto *file)
{
    const char *package = file->package != NULL ? file->package : "";

    for (size_t i = 0; i < file->n_message_type; i++) {
        refuse_in_message(gen, file->name, package, file->message_type[i]);
    }
}
