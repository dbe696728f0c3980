/** One loop of a server: its connections, and what one turn collects. */
#ifndef AMDI_SERVER_LOOP_H
#define AMDI_SERVER_LOOP_H

#include "common/arena.h"
#include "common/list.h"
#include "common/loop.h"
#include "server/conn/response.h"
#include "server/metrics/stats.h"

struct amdi_dispatcher;
struct amdi_stream;
struct amdrpc_server;

/** Everything on the loop's thread, but what setup fills in. */
struct amdi_server_loop {
    // Setup only.
    struct amdrpc_server *server; // borrowed
    struct amdi_loop *loop;       // owned

    struct amdi_list conns; // of amdi_conn.loop_node
    size_t nconns;
    size_t nstreams; // with those whose connection is gone
    size_t nholds;   // others that a drain has to wait for

    struct amdi_list ready; // of amdrpc_call.queue.node: to run or hand over
    struct amdi_hook hand_over;
    struct amdi_timer look_after; // while workers may be busy for us
    uint64_t worker_progress;

    struct amdi_list free_streams; // of amdi_stream.conn_node; for reuse
    size_t nfree_streams;
    struct amdi_list closed_streams; // of amdi_stream.conn_node; end of turn
    struct amdi_hook reap;
    uint64_t reaped_at_ms; // last
    struct amdi_timer tidy;
    uint32_t tidy_after_ms; // without calls the loop gives its memory back

    struct amdi_stats stats;

    // For the header block being made.
    struct amdi_response response;
    struct amdi_arena scratch; // emptied after each block

    // The drain of this loop.
    bool is_draining;
    bool is_idle; // neither connections nor calls are left
    struct amdi_task drain_task;
    struct amdi_timer drain_timer;
};

/** Errors: AMDRPC_ENOMEM, AMDRPC_EIO. Thread: setup. */
AMDRPC_NODISCARD amdrpc_err amdi_server_loop_init(struct amdi_server_loop *sl,
        struct amdrpc_server *server, size_t index);

/** Stops the thread, frees connections and streams. Accepts zero bytes. */
void amdi_server_loop_fini(struct amdi_server_loop *sl);

/** Runs or hands over @stream's call at the end of the turn. */
void amdi_server_loop_start_call(
        struct amdi_server_loop *sl, struct amdi_stream *stream);

/**
 * Takes the call back; returns false when its handler has it and will finish
 * it.
 */
bool amdi_server_loop_unstart_call(
        struct amdi_server_loop *sl, struct amdi_stream *stream);

/**
 * Hands calls, of amdrpc_call.queue.node, to their workers; those that may not
 * wait are refused. Their `caller` is set; @calls is empty afterwards.
 */
void amdi_server_loop_dispatch(
        struct amdi_server_loop *sl, struct amdi_list *calls);

/** Frees @stream at the end of the turn. */
void amdi_server_loop_reap_stream(
        struct amdi_server_loop *sl, struct amdi_stream *stream);

/**
 * Begins to drain the connections; their calls are cancelled after the
 * server's drain_timeout_ms. Thread: any.
 */
void amdi_server_loop_drain(struct amdi_server_loop *sl);

/** Lets a drain of the loop not end before the same number of releases. */
void amdi_server_loop_hold(struct amdi_server_loop *sl);
void amdi_server_loop_release(struct amdi_server_loop *sl);

/** A connection or stream is gone; tells the server when it was the last. */
void amdi_server_loop_check_idle(struct amdi_server_loop *sl);

#endif
