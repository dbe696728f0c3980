/** What a peer may do only so often: budgets that refill with time. Pure. */
#ifndef AMDI_H2_GUARD_H
#define AMDI_H2_GUARD_H

#include <stdbool.h>
#include <stdint.h>

/** Each is something that costs the peer little and us more. */
enum amdi_h2_guarded {
    AMDI_H2_GUARD_RESET,       // RST_STREAM (CVE-2023-44487), refused streams
    AMDI_H2_GUARD_FAULT,       // its faults that we reset (CVE-2025-8671)
    AMDI_H2_GUARD_PING,        // PING (CVE-2019-9512)
    AMDI_H2_GUARD_SETTINGS,    // SETTINGS (CVE-2019-9515)
    AMDI_H2_GUARD_EMPTY,       // frames that carry nothing (CVE-2019-9518)
    AMDI_H2_GUARD_BOOKKEEPING, // what is done for nothing: PRIORITY, …
    AMDI_H2_NGUARDS,
};

struct amdi_h2_guard {
    struct {
        uint64_t at_ms; // when `left` was right
        uint32_t left;
        bool is_used;
    } budgets[AMDI_H2_NGUARDS];
};

/**
 * Takes one of a budget; false when it is used up: the peer is told to calm
 * down. @now_ms of any monotonic clock.
 */
bool amdi_h2_guard_take(struct amdi_h2_guard *guard, enum amdi_h2_guarded what,
        uint64_t now_ms);

/** The peer did something useful; gives back some of the bookkeeping. */
void amdi_h2_guard_earn(struct amdi_h2_guard *guard, uint32_t n);

#endif
