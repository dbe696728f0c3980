/** The server: what its files share. */
#ifndef AMDI_SERVER_H
#define AMDI_SERVER_H

#include <amdrpc/server.h>

#include "common/h2/h2_guard.h"
#include "common/loop.h"
#include "server/auth/auth.h"
#include "server/conn/address_count.h"
#include "server/conn/request_head.h"
#include "server/service.h"

#include <pthread.h>
#include <stdatomic.h>

struct amdi_dispatcher;
struct amdi_listener;
struct amdi_server_loop;

enum amdi_server_state {
    AMDI_SERVER_SETUP,    // services and listeners are added
    AMDI_SERVER_RUNNING,  // serving
    AMDI_SERVER_DRAINING, // no new connections; calls are finished
    AMDI_SERVER_DRAINED,  // no connection and no call is left
};

struct amdi_drain_hook;
struct amdi_operations;

/** What a server has beside its calls. Lies in what it is. */
struct amdi_server_part {
    struct amdi_server_part *next;
    // All services are there, no thread runs yet. May be called never.
    amdrpc_err (*prepare)(struct amdi_server_part *part);
    // The threads run; a drain will follow. NULL: nothing is to be done.
    void (*start)(struct amdi_server_part *part);
    // All threads have ended, the loops are still there: frees the part.
    void (*close)(struct amdi_server_part *part);
};

struct amdrpc_server {
    // Setup only; constant once started.
    uint64_t id;                   // of amdi_server_new_id
    amdrpc_server_options options; // every value set
    struct amdi_request_limits request_limits;
    struct amdi_h2_limits h2_limits;
    amdrpc_policy default_policy;
    struct amdi_service_table services;
    struct amdi_auth auth;
    struct amdi_server_loop *loops;      // owned; options.loops of them
    struct amdi_dispatcher *dispatcher;  // owned
    struct amdi_listener *listeners;     // owned, linked by next
    struct amdi_drain_hook *drain_hooks; // owned, linked by next
    struct amdi_server_part *parts;      // owned, linked by next
    struct amdi_operations *operations;  // one of the parts; NULL: none

    struct amdi_address_count addresses; // locks itself

    struct amdi_task drain_task; // on the first loop

    // Any thread.
    atomic_uint nconns;
    atomic_uint nidle_loops; // of those that drain
    atomic_ullong last_id;   // of amdi_server_new_id

    // Any thread, under mtx.
    pthread_mutex_t mtx;
    pthread_cond_t has_changed; // of state
    enum amdi_server_state state;
};

/**
 * What has to be done once all services are there: all of a start but the
 * threads. A test that turns the loops itself needs no more. Thread: setup.
 */
AMDRPC_NODISCARD amdrpc_err amdi_server_prepare(struct amdrpc_server *server);

/**
 * A number that nothing else of this server has: of itself, a listener, a
 * connection; from 1 on. Thread: any.
 */
uint64_t amdi_server_new_id(struct amdrpc_server *server);

/** Gives the server a part. Thread: setup. */
void amdi_server_add_part(
        struct amdrpc_server *server, struct amdi_server_part *part);

/** A loop has neither connections nor calls any more. Thread: loops. */
void amdi_server_loop_is_idle(struct amdrpc_server *server);

#endif
