/**
 * A future: its state, its completion, and who is told.
 *
 * Everything that changes stands under one mutex. The state is also read
 * without it: who sees a complete state sees the result, which never changes
 * again. User functions are only called with the mutex free and with a
 * reference held, so they may cancel, wait for, or drop the future.
 */
#include "common/future.h"

#include "common/alloc.h"
#include "common/assertion.h"
#include "common/cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum future_state {
    FUTURE_PENDING,    // the work goes on; nobody asked it to stop
    FUTURE_CANCELLING, // as above; work.cancel is running in some thread
    FUTURE_CANCELED,   // the work was asked to stop and has not ended yet
    FUTURE_ENDING,     // complete, but work.cancel has not returned yet
    FUTURE_COMPLETE,   // complete; the work was given back
};

struct future_callback {
    struct future_callback *next;
    amdrpc_future_fn fn;
    void *arg;
};

struct amdrpc_future {
    atomic_uint nrefs;
    _Atomic(char *) name;             // NULL: none yet; owned
    struct amdi_future_work work;     // arg: owned until it is given back
    struct amdi_future_result result; // written once, before the state says so;
                                      // but the pointer is under the mutex

    pthread_mutex_t mtx;
    _Atomic enum future_state state;         // read by anyone
    struct amdi_list links;                  // of struct amdi_future_link
    struct future_callback *callbacks;       // oldest first; owned
    struct future_callback **callbacks_last; // where the next one goes
    int fd;                                  // -1 until asked for; owned
};

// Every call of a client has one.
#define FUTURE_CACHE_CLASS amdi_cache_small_class(sizeof(struct amdrpc_future))
static_assert(sizeof(struct amdrpc_future) <= AMDI_CACHE_SMALL_BYTES,
        "no class is large enough");

static bool
future_state_is_complete(enum future_state state)
{
    return state >= FUTURE_ENDING;
}

static enum future_state
future_get_state(const amdrpc_future *future)
{
    return atomic_load_explicit(&future->state, memory_order_acquire);
}

static bool
future_may_enter(enum future_state state, enum future_state next)
{
    switch (state) {
    case FUTURE_PENDING:
        return next == FUTURE_CANCELLING || next == FUTURE_COMPLETE;
    case FUTURE_CANCELLING:
        return next == FUTURE_CANCELED || next == FUTURE_ENDING;
    case FUTURE_CANCELED:
    case FUTURE_ENDING:
        return next == FUTURE_COMPLETE;
    case FUTURE_COMPLETE:
        return false;
    }
    return false;
}

/** Changes the state; completion wakes the threads that wait. */
static void
future_set_state_locked(amdrpc_future *future, enum future_state next)
{
    struct amdi_list *node;

    amdi_assert(future_may_enter(future_get_state(future), next));
    atomic_store_explicit(&future->state, next, memory_order_release);
    if (!future_state_is_complete(next)) {
        return;
    }
    while ((node = amdi_list_pop(&future->links)) != NULL) {
        // It cannot fail: the count stays far below its limit.
        (void)sem_post(
                AMDI_CONTAINER_OF(node, struct amdi_future_link, node)->woken);
    }
}

amdrpc_err
amdi_future_create(const struct amdi_future_work *work, amdrpc_future **out)
{
    amdrpc_future *future = amdi_cache_take(FUTURE_CACHE_CLASS);

    if (future == NULL) {
        return AMDRPC_ENOMEM;
    }
    memset(future, 0, sizeof(*future));
    if (pthread_mutex_init(&future->mtx, NULL) != 0) {
        amdi_cache_give(FUTURE_CACHE_CLASS, future);
        return AMDRPC_ENOMEM;
    }
    atomic_init(&future->nrefs, 1);
    atomic_init(&future->state, FUTURE_PENDING);
    amdi_list_init(&future->links);
    future->callbacks_last = &future->callbacks;
    future->fd = -1;
    if (work != NULL) {
        future->work = *work;
    }
    *out = future;
    return AMDRPC_OK;
}

amdrpc_future *
amdrpc_future_ref(amdrpc_future *future)
{
    atomic_fetch_add_explicit(&future->nrefs, 1, memory_order_relaxed);
    return future;
}

static void
future_release_work(amdrpc_future *future)
{
    if (future->work.release != NULL) {
        future->work.release(future->work.arg);
    }
}

