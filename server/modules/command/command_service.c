/** The service whose methods are the commands. */
#include "server/modules/command/command_service.h"

#include "amdrpc/command/v1/command.amdrpc-server.h"
#include "amdrpc/command/v1/command.amdrpc.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "server/modules/command/command_catalog.h"
#include "server/modules/command/command_run.h"

#include <stdio.h>
#include <string.h>

// What the service's own file is called in reflection, and what it needs.
#define FILE_NAME "amdrpc/command/v1/configured.proto"
#define IMPORT "amdrpc/command/v1/command.proto"
#define PACKAGE "amdrpc.command.v1"
#define SERVICE "Command"

// FileDescriptorSet.file: field 1, length-delimited.
#define FILE_TAG 0x0a
#define MAX_VARINT_BYTES 10u

// A client that sets no deadline gets as long as its program may take, and a
// moment to end.
#define MORE_MS 5000u
#define MIN_DEADLINE_MS (10u * 60 * 1000)

/* ---- calls ---- */

static void
service_on_call(const void *handlers, amdrpc_call *call,
        const ProtobufCMessage *request, void *user_data)
{
    const struct amdi_command_service *service = user_data;
    const char *path = amdrpc_call_get_method(call);
    struct amdi_command *command = amdi_commands_find(
            service->commands, strrchr(path, '/') + 1); // it was added so

    (void)handlers; // the method tells which command
    amdi_command_on_call(call, (const amdi_command_request *)request, command,
            service->starter);
}

/* ---- methods ---- */

static amdrpc_method_kind
command_get_kind(const struct amdi_command *command)
{
    return command->input == AMDI_COMMAND_STDIN_STREAM
            ? AMDRPC_BIDI_STREAMING
            : AMDRPC_SERVER_STREAMING;
}

static amdrpc_err
service_make_methods(struct amdi_command_service *service)
{
    size_t n = service->commands->count;
    amdrpc_method_desc *methods =
            amdi_arena_alloc(&service->arena, (n + 1) * sizeof(*methods));
    size_t i = 0;

    service->invoke = amdi_arena_alloc(
            &service->arena, (n + 1) * sizeof(*service->invoke));
    if (methods == NULL || service->invoke == NULL) {
        return AMDRPC_ENOMEM;
    }
    for (const struct amdi_command *command = service->commands->first;
            command != NULL; command = command->next) {
        size_t len = sizeof("//" AMDI_COMMAND_SERVICE) + strlen(command->name);
        char *path = amdi_arena_alloc(&service->arena, len);

        if (path == NULL) {
            return AMDRPC_ENOMEM;
        }
        (void)snprintf(
                path, len, "/%s/%s", AMDI_COMMAND_SERVICE, command->name);
        service->invoke[i] = service_on_call;
        methods[i++] = (amdrpc_method_desc){.name = command->name,
                .path = path,
                .kind = command_get_kind(command),
                .input = &amdrpc__command__v1__run_request__descriptor,
                .output = &amdrpc__command__v1__run_output__descriptor};
    }
    service->desc.methods = methods;
    service->desc.nmethods = n;
    return AMDRPC_OK;
}

/* ---- the description for reflection ---- */

typedef Google__Protobuf__MethodDescriptorProto method_proto;

/* protobuf-c has no const; the texts are only packed. */
static void
method_describe(const amdrpc_method_desc *desc, method_proto *out)
{
    google__protobuf__method_descriptor_proto__init(out);
    out->name = (char *)desc->name;
    out->input_type = (char *)"." PACKAGE ".RunRequest";
    out->output_type = (char *)"." PACKAGE ".RunOutput";
    out->has_client_streaming = 1;
    out->client_streaming = amdrpc_method_has_request_stream(desc);
    out->has_server_streaming = 1;
    out->server_streaming = 1;
}

