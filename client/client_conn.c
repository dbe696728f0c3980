/**
 * One HTTP/2 connection to a server.
 *
 * Bytes go in through transport_on_read, which lets the session call the
 * events of call_stream.c and of this file; they come out once in a turn, in
 * conn_flush. Nobody destroys the session inside its own events: closing only
 * closes the socket and adds the reap hook, which frees the session (its open
 * streams end then, as lost) and the connection at the end of the turn.
 */
#include "client/client_conn.h"

#include "client/call_stream.h"
#include "client/channel.h"
#include "client/client_call.h"
#include "client/link.h"
#include "common/alloc.h"
#include "common/assertion.h"
#include "common/log.h"
#include "common/out.h"
#include "common/transport.h"

#include <stdio.h>

// Windows: what a server may send before we have read it. A stream's bounds
// the memory of a call that nobody reads; the connection's lets some hundred
// of such calls stand still before others notice.
#define CONN_STREAM_WINDOW_BYTES (256u * 1024u)
#define CONN_WINDOW_BYTES (32u * 1024u * 1024u)

static bool
conn_may_enter(
        enum amdi_client_conn_state state, enum amdi_client_conn_state next)
{
    return next > state;
}

static void
conn_set_state(struct amdi_client_conn *conn, enum amdi_client_conn_state next)
{
    amdi_assert(conn_may_enter(conn->state, next));
    conn->state = next;
    if (next == CONN_DRAINING) {
        amdi_list_push(&conn->channel->draining, &conn->node);
        conn->link = NULL;
    }
    if (next == CONN_CLOSED) {
        amdi_keepalive_stop(&conn->keepalive);
        amdi_list_remove(&conn->node);
        conn->link = NULL;
        amdi_loop_at_turn_end(
                conn->channel->loop, AMDI_TURN_REAP, &conn->reap_hook);
    }
}

/** Ends the calls whose streams went with the session. */
static void
conn_end_calls(struct amdi_client_conn *conn)
{
    while (!amdi_list_is_empty(&conn->calls)) {
        amdi_call_stream_on_close(conn,
                AMDI_CONTAINER_OF(
                        conn->calls.next, struct amdrpc_client_call, conn_node),
                AMDI_H2_NO_ERROR, /*by_peer=*/false);
    }
}

static void
conn_destroy(struct amdi_client_conn *conn)
{
    amdi_transport_destroy(conn->transport);
    amdi_h2_destroy(conn->h2);
    conn->h2 = NULL;
    conn_end_calls(conn);
    amdi_hook_cancel(&conn->flush_hook);
    amdi_free(conn);
}

static void
conn_on_reap(struct amdi_hook *hook)
{
    struct amdi_client_conn *conn =
            AMDI_CONTAINER_OF(hook, struct amdi_client_conn, reap_hook);
    struct amdrpc_channel *channel = conn->channel;

    conn_destroy(conn);
    amdi_channel_release(channel);
}

void
amdi_client_conn_close(struct amdi_client_conn *conn)
{
    if (conn == NULL || conn->state == CONN_CLOSED) {
        return;
    }
    amdi_transport_destroy(conn->transport);
    conn->transport = NULL;
    conn_set_state(conn, CONN_CLOSED);
}

/** Says why, in words: TLS knows more of it than the error says. */
static void
conn_format_reason(const struct amdi_client_conn *conn, amdrpc_err err,
        char *out, size_t size)
{
    const char *reason = amdi_transport_get_reason(conn->transport);

    if (reason[0] == '\0') {
        // One that hangs up before a word is not there to serve either.
        reason = err == AMDRPC_ECLOSED ? "connection refused"
                                       : amdrpc_err_text(err);
    }
    (void)snprintf(out, size, "%s", reason); // cut when too long
}

void
amdi_client_conn_lose(struct amdi_client_conn *conn, amdrpc_err err)
{
    struct amdi_link *link = conn->link;
    char reason[AMDI_LINK_REASON_BYTES];

    if (conn->state == CONN_CLOSED) {
        return;
    }
    conn_format_reason(conn, err, reason, sizeof(reason));
    amdi_log_debug("", "channel-lost", "target=%s reason=\"%s\"",
            conn->channel->target.authority, reason);
    amdi_client_conn_close(conn);
    if (link != NULL) {
        amdi_link_on_closed(link, reason, conn->has_answered);
    }
}

/* ---- output ---- */

/** Lets the calls of the last write have their memory and their room back. */
static void
conn_release_written(struct amdi_client_conn *conn)
{
    struct amdi_list *node;

    while ((node = amdi_list_pop(&conn->writing)) != NULL) {
        amdi_client_call_on_written(
                AMDI_CONTAINER_OF(node, struct amdrpc_client_call, write_node));
    }
}

static void
conn_resume_calls(struct amdi_client_conn *conn)
{
    struct amdi_list *node;

    while ((node = amdi_list_pop(&conn->resuming)) != NULL) {
        amdi_h2_resume(conn->h2,
                AMDI_CONTAINER_OF(node, struct amdrpc_client_call, queue_node)
                        ->stream_id);
    }
}

