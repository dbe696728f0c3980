/**
 * One connection of a channel, kept up: looks up the name, tries the
 * addresses, waits after failures, begins again when there is need.
 */
#ifndef AMDI_CLIENT_LINK_H
#define AMDI_CLIENT_LINK_H

#include <amdrpc/err.h>

#include "client/target.h"
#include "common/loop.h"

#include <stdbool.h>
#include <stddef.h>

struct amdi_client_conn;
struct amdrpc_channel;

#define AMDI_LINK_REASON_BYTES 160u

enum amdi_link_state {
    LINK_IDLE,       // no connection, and none asked for
    LINK_LOOKING_UP, // waits for the addresses
    LINK_CONNECTING, // `conn` is on its way
    LINK_READY,      // `conn` takes calls
    LINK_BACKOFF,    // failed; waits for the timer before the next attempt
};

/** All on the loop thread. */
struct amdi_link {
    struct amdrpc_channel *channel;
    enum amdi_link_state state;
    struct amdi_client_conn *conn; // owned while CONNECTING and READY
    bool is_looking_up;            // a lookup will call back, wanted or not
    struct amdi_addresses addresses;
    size_t next_address;
    unsigned nfailures;      // in a row, since a connection answered a call
    struct amdi_timer timer; // end of the attempt, or of the back-off
    char reason[AMDI_LINK_REASON_BYTES]; // of the last failure
};

void amdi_link_init(struct amdi_link *link, struct amdrpc_channel *channel);

/** Begins to connect when idle; otherwise nothing. */
void amdi_link_connect(struct amdi_link *link);

/** Closes what is open; nothing follows. */
void amdi_link_stop(struct amdi_link *link);

/* ---- from its connection ---- */

/** The server's SETTINGS came: calls can be made. */
void amdi_link_on_open(struct amdi_link *link);

/**
 * The connection only finishes its calls; it is not the link's any more.
 * @has_answered: a response came over it.
 */
void amdi_link_on_draining(struct amdi_link *link, bool has_answered);

/** The connection is lost, for @reason (copied); it frees itself. */
void amdi_link_on_closed(
        struct amdi_link *link, const char *reason, bool has_answered);

#endif