static size_t
varint_write(uint8_t *out, size_t value)
{
    size_t len = 0;

    while (value > 0x7f) {
        out[len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[len++] = (uint8_t)value;
    return len;
}

/*
 * A set is a repeated field and nothing else, so one more file is appended to
 * that of the messages.
 */
static amdrpc_err
service_append_file(struct amdi_command_service *service,
        const Google__Protobuf__FileDescriptorProto *file)
{
    const amdrpc_service_desc *catalog = &amdrpc_command_v1_catalog_service;
    size_t file_len =
            google__protobuf__file_descriptor_proto__get_packed_size(file);
    uint8_t *set = amdi_arena_alloc(&service->arena,
            catalog->descriptor_set_len + 1 + MAX_VARINT_BYTES + file_len);
    size_t len = catalog->descriptor_set_len;

    if (set == NULL) {
        return AMDRPC_ENOMEM;
    }
    memcpy(set, catalog->descriptor_set, len);
    set[len++] = FILE_TAG;
    len += varint_write(set + len, file_len);
    len += google__protobuf__file_descriptor_proto__pack(file, set + len);
    service->desc.descriptor_set = set;
    service->desc.descriptor_set_len = len;
    return AMDRPC_OK;
}

static amdrpc_err
service_make_description(struct amdi_command_service *service)
{
    Google__Protobuf__FileDescriptorProto file =
            GOOGLE__PROTOBUF__FILE_DESCRIPTOR_PROTO__INIT;
    Google__Protobuf__ServiceDescriptorProto described =
            GOOGLE__PROTOBUF__SERVICE_DESCRIPTOR_PROTO__INIT;
    Google__Protobuf__ServiceDescriptorProto *services[] = {&described};
    char *imports[] = {(char *)IMPORT};
    size_t n = service->desc.nmethods;
    method_proto *methods =
            amdi_arena_alloc(&service->arena, (n + 1) * sizeof(*methods));

    described.method = amdi_arena_alloc(
            &service->arena, (n + 1) * sizeof(*described.method));
    if (methods == NULL || described.method == NULL) {
        return AMDRPC_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        method_describe(&service->desc.methods[i], &methods[i]);
        described.method[i] = &methods[i];
    }
    described.n_method = n;
    described.name = (char *)SERVICE;
    file.name = (char *)FILE_NAME;
    file.package = (char *)PACKAGE;
    file.syntax = (char *)"proto3";
    file.n_dependency = 1;
    file.dependency = imports;
    file.n_service = 1;
    file.service = services;
    return service_append_file(service, &file);
}

amdrpc_err
amdi_command_service_init(struct amdi_command_service *service,
        const struct amdi_commands *commands,
        struct amdi_command_starter *starter)
{
    amdrpc_err err = AMDRPC_OK;

    *service = (struct amdi_command_service){.commands = commands,
            .starter = starter,
            .desc = {.name = AMDI_COMMAND_SERVICE}};
    amdi_arena_init(&service->arena, /*max_bytes=*/0);
    err = service_make_methods(service);
    if (err == AMDRPC_OK) {
        err = service_make_description(service);
    }
    if (err != AMDRPC_OK) {
        amdi_command_service_fini(service);
    }
    return err;
}

void
amdi_command_service_fini(struct amdi_command_service *service)
{
    amdi_arena_fini(&service->arena);
}

/* ---- on a server ---- */

static amdrpc_err
service_set_policy(amdrpc_server *server, const char *path,
        const struct amdi_command *command)
{
    uint64_t deadline_ms = command->limits.time_ms +
            command->limits.kill_after_ms + MORE_MS; // settings are weeks
    amdrpc_policy policy = {.is_long = true,
            .default_deadline_ms = deadline_ms < MIN_DEADLINE_MS
                    ? MIN_DEADLINE_MS
                    : (uint32_t)deadline_ms};

    if (command->input == AMDI_COMMAND_STDIN_STREAM) {
        // A worker would wait for the first message.
        policy.dispatch = AMDRPC_DISPATCH_INLINE;
    }
    return amdrpc_server_set_policy(server, path, &policy);
}

amdrpc_err
amdi_command_service_add(
        struct amdi_command_service *service, amdrpc_server *server)
{
    amdrpc_err err = amdi_command_catalog_add(service->commands, server);
    const struct amdi_command *command = service->commands->first;

    if (err == AMDRPC_OK) {
        err = amdrpc_server_add_service(
                server, &service->desc, service->invoke, NULL, service);
    }
    for (size_t i = 0; err == AMDRPC_OK && i < service->desc.nmethods; i++) {
        err = service_set_policy(
                server, service->desc.methods[i].path, command);
        command = command->next;
    }
    return err;
}
