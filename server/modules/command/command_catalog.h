/** The service that lists the commands, amdrpc.command.v1.Catalog. */
#ifndef AMDI_COMMAND_CATALOG_H
#define AMDI_COMMAND_CATALOG_H

#include <amdrpc/server.h>

#include "server/modules/command/command_config.h"

/**
 * Adds the service; @commands must outlive the server. Errors as
 * amdrpc_server_add_service.
 */
AMDRPC_NODISCARD amdrpc_err amdi_command_catalog_add(
        const struct amdi_commands *commands, amdrpc_server *server);

#endif
