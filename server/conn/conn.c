/**
 * One connection: its transport, its HTTP/2 session and its streams.
 *
 * Reading feeds the session, which tells of streams; writing happens once for
 * a turn, in the flush hook: the session fills the loop's output buffer until
 * it has nothing more or the kernel takes no more. The connection is freed
 * in its reap hook, never inside its own events. Teardown: transport, then
 * the streams (their calls are cancelled), then the session.
 */
#include "server/conn/conn.h"

#include "common/alloc.h"
#include "common/assertion.h"
#include "common/log.h"
#include "common/socket.h"
#include "server/server.h"
#include "server/server_loop.h"
#include "server/stream/stream.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

// How long a connection may take to begin when a drain comes: a client that has
// just connected is told to go away, and one that never begins holds nothing
// up.
#define DRAIN_BEGIN_MS 1000u

// How long a client that was told to go away may take to answer a PING.
#define DRAIN_PING_MS 20000u

// How long a peer that has everything may take to close.
#define LINGER_MS 2000u

// Writes of one connection before others have their turn.
#define MAX_WRITES_PER_TURN 4

const uint8_t amdi_drain_ping[8] = {'a', 'm', 'd', 'd', 'r', 'a', 'i', 'n'};

static void conn_on_turn_end(struct amdi_hook *hook);
static void conn_on_reap(struct amdi_hook *hook);
static void conn_on_timer(struct amdi_timer *timer);

static void
conn_log(const struct amdi_conn *conn, const char *id, const char *text)
{
    char context[32];

    (void)snprintf(context, sizeof(context), "conn=%llu ",
            (unsigned long long)conn->id);
    amdi_log_info(context, id, "peer=%s %s", amdi_peer_text(conn->peer), text);
}

static void
conn_start_timer(struct amdi_conn *conn, uint64_t delay_ms)
{
    amdi_timer_start(conn->sl->loop, &conn->timer,
            amdi_loop_now_ms(conn->sl->loop) + delay_ms, conn_on_timer);
}

/** TLS, or then HTTP/2, has to begin. */
static void
conn_await_beginning(struct amdi_conn *conn)
{
    conn_start_timer(conn, conn->sl->server->options.handshake_timeout_ms);
    if (conn->sl->is_draining) {
        amdi_conn_drain(conn, NULL);
    }
}

static void
conn_set_state(struct amdi_conn *conn, enum amdi_conn_state next)
{
    amdi_assert(next > conn->state);
    conn->state = next;
    switch (next) {
    case AMDI_CONN_BEGINNING:
        break;
    case AMDI_CONN_OPEN:
        amdi_timer_stop(&conn->timer);
        break;
    case AMDI_CONN_DRAINING:
        conn_start_timer(conn, DRAIN_PING_MS);
        break;
    case AMDI_CONN_ENDING:
        amdi_timer_stop(&conn->timer);
        break;
    case AMDI_CONN_LINGERING:
        amdi_conn_watch_stop(conn);
        conn_start_timer(conn, LINGER_MS);
        amdi_buf_fini(&conn->unread);
        amdi_transport_set_reading(conn->transport, true);
        break;
    case AMDI_CONN_CLOSED:
        amdi_conn_watch_stop(conn);
        amdi_timer_stop(&conn->timer);
        amdi_hook_cancel(&conn->flush);
        amdi_list_remove(&conn->loop_node);
        amdi_loop_at_turn_end(conn->sl->loop, AMDI_TURN_REAP, &conn->reap);
        break;
    }
}

/* ---- what the transport tells ---- */

static void
conn_on_read(void *ctx, const uint8_t *data, size_t len)
{
    amdi_conn_read(ctx, data, len);
}

static void
conn_on_drained(void *ctx)
{
    amdi_conn_flush(ctx);
}

/** The TLS handshake is done: HTTP/2 begins. */
static void
conn_on_connected(void *ctx)
{
    struct amdi_conn *conn = ctx;
    const char *identity = amdi_transport_get_identity(conn->transport);

    if (amdi_peer_set_identity(conn->peer, identity) != AMDRPC_OK) {
        amdi_conn_close(conn, amdrpc_err_text(AMDRPC_ENOMEM));
        return;
    }
    if (conn->state == AMDI_CONN_BEGINNING) {
        conn_await_beginning(conn);
    }
    amdi_conn_flush(conn);
}