static void
future_result_destroy(const struct amdi_future_result *result)
{
    if (result->pointer != NULL && result->destroy_pointer != NULL) {
        result->destroy_pointer(result->pointer);
    }
    if (result->destroy != NULL) {
        result->destroy(result->arg);
    }
}

static void
future_destroy(amdrpc_future *future)
{
    if (future_get_state(future) != FUTURE_COMPLETE) {
        future_release_work(future); // the work never began, or gave up
    }
    future_result_destroy(&future->result);
    amdi_free(atomic_load_explicit(&future->name, memory_order_relaxed));
    if (future->fd >= 0) {
        (void)close(future->fd); // nothing was written that could be lost
    }
    (void)pthread_mutex_destroy(&future->mtx); // unlocked, so it succeeds
    amdi_cache_give(FUTURE_CACHE_CLASS, future);
}

void
amdrpc_future_unref(amdrpc_future *future)
{
    // Acquire and release, so that the last one sees what all others did.
    if (future != NULL &&
            atomic_fetch_sub_explicit(
                    &future->nrefs, 1, memory_order_acq_rel) == 1) {
        future_destroy(future);
    }
}

bool
amdrpc_future_is_ready(const amdrpc_future *future)
{
    return future_state_is_complete(future_get_state(future));
}

/** Calls and frees the callbacks, each with the reference that it holds. */
static void
future_run_callbacks(amdrpc_future *future, struct future_callback *callback)
{
    while (callback != NULL) {
        struct future_callback *next = callback->next;

        callback->fn(future, callback->arg);
        amdi_free(callback);
        amdrpc_future_unref(future);
        callback = next;
    }
}

