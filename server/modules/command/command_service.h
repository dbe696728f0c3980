/**
 * The service whose methods are the commands, amdrpc.command.v1.Command, and
 * the one that lists them, amdrpc.command.v1.Catalog.
 */
#ifndef AMDI_COMMAND_SERVICE_H
#define AMDI_COMMAND_SERVICE_H

#include <amdrpc/server.h>

#include "server/modules/command/command_config.h"
#include "server/modules/command/command_starter.h"

#define AMDI_COMMAND_SERVICE "amdrpc.command.v1.Command"

struct amdi_command_service {
    const struct amdi_commands *commands; // borrowed
    struct amdi_command_starter *starter; // borrowed
    amdrpc_service_desc desc;
    struct amdi_arena arena; // what desc points to
    amdrpc_invoke_fn *invoke;
};

/**
 * Describes the service. @commands must be finished, and not change.
 *
 * Errors:  AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_command_service_init(
        struct amdi_command_service *service,
        const struct amdi_commands *commands,
        struct amdi_command_starter *starter);
void amdi_command_service_fini(struct amdi_command_service *service);

/**
 * Adds both services; @service must outlive the server. Errors as
 * amdrpc_server_add_service.
 */
AMDRPC_NODISCARD amdrpc_err amdi_command_service_add(
        struct amdi_command_service *service, amdrpc_server *server);

#endif
