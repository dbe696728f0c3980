/** What dispatch.c and worker.c share; nobody else includes this. */
#ifndef AMDI_DISPATCH_INTERNAL_H
#define AMDI_DISPATCH_INTERNAL_H

#include "server/dispatch.h"

#include <pthread.h>
#include <stddef.h>

#define AMDI_NPRIORITIES 3

struct amdi_method;
struct amdi_worker;

struct amdi_dispatcher {
    // Setup only.
    struct amdi_worker *workers; // owned
    uint32_t nworkers;
    uint32_t nstarted;

    // Workers and loops, under mtx; also the dispatcher's part of each
    // amdi_method and amdrpc_call.
    pthread_mutex_t mtx;
    pthread_cond_t has_work;
    struct amdi_list ready[AMDI_NPRIORITIES]; // of amdi_method.ready_node
    size_t nqueued;
    uint64_t ntaken; // calls given to workers since the start
    uint32_t nsleeping;
    uint32_t nwoken; // of the sleeping: signalled, not yet awake
    bool is_stopping;
};

/** Takes the next call, or NULL. @out_is_quick: see amdi_worker_post. */
struct amdrpc_call *amdi_dispatcher_take_locked(
        struct amdi_dispatcher *d, bool *out_is_quick);

/** A call of @method has given its worker back after @ns. */
void amdi_dispatcher_done_locked(
        struct amdi_dispatcher *d, struct amdi_method *method, uint64_t ns);

/** Tells whether the caller, with a call in hand, shall wake another worker. */
bool amdi_dispatcher_needs_help_locked(
        struct amdi_dispatcher *d, bool is_quick);

#endif