static void
conn_on_closed(void *ctx, amdrpc_err err)
{
    struct amdi_conn *conn = ctx;
    const char *reason = amdi_transport_get_reason(conn->transport);

    amdi_conn_close(conn, reason[0] != '\0' ? reason : amdrpc_err_text(err));
}

static const struct amdi_transport_events transport_events = {
        .on_connected = conn_on_connected,
        .on_read = conn_on_read,
        .on_drained = conn_on_drained,
        .on_closed = conn_on_closed,
};

/* ---- writing ---- */

void
amdi_conn_go_on_later(struct amdi_conn *conn)
{
    if (!conn->is_going_on) {
        conn->is_going_on = true;
        amdi_loop_push(conn->sl->loop, &conn->go_on);
    }
}

void
amdi_conn_flush(struct amdi_conn *conn)
{
    if (conn->state < AMDI_CONN_LINGERING &&
            !amdi_transport_is_blocked(conn->transport)) {
        amdi_loop_at_turn_end(conn->sl->loop, AMDI_TURN_FLUSH, &conn->flush);
    }
}

void
amdi_conn_add_taken(struct amdi_conn *conn, struct amdi_list *taken)
{
    if (!amdi_list_is_linked(taken)) {
        amdi_list_push(&conn->taken, taken);
    }
}

/** Lets streams free what has been written, and their handlers go on. */
static void
conn_release_taken(struct amdi_conn *conn)
{
    struct amdi_list *node = NULL;

    while ((node = amdi_list_pop(&conn->taken)) != NULL) {
        struct amdi_streaming *streaming =
                AMDI_CONTAINER_OF(node, struct amdi_streaming, taken);

        amdi_stream_on_written(streaming->stream);
    }
}

/** One write; returns AMDRPC_EEND when there was nothing. */
static amdrpc_err
conn_write_once(struct amdi_conn *conn)
{
    struct amdi_out out;
    amdrpc_err err = AMDRPC_OK;

    amdi_out_init(&out, amdi_loop_write_buffer(conn->sl->loop),
            AMDI_LOOP_BUFFER_BYTES);
    err = amdi_h2_produce(conn->h2, &out);
    if (err == AMDRPC_OK && out.niov == 0) {
        err = AMDRPC_EEND;
    } else if (err == AMDRPC_OK) {
        amdi_stats_add(&conn->sl->stats.nwritten, out.nbytes);
        err = amdi_transport_write(conn->transport, out.iov, out.niov);
    }
    conn_release_taken(conn);
    return err;
}

/** Everything is written: closes in good order if nothing more can come. */
static void
conn_check_over(struct amdi_conn *conn)
{
    bool is_over = conn->has_failed || amdi_h2_is_over(conn->h2) ||
            (conn->state == AMDI_CONN_ENDING && conn->nstreams == 0);

    // What comes while lingering makes turns end, too.
    if (!is_over || conn->state >= AMDI_CONN_LINGERING) {
        return;
    }
    if (conn->has_failed && conn->nstreams > 0) {
        amdi_conn_close(conn, "the peer broke the protocol");
        return;
    }
    // Closing with unread bytes would make the kernel drop what we wrote.
    conn_set_state(conn, AMDI_CONN_LINGERING);
    amdi_transport_shutdown(conn->transport);
}

static void
conn_on_turn_end(struct amdi_hook *hook)
{
    struct amdi_conn *conn = AMDI_CONTAINER_OF(hook, struct amdi_conn, flush);
    amdrpc_err err = AMDRPC_OK;
    int nwrites = 0;

    if (amdi_transport_is_blocked(conn->transport)) {
        return;
    }
    do {
        err = conn_write_once(conn);
    } while (err == AMDRPC_OK && ++nwrites < MAX_WRITES_PER_TURN);
    switch ((int)err) {
    case AMDRPC_OK:
        amdi_conn_go_on_later(conn);
        break;
    case AMDRPC_EAGAIN:
        break;
    case AMDRPC_EEND:
        conn_check_over(conn);
        break;
    default:
        amdi_conn_close(conn, amdrpc_err_text(err));
        return;
    }
    amdi_conn_adjust_reading(conn);
}

/* ---- life ---- */

/** No more streams; those that are open go on. */
static void
conn_end(struct amdi_conn *conn)
{
    amdi_h2_submit_goaway(conn->h2, AMDI_H2_NO_ERROR, NULL);
    conn_set_state(conn, AMDI_CONN_ENDING);
    amdi_conn_flush(conn);
}

void
amdi_conn_finish_drain(struct amdi_conn *conn)
{
    if (conn->state == AMDI_CONN_DRAINING) {
        conn_end(conn);
    }
}

