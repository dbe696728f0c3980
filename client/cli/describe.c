/** amdrpc describe: what a symbol is, as the text of a .proto file. */
#include "client/cli/command.h"
#include "client/cli/method_name.h"
#include "client/cli/policy.h"
#include "client/cli/proto_text.h"
#include "client/cli/show.h"
#include "client/program/program.h"

#include <stdio.h>
#include <string.h>

// The files that hold the symbol are there already when they came before.
static int
describe_one(struct amdi_session *session, const char *name)
{
    if (!amdi_proto_text_print(session->descriptors, name, stdout)) {
        int exit_status = amdi_session_discover(session, name);

        if (exit_status != AMDI_EXIT_OK) {
            return exit_status;
        }
        if (!amdi_proto_text_print(session->descriptors, name, stdout)) {
            amdi_program_error(
                    "%s is no service, method, message or enum", name);
            return AMDI_EXIT_UNKNOWN;
        }
    }
    return AMDI_EXIT_OK;
}

// A method says little without its messages.
static int
describe_symbol(struct amdi_session *session, const char *name)
{
    int exit_status = describe_one(session, name);
    const struct amdi_method *method;

    if (exit_status != AMDI_EXIT_OK) {
        return exit_status;
    }
    method = amdi_descriptors_find_method(session->descriptors, name);
    if (method == NULL) {
        return AMDI_EXIT_OK;
    }
    (void)putchar('\n');
    exit_status = describe_one(session, method->input->full_name);
    if (exit_status != AMDI_EXIT_OK || method->input == method->output) {
        return exit_status;
    }
    (void)putchar('\n');
    return describe_one(session, method->output->full_name);
}

static int
describe_all(struct amdi_session *session)
{
    struct amdi_names names = {.count = 0};
    int exit_status = amdi_session_list(session, &names);

    for (size_t i = 0; i < names.count && exit_status == AMDI_EXIT_OK; i++) {
        if (i > 0) {
            (void)putchar('\n');
        }
        exit_status = describe_symbol(session, names.items[i]);
    }
    amdi_names_fini(&names);
    if (exit_status == AMDI_EXIT_OK) {
        amdi_session_print_policies(session, "");
    }
    return exit_status;
}

// "/package.Service/Method" is a symbol too, for people who paste paths.
static int
describe_named(struct amdi_session *session, const char *name)
{
    char symbol[2 * AMDI_METHOD_NAME_BYTES];
    struct amdi_method_name method;
    int exit_status;

    if (strchr(name, '/') != NULL &&
            amdi_method_name_parse(name, &method) == AMDRPC_OK) {
        (void)snprintf(
                symbol, sizeof(symbol), "%s.%s", method.service, method.method);
        name = symbol;
    }
    exit_status = describe_symbol(session, name);
    if (exit_status == AMDI_EXIT_OK) {
        amdi_session_print_policies(session, name);
    }
    return exit_status;
}

int
amdi_command_describe(int argc, char **argv)
{
    static const struct amdi_show show = {
            .usage = "amdrpc describe [OPTION...] HOST:PORT [SYMBOL]",
            .summary =
                    "Prints a service, method, message or enum, as it stands "
                    "in its .proto file;\nwithout a SYMBOL every service.",
            .operand = "SYMBOL",
            .all = describe_all,
            .named = describe_named,
    };

    return amdi_show_run(&show, argc, argv);
}
