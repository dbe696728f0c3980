/**
 * One connection: what it reads.
 *
 * A turn takes only so many frames of a connection, so that others have theirs;
 * the rest of what was read waits in `unread`, and the socket waits meanwhile.
 * Both also wait while the peer does not take the answers that it has already:
 * what it asks for must not pile up here.
 */
#include "server/conn/conn.h"
#include "server/server.h"
#include "server/server_loop.h"

/** Tells whether the peer takes its answers, so that it may ask for more. */
static bool
conn_may_read(const struct amdi_conn *conn)
{
    size_t nqueued =
            amdi_h2_nqueued(conn->h2) + amdi_transport_nqueued(conn->transport);

    return nqueued <= conn->sl->server->options.max_connection_queued_bytes;
}

void
amdi_conn_adjust_reading(struct amdi_conn *conn)
{
    bool may_read = conn_may_read(conn);
    bool has_unread = amdi_buf_len(&conn->unread) > 0;

    if (conn->state >= AMDI_CONN_LINGERING) {
        return;
    }
    amdi_transport_set_reading(conn->transport, may_read && !has_unread);
    if (may_read && has_unread) {
        amdi_conn_go_on_later(conn);
    }
}

/** Feeds the session as many frames as a turn may bring; @return the bytes. */
static size_t
conn_receive(struct amdi_conn *conn, const uint8_t *data, size_t len)
{
    size_t taken = len;

    if (amdi_h2_receive_some(conn->h2, data, len,
                conn->sl->server->options.frames_per_turn,
                &taken) != AMDRPC_OK &&
            conn->state != AMDI_CONN_CLOSED) {
        // The flush sends the GOAWAY that says why, and ends the connection.
        conn->has_failed = true;
    }
    amdi_conn_watch_on_read(conn);
    amdi_conn_flush(conn);
    return taken;
}

void
amdi_conn_read(struct amdi_conn *conn, const uint8_t *data, size_t len)
{
    size_t taken = 0;

    if (conn->state == AMDI_CONN_LINGERING) {
        return;
    }
    amdi_stats_add(&conn->sl->stats.nread, len);
    taken = conn_receive(conn, data, len);
    if (taken < len && conn->state != AMDI_CONN_CLOSED &&
            amdi_buf_append(&conn->unread, data + taken, len - taken) !=
                    AMDRPC_OK) {
        amdi_conn_close(conn, amdrpc_err_text(AMDRPC_ENOMEM));
        return;
    }
    amdi_conn_adjust_reading(conn);
}

void
amdi_conn_read_on(struct amdi_conn *conn)
{
    size_t len = amdi_buf_len(&conn->unread);

    if (len == 0 || !conn_may_read(conn)) {
        return;
    }
    amdi_buf_consume(&conn->unread,
            conn_receive(conn, amdi_buf_peek(&conn->unread), len));
    if (amdi_buf_len(&conn->unread) == 0) {
        amdi_buf_fini(&conn->unread); // idle connections hold none
    }
    amdi_conn_adjust_reading(conn);
}
