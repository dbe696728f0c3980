/**
 * A store on one database and one thread.
 *
 * Requests wait in a queue. The thread takes what is there, makes one
 * transaction of it, and only then answers; meanwhile the next batch gathers.
 * So the busier the store, the more one commit carries. Checkpoints are made
 * between batches, when nobody waits for an answer.
 */
#include "server/store/sqlite_store.h"

#include "common/alloc.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/thread.h"
#include "server/store/sqlite.h"
#include "server/store/store_internal.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

// A batch: bounds how long the first of it waits for the last.
#define MAX_BATCH 1024u
#define MAX_BATCH_BYTES ((size_t)8 << 20)

// With so many pages in the log a checkpoint is due at once, else after so
// long a silence.
#define CHECKPOINT_PAGES 8000
#define CHECKPOINT_IDLE_MS 1000u

struct sqlite_store {
    struct amdi_store base; // first

    // The store's thread only.
    struct amdi_sql *sql; // owned

    pthread_t thread;

    // Any thread; written by the store's.
    atomic_ullong ndone;
    atomic_ullong nunfinished;
    atomic_ullong nbytes;

    // Any thread, under mtx.
    pthread_mutex_t mtx;
    pthread_cond_t cond;
    struct amdi_list queue; // of requests
    size_t nqueued;         // requests that were not answered yet
    size_t nqueued_bytes;
    bool is_waiting; // the thread, for cond
    bool is_closing;

    // Of the close.
    struct amdi_task closed_task;
    struct amdi_loop *close_loop;
    void (*close_done)(void *arg);
    void *close_arg;
};

/** What the thread works on. */
struct batch {
    struct amdi_list requests;
    size_t nrequests;
    size_t nbytes;
};

/* ---- asking ---- */

static bool
store_is_full(const struct sqlite_store *store)
{
    return store->nqueued >= store->base.options.max_queued ||
            store->nqueued_bytes >= store->base.options.max_queued_bytes;
}

static enum amdi_store_result
store_push(struct amdi_store *base, struct amdi_request *request, bool is_inner)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    enum amdi_store_result result = AMDI_STORE_OK;
    bool must_wake = false;

    (void)pthread_mutex_lock(&store->mtx);
    if (store->is_closing) {
        result = AMDI_STORE_DOWN;
    } else if (!is_inner && store_is_full(store)) {
        result = AMDI_STORE_BUSY;
    } else {
        amdi_list_push(&store->queue, &request->node);
        store->nqueued++;
        store->nqueued_bytes += request->nbytes;
        must_wake = store->is_waiting;
    }
    (void)pthread_mutex_unlock(&store->mtx);
    if (must_wake) {
        (void)pthread_cond_signal(&store->cond);
    }
    return result;
}

/* ---- the thread ---- */

/** Waits for requests; after long silence the log is emptied. */
static void
store_wait_locked(struct sqlite_store *store)
{
    store->is_waiting = true;
    if (store->sql->wal_pages == 0) {
        (void)pthread_cond_wait(&store->cond, &store->mtx);
        store->is_waiting = false;
        return;
    }
    const struct timespec until = amdi_clock_deadline(CHECKPOINT_IDLE_MS);
    if (pthread_cond_timedwait(&store->cond, &store->mtx, &until) != 0) {
        (void)pthread_mutex_unlock(&store->mtx);
        amdi_sql_checkpoint(store->sql);
        (void)pthread_mutex_lock(&store->mtx);
    }
    store->is_waiting = false;
}

/** Takes the next batch; it is empty when the store is being closed. */
static void
store_take_batch(struct sqlite_store *store, struct batch *batch)
{
    struct amdi_list *node;

    *batch = (struct batch){0};
    amdi_list_init(&batch->requests);
    (void)pthread_mutex_lock(&store->mtx);
    while (amdi_list_is_empty(&store->queue) && !store->is_closing) {
        store_wait_locked(store);
    }
    while (batch->nrequests < MAX_BATCH && batch->nbytes < MAX_BATCH_BYTES &&
            (node = amdi_list_pop(&store->queue)) != NULL) {
        amdi_list_push(&batch->requests, node);
        batch->nrequests++;
        batch->nbytes +=
                AMDI_CONTAINER_OF(node, struct amdi_request, node)->nbytes;
    }
    (void)pthread_mutex_unlock(&store->mtx);
}

static void
store_count_off(struct sqlite_store *store, const struct batch *batch)
{
    (void)pthread_mutex_lock(&store->mtx);
    store->nqueued -= batch->nrequests;
    store->nqueued_bytes -= batch->nbytes;
    (void)pthread_mutex_unlock(&store->mtx);
}

/** Shows how much there is. */
static void
store_publish(struct sqlite_store *store)
{
    const struct amdi_store_usage *usage = &store->sql->usage;

    atomic_store(&store->ndone, usage->ndone);
    atomic_store(&store->nunfinished, usage->nunfinished);
    atomic_store(&store->nbytes, usage->nbytes);
}

static struct amdi_store_usage
store_get_usage(const struct amdi_store *base)
{
    const struct sqlite_store *store = (const struct sqlite_store *)base;

    return (struct amdi_store_usage){.ndone = atomic_load(&store->ndone),
            .nunfinished = atomic_load(&store->nunfinished),
            .nbytes = atomic_load(&store->nbytes)};
}

/** Tells watches and executors what has become durable. */
static void
store_tell(struct sqlite_store *store)
{
    const struct amdi_sql *sql = store->sql;

    if (sql->ntouched == AMDI_SQL_MAX_TOUCHED) {
        amdi_hub_touch_all(store->base.hub);
    } else {
        for (size_t i = 0; i < sql->ntouched; i++) {
            amdi_hub_touch(store->base.hub, sql->touched[i]);
        }
    }
    amdi_hub_give_hints(store->base.hub, sql->hints);
}

