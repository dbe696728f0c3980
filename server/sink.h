/**
 * Where a call's answers go and where its requests come from. A handler, and
 * what public call functions do for it, never learns more than this.
 */
#ifndef AMDI_SINK_H
#define AMDI_SINK_H

#include <amdrpc/call.h>

#include <stddef.h>

struct amdi_call_owner_ops;
struct amdi_message;

/** What a call is an attempt of. */
struct amdi_call_attempt {
    const char *operation; // its name; "" for none
    uint32_t number;       // 1, 2, …
    uint64_t ndelivered;   // messages that earlier attempts delivered
};

/** Thread: any, one at a time for a call. */
struct amdi_sink_ops {
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
    const struct amdi_call_owner_ops *owner;
};

#endif
