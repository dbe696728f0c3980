/**
 * What programs read about our own errors: google.rpc.Status with ErrorInfo, as
 * grpc-status-details-bin.
 */
#ifndef AMDI_DETAILS_H
#define AMDI_DETAILS_H

#include <amdrpc/status.h>

#include "common/arena.h"

#include <protobuf-c/protobuf-c.h>

#include <stdbool.h>
#include <stdint.h>

struct amdrpc_call;

#define AMDI_DETAILS_FIELD "grpc-status-details-bin"

/** One error: our own, or a handler's. */
struct amdi_details {
    amdrpc_status_code code;
    const char *message; // NULL for none
    const char *reason;  // UPPER_SNAKE; NULL: what the code alone tells
    const char *domain;  // NULL: our own
    // Names and values by turns, ending with NULL; NULL for none.
    const char *const *facts;
    bool has_retry; // trying again makes sense, after retry_ms
    uint32_t retry_ms;
};

/**
 * Packs them.
 *
 * @out     borrowed from @arena
 * @return  false without memory: the status goes without them
 */
bool amdi_details_pack(const struct amdi_details *details,
        struct amdi_arena *arena, ProtobufCBinaryData *out);

/**
 * Adds them to the call's trailers, if there is memory, and when to try again
 * also as grpc-retry-pushback-ms.
 */
void amdi_details_add(
        const struct amdi_details *details, struct amdrpc_call *call);

#endif
