/** What a peer may do only so often, and the limits that say how often. Pure.
 */
#ifndef AMDI_H2_GUARD_H
#define AMDI_H2_GUARD_H

#include <stdbool.h>
#include <stdint.h>

/** Each is something that costs the peer little and us more. */
enum amdi_h2_guarded {
    AMDI_H2_GUARD_RESET,    // RST_STREAM (CVE-2023-44487), refused streams
    AMDI_H2_GUARD_FAULT,    // its faults that we reset (CVE-2025-8671)
    AMDI_H2_GUARD_PING,     // PING (CVE-2019-9512)
    AMDI_H2_GUARD_SETTINGS, // SETTINGS (CVE-2019-9515)
    AMDI_H2_GUARD_STRAY,    // what is read for nothing: unknown frames, …
    AMDI_H2_NGUARDS,
};

/** So many at once, and then as many a second. */
struct amdi_h2_rate {
    uint32_t burst;
    uint32_t per_second;
};

/** Constant for the life of the sessions that use it. */
struct amdi_h2_limits {
    struct amdi_h2_rate rates[AMDI_H2_NGUARDS];
    uint32_t max_empty_frames;    // in a row, without an end (CVE-2019-9518)
    uint32_t early_reset_streams; // from so many streams on, most of them must
                                  // not be reset within a second
    uint32_t priorities_per_stream;    // PRIORITY (CVE-2019-9513)
    uint32_t window_updates_per_frame; // of DATA that we send (CVE-2019-9517)
    uint32_t max_settings;             // in one frame
    uint32_t max_continuations;        // of one header block (CVE-2024-28182)
    uint32_t header_table_bytes;       // of HPACK, that the peer may fill
};

extern const struct amdi_h2_limits amdi_h2_default_limits;

/** Counts over a connection's life, but for the budgets. */
struct amdi_h2_guard {
    const struct amdi_h2_limits *limits; // borrowed
    struct {
        uint64_t at_ms; // when `left` was right
        uint32_t left;
        bool is_used;
    } budgets[AMDI_H2_NGUARDS];
    uint64_t nstreams; // opened, by either side
    uint64_t nearly_reset;
    uint64_t npriorities;
    uint64_t nwindow_updates;
    uint64_t ndata_sent; // frames
    uint32_t nempty;     // in a row
};

/** Takes one of a budget that refills with time; @now_ms of any monotonic
 * clock. This and the others return false when it is used up: then the peer is
 * told to calm down.
 */
bool amdi_h2_guard_take(struct amdi_h2_guard *guard, enum amdi_h2_guarded what,
        uint64_t now_ms);

/** A frame of a request came; @is_empty: it carried nothing, and no end. */
bool amdi_h2_guard_content(struct amdi_h2_guard *guard, bool is_empty);

/** The peer reset a stream that it had opened @age_ms ago. */
bool amdi_h2_guard_reset(struct amdi_h2_guard *guard, uint64_t age_ms);

bool amdi_h2_guard_priority(struct amdi_h2_guard *guard);
bool amdi_h2_guard_window_update(struct amdi_h2_guard *guard);

#endif
