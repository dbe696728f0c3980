/** The service that tells of calls and connections, grpc.channelz.v1. */
#ifndef AMDRPC_CHANNELZ_H
#define AMDRPC_CHANNELZ_H

#include <amdrpc/err.h>
#include <amdrpc/server.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Adds the service: clients learn how many calls the server has had, where it
 * listens, and of each connection who is there and what was sent. Other
 * servers of the process are not told of, nor are channels.
 *
 * Thread:  setup
 * Errors:  AMDRPC_EEXIST
 *          AMDRPC_ENOMEM  the server can only be destroyed then
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_channelz_add(amdrpc_server *server);

#ifdef __cplusplus
}
#endif

#endif
