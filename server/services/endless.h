/**
 * Calls that have no end of their own, such as watches: they are ended when
 * the server begins to drain, which would wait for them in vain.
 *
 * The drain comes from another thread than the call's events, and a call is
 * used by one thread at a time; so whoever wants to use such a call enters it
 * first, and the drain takes only calls that nobody has entered.
 */
#ifndef AMDI_ENDLESS_H
#define AMDI_ENDLESS_H

#include <amdrpc/server.h>

#include "common/list.h"

#include <pthread.h>
#include <stdbool.h>

struct amdi_endless {
    // Any thread, under mtx.
    pthread_mutex_t mtx;
    bool is_draining;
    struct amdi_list calls; // of struct amdi_endless_call
};

enum amdi_endless_state {
    AMDI_ENDLESS_OUT,  // its user's, and soon finished; on no list
    AMDI_ENDLESS_IDLE, // waits for an event; on endless->calls
    AMDI_ENDLESS_BUSY, // entered by its loop; on endless->calls
};

/** Lies in the call's memory. */
struct amdi_endless_call {
    struct amdi_endless *endless;
    // Finishes the call; called by the drain, with the call out.
    void (*end)(struct amdi_endless_call *item);

    // Under endless->mtx.
    enum amdi_endless_state state;
    struct amdi_list node;
};

/** Makes an empty set. */
void amdi_endless_init(struct amdi_endless *endless);

/**
 * Lets the set be emptied when @server begins to drain; for its life.
 *
 * Errors:  AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_endless_attach(
        struct amdi_endless *endless, amdrpc_server *server);
void amdi_endless_fini(struct amdi_endless *endless);

/** Tells whether the server has begun to drain. Thread: any. */
bool amdi_endless_is_draining(struct amdi_endless *endless);

/**
 * Adds an idle call, to be used no more without entering it.
 *
 * @return  false when the server drains: the call is the caller's to finish
 */
bool amdi_endless_add(struct amdi_endless *endless,
        struct amdi_endless_call *item,
        void (*end)(struct amdi_endless_call *item));

/** Returns false when the drain has taken the call: leave it alone. */
bool amdi_endless_enter(struct amdi_endless_call *item);

/** Returns false when the server drains; the call is out, to be finished. */
bool amdi_endless_leave(struct amdi_endless_call *item);

/** Takes an entered call out, to be finished. */
void amdi_endless_remove(struct amdi_endless_call *item);

#endif
