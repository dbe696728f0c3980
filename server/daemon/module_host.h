/** The modules a daemon has loaded. */
#ifndef AMDI_MODULE_HOST_H
#define AMDI_MODULE_HOST_H

#include <amdrpc/server.h>

#include "server/daemon/config.h"

struct amdi_module;

/** Loaded modules, newest first; zero bytes: none. */
struct amdi_modules {
    struct amdi_module *newest; // owned
};

/**
 * Loads every module that the settings name and lets it add its services.
 *
 * Errors:  any; @config->error says what is wrong with which module
 */
AMDRPC_NODISCARD amdrpc_err amdi_modules_load(struct amdi_modules *modules,
        struct amdi_config *config, amdrpc_server *server);

/** Stops and unloads them; the server must have been destroyed. */
void amdi_modules_unload(struct amdi_modules *modules);

#endif
