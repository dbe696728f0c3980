/** The gRPC status of a call: what is sent to, and comes from, a peer. */
#ifndef AMDRPC_STATUS_H
#define AMDRPC_STATUS_H

#include <amdrpc/err.h>

#ifdef __cplusplus
extern "C" {
#endif

/** gRPC status codes (grpc/doc/statuscodes.md); the numbers are the wire's. */
typedef enum amdrpc_status_code {
    AMDRPC_STATUS_OK = 0,
    AMDRPC_STATUS_CANCELLED = 1,
    AMDRPC_STATUS_UNKNOWN = 2,
    AMDRPC_STATUS_INVALID_ARGUMENT = 3,
    AMDRPC_STATUS_DEADLINE_EXCEEDED = 4,
    AMDRPC_STATUS_NOT_FOUND = 5,
    AMDRPC_STATUS_ALREADY_EXISTS = 6,
    AMDRPC_STATUS_PERMISSION_DENIED = 7,
    AMDRPC_STATUS_RESOURCE_EXHAUSTED = 8,
    AMDRPC_STATUS_FAILED_PRECONDITION = 9,
    AMDRPC_STATUS_ABORTED = 10,
    AMDRPC_STATUS_OUT_OF_RANGE = 11,
    AMDRPC_STATUS_UNIMPLEMENTED = 12,
    AMDRPC_STATUS_INTERNAL = 13,
    AMDRPC_STATUS_UNAVAILABLE = 14,
    AMDRPC_STATUS_DATA_LOSS = 15,
    AMDRPC_STATUS_UNAUTHENTICATED = 16,
} amdrpc_status_code;

/**
 * Returns "NOT_FOUND"; "UNKNOWN" for a number that is no code.
 *
 * Thread:  any
 * @return  static
 */
const char *amdrpc_status_name(amdrpc_status_code code);

/**
 * The one conversion between the two vocabularies: the status that a failure
 * of this process becomes when it ends a call.
 *
 * Thread:  any
 */
amdrpc_status_code amdrpc_status_from_err(amdrpc_err err);

#ifdef __cplusplus
}
#endif

#endif