/** Makes one transaction of the requests. */
static enum amdi_store_result
store_try(struct sqlite_store *store, const struct amdi_list *requests)
{
    amdi_sql_begin(store->sql);
    AMDI_LIST_FOREACH (node, requests) {
        amdi_sql_apply(
                store->sql, AMDI_CONTAINER_OF(node, struct amdi_request, node));
    }
    return amdi_sql_end(store->sql);
}

/** Answers those that failed; what only reads may be tried again. */
static void
store_fail(struct amdi_list *requests, enum amdi_store_result result,
        bool also_reads)
{
    AMDI_LIST_FOREACH (node, requests) {
        struct amdi_request *request =
                AMDI_CONTAINER_OF(node, struct amdi_request, node);

        amdi_request_fail(request, result);
        if (also_reads || amdi_request_is_write(request)) {
            amdi_list_remove(node);
            request->complete(request);
        }
    }
}

static void
store_answer(struct amdi_list *requests)
{
    struct amdi_list *node;

    while ((node = amdi_list_pop(requests)) != NULL) {
        struct amdi_request *request =
                AMDI_CONTAINER_OF(node, struct amdi_request, node);

        request->complete(request);
    }
}

static void
store_run_batch(struct sqlite_store *store, struct batch *batch)
{
    enum amdi_store_result result = store_try(store, &batch->requests);

    store_count_off(store, batch);
    if (result != AMDI_STORE_OK) {
        store_fail(&batch->requests, result, /*also_reads=*/false);
        result = store_try(store, &batch->requests);
    }
    if (result != AMDI_STORE_OK) {
        store_fail(&batch->requests, result, /*also_reads=*/true);
        return;
    }
    store_publish(store);
    store_answer(&batch->requests);
    store_tell(store);
}

static void *
store_main(void *arg)
{
    struct sqlite_store *store = arg;
    struct batch batch;

    amdi_thread_set_name("amd-store");
    store_take_batch(store, &batch);
    while (batch.nrequests > 0) {
        store_run_batch(store, &batch);
        if (store->sql->wal_pages >= CHECKPOINT_PAGES) {
            amdi_sql_checkpoint(store->sql);
        }
        store_take_batch(store, &batch);
    }
    amdi_sql_checkpoint(store->sql);
    amdi_sql_close(store->sql);
    store->sql = NULL;
    amdi_loop_post(store->close_loop, &store->closed_task);
    return NULL;
}

/* ---- life ---- */

static void
store_free(struct sqlite_store *store)
{
    amdi_sql_close(store->sql);
    amdi_hub_destroy(store->base.hub);
    (void)pthread_cond_destroy(&store->cond);
    (void)pthread_mutex_destroy(&store->mtx);
    amdi_free(store);
}

static void
store_on_closed(struct amdi_task *task)
{
    struct sqlite_store *store =
            AMDI_CONTAINER_OF(task, struct sqlite_store, closed_task);
    void (*done)(void *arg) = store->close_done;
    void *arg = store->close_arg;

    // The post was the last thing that the thread did, so this does not block.
    (void)pthread_join(store->thread, NULL);
    store_free(store);
    done(arg);
}

static void
store_close(struct amdi_store *base, struct amdi_loop *loop,
        void (*done)(void *arg), void *arg)
{
    struct sqlite_store *store = (struct sqlite_store *)base;

    store->close_loop = loop;
    store->close_done = done;
    store->close_arg = arg;
    store->closed_task.run = store_on_closed;
    (void)pthread_mutex_lock(&store->mtx);
    store->is_closing = true;
    // Under the lock, because the store may be gone once it is free.
    (void)pthread_cond_signal(&store->cond);
    (void)pthread_mutex_unlock(&store->mtx);
}

static const struct amdi_store_ops store_ops = {
        .push = store_push,
        .close = store_close,
        .get_usage = store_get_usage,
};

static void
store_init(struct sqlite_store *store, const struct amdi_store_options *options)
{
    pthread_condattr_t attr;

    store->base.ops = &store_ops;
    store->base.options = *options;
    amdi_list_init(&store->queue);
    // None of these fails on Linux.
    (void)pthread_mutex_init(&store->mtx, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&store->cond, &attr);
    (void)pthread_condattr_destroy(&attr);
}

/** Starts the thread; signals are for the threads of the program. */
static amdrpc_err
store_start(struct sqlite_store *store, struct amdi_error *error)
{
    sigset_t all;
    sigset_t before;
    int failure;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failure = pthread_create(&store->thread, NULL, store_main, store);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure == 0 ? AMDRPC_OK
                        : amdi_error_set(error, AMDRPC_EIO,
                                  "cannot start the store's thread");
}

amdrpc_err
amdi_sqlite_store_open(const char *dir,
        const struct amdi_store_options *options, struct amdi_store **out,
        struct amdi_error *error)
{
    struct sqlite_store *store = amdi_zalloc(sizeof(*store));
    amdrpc_err err;

    if (store == NULL) {
        return amdi_error_nomem(error);
    }
    store_init(store, options);
    store->base.hub = amdi_hub_create();
    if (store->base.hub == NULL) {
        err = amdi_error_nomem(error);
    } else {
        err = amdi_sql_open(dir, options, &store->sql, error);
    }
    if (err == AMDRPC_OK) {
        store_publish(store);
        err = store_start(store, error);
    }
    if (err != AMDRPC_OK) {
        store_free(store);
        return err;
    }
    *out = &store->base;
    return AMDRPC_OK;
}
