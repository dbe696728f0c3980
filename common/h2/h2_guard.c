/** What a peer may do only so often: budgets that refill with time. */
#include "common/h2/h2_guard.h"

struct rate {
    uint32_t burst;
    uint32_t per_second;
};

// A client that cancels hundreds of calls at once is legitimate, one that goes
// on doing so is not. A correct peer makes no faults, sends a PING a minute,
// SETTINGS once, and hardly an empty frame but to end a stream. WINDOW_UPDATEs
// come with what we send, which earns them (amdi_h2_guard_earn).
static const struct rate rates[AMDI_H2_NGUARDS] = {
        [AMDI_H2_GUARD_RESET] = {.burst = 500, .per_second = 100},
        [AMDI_H2_GUARD_FAULT] = {.burst = 100, .per_second = 10},
        [AMDI_H2_GUARD_PING] = {.burst = 100, .per_second = 10},
        [AMDI_H2_GUARD_SETTINGS] = {.burst = 20, .per_second = 2},
        [AMDI_H2_GUARD_EMPTY] = {.burst = 32, .per_second = 10},
        [AMDI_H2_GUARD_BOOKKEEPING] = {.burst = 10000, .per_second = 1000},
};

bool
amdi_h2_guard_take(
        struct amdi_h2_guard *guard, enum amdi_h2_guarded what, uint64_t now_ms)
{
    const struct rate *rate = &rates[what];
    uint64_t earned = 0;

    if (!guard->budgets[what].is_used) {
        guard->budgets[what].is_used = true;
        guard->budgets[what].left = rate->burst;
        guard->budgets[what].at_ms = now_ms;
    }
    earned = (now_ms - guard->budgets[what].at_ms) * rate->per_second / 1000;
    if (earned > 0) {
        uint64_t left = guard->budgets[what].left + earned;

        guard->budgets[what].left =
                left < rate->burst ? (uint32_t)left : rate->burst;
        guard->budgets[what].at_ms = now_ms;
    }
    if (guard->budgets[what].left == 0) {
        return false;
    }
    guard->budgets[what].left--;
    return true;
}

void
amdi_h2_guard_earn(struct amdi_h2_guard *guard, uint32_t n)
{
    const uint32_t burst = rates[AMDI_H2_GUARD_BOOKKEEPING].burst;
    uint32_t left = guard->budgets[AMDI_H2_GUARD_BOOKKEEPING].left;

    if (guard->budgets[AMDI_H2_GUARD_BOOKKEEPING].is_used) {
        guard->budgets[AMDI_H2_GUARD_BOOKKEEPING].left =
                left + n < burst ? left + n : burst;
    }
}
