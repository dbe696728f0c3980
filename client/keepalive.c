/** Sends PINGs on a quiet connection. */
#include "client/keepalive.h"

#include "common/assertion.h"

static void keepalive_on_timer(struct amdi_timer *timer);

static bool
keepalive_may_enter(
        enum amdi_keepalive_state state, enum amdi_keepalive_state next)
{
    return state != KEEPALIVE_OFF || next != KEEPALIVE_PINGING;
}

/** Changes the state and sets the timer for what it waits for. */
static void
keepalive_set_state(struct amdi_keepalive *keepalive,
        enum amdi_keepalive_state next, uint64_t until_ms)
{
    amdi_assert(keepalive_may_enter(keepalive->state, next));
    keepalive->state = next;
    if (next == KEEPALIVE_OFF) {
        amdi_timer_stop(&keepalive->timer);
    } else {
        amdi_timer_start(keepalive->loop, &keepalive->timer, until_ms,
                keepalive_on_timer);
    }
}

/** The interval is over: it may have been quiet for a part of it only. */
static void
keepalive_look(struct amdi_keepalive *keepalive, uint64_t now_ms)
{
    const struct amdi_keepalive_options *options = &keepalive->options;
    uint64_t quiet_until_ms = keepalive->read_at_ms + options->interval_ms;

    if (quiet_until_ms > now_ms) {
        keepalive_set_state(keepalive, KEEPALIVE_QUIET, quiet_until_ms);
    } else if (!options->without_calls &&
            !keepalive->events->has_calls(keepalive->ctx)) {
        keepalive_set_state(
                keepalive, KEEPALIVE_QUIET, now_ms + options->interval_ms);
    } else {
        keepalive_set_state(
                keepalive, KEEPALIVE_PINGING, now_ms + options->timeout_ms);
        keepalive->events->on_ping(keepalive->ctx);
    }
}

static void
keepalive_on_timer(struct amdi_timer *timer)
{
    struct amdi_keepalive *keepalive =
            AMDI_CONTAINER_OF(timer, struct amdi_keepalive, timer);

    switch (keepalive->state) {
    case KEEPALIVE_QUIET:
        keepalive_look(keepalive, amdi_loop_now_ms(keepalive->loop));
        return;
    case KEEPALIVE_PINGING:
        keepalive_set_state(keepalive, KEEPALIVE_OFF, 0);
        keepalive->events->on_dead(keepalive->ctx);
        return;
    case KEEPALIVE_OFF:
        return; // the timer is stopped
    }
}

void
amdi_keepalive_start(struct amdi_keepalive *keepalive, struct amdi_loop *loop,
        const struct amdi_keepalive_options *options,
        const struct amdi_keepalive_events *events, void *ctx)
{
    *keepalive = (struct amdi_keepalive){
            .loop = loop, .events = events, .ctx = ctx, .options = *options};
    if (options->interval_ms > 0) {
        keepalive->read_at_ms = amdi_loop_now_ms(loop);
        keepalive_set_state(keepalive, KEEPALIVE_QUIET,
                keepalive->read_at_ms + options->interval_ms);
    }
}

void
amdi_keepalive_stop(struct amdi_keepalive *keepalive)
{
    if (keepalive->state != KEEPALIVE_OFF) {
        keepalive_set_state(keepalive, KEEPALIVE_OFF, 0);
    }
}

void
amdi_keepalive_on_read(struct amdi_keepalive *keepalive)
{
    if (keepalive->state == KEEPALIVE_OFF) {
        return;
    }
    keepalive->read_at_ms = amdi_loop_now_ms(keepalive->loop);
    // Any byte shows that the server is there, not only the PING's answer.
    if (keepalive->state == KEEPALIVE_PINGING) {
        keepalive_set_state(keepalive, KEEPALIVE_QUIET,
                keepalive->read_at_ms + keepalive->options.interval_ms);
    }
}

uint32_t
amdi_keepalive_longer_ms(uint32_t interval_ms)
{
    return interval_ms > AMDI_KEEPALIVE_MAX_MS / 2 ? AMDI_KEEPALIVE_MAX_MS
                                                   : interval_ms * 2;
}
