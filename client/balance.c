/** Which connection a call goes to, and the calls that wait for one. */
#include "client/channel.h"
#include "client/client_call.h"
#include "client/client_conn.h"

#include <string.h>

static const char channel_closed[] = "the channel was closed";

static struct amdrpc_client_call *
call_of_queue(struct amdi_list *node)
{
    return AMDI_CONTAINER_OF(node, struct amdrpc_client_call, queue_node);
}

/** Returns the open connection with the fewest streams, if one has room. */
static struct amdi_client_conn *
channel_pick(struct amdrpc_channel *channel)
{
    struct amdi_client_conn *best = NULL;

    if (channel->nready == 0) {
        return NULL;
    }
    for (uint32_t i = 0; i < channel->options.connections; i++) {
        struct amdi_client_conn *conn = channel->links[i].conn;

        if (conn != NULL && amdi_client_conn_has_room(conn) &&
                (best == NULL || conn->nstreams < best->nstreams)) {
            best = conn;
        }
    }
    return best;
}

static void
channel_connect(struct amdrpc_channel *channel)
{
    if (channel->state != CHANNEL_OPEN ||
            channel->nready == channel->options.connections) {
        return;
    }
    for (uint32_t i = 0; i < channel->options.connections; i++) {
        amdi_link_connect(&channel->links[i]);
    }
}

/**
 * Returns why no connection is to be had soon, or NULL while one is open or on
 * its way.
 */
static const char *
channel_failure(const struct amdrpc_channel *channel)
{
    for (uint32_t i = 0; i < channel->options.connections; i++) {
        if (channel->links[i].state != LINK_BACKOFF) {
            return NULL;
        }
    }
    return channel->links[0].reason;
}

/** Ends a call that shall not wait for a server out of reach. */
static void
call_fail(struct amdrpc_client_call *call, const char *reason)
{
    size_t len = strlen(reason);
    const char *copy = amdi_arena_strndup(&call->arena, reason, len);

    amdi_client_call_abort_attempt(call, AMDRPC_STATUS_UNAVAILABLE,
            copy == NULL ? "cannot connect" : copy);
}

/** Gives waiting calls, oldest first, to the connections that have room. */
static void
channel_open_waiting(struct amdrpc_channel *channel)
{
    while (!amdi_list_is_empty(&channel->waiting)) {
        struct amdi_client_conn *conn = channel_pick(channel);

        if (conn == NULL) {
            return;
        }
        // A connection that cannot open one is not picked again.
        (void)amdi_client_call_open(call_of_queue(channel->waiting.next), conn);
    }
}

static void
channel_fail_waiting(struct amdrpc_channel *channel, const char *reason)
{
    AMDI_LIST_FOREACH (node, &channel->waiting) {
        struct amdrpc_client_call *call = call_of_queue(node);

        if (!call->wait_for_ready) {
            call_fail(call, reason);
        }
    }
}

static void
channel_on_serve(struct amdi_hook *hook)
{
    struct amdrpc_channel *channel =
            AMDI_CONTAINER_OF(hook, struct amdrpc_channel, serve_hook);

    channel_open_waiting(channel);
    if (amdi_list_is_empty(&channel->waiting)) {
        return;
    }
    channel_connect(channel);
    const char *reason = channel_failure(channel);
    if (reason != NULL) {
        channel_fail_waiting(channel, reason);
    }
}

void
amdi_channel_serve(struct amdrpc_channel *channel)
{
    if (!amdi_list_is_empty(&channel->waiting)) {
        amdi_loop_at_turn_end(
                channel->loop, AMDI_TURN_HAND_OVER, &channel->serve_hook);
    }
}

void
amdi_channel_place(
        struct amdrpc_channel *channel, struct amdrpc_client_call *call)
{
    if (channel->state != CHANNEL_OPEN) {
        amdi_client_call_abort(call, AMDRPC_STATUS_CANCELLED, channel_closed);
        return;
    }
    channel_connect(channel);
    if (amdi_list_is_empty(&channel->waiting)) {
        struct amdi_client_conn *conn = channel_pick(channel);

        if (conn != NULL && amdi_client_call_open(call, conn)) {
            return;
        }
    }
    amdi_client_call_wait(call, &channel->waiting);
    amdi_channel_serve(channel);
}

void
amdi_channel_place_again(
        struct amdrpc_channel *channel, struct amdrpc_client_call *call)
{
    amdi_client_call_wait(call, channel->waiting.next);
    if (channel->state != CHANNEL_OPEN) {
        amdi_channel_end_waiting(channel);
        return;
    }
    amdi_channel_serve(channel);
}

/** Ends all calls of a list that they leave with their end. */
static void
channel_end_all(struct amdi_list *calls)
{
    while (!amdi_list_is_empty(calls)) {
        amdi_client_call_abort(call_of_queue(calls->next),
                AMDRPC_STATUS_CANCELLED, channel_closed);
    }
}

void
amdi_channel_end_waiting(struct amdrpc_channel *channel)
{
    channel_end_all(&channel->waiting);
    channel_end_all(&channel->retrying);
}

/* ---- the end of a turn ---- */

static void
channel_on_tell(struct amdi_hook *hook)
{
    struct amdrpc_channel *channel =
            AMDI_CONTAINER_OF(hook, struct amdrpc_channel, tell_hook);
    struct amdi_list now;
    struct amdi_list *node;

    // What the callbacks bring about is told after what there is now.
    amdi_list_init(&now);
    amdi_list_append_all(&now, &channel->telling);
    while ((node = amdi_list_pop(&now)) != NULL) {
        amdi_client_call_run_tells(
                AMDI_CONTAINER_OF(node, struct amdrpc_client_call, tell_node));
    }
}

static void
channel_on_reap(struct amdi_hook *hook)
{
    struct amdrpc_channel *channel =
            AMDI_CONTAINER_OF(hook, struct amdrpc_channel, reap_hook);
    struct amdi_list *node;

    while ((node = amdi_list_pop(&channel->reaping)) != NULL) {
        amdi_client_call_destroy(
                AMDI_CONTAINER_OF(node, struct amdrpc_client_call, reap_node));
    }
    amdi_channel_check_over(channel);
}

void
amdi_channel_tell(
        struct amdrpc_channel *channel, struct amdrpc_client_call *call)
{
    amdi_list_push(&channel->telling, &call->tell_node);
    amdi_loop_at_turn_end(
            channel->loop, AMDI_TURN_HAND_OVER, &channel->tell_hook);
}

void
amdi_channel_reap(
        struct amdrpc_channel *channel, struct amdrpc_client_call *call)
{
    amdi_list_push(&channel->reaping, &call->reap_node);
    amdi_loop_at_turn_end(channel->loop, AMDI_TURN_REAP, &channel->reap_hook);
}

void
amdi_channel_init_calls(struct amdrpc_channel *channel)
{
    amdi_list_init(&channel->draining);
    amdi_list_init(&channel->waiting);
    amdi_list_init(&channel->retrying);
    amdi_list_init(&channel->operations);
    amdi_list_init(&channel->telling);
    amdi_list_init(&channel->reaping);
    amdi_hook_init(&channel->serve_hook, channel_on_serve);
    amdi_hook_init(&channel->tell_hook, channel_on_tell);
    amdi_hook_init(&channel->reap_hook, channel_on_reap);
}
