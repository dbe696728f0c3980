/**
 * Whether a call may wait: its expected wait against its deadline, and CoDel
 * for calls that have waited. Pure; times are the caller's.
 */
#ifndef AMDI_ADMISSION_H
#define AMDI_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

// A queue is overloaded after an interval in which nearly all calls waited for
// longer than the target, until after one in which half did not. Meanwhile
// calls that waited for twice the target are shed.
#define AMDI_CODEL_TARGET_NS (UINT64_C(50) * 1000000)
#define AMDI_CODEL_INTERVAL_NS (UINT64_C(500) * 1000000)

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

/**
 * CoDel as it suits requests in a fair queue: instead of dropping at a growing
 * rate, everything that waited for too long is dropped while the queue is
 * overloaded, since a request, unlike a packet, is worth nothing once its
 * client has given up. And it is not the shortest wait that counts but the
 * usual one: who has little in a fair queue waits shortly, however long it is.
 */
struct amdi_codel {
    uint64_t interval_ends_at_ns; // 0: none began
    uint32_t ncalls;              // of this interval
    uint32_t nlong;               // that waited for longer than the target
    bool is_overloaded;           // by the last interval
};

/** Tells whether to shed a call that leaves the queue at @now_ns. */
bool amdi_codel_sheds(
        struct amdi_codel *codel, uint64_t wait_ns, uint64_t now_ns);

#endif
