/**
 * An open loop: callers that send at a fixed rate, whatever becomes of the
 * calls, as people and machines out there do.
 */
#ifndef AMDI_PACE_H
#define AMDI_PACE_H

#include <amdrpc/client.h>

#include "client/bench/load.h"
#include "common/histogram.h"

#define AMDI_PACE_CALLERS_MAX 64

/** Who calls what, and how often. */
struct amdi_pace_plan {
    const char *target;
    // Calls for each second of each caller, who has a connection of its own.
    double rates[AMDI_PACE_CALLERS_MAX];
    size_t ncallers;
    uint64_t timeout_ms; // of each call, so that those that wait are bounded
    const amdrpc_method_desc *method; // unary
    const void *request;              // borrowed; serialized
    size_t request_len;
    uint64_t warmup_ms;
    uint64_t duration_ms;
    // Also calls that end after the measured time: for who judges what becomes
    // of each call, not rates.
    bool counts_all;
};

/** What one caller saw in the measured time. */
struct amdi_pace_result {
    struct amdi_histogram latency_ns;  // of calls that ended OK, since due
    uint64_t noffered;                 // calls that were due
    uint64_t calls[AMDI_STATUS_COUNT]; // calls that ended, by status
    uint64_t npushbacks; // refused calls that said when to try again
};

/**
 * Runs it to the end of its last call.
 *
 * @results  one for each caller
 * Errors:   AMDRPC_ENOMEM, AMDRPC_EINVAL (the target), AMDRPC_EIO
 */
AMDRPC_NODISCARD amdrpc_err amdi_pace_run(
        const struct amdi_pace_plan *plan, struct amdi_pace_result *results);

#endif
