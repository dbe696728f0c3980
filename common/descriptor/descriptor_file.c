/** Turns a FileDescriptorProto into the registry's structs: all but messages.
 */
#include "common/descriptor/descriptor_build.h"
#include "common/wire.h"

#include <string.h>

/* ---- enums, services, extensions ---- */

/* Values are named beside their enum, as in C++. */
static void
build_enum(struct build *build, const char *scope, const proto_enum *proto)
{
    struct amdi_enum *type =
            &build->file->file.enums[build->file->file.nenums++];

    type->full_name = amdi_build_join(build, scope, proto->name);
    type->is_closed = !build->file->is_proto3;
    type->values =
            amdi_build_alloc(build, proto->n_value, sizeof(*type->values));
    amdi_build_symbol(build, type->full_name, SYMBOL_ENUM, type);
    for (size_t i = 0; i < proto->n_value && amdi_build_is_good(build); i++) {
        amdi_build_symbol(build,
                amdi_build_join(build, scope, proto->value[i]->name),
                SYMBOL_OTHER, NULL);
        type->values[i] =
                (struct amdi_enum_value){.name = proto->value[i]->name,
                        .number = proto->value[i]->number};
        type->nvalues = i + 1;
    }
}

static const char *
method_type(struct build *build, const char *method, const char *type_name)
{
    if (type_name == NULL || type_name[0] != '.') {
        amdi_build_fail(build, "%s does not name its messages in full", method);
        return "";
    }
    return type_name;
}

static void
build_service(
        struct build *build, const char *scope, const proto_service *proto)
{
    struct amdi_service *service =
            &build->file->file.services[build->file->file.nservices++];

    service->full_name = amdi_build_join(build, scope, proto->name);
    service->file = &build->file->file;
    service->methods =
            amdi_build_alloc(build, proto->n_method, sizeof(*service->methods));
    amdi_build_symbol(build, service->full_name, SYMBOL_SERVICE, service);
    for (size_t i = 0; i < proto->n_method && amdi_build_is_good(build); i++) {
        const Google__Protobuf__MethodDescriptorProto *from = proto->method[i];
        struct amdi_method *method = &service->methods[i];

        method->name = from->name;
        method->full_name =
                amdi_build_join(build, service->full_name, from->name);
        method->service = service;
        method->input_name =
                method_type(build, method->full_name, from->input_type);
        method->output_name =
                method_type(build, method->full_name, from->output_type);
        method->client_streaming = from->client_streaming;
        method->server_streaming = from->server_streaming;
        amdi_build_symbol(build, method->full_name, SYMBOL_METHOD, method);
        service->nmethods = i + 1;
    }
}

static void
build_extension(
        struct build *build, const char *scope, const proto_field *proto)
{
    struct amdi_extension *extension =
            &build->file->file.extensions[build->file->file.nextensions++];

    amdi_build_symbol(build, amdi_build_join(build, scope, proto->name),
            SYMBOL_OTHER, NULL);
    if (proto->extendee == NULL || proto->extendee[0] != '.') {
        amdi_build_fail(build, "%s: an extension does not name its message",
                build->file->file.name);
        return;
    }
    extension->extendee = proto->extendee + 1;
    extension->number = (uint32_t)proto->number;
}

void
amdi_build_nested(
        struct build *build, const char *scope, const proto_message *proto)
{
    for (size_t i = 0; i < proto->n_enum_type; i++) {
        build_enum(build, scope, proto->enum_type[i]);
    }
    for (size_t i = 0; i < proto->n_extension; i++) {
        build_extension(build, scope, proto->extension[i]);
    }
    for (size_t i = 0; i < proto->n_nested_type; i++) {
        amdi_build_message(build, scope, proto->nested_type[i]);
    }
}

/* ---- the file ---- */

struct counts {
    size_t messages;
    size_t enums;
    size_t extensions;
};

static void
count_message(const proto_message *proto, struct counts *counts)
{
    counts->messages++;
    counts->enums += proto->n_enum_type;
    counts->extensions += proto->n_extension;
    for (size_t i = 0; i < proto->n_nested_type; i++) {
        count_message(proto->nested_type[i], counts);
    }
}

static void
build_arrays(struct build *build, const proto_file *proto)
{
    struct amdi_file *file = &build->file->file;
    struct counts counts = {
            .enums = proto->n_enum_type, .extensions = proto->n_extension};

    for (size_t i = 0; i < proto->n_message_type; i++) {
        count_message(proto->message_type[i], &counts);
    }
    file->messages =
            amdi_build_alloc(build, counts.messages, sizeof(*file->messages));
    file->enums = amdi_build_alloc(build, counts.enums, sizeof(*file->enums));
    file->extensions = amdi_build_alloc(
            build, counts.extensions, sizeof(*file->extensions));
    file->services =
            amdi_build_alloc(build, proto->n_service, sizeof(*file->services));
}