/**
 * The peer has not begun, and is waited for no more. In a drain it is told that
 * none of its calls were looked at: they may be on their way.
 */
static void
conn_give_up_beginning(struct amdi_conn *conn)
{
    if (amdi_transport_is_blocked(conn->transport)) {
        amdi_conn_close(conn, "the TLS handshake was not done in time");
    } else if (conn->sl->is_draining) {
        conn_end(conn);
    } else {
        amdi_conn_close(conn, "no HTTP/2 preface came in time");
    }
}

static void
conn_on_timer(struct amdi_timer *timer)
{
    struct amdi_conn *conn = AMDI_CONTAINER_OF(timer, struct amdi_conn, timer);

    switch (conn->state) {
    case AMDI_CONN_BEGINNING:
        conn_give_up_beginning(conn);
        break;
    case AMDI_CONN_OPEN: // has none
        break;
    case AMDI_CONN_DRAINING:
        amdi_conn_finish_drain(conn);
        break;
    case AMDI_CONN_ENDING:
        amdi_conn_close(conn, "the peer takes no answers");
        break;
    case AMDI_CONN_LINGERING:
        amdi_conn_close(conn, "all was sent");
        break;
    case AMDI_CONN_CLOSED:
        break;
    }
}

static void
conn_free(struct amdi_conn *conn)
{
    amdi_transport_destroy(conn->transport);
    amdi_h2_destroy(conn->h2);
    amdi_buf_fini(&conn->unread);
    amdi_request_head_unref(conn->head);
    amdi_request_head_unref(conn->new_head);
    amdi_peer_unref(conn->peer);
    amdi_address_count_remove(&conn->sl->server->addresses, conn->address);
    amdi_free(conn);
}

static void
conn_on_reap(struct amdi_hook *hook)
{
    struct amdi_conn *conn = AMDI_CONTAINER_OF(hook, struct amdi_conn, reap);
    struct amdi_server_loop *sl = conn->sl;

    if (conn->is_going_on) {
        return; // conn_on_go_on comes, and brings us back
    }
    sl->nconns--;
    atomic_fetch_sub(&sl->server->nconns, 1);
    conn_free(conn);
    amdi_server_loop_check_idle(sl);
}

static void
conn_on_go_on(struct amdi_task *task)
{
    struct amdi_conn *conn = AMDI_CONTAINER_OF(task, struct amdi_conn, go_on);

    conn->is_going_on = false;
    if (conn->state == AMDI_CONN_CLOSED) {
        amdi_loop_at_turn_end(conn->sl->loop, AMDI_TURN_REAP, &conn->reap);
        return;
    }
    amdi_conn_read_on(conn);
    amdi_conn_flush(conn);
}

static amdrpc_err
conn_open_session(struct amdi_conn *conn)
{
    const struct amdrpc_server *server = conn->sl->server;
    const struct amdi_h2_options options = {
            .is_server = true,
            .max_concurrent_streams = server->options.max_concurrent_streams,
            .stream_window_bytes = server->options.stream_window_bytes,
            .connection_window_bytes = server->options.connection_window_bytes,
            .max_header_list_bytes = server->options.advised_header_list_bytes,
            .limits = &server->h2_limits,
    };

    return amdi_h2_create(&options, &amdi_conn_events, conn, &conn->h2);
}

/**
 * A peer that is gone while bytes are on their way to it is noticed sooner than
 * the next PING. The kernel cannot tell it from one that keeps its window shut,
 * which has a limit of its own.
 */
static void
conn_set_user_timeout(const struct amdi_conn *conn, int fd)
{
    const amdrpc_server_options *options = &conn->sl->server->options;

    if (options->keepalive_timeout_ms != AMDRPC_NO_LIMIT &&
            options->stall_timeout_ms != AMDRPC_NO_LIMIT) {
        amdi_socket_set_user_timeout(fd,
                options->keepalive_timeout_ms > options->stall_timeout_ms
                        ? options->keepalive_timeout_ms
                        : options->stall_timeout_ms);
    }
}

static amdrpc_err
conn_open_transport(struct amdi_conn *conn, int fd, amdrpc_tls *tls)
{
    char text[64];
    amdrpc_err err;

    amdi_socket_format_peer(fd, text, sizeof(text));
    conn_set_user_timeout(conn, fd);
    conn->peer = amdi_peer_create(text);
    if (conn->peer == NULL) {
        (void)close(fd); // nothing was written to it
        return AMDRPC_ENOMEM;
    }
    err = amdi_transport_create(
            conn->sl->loop, fd, &transport_events, conn, &conn->transport);
    return err == AMDRPC_OK && tls != NULL
            ? amdi_transport_secure(conn->transport, tls, NULL)
            : err;
}

