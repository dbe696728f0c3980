/** The standard health service of gRPC, grpc.health.v1.Health. */
#ifndef AMDRPC_HEALTH_H
#define AMDRPC_HEALTH_H

#include <amdrpc/err.h>
#include <amdrpc/server.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Says of a server, and of each of its services, that it is serving. */
typedef struct amdrpc_health amdrpc_health;

/**
 * Adds the service. Everything is SERVING until the server begins to drain;
 * then watches are told NOT_SERVING and ended with UNAVAILABLE.
 *
 * Thread:  setup
 * @out     returned owned; outlives the server
 * Errors:  AMDRPC_EEXIST
 *          AMDRPC_ENOMEM  the server can only be destroyed then
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_health_create(
        amdrpc_server *server, amdrpc_health **out);

/** Frees it; to be called after amdrpc_server_destroy. NULL is accepted. */
void amdrpc_health_destroy(amdrpc_health *health);

#ifdef __cplusplus
}
#endif

#endif
