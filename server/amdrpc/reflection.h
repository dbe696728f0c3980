/** Server reflection, grpc.reflection.v1 and v1alpha. */
#ifndef AMDRPC_REFLECTION_H
#define AMDRPC_REFLECTION_H

#include <amdrpc/err.h>
#include <amdrpc/server.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Tells clients which services a server has and how their files look. */
typedef struct amdrpc_reflection amdrpc_reflection;

/**
 * Adds the two reflection services and reads the descriptors of all services
 * that the server has; so it is called after all others were added.
 *
 * Thread:  setup
 * @out     returned owned; outlives the server
 * Errors:  AMDRPC_EEXIST
 *          AMDRPC_EINVAL  a service's embedded descriptors are damaged
 *          AMDRPC_ENOMEM
 *          After both of the latter the server can only be destroyed.
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_reflection_create(
        amdrpc_server *server, amdrpc_reflection **out);

/** Frees it; to be called after amdrpc_server_destroy. NULL is accepted. */
void amdrpc_reflection_destroy(amdrpc_reflection *reflection);

#ifdef __cplusplus
}
#endif

#endif