static void
future_signal_fd(int fd)
{
    uint64_t one = 1;

    // The only write ever made to it, so it can neither block nor be cut short.
    while (fd >= 0 && write(fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

bool
amdi_future_complete_take(
        amdrpc_future *future, const struct amdi_future_result *result)
{
    struct future_callback *callbacks;
    enum future_state next = FUTURE_COMPLETE;
    int fd;

    pthread_mutex_lock(&future->mtx);
    if (amdrpc_future_is_ready(future)) {
        pthread_mutex_unlock(&future->mtx);
        future_result_destroy(result);
        return false;
    }
    if (future_get_state(future) == FUTURE_CANCELLING) {
        next = FUTURE_ENDING; // who runs work.cancel gives the work back
    }
    amdrpc_future_ref(future); // the work's own may go with the work
    future->result = *result;
    future_set_state_locked(future, next);
    callbacks = future->callbacks;
    future->callbacks = NULL;
    fd = future->fd;
    pthread_mutex_unlock(&future->mtx);

    future_signal_fd(fd);
    if (next == FUTURE_COMPLETE) {
        future_release_work(future);
    }
    future_run_callbacks(future, callbacks);
    amdrpc_future_unref(future);
    return true;
}

/** Runs work.cancel and gives the work back if that completed the future. */
static void
future_cancel_work(amdrpc_future *future)
{
    bool has_ended;

    future->work.cancel(future->work.arg);

    pthread_mutex_lock(&future->mtx);
    has_ended = future_get_state(future) == FUTURE_ENDING;
    future_set_state_locked(
            future, has_ended ? FUTURE_COMPLETE : FUTURE_CANCELED);
    pthread_mutex_unlock(&future->mtx);
    if (has_ended) {
        future_release_work(future);
    }
}

void
amdrpc_future_cancel(amdrpc_future *future)
{
    static const struct amdi_future_result canceled = {
            .status = AMDRPC_STATUS_CANCELLED,
    };
    bool is_first;

    if (future->work.cancel == NULL) {
        (void)amdi_future_complete_take(future, &canceled); // or it was quicker
        return;
    }
    pthread_mutex_lock(&future->mtx);
    is_first = future_get_state(future) == FUTURE_PENDING;
    if (is_first) {
        future_set_state_locked(future, FUTURE_CANCELLING);
        amdrpc_future_ref(future); // a callback may drop the caller's
    }
    pthread_mutex_unlock(&future->mtx);
    if (is_first) {
        future_cancel_work(future);
        amdrpc_future_unref(future);
    }
}

/** Adds a callback unless the future is complete. */
static bool
future_add_callback(amdrpc_future *future, struct future_callback *callback)
{
    bool is_added;

    pthread_mutex_lock(&future->mtx);
    is_added = !amdrpc_future_is_ready(future);
    if (is_added) {
        *future->callbacks_last = callback;
        future->callbacks_last = &callback->next;
        amdrpc_future_ref(future);
    }
    pthread_mutex_unlock(&future->mtx);
    return is_added;
}

amdrpc_err
amdrpc_future_then(amdrpc_future *future, amdrpc_future_fn fn, void *arg)
{
    struct future_callback *callback;

    if (amdrpc_future_is_ready(future)) {
        fn(future, arg);
        return AMDRPC_OK;
    }
    callback = amdi_alloc(sizeof(*callback));
    if (callback == NULL) {
        return AMDRPC_ENOMEM;
    }
    *callback = (struct future_callback){.fn = fn, .arg = arg};
    if (!future_add_callback(future, callback)) {
        amdi_free(callback);
        fn(future, arg);
    }
    return AMDRPC_OK;
}

amdrpc_err
amdi_future_set_name(amdrpc_future *future, const char *name)
{
    char *copy = amdi_strdup(name);

    if (copy == NULL) {
        return AMDRPC_ENOMEM;
    }
    amdi_assert(amdi_future_get_name(future) == NULL);
    atomic_store_explicit(&future->name, copy, memory_order_release);
    return AMDRPC_OK;
}

const char *
amdi_future_get_name(const amdrpc_future *future)
{
    return future == NULL
            ? NULL
            : atomic_load_explicit(&future->name, memory_order_acquire);
}

bool
amdi_future_help(amdrpc_future *future)
{
    return future->work.help != NULL && future->work.help(future->work.arg);
}

bool
amdi_future_watch(amdrpc_future *future, struct amdi_future_link *link)
{
    bool is_ongoing;

    pthread_mutex_lock(&future->mtx);
    is_ongoing = !amdrpc_future_is_ready(future);
    if (is_ongoing) {
        amdi_list_push(&future->links, &link->node);
    }
    pthread_mutex_unlock(&future->mtx);
    return is_ongoing;
}

void
amdi_future_unwatch(amdrpc_future *future, struct amdi_future_link *link)
{
    pthread_mutex_lock(&future->mtx);
    amdi_list_remove(&link->node);
    pthread_mutex_unlock(&future->mtx);
}

amdrpc_err
amdrpc_future_get_fd(amdrpc_future *future, int *out)
{
    int fd;

    pthread_mutex_lock(&future->mtx);
    if (future->fd < 0) {
        future->fd = eventfd(amdrpc_future_is_ready(future) ? 1 : 0,
                EFD_CLOEXEC | EFD_NONBLOCK);
    }
    fd = future->fd;
    pthread_mutex_unlock(&future->mtx);
    if (fd < 0) {
        return AMDRPC_EIO;
    }
    *out = fd;
    return AMDRPC_OK;
}

amdrpc_status_code
amdrpc_future_get_status(const amdrpc_future *future)
{
    return future != NULL && amdrpc_future_is_ready(future)
            ? future->result.status
            : AMDRPC_STATUS_UNKNOWN;
}

const char *
amdrpc_future_get_status_message(const amdrpc_future *future)
{
    if (future == NULL || !amdrpc_future_is_ready(future) ||
            future->result.status_message == NULL) {
        return "";
    }
    return future->result.status_message;
}

const ProtobufCMessage *
amdrpc_future_get_message(const amdrpc_future *future)
{
    return amdrpc_future_get_status(future) == AMDRPC_STATUS_OK
            ? future->result.message
            : NULL;
}

void *
amdrpc_future_get_pointer(amdrpc_future *future)
{
    void *pointer = NULL;

    if (amdrpc_future_get_status(future) == AMDRPC_STATUS_OK) {
        pthread_mutex_lock(&future->mtx);
        pointer = future->result.pointer;
        pthread_mutex_unlock(&future->mtx);
    }
    return pointer;
}

void *
amdrpc_future_take_pointer(amdrpc_future *future)
{
    void *pointer = NULL;

    if (amdrpc_future_get_status(future) == AMDRPC_STATUS_OK) {
        pthread_mutex_lock(&future->mtx);
        pointer = future->result.pointer;
        future->result.pointer = NULL;
        pthread_mutex_unlock(&future->mtx);
    }
    return pointer;
}
