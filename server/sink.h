/**
 * Where a call's answers go and where its requests come from. A handler, and
 * what public call functions do for it, never learns more than this.
 */
#ifndef AMDI_SINK_H
#define AMDI_SINK_H

#include <amdrpc/call.h>

#include <stddef.h>

struct amdi_message;

/** Thread: any, one at a time for a call, unless said otherwise. */
struct amdi_sink_ops {
    // One response message. Errors as amdrpc_call_send.
    amdrpc_err (*send)(amdrpc_call *call, const ProtobufCMessage *msg);
    // The call has ended with call->code and call->message; taken.
    void (*finish)(amdrpc_call *call);
    // A step of the work; false: stop.
    bool (*progress)(amdrpc_call *call, uint64_t done, uint64_t total);
    // The next request message, returned owned. Errors as amdrpc_call_recv.
    amdrpc_err (*recv)(amdrpc_call *call, struct amdi_message **out);
    // call->events, call->after and call->fd_wait were set.
    void (*set_events)(amdrpc_call *call);
    void (*set_after)(amdrpc_call *call);
    void (*set_fd_wait)(amdrpc_call *call);
    // The initial metadata may leave.
    void (*send_initial)(amdrpc_call *call);
    // Tells whether it has left.
    bool (*has_sent_initial)(const amdrpc_call *call);
    const char *(*get_peer)(const amdrpc_call *call);
};

#endif
