/** The service with which a server describes itself, amdrpc.v1.Server. */
#ifndef AMDRPC_DESCRIBE_H
#define AMDRPC_DESCRIBE_H

#include <amdrpc/err.h>
#include <amdrpc/server.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Adds the service: clients learn each method's policy, and how many of its
 * calls wait and run.
 *
 * Thread:  setup
 * Errors:  AMDRPC_EEXIST
 *          AMDRPC_ENOMEM  the server can only be destroyed then
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_describe_add(amdrpc_server *server);

#ifdef __cplusplus
}
#endif

#endif
