/** What a connection may take how long: one timer that looks at it. */
#ifndef AMDI_CONN_WATCH_H
#define AMDI_CONN_WATCH_H

#include "common/loop.h"

struct amdi_conn;

/** Loop thread only; part of its connection. Times of amdi_loop_now_ms. */
struct amdi_conn_watch {
    struct amdi_timer timer;
    uint32_t interval_ms;  // between looks while anything is going on
    uint64_t read_at_ms;   // bytes came last
    uint64_t active_at_ms; // there were calls last
    uint64_t frame_at_ms;  // `nframes` grew last, or nothing was partial
    uint64_t nframes;
    uint64_t written_at_ms; // `nwritten` grew last, or nothing was blocked
    uint64_t nwritten;
    uint64_t age_at_ms;       // when it is drained
    uint64_t age_grace_at_ms; // when its calls are cancelled
    uint64_t ping_at_ms;      // our PING waits for an answer since; 0: none
    uint64_t peer_ping_at_ms; // the last PING of the peer; 0: none
    uint32_t nstrikes;        // PINGs that came too soon
};

/** Starts to look after a connection that has just been made. */
void amdi_conn_watch_start(struct amdi_conn *conn);

void amdi_conn_watch_stop(struct amdi_conn *conn);

/** Bytes came. */
void amdi_conn_watch_on_read(struct amdi_conn *conn);

/**
 * The peer sent a PING. False: it does so too often, which ends the connection
 * (grpc/doc/keepalive.md, "too_many_pings").
 */
bool amdi_conn_watch_on_ping(struct amdi_conn *conn);

/** Headers or messages were sent: the peer may PING to measure how. */
void amdi_conn_watch_on_answer(struct amdi_conn *conn);

#endif
