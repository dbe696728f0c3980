/** amdrpcd: a server of what its modules offer. */
#include "server/daemon/config.h"
#include "server/daemon/daemon.h"

#include <stdio.h>
#include <stdlib.h>

#define EXIT_USAGE 2

static int
run(struct amdi_config *config, char *const *args)
{
    if (amdi_config_load(config, args) != AMDRPC_OK) {
        fprintf(stderr, "amdrpcd: %s\n", config->error);
        return EXIT_USAGE;
    }
    switch (config->request) {
    case AMDI_CONFIG_HELP:
        amdi_settings_print_help(stdout);
        return EXIT_SUCCESS;
    case AMDI_CONFIG_VERSION:
        printf("amdrpcd %s\n", AMDI_VERSION);
        return EXIT_SUCCESS;
    case AMDI_CONFIG_RUN:
        return amdi_daemon_run(config);
    }
    return EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
    struct amdi_config config;
    int status;

    amdi_config_init(&config);
    status = run(&config, argv + (argc > 0));
    amdi_config_fini(&config);
    return status;
}
