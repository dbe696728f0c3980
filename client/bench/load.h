/**
 * A closed loop: so many calls are always going on; when one ends, the next
 * begins at once, on the loop thread of its channel.
 */
#ifndef AMDI_LOAD_H
#define AMDI_LOAD_H

#include <amdrpc/client.h>

#include "common/histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AMDI_STATUS_COUNT 17

/** What to call, and how often at a time. */
struct amdi_load_plan {
    const char *target;
    uint32_t threads;     // channels, each with a thread of its own
    uint32_t connections; // of all channels together
    uint32_t inflight;    // calls of each connection
    uint64_t timeout_ms;  // of each call; 0 for none
    const amdrpc_method_desc *method;
    const void *request; // borrowed; the serialized message of every call
    size_t request_len;
    // In place of the request: sends the message of one call. Any thread.
    amdrpc_err (*send)(amdrpc_client_call *call, const void *arg);
    const void *send_arg;            // borrowed
    const amdrpc_metadata *metadata; // of every call; borrowed; NULL: none
    bool once;                       // no call follows the one that ended
};

/** What came of it, in the measured time. */
struct amdi_load_result {
    struct amdi_histogram latency_ns;  // of calls that ended OK
    uint64_t calls[AMDI_STATUS_COUNT]; // that ended, by status
    uint64_t messages;                 // responses
    uint64_t bytes;                    // of the responses' payloads
    uint64_t elapsed_ns;
};

/** A load that goes on. */
struct amdi_load;

/**
 * Connects and starts every call.
 *
 * @plan    copied; what it borrows stays until destroy
 * @out     returned owned
 * Errors:  AMDRPC_ENOMEM, AMDRPC_EINVAL (the target), AMDRPC_EIO
 */
AMDRPC_NODISCARD amdrpc_err amdi_load_create(
        const struct amdi_load_plan *plan, struct amdi_load **out);

/**
 * Waits. Calls that found no server begin again here, at a bounded rate, so
 * it is to be called again and again for as long as the load shall go on.
 */
void amdi_load_run(struct amdi_load *load, uint64_t ms);

/** Begins to count what ends from now on, or stops to; once each. */
void amdi_load_measure(struct amdi_load *load, bool is_on);

/** Begins no more calls, and waits up to @timeout_ms for those that go on. */
void amdi_load_drain(struct amdi_load *load, uint64_t timeout_ms);

/** How many calls go on now. Thread: any. */
uint64_t amdi_load_count_active(const struct amdi_load *load);

/** Cancels what goes on, waits for its end, and adds up what was counted. */
void amdi_load_stop(struct amdi_load *load, struct amdi_load_result *out);

/** Frees it; after stop. NULL is accepted. */
void amdi_load_destroy(struct amdi_load *load);

/** Calls that ended with any status. */
uint64_t amdi_load_result_calls(const struct amdi_load_result *result);

#endif
