/** What a peer may do only so often, and the limits that say how often. */
#include "common/h2/h2_guard.h"

// A stream that lives shorter is one that nobody waited for.
#define EARLY_MS 1000u

// WINDOW_UPDATEs that a connection may begin with.
#define FIRST_WINDOW_UPDATES 5u

// A client that cancels hundreds of calls at once is legitimate, one that goes
// on doing so is not. A correct peer makes no faults, sends a PING a minute,
// SETTINGS once, and hardly an empty frame but to end a stream. WINDOW_UPDATEs
// answer what we send; PRIORITY belongs to streams.
const struct amdi_h2_limits amdi_h2_default_limits = {
        .rates =
                {
                        [AMDI_H2_GUARD_RESET] = {.burst = 500,
                                .per_second = 100},
                        [AMDI_H2_GUARD_FAULT] = {.burst = 100,
                                .per_second = 10},
                        [AMDI_H2_GUARD_PING] = {.burst = 100, .per_second = 10},
                        [AMDI_H2_GUARD_SETTINGS] = {.burst = 20,
                                .per_second = 2},
                        [AMDI_H2_GUARD_STRAY] = {.burst = 10000,
                                .per_second = 1000},
                },
        .max_empty_frames = 32,
        .early_reset_streams = 500,
        .priorities_per_stream = 100,
        .window_updates_per_frame = 10,
        .max_settings = 32,
        .max_continuations = 8,
        .header_table_bytes = 4096,
};

bool
amdi_h2_guard_take(
        struct amdi_h2_guard *guard, enum amdi_h2_guarded what, uint64_t now_ms)
{
    const struct amdi_h2_rate *rate = &guard->limits->rates[what];
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

bool
amdi_h2_guard_content(struct amdi_h2_guard *guard, bool is_empty)
{
    guard->nempty = is_empty ? guard->nempty + 1 : 0;
    return guard->nempty <= guard->limits->max_empty_frames;
}

bool
amdi_h2_guard_reset(struct amdi_h2_guard *guard, uint64_t age_ms)
{
    guard->nearly_reset += age_ms < EARLY_MS;
    return guard->nstreams < guard->limits->early_reset_streams ||
            2 * guard->nearly_reset <= guard->nstreams;
}

bool
amdi_h2_guard_priority(struct amdi_h2_guard *guard)
{
    guard->npriorities++;
    return guard->npriorities <=
            guard->limits->priorities_per_stream * (guard->nstreams + 1);
}

bool
amdi_h2_guard_window_update(struct amdi_h2_guard *guard)
{
    guard->nwindow_updates++;
    return guard->nwindow_updates <= FIRST_WINDOW_UPDATES +
            2 *
                    (guard->nstreams +
                            guard->limits->window_updates_per_frame *
                                    guard->ndata_sent);
}
