/** One HTTP/2 connection to a server and the streams on it. */
#ifndef AMDI_CLIENT_CONN_H
#define AMDI_CLIENT_CONN_H

#include <amdrpc/err.h>

#include "client/keepalive.h"
#include "client/target.h"
#include "common/h2/h2.h"
#include "common/list.h"
#include "common/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct amdi_link;
struct amdi_request_fields;
struct amdi_transport;
struct amdrpc_channel;
struct amdrpc_client_call;

enum amdi_client_conn_state {
    CONN_CONNECTING, // waits for the socket; owned by its link
    CONN_GREETING,   // waits for the server's SETTINGS; owned by its link
    CONN_OPEN,       // takes calls; owned by its link
    CONN_DRAINING,   // finishes its calls; on channel->draining
    CONN_CLOSED,     // waits for the end of the turn, when it is freed
};

/** All on the loop thread. */
struct amdi_client_conn {
    struct amdrpc_channel *channel;
    struct amdi_link *link; // NULL once it is draining or closed
    enum amdi_client_conn_state state;
    struct amdi_list node;            // on channel->draining
    struct amdi_transport *transport; // owned; NULL once closed
    struct amdi_h2 *h2;               // owned
    struct amdi_hook flush_hook;
    struct amdi_hook reap_hook;
    struct amdi_list resuming; // calls that have something to send again
    struct amdi_list writing;  // calls with bytes in the write being gathered
    struct amdi_list calls;    // with a stream
    uint32_t nstreams;
    uint32_t max_streams;   // that the server lets us open
    int32_t last_stream_id; // of a GOAWAY; INT32_MAX without one
    bool has_answered;      // a response came: the server is one of ours
    struct amdi_keepalive keepalive;
};

/**
 * Begins to connect. amdi_link_on_open or amdi_link_on_closed follows, not
 * before this returns.
 */
AMDRPC_NODISCARD amdrpc_err amdi_client_conn_create(
        struct amdrpc_channel *channel, struct amdi_link *link,
        const struct amdi_address *address, struct amdi_client_conn **out);

/**
 * Closes the socket; the calls end, and the memory goes, at the end of this
 * turn. The link is not told. NULL and a closed one are accepted.
 */
void amdi_client_conn_close(struct amdi_client_conn *conn);

/** It is of no use any more: closes it, and tells the link. */
void amdi_client_conn_lose(struct amdi_client_conn *conn, amdrpc_err err);

/** Begins to send PINGs, if the channel wants them (conn_keepalive.c). */
void amdi_client_conn_start_keepalive(struct amdi_client_conn *conn);

/**
 * A GOAWAY came: when it says that our PINGs are too many, new connections
 * send half as many (conn_keepalive.c).
 */
void amdi_client_conn_obey_calm(struct amdi_client_conn *conn,
        enum amdi_h2_code code, const uint8_t *debug, size_t debug_len);

/** Tells whether one more stream can be opened now. */
static inline bool
amdi_client_conn_has_room(const struct amdi_client_conn *conn)
{
    return conn->state == CONN_OPEN && conn->nstreams < conn->max_streams;
}

/**
 * Opens a stream for @call.
 * Errors:  AMDRPC_ECLOSED  not on this connection, nor later
 *          AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_client_conn_open(struct amdi_client_conn *conn,
        struct amdrpc_client_call *call,
        const struct amdi_request_fields *fields);

/** There is more to send for @call, or its request is complete. */
void amdi_client_conn_resume(
        struct amdi_client_conn *conn, struct amdrpc_client_call *call);

/** Bytes of @call's stream are on their way out until the write is done. */
void amdi_client_conn_add_writing(
        struct amdi_client_conn *conn, struct amdrpc_client_call *call);

/** Writes at the end of this turn what the session has to say. */
void amdi_client_conn_flush_later(struct amdi_client_conn *conn);

/** The call's stream is gone: another one may be opened. */
void amdi_client_conn_forget(
        struct amdi_client_conn *conn, struct amdrpc_client_call *call);

#endif
