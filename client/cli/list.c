/** amdrpc list: the services of a server, or the methods of one. */
#include "client/cli/command.h"
#include "client/cli/show.h"
#include "client/program/program.h"

#include <stdio.h>

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
    static const struct amdi_show show = {
            .usage = "amdrpc list [OPTION...] HOST:PORT [SERVICE]",
            .summary = "Prints the services of a server, or the methods of a "
                       "service, one on each line.",
            .operand = "SERVICE",
            .all = list_services,
            .named = list_methods,
    };

    return amdi_show_run(&show, argc, argv);
}
