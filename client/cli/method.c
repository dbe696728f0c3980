/** The method that a command line names, and how its messages look. */
#include "client/cli/method.h"

#include "client/program/program.h"

#include <stdio.h>

int
amdi_named_method_parse(struct amdi_named_method *method, const char *text)
{
    if (amdi_method_name_parse(text, &method->name) != AMDRPC_OK) {
        amdi_program_error(
                "'%s' is not a method: package.Service/Method", text);
        return AMDI_EXIT_USAGE;
    }
    (void)snprintf(method->path, sizeof(method->path), "/%s/%s",
            method->name.service, method->name.method);
    method->desc = (amdrpc_method_desc){
            .name = method->name.method,
            .path = method->path,
            // Without descriptors: any number of messages may come back.
            .kind = AMDRPC_SERVER_STREAMING,
    };
    return AMDI_EXIT_OK;
}

int
amdi_named_method_find(struct amdi_named_method *method,
        struct amdi_session *session, const char *descriptor_set)
{
    const struct amdi_method *found;
    int exit_status = descriptor_set != NULL
            ? amdi_session_load_set(session, descriptor_set)
            : amdi_session_discover(session, method->name.service);

    if (exit_status != AMDI_EXIT_OK) {
        return exit_status;
    }
    found = amdi_descriptors_find_method(session->descriptors, method->path);
    if (found == NULL) {
        amdi_program_error("%s has no method %s", method->name.service,
                method->name.method);
        return AMDI_EXIT_UNKNOWN;
    }
    method->desc.kind =
            (found->client_streaming ? AMDRPC_CLIENT_STREAMING : 0) |
            (found->server_streaming ? AMDRPC_SERVER_STREAMING : 0);
    method->codec.descriptors = session->descriptors;
    method->codec.input = found->input;
    method->codec.output = found->output;
    return AMDI_EXIT_OK;
}
