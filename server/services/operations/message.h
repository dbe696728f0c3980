/** Operations and their events as clients see them. Pure. */
#ifndef AMDI_OPERATIONS_MESSAGE_H
#define AMDI_OPERATIONS_MESSAGE_H

#include "amdrpc/v1/operations.pb-c.h"
#include "common/arena.h"
#include "google/longrunning/operations.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "server/store/store.h"

/** When a queued operation's turn comes, as far as one can tell. */
struct amdi_op_estimate {
    uint64_t position;
    int64_t expected_start_us; // 0: unknown
};

// All return a message in @arena, or NULL without memory.

/** An operation. @estimate: NULL for none. */
Google__Longrunning__Operation *amdi_op_message_create(const struct amdi_op *op,
        const struct amdi_op_estimate *estimate, struct amdi_arena *arena);

/** How an operation ended; a sentence of ours where the store ended it. */
Google__Rpc__Status *amdi_op_status_create(
        const struct amdi_op *op, struct amdi_arena *arena);

/** An event; of its end only what is not the operation. */
Amdrpc__V1__WatchResponse *amdi_op_event_create(
        const struct amdi_event *event, struct amdi_arena *arena);

/** The message of the method's answer in an event or a result. */
Google__Protobuf__Any *amdi_op_answer_create(
        struct amdi_bytes data, struct amdi_arena *arena);

#endif