/** Gathers and writes once. AMDRPC_EAGAIN: nothing more to do now. */
static amdrpc_err
conn_write_once(struct amdi_client_conn *conn)
{
    struct amdi_out out;

    amdi_out_init(&out, amdi_loop_write_buffer(conn->channel->loop),
            AMDI_LOOP_BUFFER_BYTES);
    amdrpc_err err = amdi_h2_produce(conn->h2, &out);
    if (err != AMDRPC_OK) {
        return err;
    }
    if (out.nbytes == 0) {
        return AMDRPC_EAGAIN;
    }
    return amdi_transport_write(conn->transport, out.iov, out.niov);
}

static void
conn_flush(struct amdi_client_conn *conn)
{
    amdrpc_err err = AMDRPC_OK;

    // The windows bound what one turn can write.
    while (err == AMDRPC_OK && amdi_h2_wants_write(conn->h2)) {
        err = conn_write_once(conn);
        conn_release_written(conn);
    }
    if (err != AMDRPC_OK && err != AMDRPC_EAGAIN) {
        amdi_client_conn_lose(conn, err);
    } else if (amdi_h2_is_over(conn->h2)) {
        amdi_client_conn_lose(conn, AMDRPC_ECLOSED);
    }
}

static void
conn_on_flush(struct amdi_hook *hook)
{
    struct amdi_client_conn *conn =
            AMDI_CONTAINER_OF(hook, struct amdi_client_conn, flush_hook);

    if (conn->state == CONN_CONNECTING || conn->state == CONN_CLOSED ||
            amdi_transport_is_blocked(conn->transport)) {
        return; // on_connected and on_drained come here again
    }
    conn_resume_calls(conn);
    conn_flush(conn);
    // It was only kept for its calls.
    if (conn->state == CONN_DRAINING && conn->nstreams == 0) {
        amdi_client_conn_close(conn);
    }
}

void
amdi_client_conn_flush_later(struct amdi_client_conn *conn)
{
    amdi_loop_at_turn_end(
            conn->channel->loop, AMDI_TURN_FLUSH, &conn->flush_hook);
}

void
amdi_client_conn_resume(
        struct amdi_client_conn *conn, struct amdrpc_client_call *call)
{
    if (!amdi_list_is_linked(&call->queue_node)) {
        amdi_list_push(&conn->resuming, &call->queue_node);
        amdi_client_conn_flush_later(conn);
    }
}

void
amdi_client_conn_add_writing(
        struct amdi_client_conn *conn, struct amdrpc_client_call *call)
{
    if (!amdi_list_is_linked(&call->write_node)) {
        amdi_list_push(&conn->writing, &call->write_node);
    }
}

/* ---- streams ---- */

amdrpc_err
amdi_client_conn_open(struct amdi_client_conn *conn,
        struct amdrpc_client_call *call,
        const struct amdi_request_fields *fields)
{
    int32_t stream_id = 0;
    amdrpc_err err = amdi_h2_submit_request(
            conn->h2, fields->at, fields->count, call, &stream_id);

    if (err == AMDRPC_ECLOSED) {
        // The stream identifiers are used up.
        struct amdi_link *link = conn->link;

        conn_set_state(conn, CONN_DRAINING);
        amdi_link_on_draining(link, conn->has_answered);
        amdi_client_conn_flush_later(conn);
    }
    if (err != AMDRPC_OK) {
        return err;
    }
    conn->nstreams++;
    amdi_list_push(&conn->calls, &call->conn_node);
    call->stream_id = stream_id;
    amdi_client_conn_flush_later(conn);
    return AMDRPC_OK;
}

void
amdi_client_conn_forget(
        struct amdi_client_conn *conn, struct amdrpc_client_call *call)
{
    amdi_list_remove(&call->conn_node);
    conn->nstreams--;
    switch (conn->state) {
    case CONN_OPEN:
        amdi_channel_serve(conn->channel);
        return;
    case CONN_DRAINING:
        amdi_client_conn_flush_later(conn);
        return;
    case CONN_CONNECTING:
    case CONN_GREETING:
    case CONN_CLOSED:
        return;
    }
}

/* ---- the session's events that are not about one stream ---- */

static void
conn_on_settings(void *ctx)
{
    struct amdi_client_conn *conn = ctx;

    conn->max_streams = amdi_h2_peer_max_streams(conn->h2);
    if (conn->state == CONN_GREETING) {
        conn_set_state(conn, CONN_OPEN);
        amdi_client_conn_start_keepalive(conn);
        amdi_link_on_open(conn->link);
    } else if (conn->state == CONN_OPEN) {
        amdi_channel_serve(conn->channel);
    }
}