static void
conn_start(struct amdi_conn *conn)
{
    struct amdi_server_loop *sl = conn->sl;

    conn->id = amdi_server_new_id(sl->server);
    amdi_list_push(&sl->conns, &conn->loop_node);
    sl->nconns++;
    amdi_stats_add(&sl->stats.nconnections, 1);
    conn_await_beginning(conn);
    amdi_conn_watch_start(conn);
    conn_log(conn, "conn-opened", "");
    amdi_conn_flush(conn);
}

amdrpc_err
amdi_conn_create(struct amdi_server_loop *sl, int fd, amdrpc_tls *tls,
        struct amdi_address_entry *address)
{
    struct amdi_conn *conn = amdi_zalloc(sizeof(*conn));
    amdrpc_err err = AMDRPC_ENOMEM;

    if (conn == NULL) {
        amdi_address_count_remove(&sl->server->addresses, address);
        (void)close(fd); // nothing was written to it
        return AMDRPC_ENOMEM;
    }
    conn->sl = sl;
    conn->address = address;
    amdi_list_init(&conn->loop_node);
    amdi_list_init(&conn->streams);
    amdi_list_init(&conn->taken);
    amdi_buf_init(&conn->unread);
    amdi_hook_init(&conn->flush, conn_on_turn_end);
    amdi_hook_init(&conn->reap, conn_on_reap);
    conn->go_on.run = conn_on_go_on;
    err = conn_open_transport(conn, fd, tls);
    if (err == AMDRPC_OK) {
        err = conn_open_session(conn);
    }
    if (err != AMDRPC_OK) {
        conn_free(conn);
        return err;
    }
    conn_start(conn);
    return AMDRPC_OK;
}

void
amdi_conn_stream_closed(struct amdi_conn *conn)
{
    conn->nstreams--;
    if (conn->nstreams == 0 && conn->state == AMDI_CONN_ENDING) {
        amdi_conn_flush(conn); // whose end looks whether this was the last
    }
}

void
amdi_conn_has_begun(struct amdi_conn *conn)
{
    if (conn->state == AMDI_CONN_BEGINNING) {
        conn_set_state(conn, AMDI_CONN_OPEN);
        if (conn->sl->is_draining) {
            amdi_conn_drain(conn, NULL);
        }
    }
}

void
amdi_conn_drain(struct amdi_conn *conn, const char *why)
{
    uint64_t begin_by_ms = amdi_loop_now_ms(conn->sl->loop) + DRAIN_BEGIN_MS;

    if (conn->state == AMDI_CONN_BEGINNING && conn->timer.at_ms > begin_by_ms) {
        conn_start_timer(conn, DRAIN_BEGIN_MS);
    } else if (conn->state == AMDI_CONN_OPEN) {
        conn_set_state(conn, AMDI_CONN_DRAINING);
        amdi_h2_submit_shutdown_notice(conn->h2, why);
        amdi_h2_submit_ping(conn->h2, amdi_drain_ping);
        amdi_conn_flush(conn);
    }
}

void
amdi_conn_cancel_calls(struct amdi_conn *conn, const char *why)
{
    if (conn->state == AMDI_CONN_BEGINNING) {
        conn_give_up_beginning(conn);
    }
    if (conn->state >= AMDI_CONN_LINGERING) {
        return;
    }
    amdi_conn_finish_drain(conn);
    AMDI_LIST_FOREACH (node, &conn->streams) {
        amdi_stream_cancel(
                AMDI_CONTAINER_OF(node, struct amdi_stream, conn_node),
                AMDRPC_STATUS_UNAVAILABLE, why);
    }
    conn_start_timer(conn, LINGER_MS);
    amdi_conn_flush(conn);
}

void
amdi_conn_close(struct amdi_conn *conn, const char *why)
{
    struct amdi_list *node = NULL;

    if (conn->state == AMDI_CONN_CLOSED) {
        return;
    }
    conn_log(conn, "conn-closed", why);
    conn_set_state(conn, AMDI_CONN_CLOSED);
    while ((node = conn->streams.next) != &conn->streams) {
        amdi_stream_on_close(
                AMDI_CONTAINER_OF(node, struct amdi_stream, conn_node));
    }
}
