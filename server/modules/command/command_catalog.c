/** The service that lists the commands. */
#include "server/modules/command/command_catalog.h"

#include "amdrpc/command/v1/command.amdrpc-server.h"
#include "server/modules/command/command_service.h"

#include <stdio.h>
#include <string.h>

typedef Amdrpc__Command__V1__CommandInfo command_message;
typedef Amdrpc__Command__V1__Parameter parameter_message;

/* protobuf-c has no const; the texts are only packed. */
static parameter_message *
parameter_describe(
        amdrpc_call *call, const struct amdi_command_parameter *parameter)
{
    parameter_message *out = amdrpc_call_alloc(call, sizeof(*out));

    if (out == NULL) {
        return NULL;
    }
    amdrpc__command__v1__parameter__init(out);
    out->name = (char *)parameter->name;
    out->type = (char *)parameter->type_text;
    out->is_required = parameter->fallback == NULL;
    if (parameter->fallback != NULL) {
        out->fallback = (char *)parameter->fallback;
    }
    if (parameter->pattern_text != NULL) {
        out->pattern = (char *)parameter->pattern_text;
    }
    return out;
}

static bool
command_describe_parameters(amdrpc_call *call,
        const struct amdi_command *command, command_message *out)
{
    const struct amdi_command_parameter *parameter = command->parameters;
    size_t n = 0;

    for (; parameter != NULL; parameter = parameter->next) {
        n++;
    }
    out->parameters =
            amdrpc_call_alloc(call, (n + 1) * sizeof(*out->parameters));
    if (out->parameters == NULL) {
        return false;
    }
    for (parameter = command->parameters; parameter != NULL;
            parameter = parameter->next) {
        parameter_message *one = parameter_describe(call, parameter);

        if (one == NULL) {
            return false;
        }
        out->parameters[out->n_parameters++] = one;
    }
    return true;
}

static command_message *
command_describe(amdrpc_call *call, const struct amdi_command *command)
{
    static const char prefix[] = "/" AMDI_COMMAND_SERVICE "/";
    size_t len = sizeof(prefix) + strlen(command->name);
    command_message *out = amdrpc_call_alloc(call, sizeof(*out));
    char *method = amdrpc_call_alloc(call, len);

    if (out == NULL || method == NULL) {
        return NULL;
    }
    (void)snprintf(method, len, "%s%s", prefix, command->name);
    amdrpc__command__v1__command_info__init(out);
    out->name = (char *)command->name;
    out->method = method;
    out->description = (char *)command->description;
    // The numbers are the same.
    out->stdin = (Amdrpc__Command__V1__CommandInfo__Input)command->input;
    out->reports_progress = command->progress.is_set;
    return command_describe_parameters(call, command, out) ? out : NULL;
}

static void
catalog_on_list(amdrpc_call *call,
        const Amdrpc__Command__V1__ListCommandsRequest *request,
        void *user_data)
{
    const struct amdi_commands *commands = user_data;
    Amdrpc__Command__V1__ListCommandsResponse response =
            AMDRPC__COMMAND__V1__LIST_COMMANDS_RESPONSE__INIT;

    (void)request; // it asks for all
    response.commands = amdrpc_call_alloc(
            call, (commands->count + 1) * sizeof(*response.commands));
    for (const struct amdi_command *command = commands->first;
            command != NULL && response.commands != NULL;
            command = command->next) {
        command_message *one = command_describe(call, command);

        if (one == NULL) {
            response.commands = NULL;
        } else {
            response.commands[response.n_commands++] = one;
        }
    }
    if (response.commands == NULL) {
        amdrpc_call_finish(
                call, AMDRPC_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    amdrpc_command_v1_catalog_list_commands_reply(call, &response);
}

amdrpc_err
amdi_command_catalog_add(
        const struct amdi_commands *commands, amdrpc_server *server)
{
    static const amdrpc_command_v1_catalog_handlers handlers = {
            .list_commands = catalog_on_list};

    // Handlers get it back as what it is, constant.
    return amdrpc_command_v1_catalog_register(
            server, &handlers, (void *)commands);
}
