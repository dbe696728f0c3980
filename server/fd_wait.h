/** What amdrpc_call_wait_fd asked for. Lies in the call's arena. */
#ifndef AMDI_FD_WAIT_H
#define AMDI_FD_WAIT_H

#include <amdrpc/call.h>

#include <event2/event_struct.h>

#include <stdbool.h>
#include <stdint.h>

struct amdi_fd_wait {
    // The handler's, until the sink is told.
    int fd;
    unsigned events;
    int64_t timeout_ms;
    amdrpc_call_fd_fn fn;
    void *arg;

    bool is_waiting; // from then until fn is called

    // The loop's.
    bool is_cancel_told; // fn has heard of it: later waits do not again
    struct event event;  // zeroed until it was first used
};

#endif