static void
build_declarations(struct build *build, const proto_file *proto)
{
    const char *scope = proto->package != NULL ? proto->package : "";

    build_arrays(build, proto);
    for (size_t i = 0; i < proto->n_enum_type && amdi_build_is_good(build);
            i++) {
        build_enum(build, scope, proto->enum_type[i]);
    }
    for (size_t i = 0; i < proto->n_extension && amdi_build_is_good(build);
            i++) {
        build_extension(build, scope, proto->extension[i]);
    }
    for (size_t i = 0; i < proto->n_message_type && amdi_build_is_good(build);
            i++) {
        amdi_build_message(build, scope, proto->message_type[i]);
    }
    for (size_t i = 0; i < proto->n_service && amdi_build_is_good(build); i++) {
        build_service(build, scope, proto->service[i]);
    }
}

static void
build_syntax(struct build *build, const proto_file *proto)
{
    const char *syntax = proto->syntax != NULL ? proto->syntax : "proto2";

    build->file->is_proto3 = strcmp(syntax, "proto3") == 0;
    if (!build->file->is_proto3 && syntax[0] != '\0' &&
            strcmp(syntax, "proto2") != 0 && amdi_build_is_good(build)) {
        build->err = amdi_error_set(build->error, AMDRPC_EUNSUPPORTED,
                "%s is written in \"%s\"; only proto2 and proto3 are known",
                proto->name, syntax);
    }
}

static void
build_imports(struct build *build, const proto_file *proto)
{
    struct amdi_file *file = &build->file->file;

    file->import_names = (const char **)proto->dependency;
    file->imports = amdi_build_alloc(
            build, proto->n_dependency, sizeof(*file->imports));
    file->nimports = proto->n_dependency;
}

/* Lets protobuf-c's two reasons to return NULL be told apart. */
struct unpack_memory {
    struct amdi_arena *arena;
    bool is_used_up;
};

static void *
unpack_alloc(void *data, size_t size)
{
    struct unpack_memory *memory = data;
    void *ptr = amdi_arena_alloc(memory->arena, size);

    memory->is_used_up = memory->is_used_up || ptr == NULL;
    return ptr;
}

static void
unpack_free(void *data, void *ptr)
{
    (void)data; // the arena frees it
    (void)ptr;
}

static proto_file *
unpack_file(struct amdi_descriptors *descriptors, const void *data, size_t len,
        amdrpc_err *out_err, struct amdi_error *error)
{
    struct unpack_memory memory = {.arena = &descriptors->arena};
    ProtobufCAllocator allocator = {.alloc = unpack_alloc,
            .free = unpack_free,
            .allocator_data = &memory};
    proto_file *proto = NULL;

    if (amdi_wire_check(&google__protobuf__file_descriptor_proto__descriptor,
                data, len, AMDI_WIRE_MAX_DEPTH, NULL) == AMDRPC_OK) {
        proto = google__protobuf__file_descriptor_proto__unpack(
                &allocator, len, data);
    }
    if (memory.is_used_up) {
        *out_err = amdi_error_nomem(error);
    } else if (proto == NULL || proto->name == NULL || proto->name[0] == '\0') {
        *out_err = amdi_error_set(error, AMDRPC_EINVAL,
                "the bytes are no google.protobuf.FileDescriptorProto");
    } else {
        *out_err = AMDRPC_OK;
        return proto;
    }
    return NULL;
}

static void
build_file(struct build *build, const proto_file *proto, const void *data,
        size_t len)
{
    uint8_t *bytes = amdi_build_alloc(build, len, 1);

    build->file = amdi_build_alloc(build, 1, sizeof(*build->file));
    if (!amdi_build_is_good(build)) {
        return;
    }
    memcpy(bytes, data, len);
    build->file->file.name = proto->name;
    build->file->file.bytes = bytes;
    build->file->file.len = len;
    build_syntax(build, proto);
    build_imports(build, proto);
    build_declarations(build, proto);
}

amdrpc_err
amdi_descriptor_file_build(struct amdi_descriptors *descriptors,
        const void *data, size_t len, struct descriptor_file **out,
        struct amdi_error *error)
{
    struct build build = {.descriptors = descriptors, .error = error};
    const proto_file *proto =
            unpack_file(descriptors, data, len, &build.err, error);

    if (proto == NULL) {
        return build.err;
    }
    if (amdi_descriptor_file_find(descriptors, proto->name) != NULL) {
        *out = NULL;
        return AMDRPC_OK;
    }
    build_file(&build, proto, data, len);
    if (amdi_build_is_good(&build)) {
        *out = build.file;
    }
    return build.err;
}
