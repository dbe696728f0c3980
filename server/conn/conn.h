/** One connection: its transport, its HTTP/2 session and its streams. */
#ifndef AMDI_CONN_H
#define AMDI_CONN_H

#include "common/buf.h"
#include "common/h2/h2.h"
#include "common/list.h"
#include "common/loop.h"
#include "common/transport.h"
#include "server/conn/conn_counts.h"
#include "server/conn/conn_watch.h"

struct amdi_address_entry;
struct amdi_request_head;
struct amdi_server_loop;

/**
 * The address of a peer, and how many calls it has; outlives its connection
 * for calls that go on.
 */
struct amdi_peer;

/** Errors: NULL without memory. Counted on the loop's thread only. */
struct amdi_peer *amdi_peer_create(const char *text);
struct amdi_peer *amdi_peer_ref(struct amdi_peer *peer);
void amdi_peer_unref(struct amdi_peer *peer);
const char *amdi_peer_text(const struct amdi_peer *peer);

/**
 * Counts a call that somebody has, or will have, work with: also one whose
 * stream was reset counts until its handler has finished. False: there are
 * @limit, and it is not counted.
 */
bool amdi_peer_add_call(struct amdi_peer *peer, uint32_t limit);
void amdi_peer_remove_call(struct amdi_peer *peer);

/** The name in the peer's certificate, before the first call; copied. */
AMDRPC_NODISCARD amdrpc_err amdi_peer_set_identity(
        struct amdi_peer *peer, const char *identity);

/** "" for none. */
const char *amdi_peer_identity(const struct amdi_peer *peer);

enum amdi_conn_state {
    AMDI_CONN_BEGINNING, // waiting for TLS and the peer's first SETTINGS
    AMDI_CONN_OPEN,      // serving
    AMDI_CONN_DRAINING,  // first GOAWAY is out, waiting for the PING's answer
    AMDI_CONN_ENDING,    // last GOAWAY is out, waiting for its streams
    AMDI_CONN_LINGERING, // all is written, waiting for the peer to close
    AMDI_CONN_CLOSED,    // no transport; freed at the end of the turn
};

/** Loop thread only. */
struct amdi_conn {
    struct amdi_server_loop *sl;
    struct amdi_transport *transport;   // owned
    struct amdi_h2 *h2;                 // owned
    struct amdi_address_entry *address; // counted by the server
    struct amdi_peer *peer;             // counted
    struct amdi_request_head *new_head; // being read; counted, or NULL
    struct amdi_request_head *head;     // the last that was read; counted
    enum amdi_conn_state state;
    struct amdi_list loop_node; // on sl->conns
    struct amdi_list streams;   // of amdi_stream.conn_node
    size_t nstreams;
    struct amdi_list taken; // of amdi_streaming.taken: bytes in this write
    struct amdi_hook flush;
    struct amdi_hook reap;
    struct amdi_buf unread;  // frames for the next turn
    struct amdi_task go_on;  // reads and writes more at the next turn
    bool is_going_on;        // go_on is posted
    bool has_failed;         // the peer broke the protocol; a GOAWAY says so
    struct amdi_timer timer; // beginning, drain or linger; one at a time
    struct amdi_conn_watch watch;
    struct amdi_conn_counts counts;
    uint64_t id; // of amdi_server_new_id; in logs, too
};

/**
 * Serves an accepted socket.
 *
 * @fd       taken
 * @tls      what secures it, for the connection's life; NULL: nothing
 * @address  taken: counts this connection
 * Errors:  AMDRPC_ENOMEM, AMDRPC_EIO; the socket is closed
 */
AMDRPC_NODISCARD amdrpc_err amdi_conn_create(struct amdi_server_loop *sl,
        int fd, amdrpc_tls *tls, struct amdi_address_entry *address);

/** Takes what came: so many frames now, the rest at the next turns. */
void amdi_conn_read(struct amdi_conn *conn, const uint8_t *data, size_t len);

/** Another turn: takes more of what an earlier one has left, if any. */
void amdi_conn_read_on(struct amdi_conn *conn);

/** Reads, or not, as what waits here says. */
void amdi_conn_adjust_reading(struct amdi_conn *conn);

/** Comes back at the next turn, to read and write. */
void amdi_conn_go_on_later(struct amdi_conn *conn);

/** Writes what the session has, at the end of the turn. */
void amdi_conn_flush(struct amdi_conn *conn);

/** A stream has referenced bytes in this write; it is told when it is done. */
void amdi_conn_add_taken(struct amdi_conn *conn, struct amdi_list *taken);

/** A stream is gone. */
void amdi_conn_stream_closed(struct amdi_conn *conn);

/**
 * Begins to drain (RFC 9113, section 6.8). A connection that is still beginning
 * does so once it has begun, and gets little time for that.
 * @why: for the peer; may be NULL.
 */
void amdi_conn_drain(struct amdi_conn *conn, const char *why);

/** The peer's SETTINGS came, which the first time means that it is there. */
void amdi_conn_has_begun(struct amdi_conn *conn);

/** The second half of a drain: everything sent before has been seen. */
void amdi_conn_finish_drain(struct amdi_conn *conn);

/** What its PING carries that asks whether. */
extern const uint8_t amdi_drain_ping[8];

/** What a session tells its connection. */
extern const struct amdi_h2_events amdi_conn_events;

/**
 * Cancels the calls with UNAVAILABLE and @why (static), and closes once they
 * are answered.
 */
void amdi_conn_cancel_calls(struct amdi_conn *conn, const char *why);

/** Closes at once; its calls are cancelled. */
void amdi_conn_close(struct amdi_conn *conn, const char *why);

#endif
