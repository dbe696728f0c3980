/**
 * Where a call's answers go and where its requests come from. A handler, and
 * what public call functions do for it, never learns more than this.
 */
#ifndef AMDI_SINK_H
#define AMDI_SINK_H

#include <amdrpc/call.h>

#include <stddef.h>

struct amdi_loop;
struct amdi_message;
struct amdi_timer;

/** What a call is an attempt of. */
struct amdi_call_attempt {
    const char *operation; // its name; "" for none
    uint32_t number;       // 1, 2, …
    uint64_t ndelivered;   // messages that earlier attempts delivered
};

struct amdi_sink_ops {
    /* The handler's side. Thread: any, one at a time for a call. */

    // One response message. Errors as amdrpc_call_send.
    amdrpc_err (*send)(amdrpc_call *call, const ProtobufCMessage *msg);
    // The call has ended with call->code and call->message; taken.
    void (*finish)(amdrpc_call *call);
    // A step of the work; false: stop. @note: NULL for none.
    bool (*progress)(
            amdrpc_call *call, uint64_t done, uint64_t total, const char *note);
    // The next request message, returned owned. Errors as amdrpc_call_recv.
    amdrpc_err (*recv)(amdrpc_call *call, struct amdi_message **out);
    // The initial metadata may leave.
    void (*send_initial)(amdrpc_call *call);
    // Tells whether it has left.
    bool (*has_sent_initial)(const amdrpc_call *call);
    const char *(*get_peer)(const amdrpc_call *call);
    // What it is an attempt of; NULL: of nothing, this is all there is.
    void (*get_attempt)(const amdrpc_call *call, struct amdi_call_attempt *out);
    // The loop that owns the call; always the same.
    struct amdi_loop *(*get_loop)(const amdrpc_call *call);

    /* The loop's side, for server/call_link.c. */

    // Bits from AMDI_CALL_EV_SINK on; others among them are not its own.
    void (*handle)(amdrpc_call *call, unsigned events);
    // The handler has finished the call.
    void (*on_finish)(amdrpc_call *call);
    // Tells whether a handler has the call, as far as the loop knows.
    bool (*is_out)(const amdrpc_call *call);
    // Tells whether a request message, or their end, can be received.
    bool (*is_readable)(const amdrpc_call *call);
    // What amdrpc_call_after uses, and what its expiry calls: for
    // amdi_call_run_after.
    struct amdi_timer *(*get_timer)(amdrpc_call *call);
    void (*on_timer)(struct amdi_timer *timer);
    // The callbacks of this moment are over: the call may be let go.
    void (*settle)(amdrpc_call *call);
};

#endif
