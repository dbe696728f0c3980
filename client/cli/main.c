/** amdrpc: calls methods of gRPC servers from the command line. */
#include "client/cli/command.h"
#include "client/program/program.h"

#include <stdio.h>
#include <string.h>

struct subcommand {
    const char *name;
    const char *help;
    int (*run)(int argc, char **argv);
};

static const struct subcommand subcommands[] = {
        {"call", "Call a method: JSON in, JSON out.", amdi_command_call},
        {"cancel", "Ask an operation to stop.", amdi_command_cancel},
        {"delete", "Let the server forget an operation.", amdi_command_delete},
        {"describe", "Print services and messages as .proto text.",
                amdi_command_describe},
        {"get", "Print what is known of an operation.", amdi_command_get},
        {"list", "Print the services of a server, or a service's methods.",
                amdi_command_list},
        {"operations", "List the operations that a server keeps.",
                amdi_command_operations},
        {"submit", "Submit an operation: a call to come back to.",
                amdi_command_submit},
        {"wait", "Wait for an operation, and print its response.",
                amdi_command_wait},
        {"watch", "Follow an operation: messages and progress.",
                amdi_command_watch},
};

static void
print_help(void)
{
    (void)puts("Usage: amdrpc COMMAND [OPTION...] HOST:PORT ...\n\n"
               "Calls methods of gRPC servers.\n\nCommands:");
    for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
        (void)printf("  %-12s %s\n", subcommands[i].name, subcommands[i].help);
    }
    (void)puts("\nOptions:\n"
               "  --help       Print this; after a command, its help.\n"
               "  --version    Print the version.");
}

static int
run(int argc, char **argv)
{
    if (argc < 2) {
        amdi_program_error("COMMAND is missing (try --help)");
        return AMDI_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help();
        return AMDI_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)puts("amdrpc " AMDI_VERSION);
        return AMDI_EXIT_OK;
    }
    for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
        if (strcmp(argv[1], subcommands[i].name) == 0) {
            return subcommands[i].run(argc - 1, argv + 1);
        }
    }
    amdi_program_error("unknown command '%s' (try --help)", argv[1]);
    return AMDI_EXIT_USAGE;
}

int
main(int argc, char **argv)
{
    amdi_program_start("amdrpc");
    return amdi_program_finish(run(argc, argv));
}
