/** For how long, and how often, to ask a server that is away. */
#ifndef AMDI_PATIENCE_H
#define AMDI_PATIENCE_H

#include <amdrpc/status.h>

#include <stdbool.h>
#include <stdint.h>

// A restart takes seconds, a new machine minutes.
#define AMDI_PATIENCE_DEFAULT_MS (5 * 60 * 1000)

/** Failures in a row. */
struct amdi_patience {
    int64_t max_ms; // negative: for ever
    unsigned nfailures;
    uint64_t since_ms; // when the first of them was
};

/** @max_ms  0: the default; negative: for ever */
void amdi_patience_init(struct amdi_patience *patience, int64_t max_ms);

/** The server has answered. */
void amdi_patience_reset(struct amdi_patience *patience);

/**
 * Judges the end of a request that may safely be made again.
 *
 * @now_ms     of a monotonic clock
 * @out_delay  how long to wait; set when true
 * @return     whether to ask again
 */
bool amdi_patience_may_go_on(struct amdi_patience *patience,
        amdrpc_status_code status, uint64_t now_ms, uint64_t *out_delay_ms);

#endif
