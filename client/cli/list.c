/** amdrpc list: the services of a server, or the methods of one. */
#include "client/cli/command.h"
#include "client/cli/session.h"
#include "client/program/program.h"

#include <stdio.h>

struct list_options {
    struct amdi_connect connect;
    uint64_t timeout_ms;
};

static const struct amdi_option list_rows[] = {
        AMDI_CONNECT_ROWS(struct list_options, connect),
        {.name = "timeout",
                .kind = AMDI_OPTION_DURATION,
                .offset = offsetof(struct list_options, timeout_ms),
                .value_name = "TIME",
                .help = "Give up after this time: 2s, 500ms.",
                .min = 1,
                .max = 86400000},
};

static const struct amdi_command_line list_line = {
        .usage = "amdrpc list [OPTION...] HOST:PORT [SERVICE]",
        .summary = "Prints the services of a server, or the methods of a "
                   "service, one on each line.",
        .options = list_rows,
        .noptions = sizeof(list_rows) / sizeof(list_rows[0]),
        .operands = {"HOST:PORT", "SERVICE"},
        .min_operands = 1,
        .max_operands = 2,
};

static int
list_services(struct amdi_session *session)
{
    struct amdi_names names = {.count = 0};
    int exit_status = amdi_session_list(session, &names);

    for (size_t i = 0; i < names.count; i++) {
        (void)puts(names.items[i]);
    }
    amdi_names_fini(&names);
    return exit_status;
}

static int
list_methods(struct amdi_session *session, const char *service)
{
    const struct amdi_service *found;
    int exit_status = amdi_session_discover(session, service);

    if (exit_status != AMDI_EXIT_OK) {
        return exit_status;
    }
    found = amdi_descriptors_find_service(session->descriptors, service);
    if (found == NULL) {
        amdi_program_error(
                "%s is not a service of %s", service, session->target);
        return AMDI_EXIT_UNKNOWN;
    }
    for (size_t i = 0; i < found->nmethods; i++) {
        (void)printf("%s/%s\n", service, found->methods[i].name);
    }
    return AMDI_EXIT_OK;
}

int
amdi_command_list(int argc, char **argv)
{
    struct list_options options = {.timeout_ms = 0};
    struct amdi_operands operands;
    struct amdi_session session;
    int exit_status;

    if (!amdi_program_parse(
                &list_line, argc, argv, &options, &operands, &exit_status)) {
        return exit_status;
    }
    exit_status = amdi_session_open(
            &session, &options.connect, operands.items[0], options.timeout_ms);
    if (exit_status != AMDI_EXIT_OK) {
        return exit_status;
    }
    exit_status = operands.count == 1
            ? list_services(&session)
            : list_methods(&session, operands.items[1]);
    amdi_session_close(&session);
    return exit_status;
}
