/**
 * Whether a call may wait: its expected wait against its deadline. Pure; times
 * are the caller's.
 */
#ifndef AMDI_ADMISSION_H
#define AMDI_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

/** Why a call is refused, and what its client is told. */
enum amdi_refusal {
    AMDI_REFUSAL_NONE,
    AMDI_REFUSAL_FULL, // max_queued calls of the method wait
    AMDI_REFUSAL_LATE, // it would wait past its deadline
    AMDI_REFUSAL_SHED, // it has waited too long in an overloaded queue
};

#define AMDI_NREFUSALS (AMDI_REFUSAL_SHED + 1)

/** What stands between a call and a worker. */
struct amdi_load {
    uint64_t nahead;     // calls that go before it
    uint64_t service_ns; // how long one keeps its worker, of late
    uint32_t nworkers;   // that serve them
    bool has_idle;       // a worker waits for work
};

/** How long the call will wait, as far as one can tell. */
uint64_t amdi_load_wait_ns(const struct amdi_load *load);

/** When to try again, for one that would have to wait @wait_ns. */
uint32_t amdi_retry_after_ms(uint64_t wait_ns);

/** The workers that a method gets when @nlanes of a pool want @nworkers. */
uint32_t amdi_worker_share(
        uint32_t nworkers, uint64_t nlanes, uint32_t max_running);

#endif
