/** A call being served: what its handler, the dispatcher and a sink share. */
#ifndef AMDI_CALL_H
#define AMDI_CALL_H

#include <amdrpc/call.h>

#include "common/arena.h"
#include "common/list.h"
#include "common/metadata.h"
#include "server/call_link.h"
#include "server/dispatch/admission.h"
#include "server/dispatch/queue.h"
#include "server/sink.h"
#include "server/unpack.h"

#include <stdatomic.h>

struct amdi_fd_wait;
struct amdi_message;
struct amdi_method;

/** What amdrpc_call_after asked for. */
struct amdi_call_after {
    uint64_t at_ms;
    amdrpc_call_fn fn; // NULL: nothing
    void *arg;
};

/** How messages are compressed. */
struct amdi_call_codec {
    // Set before the call is dispatched, then constant.
    uint32_t max_message_bytes; // of a request message once decompressed
    bool accepts_gzip;          // the client does

    // The handler's.
    bool was_compressed; // the request message that it got last
    bool is_on;          // compress the next response message

    // The handler's until the initial metadata leaves, then constant.
    bool is_announced; // grpc-encoding is among the headers
};

/**
 * Lies in its sink's object (server/stream/stream.h), which owns it and
 * outlives the handler's finish.
 */
struct amdrpc_call {
    // Set before the call is dispatched, then constant.
    const struct amdi_sink_ops *sink;
    struct amdi_method *method;
    const struct amdrpc_metadata *metadata; // what the client sent; borrowed
    const char *identity;                   // "" for none
    uint64_t deadline_at_ms;                // of amdi_clock

    // The loop's until the call is dispatched, then the handler's.
    struct amdi_arena arena;
    struct amdi_message *request;     // owned; NULL with a request stream
    struct amdrpc_metadata *initial;  // in the arena; NULL for none
    struct amdrpc_metadata *trailing; // in the arena; NULL for none
    struct amdi_unpack_limits unpack_limits; // of request messages
    const char *message;           // once finished; in the arena or static
    struct amdi_arena *recv_arena; // of the message last received
    bool has_fault; // a request could not be read: code and message are set

    atomic_bool is_cancelled; // any thread; here for its size

    struct amdi_call_codec codec;
    amdrpc_status_code code; // once finished; here for its size

    // The loop's until the call is dispatched, then its pool's, under its lock.
    struct amdi_queue_entry queue;
    uint64_t caller;           // whose turn it takes
    uint64_t waited_ns;        // for a worker
    enum amdi_refusal refusal; // once refused …
    uint32_t wait_ms;          // … and when to try again

    struct amdi_call_link link;

    // Set once by the handler, read by the loop when it has been told.
    const amdrpc_call_events *events;
    void *events_arg;
    struct amdi_call_after after;
    struct amdi_fd_wait *fd_wait; // in the arena; NULL before the first
};

/** Makes @call ready for a request. */
void amdi_call_init(struct amdrpc_call *call, const struct amdi_sink_ops *sink);

/** Frees what the call owns. */
void amdi_call_fini(struct amdrpc_call *call);

/**
 * Runs the call's handler in this thread. Afterwards @call must not be touched:
 * it may have been finished, or will be.
 */
void amdi_call_run(struct amdrpc_call *call);

/**
 * Adds trailing metadata of a name that users may not send; without memory it
 * is left out.
 */
void amdi_call_add_own_trailing(struct amdrpc_call *call, const char *name,
        const void *value, size_t value_len);

/**
 * Ends a call whose handler will not run because of call->refusal, and tells
 * its client when to try again.
 */
void amdi_call_refuse(struct amdrpc_call *call);

#endif
