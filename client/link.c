/** Keeps one connection of a channel up. */
#include "client/link.h"

#include "client/backoff.h"
#include "client/channel.h"
#include "client/client_conn.h"
#include "client/resolver.h"
#include "common/assertion.h"
#include "common/log.h"

#include <stdio.h>

// A connection that is lost before it answered a call may be begun again at
// once so often; a server that accepts and hangs up must not keep us busy.
#define LINK_FREE_FAILURES 2u

static void link_on_timer(struct amdi_timer *timer);
static void link_try_next(struct amdi_link *link);

static bool
link_may_enter(enum amdi_link_state state, enum amdi_link_state next)
{
    switch (state) {
    case LINK_IDLE:
        return next == LINK_LOOKING_UP || next == LINK_CONNECTING ||
                next == LINK_BACKOFF;
    case LINK_LOOKING_UP:
        return next != LINK_READY;
    case LINK_CONNECTING:
        return next != LINK_LOOKING_UP;
    case LINK_READY:
        return next == LINK_IDLE || next == LINK_BACKOFF;
    case LINK_BACKOFF:
        return next == LINK_IDLE;
    }
    return false;
}

/** Changes the state and counts the links that are ready. */
static void
link_set_state(struct amdi_link *link, enum amdi_link_state next)
{
    amdi_assert(link_may_enter(link->state, next));
    if (link->state == LINK_READY) {
        link->channel->nready--;
    }
    if (next == LINK_READY) {
        link->channel->nready++;
    }
    if (next == LINK_READY || next == LINK_IDLE) {
        amdi_timer_stop(&link->timer);
    }
    link->state = next;
}

void
amdi_link_init(struct amdi_link *link, struct amdrpc_channel *channel)
{
    link->channel = channel;
    link->state = LINK_IDLE;
    link->addresses = channel->target.addresses;
}

static void
link_start_timer(struct amdi_link *link, uint64_t ms)
{
    struct amdi_loop *loop = link->channel->loop;

    amdi_timer_start(
            loop, &link->timer, amdi_loop_now_ms(loop) + ms, link_on_timer);
}

/** Waits before the next attempt; calls that do not want to wait fail. */
static void
link_back_off(struct amdi_link *link)
{
    link_set_state(link, LINK_BACKOFF);
    link_start_timer(
            link, amdi_backoff_ms(link->nfailures, amdi_backoff_random()));
    amdi_channel_serve(link->channel);
}

static void
link_fail(struct amdi_link *link, const char *reason)
{
    (void)snprintf(link->reason, sizeof(link->reason),
            "cannot connect to %s: %s", link->channel->target.authority,
            reason); // cut when too long
    amdi_log_info("", "channel-connect-failed", "target=%s reason=\"%s\"",
            link->channel->target.authority, reason);
    link->nfailures++;
    link_back_off(link);
}

static void
link_on_found(
        void *ctx, const struct amdi_addresses *addresses, const char *reason)
{
    struct amdi_link *link = ctx;

    link->is_looking_up = false;
    // The attempt may have been given up meanwhile, and even begun again: then
    // this is its answer all the same.
    if (link->state == LINK_LOOKING_UP) {
        if (addresses->count == 0) {
            link_fail(link, reason);
        } else {
            link->addresses = *addresses;
            link_set_state(link, LINK_CONNECTING);
            link_try_next(link);
        }
    }
    amdi_channel_release(link->channel);
}

static void
link_look_up(struct amdi_link *link)
{
    struct amdrpc_channel *channel = link->channel;

    link_set_state(link, LINK_LOOKING_UP);
    if (link->is_looking_up) {
        return;
    }
    amdrpc_err err = amdi_lookup_start(
            channel->loop, &channel->target, link_on_found, link);
    if (err != AMDRPC_OK) {
        link_fail(link, amdrpc_err_text(err));
        return;
    }
    link->is_looking_up = true;
    amdi_channel_hold(channel);
}

/** Starts with the next address; without one the attempt has failed. */
static void
link_try_next(struct amdi_link *link)
{
    amdrpc_err err = AMDRPC_ECLOSED;

    while (link->next_address < link->addresses.count) {
        const struct amdi_address *address =
                &link->addresses.at[link->next_address++];

        err = amdi_client_conn_create(
                link->channel, link, address, &link->conn);
        if (err == AMDRPC_OK) {
            return;
        }
    }
    link_fail(link, amdrpc_err_text(err));
}

void
amdi_link_connect(struct amdi_link *link)
{
    if (link->state != LINK_IDLE) {
        return;
    }
    link->next_address = 0;
    link_start_timer(link, link->channel->options.connect_timeout_ms);
    if (link->channel->target.host != NULL) {
        link_look_up(link);
    } else {
        link_set_state(link, LINK_CONNECTING);
        link_try_next(link);
    }
}

static void
link_close_conn(struct amdi_link *link)
{
    struct amdi_client_conn *conn = link->conn;

    link->conn = NULL;
    amdi_client_conn_close(conn);
}

static void
link_on_timer(struct amdi_timer *timer)
{
    struct amdi_link *link = AMDI_CONTAINER_OF(timer, struct amdi_link, timer);

    switch (link->state) {
    case LINK_LOOKING_UP:
    case LINK_CONNECTING:
        link_close_conn(link);
        link_fail(link, amdrpc_err_text(AMDRPC_ETIMEDOUT));
        return;
    case LINK_BACKOFF:
        link_set_state(link, LINK_IDLE);
        amdi_channel_serve(link->channel); // connects when calls wait
        return;
    case LINK_IDLE:
    case LINK_READY:
        return; // the timer is stopped
    }
}

void
amdi_link_stop(struct amdi_link *link)
{
    link_close_conn(link);
    if (link->state != LINK_IDLE) {
        link_set_state(link, LINK_IDLE);
    }
}

void
amdi_link_on_open(struct amdi_link *link)
{
    link_set_state(link, LINK_READY);
    amdi_log_info("", "channel-connected", "target=%s",
            link->channel->target.authority);
    amdi_channel_serve(link->channel);
}

/** The open connection is not to be had any more. */
static void
link_begin_anew(struct amdi_link *link, bool has_answered)
{
    link->conn = NULL;
    link->nfailures = has_answered ? 0 : link->nfailures + 1;
    if (link->nfailures > LINK_FREE_FAILURES) {
        (void)snprintf(link->reason, sizeof(link->reason),
                "%s takes connections and ends them without an answer",
                link->channel->target.authority); // cut when too long
        link_back_off(link);
        return;
    }
    link_set_state(link, LINK_IDLE);
    amdi_channel_serve(link->channel);
}

void
amdi_link_on_draining(struct amdi_link *link, bool has_answered)
{
    link_begin_anew(link, has_answered);
}

void
amdi_link_on_closed(
        struct amdi_link *link, const char *reason, bool has_answered)
{
    if (link->state == LINK_READY) {
        link_begin_anew(link, has_answered);
        return;
    }
    link->conn = NULL;
    if (link->next_address < link->addresses.count) {
        link_try_next(link);
    } else {
        link_fail(link, reason);
    }
}
