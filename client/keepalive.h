/**
 * A client's PINGs on a quiet connection (gRPC, keepalive.md): they show in
 * time that nobody is at the other end.
 */
#ifndef AMDI_KEEPALIVE_H
#define AMDI_KEEPALIVE_H

#include "common/loop.h"

#include <stdbool.h>
#include <stdint.h>

// Servers take more PINGs than this for an attack.
#define AMDI_KEEPALIVE_MIN_MS 10000u
// Doubling ends here: it is as good as off.
#define AMDI_KEEPALIVE_MAX_MS 86400000u

enum amdi_keepalive_state {
    KEEPALIVE_OFF,     // not begun, or not wanted
    KEEPALIVE_QUIET,   // waits until nothing has been read for the interval
    KEEPALIVE_PINGING, // a PING is under way; waits for any byte
};

/** What it asks of its connection. */
struct amdi_keepalive_events {
    bool (*has_calls)(void *ctx);
    void (*on_ping)(void *ctx); // send a PING
    void (*on_dead)(void *ctx); // no byte came in time; nothing follows
};

struct amdi_keepalive_options {
    uint32_t interval_ms; // 0: off
    uint32_t timeout_ms;
    bool without_calls;
};

/** All on the loop thread. A zeroed one is off. */
struct amdi_keepalive {
    struct amdi_loop *loop;
    const struct amdi_keepalive_events *events;
    void *ctx;
    struct amdi_keepalive_options options;
    enum amdi_keepalive_state state;
    uint64_t read_at_ms; // when the last byte came
    struct amdi_timer timer;
};

/** The connection is open. With an interval of 0 nothing ever happens. */
void amdi_keepalive_start(struct amdi_keepalive *keepalive,
        struct amdi_loop *loop, const struct amdi_keepalive_options *options,
        const struct amdi_keepalive_events *events, void *ctx);

/** Harmless when it is off. */
void amdi_keepalive_stop(struct amdi_keepalive *keepalive);

/** Bytes came. */
void amdi_keepalive_on_read(struct amdi_keepalive *keepalive);

/** The interval after a server's `too_many_pings`: twice as long. */
uint32_t amdi_keepalive_longer_ms(uint32_t interval_ms);

#endif