static void
conn_on_goaway(void *ctx, int32_t last_stream_id, enum amdi_h2_code code,
        const uint8_t *debug, size_t debug_len)
{
    struct amdi_client_conn *conn = ctx;
    struct amdi_link *link = conn->link;

    // The text is the peer's: not for the log.
    amdi_client_conn_obey_calm(conn, code, debug, debug_len);
    amdi_log_debug("", "channel-goaway", "target=%s code=%d last=%d",
            conn->channel->target.authority, (int)code, (int)last_stream_id);
    // The session closes the streams above it; call_stream.c starts them anew.
    if (last_stream_id < conn->last_stream_id) {
        conn->last_stream_id = last_stream_id;
    }
    if (conn->state == CONN_OPEN) {
        conn_set_state(conn, CONN_DRAINING);
        amdi_link_on_draining(link, conn->has_answered);
    }
    amdi_client_conn_flush_later(conn);
}

static void
conn_on_ping_ack(void *ctx, const uint8_t opaque[8])
{
    (void)ctx; // that bytes came is all that keepalive wants to know
    (void)opaque;
}

static const struct amdi_h2_events conn_h2_events = {
        .on_field = amdi_call_stream_on_field,
        .on_headers = amdi_call_stream_on_headers,
        .on_data = amdi_call_stream_on_data,
        .on_end = amdi_call_stream_on_end,
        .on_close = amdi_call_stream_on_close,
        .on_body = amdi_call_stream_on_body,
        .on_take = amdi_call_stream_on_take,
        .on_goaway = conn_on_goaway,
        .on_ping_ack = conn_on_ping_ack,
        .on_settings = conn_on_settings,
};

/* ---- the transport's events ---- */

static void
transport_on_connected(void *ctx)
{
    struct amdi_client_conn *conn = ctx;

    conn_set_state(conn, CONN_GREETING);
    amdi_client_conn_flush_later(conn);
}

static void
transport_on_read(void *ctx, const uint8_t *data, size_t len)
{
    struct amdi_client_conn *conn = ctx;
    amdrpc_err err = amdi_h2_receive(conn->h2, data, len);

    amdi_keepalive_on_read(&conn->keepalive);
    if (err != AMDRPC_OK) {
        // A GOAWAY that says why waits; whether it gets out is no matter.
        if (!amdi_transport_is_blocked(conn->transport)) {
            (void)conn_write_once(conn);
            conn_release_written(conn);
        }
        amdi_client_conn_lose(conn, err);
        return;
    }
    amdi_client_conn_flush_later(conn);
}

static void
transport_on_drained(void *ctx)
{
    amdi_client_conn_flush_later(ctx);
}

static void
transport_on_closed(void *ctx, amdrpc_err err)
{
    amdi_client_conn_lose(ctx, err);
}

static const struct amdi_transport_events conn_transport_events = {
        .on_connected = transport_on_connected,
        .on_read = transport_on_read,
        .on_drained = transport_on_drained,
        .on_closed = transport_on_closed,
};

/* ---- the beginning ---- */

static amdrpc_err
conn_start(struct amdi_client_conn *conn, const struct amdi_address *address)
{
    const struct amdi_h2_options options = {
            .stream_window_bytes = CONN_STREAM_WINDOW_BYTES,
            .connection_window_bytes = CONN_WINDOW_BYTES,
            .max_header_list_bytes = AMDI_CALL_STREAM_HEADER_BYTES,
    };
    const struct amdrpc_channel *channel = conn->channel;
    amdrpc_err err = amdi_h2_create(&options, &conn_h2_events, conn, &conn->h2);

    if (err != AMDRPC_OK) {
        return err;
    }
    err = amdi_transport_connect(channel->loop,
            (const struct sockaddr *)&address->address, address->len,
            &conn_transport_events, conn, &conn->transport);
    return err == AMDRPC_OK && channel->options.tls != NULL
            ? amdi_transport_secure(conn->transport, channel->options.tls,
                      channel->server_name)
            : err;
}

amdrpc_err
amdi_client_conn_create(struct amdrpc_channel *channel, struct amdi_link *link,
        const struct amdi_address *address, struct amdi_client_conn **out)
{
    struct amdi_client_conn *conn = amdi_zalloc(sizeof(*conn));

    if (conn == NULL) {
        return AMDRPC_ENOMEM;
    }
    conn->channel = channel;
    conn->link = link;
    conn->state = CONN_CONNECTING;
    conn->last_stream_id = INT32_MAX;
    amdi_list_init(&conn->node);
    amdi_list_init(&conn->calls);
    amdi_list_init(&conn->resuming);
    amdi_list_init(&conn->writing);
    amdi_hook_init(&conn->flush_hook, conn_on_flush);
    amdi_hook_init(&conn->reap_hook, conn_on_reap);
    amdrpc_err err = conn_start(conn, address);
    if (err != AMDRPC_OK) {
        conn_destroy(conn);
        return err;
    }
    amdi_channel_hold(channel);
    *out = conn;
    return AMDRPC_OK;
}
