/**
 * A channel as its links, connections and calls see it.
 *
 * Everything belongs to the channel's loop thread; other threads post to it.
 * The channel lives until nothing can post any more: with the last reference
 * its calls are cancelled and its connections closed, and it is freed once
 * the last call object, connection and lookup are gone (`nholds`).
 */
#ifndef AMDI_CHANNEL_H
#define AMDI_CHANNEL_H

#include <amdrpc/client.h>

#include "client/link.h"
#include "client/request.h"
#include "client/retry.h"
#include "client/target.h"
#include "common/list.h"
#include "common/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum amdi_channel_state {
    CHANNEL_OPEN,     // takes calls
    CHANNEL_STOPPING, // the last reference is gone; calls are being ended
    CHANNEL_STOPPED,  // they have been told; waits for nholds to be 0
    CHANNEL_OVER,     // nothing is left but to end the thread
};

/** How the thread that dropped the last reference goes on. */
enum amdi_channel_end {
    CHANNEL_END_UNKNOWN, // it waits for the loop's word
    CHANNEL_END_IDLE,    // nothing is left: it ends the loop thread and frees
    CHANNEL_END_BUSY,    // call objects are still held: left to the loop
};

struct amdrpc_channel {
    // Set at creation.
    struct amdi_loop *loop; // owned
    struct amdi_target target;
    amdrpc_channel_options options; // no zeros; texts are elsewhere
    char *authority;                // for :authority; owned
    char *server_name;              // that its certificate must have; owned
    struct amdi_request_template request;

    // Any thread.
    atomic_uint nrefs;
    atomic_uint nleaving; // threads that still touch it, for the last time
    struct amdi_task stop_task;

    // Any thread, under end_mtx.
    pthread_mutex_t end_mtx;
    pthread_cond_t end_cond;
    enum amdi_channel_end end;

    // Loop thread only.
    enum amdi_channel_state state;
    bool has_waiter; // a thread waits for `end`
    size_t nholds;   // calls, connections and lookups that still need us
    struct amdi_link *links;        // options.connections of them; owned
    size_t nready;                  // links with an open connection
    uint32_t keepalive_interval_ms; // of new connections; 0: off
    struct amdi_retry_throttle throttle;
    struct amdi_list draining; // connections that only finish their calls
    struct amdi_list waiting;  // calls without a connection, in their order
    struct amdi_list retrying; // calls that wait for their next attempt's time
    struct amdi_list operations; // that their futures stand for
    struct amdi_list telling;    // calls with something to tell their user
    struct amdi_list reaping;    // calls to free at the end of this turn
    struct amdi_hook serve_hook;
    struct amdi_hook tell_hook;
    struct amdi_hook reap_hook;
};

/* ---- all on the loop thread ---- */

/** Counts something that must be gone before the channel is freed. */
void amdi_channel_hold(struct amdrpc_channel *channel);
void amdi_channel_release(struct amdrpc_channel *channel);

/** Gives a call to a connection, or lets it wait for one, or fails it. */
void amdi_channel_place(
        struct amdrpc_channel *channel, struct amdrpc_client_call *call);

/** Lets a call that was not looked at begin again, before all others. */
void amdi_channel_place_again(
        struct amdrpc_channel *channel, struct amdrpc_client_call *call);

/** A stream or a connection may have become free: looks at who waits. */
void amdi_channel_serve(struct amdrpc_channel *channel);

/** Lets a call be told, or freed, at the end of this turn. */
void amdi_channel_tell(
        struct amdrpc_channel *channel, struct amdrpc_client_call *call);
void amdi_channel_reap(
        struct amdrpc_channel *channel, struct amdrpc_client_call *call);

/** Prepares the hooks and lists of the functions above (balance.c). */
void amdi_channel_init_calls(struct amdrpc_channel *channel);

/** Ends every call that has no connection: the channel is closed. */
void amdi_channel_end_waiting(struct amdrpc_channel *channel);

/** Looks whether a stopping channel is over; at the end of a turn. */
void amdi_channel_check_over(struct amdrpc_channel *channel);

#endif
