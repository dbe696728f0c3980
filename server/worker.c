/** The threads that run handlers. */
#include "server/worker.h"

#include "common/clock.h"
#include "common/thread.h"
#include "server/call.h"
#include "server/dispatch_internal.h"
#include "server/service.h"

#include <stdio.h>

// Handlers of others' modules, and protobuf-c's recursion, need room.
#define WORKER_STACK_BYTES (1024u * 1024u)

// Most finished calls whose loop has not been woken: it could be sending them.
#define MAX_OWED 64u

static _Thread_local struct amdi_worker *current_worker;

static void
worker_pay(struct amdi_worker *worker)
{
    if (worker->owing != NULL) {
        amdi_loop_wake(worker->owing);
        worker->owing = NULL;
        worker->nowed = 0;
    }
}

void
amdi_worker_post(struct amdi_loop *loop, struct amdi_task *task)
{
    struct amdi_worker *worker = current_worker;

    if (worker == NULL || !worker->is_quick) {
        amdi_loop_post(loop, task);
        return;
    }
    if (worker->owing != loop) {
        worker_pay(worker);
        worker->owing = loop;
    }
    amdi_loop_push(loop, task);
    if (++worker->nowed >= MAX_OWED) {
        worker_pay(worker);
    }
}

/** Sleeps until there may be work. Loops hear of what was done before. */
static void
worker_sleep_locked(struct amdi_worker *worker)
{
    struct amdi_dispatcher *d = worker->dispatcher;

    if (worker->owing != NULL) {
        // Waking takes a system call: not under the lock. There may be work
        // afterwards, so the caller looks again before it sleeps.
        pthread_mutex_unlock(&d->mtx);
        worker_pay(worker);
        pthread_mutex_lock(&d->mtx);
        return;
    }
    d->nsleeping++;
    pthread_cond_wait(&d->has_work, &d->mtx);
    d->nsleeping--;
    if (d->nwoken > 0) {
        d->nwoken--;
    }
}

/** Waits for a call; NULL when the dispatcher stops. */
static struct amdrpc_call *
worker_next_locked(struct amdi_worker *worker)
{
    struct amdi_dispatcher *d = worker->dispatcher;

    for (;;) {
        struct amdrpc_call *call =
                amdi_dispatcher_take_locked(d, &worker->is_quick);

        if (call != NULL) {
            return call;
        }
        if (d->is_stopping) {
            return NULL;
        }
        worker_sleep_locked(worker);
    }
}

/** Runs one call outside the lock; returns when it was over. */
static uint64_t
worker_run(struct amdi_worker *worker, struct amdrpc_call *call, bool must_wake)
{
    if (must_wake) {
        pthread_cond_signal(&worker->dispatcher->has_work);
    }
    if (!worker->is_quick) {
        worker_pay(worker);
    }
    amdi_call_run(call);
    return amdi_clock_now_ns();
}

static void *
worker_main(void *arg)
{
    struct amdi_worker *worker = arg;
    struct amdi_dispatcher *d = worker->dispatcher;
    struct amdrpc_call *call = NULL;
    char name[16];

    (void)snprintf(name, sizeof(name), "amd-work-%u", worker->index);
    amdi_thread_set_name(name);
    current_worker = worker;
    pthread_mutex_lock(&d->mtx);
    while ((call = worker_next_locked(worker)) != NULL) {
        struct amdi_method *method = call->method;
        bool must_wake = amdi_dispatcher_needs_help_locked(d, worker->is_quick);
        uint64_t started_at_ns = 0;
        uint64_t ended_at_ns = 0;

        pthread_mutex_unlock(&d->mtx);
        started_at_ns = amdi_clock_now_ns();
        ended_at_ns = worker_run(worker, call, must_wake);
        pthread_mutex_lock(&d->mtx);
        amdi_dispatcher_done_locked(d, method, ended_at_ns - started_at_ns);
    }
    pthread_mutex_unlock(&d->mtx);
    worker_pay(worker);
    return NULL;
}

amdrpc_err
amdi_worker_start(struct amdi_worker *worker,
        struct amdi_dispatcher *dispatcher, uint32_t index)
{
    pthread_attr_t attr;
    int rv = pthread_attr_init(&attr);

    if (rv != 0) {
        return AMDRPC_EIO;
    }
    worker->dispatcher = dispatcher;
    worker->index = index;
    rv = pthread_attr_setstacksize(&attr, WORKER_STACK_BYTES);
    if (rv == 0) {
        rv = pthread_create(&worker->thread, &attr, worker_main, worker);
    }
    pthread_attr_destroy(&attr);
    return rv == 0 ? AMDRPC_OK : AMDRPC_EIO;
}

void
amdi_worker_join(struct amdi_worker *worker)
{
    (void)pthread_join(worker->thread, NULL);
}

amdrpc_err
amdi_dispatcher_start(struct amdi_dispatcher *d)
{
    for (uint32_t i = 0; i < d->nworkers; i++) {
        if (amdi_worker_start(&d->workers[i], d, i) != AMDRPC_OK) {
            amdi_dispatcher_stop(d);
            return AMDRPC_EIO;
        }
        d->nstarted++;
    }
    return AMDRPC_OK;
}

void
amdi_dispatcher_stop(struct amdi_dispatcher *d)
{
    pthread_mutex_lock(&d->mtx);
    d->is_stopping = true;
    pthread_mutex_unlock(&d->mtx);
    pthread_cond_broadcast(&d->has_work);
    for (uint32_t i = 0; i < d->nstarted; i++) {
        amdi_worker_join(&d->workers[i]);
    }
    d->nstarted = 0;
}
