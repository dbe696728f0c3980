/** What the settings say about listeners, callers and their rights. */
#ifndef AMDI_DAEMON_SECURITY_H
#define AMDI_DAEMON_SECURITY_H

#include <amdrpc/server.h>

#include "server/daemon/config.h"

#include <stdint.h>

/**
 * Opens every listener.
 *
 * @ports   one for each; written
 * Errors:  any; @config->error says what is wrong
 */
AMDRPC_NODISCARD amdrpc_err amdi_security_listen(
        struct amdi_config *config, amdrpc_server *server, uint16_t *ports);

/** Reads the tokens and sets the rules; once all services are there. */
AMDRPC_NODISCARD amdrpc_err amdi_security_set_callers(
        struct amdi_config *config, amdrpc_server *server);

#endif
