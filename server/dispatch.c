/** Decides which call runs next on which worker. */
#include "server/dispatch.h"

#include "common/alloc.h"
#include "common/assertion.h"
#include "common/clock.h"
#include "server/call.h"
#include "server/dispatch_internal.h"
#include "server/service.h"
#include "server/worker.h"

// New measurements count 1/8 in the moving average.
#define SERVICE_SHIFT 3

amdrpc_err
amdi_dispatcher_create(uint32_t nworkers, struct amdi_dispatcher **out)
{
    struct amdi_dispatcher *d = amdi_zalloc(sizeof(*d));

    if (d == NULL) {
        return AMDRPC_ENOMEM;
    }
    d->workers = amdi_calloc(nworkers, sizeof(*d->workers));
    if (d->workers == NULL) {
        amdi_free(d);
        return AMDRPC_ENOMEM;
    }
    d->nworkers = nworkers;
    pthread_mutex_init(&d->mtx, NULL);
    pthread_cond_init(&d->has_work, NULL);
    for (size_t i = 0; i < AMDI_NPRIORITIES; i++) {
        amdi_list_init(&d->ready[i]);
    }
    *out = d;
    return AMDRPC_OK;
}

void
amdi_dispatcher_destroy(struct amdi_dispatcher *d)
{
    if (d == NULL) {
        return;
    }
    pthread_cond_destroy(&d->has_work);
    pthread_mutex_destroy(&d->mtx);
    amdi_free(d->workers);
    amdi_free(d);
}

static struct amdi_list *
dispatcher_ready_list(struct amdi_dispatcher *d, const struct amdi_method *m)
{
    return &d->ready[m->policy.priority - AMDRPC_PRIORITY_HIGH];
}

/** Puts a method on the ready list, or off, as its numbers say. */
static void
method_update_ready_locked(struct amdi_dispatcher *d, struct amdi_method *m)
{
    bool is_ready = m->nqueued > 0 && m->nrunning < m->policy.max_running;

    if (is_ready && !amdi_list_is_linked(&m->ready_node)) {
        amdi_list_push(dispatcher_ready_list(d, m), &m->ready_node);
    } else if (!is_ready) {
        amdi_list_remove(&m->ready_node);
    }
}

/** Wakes one worker if one sleeps and has not been woken for this yet. */
static bool
dispatcher_claim_sleeper_locked(struct amdi_dispatcher *d)
{
    if (d->nsleeping <= d->nwoken) {
        return false;
    }
    d->nwoken++;
    return true;
}

void
amdi_dispatcher_submit(struct amdi_dispatcher *d, struct amdi_list *calls,
        struct amdi_list *refused)
{
    uint64_t now_ns = amdi_clock_now_ns();
    struct amdi_list *node = NULL;
    bool must_wake = false;

    pthread_mutex_lock(&d->mtx);
    while ((node = amdi_list_pop(calls)) != NULL) {
        struct amdrpc_call *call =
                AMDI_CONTAINER_OF(node, struct amdrpc_call, queue_node);
        struct amdi_method *method = call->method;

        if (method->nqueued >= method->policy.max_queued) {
            amdi_list_push(refused, node);
            continue;
        }
        call->queued_at_ns = now_ns;
        amdi_list_push(&method->queued, node);
        method->nqueued++;
        d->nqueued++;
        method_update_ready_locked(d, method);
        must_wake = true;
    }
    must_wake = must_wake && dispatcher_claim_sleeper_locked(d);
    pthread_mutex_unlock(&d->mtx);
    if (must_wake) {
        pthread_cond_signal(&d->has_work);
    }
}

bool
amdi_dispatcher_cancel(struct amdi_dispatcher *d, struct amdrpc_call *call)
{
    bool was_queued = false;

    pthread_mutex_lock(&d->mtx);
    was_queued = amdi_list_is_linked(&call->queue_node);
    if (was_queued) {
        amdi_list_remove(&call->queue_node);
        call->method->nqueued--;
        d->nqueued--;
        method_update_ready_locked(d, call->method);
    }
    pthread_mutex_unlock(&d->mtx);
    return was_queued;
}

bool
amdi_dispatcher_look_after(struct amdi_dispatcher *d, uint64_t *progress)
{
    bool has_changed = false;
    bool must_wake = false;

    pthread_mutex_lock(&d->mtx);
    has_changed = d->ntaken != *progress || d->nqueued > 0;
    *progress = d->ntaken;
    must_wake = d->nqueued > 0 && dispatcher_claim_sleeper_locked(d);
    pthread_mutex_unlock(&d->mtx);
    if (must_wake) {
        pthread_cond_signal(&d->has_work);
    }
    return has_changed;
}

static bool
method_is_quick(const struct amdi_method *method)
{
    return method->service_ns < AMDI_QUICK_NS;
}

/** The method whose turn it is, or NULL; it goes to the end of its class. */
static struct amdi_method *
dispatcher_next_method_locked(struct amdi_dispatcher *d)
{
    for (size_t i = 0; i < AMDI_NPRIORITIES; i++) {
        struct amdi_list *node = amdi_list_pop(&d->ready[i]);

        if (node != NULL) {
            return AMDI_CONTAINER_OF(node, struct amdi_method, ready_node);
        }
    }
    return NULL;
}

struct amdrpc_call *
amdi_dispatcher_take_locked(struct amdi_dispatcher *d, bool *out_is_quick)
{
    struct amdi_method *method = dispatcher_next_method_locked(d);
    struct amdi_list *node = NULL;

    if (method == NULL) {
        return NULL;
    }
    node = amdi_list_pop(&method->queued);
    amdi_assert(node != NULL);
    method->nqueued--;
    method->nrunning++;
    d->nqueued--;
    d->ntaken++;
    method_update_ready_locked(d, method);
    *out_is_quick = method_is_quick(method);
    return AMDI_CONTAINER_OF(node, struct amdrpc_call, queue_node);
}

void
amdi_dispatcher_done_locked(
        struct amdi_dispatcher *d, struct amdi_method *method, uint64_t ns)
{
    method->nrunning--;
    method->service_ns +=
            (ns >> SERVICE_SHIFT) - (method->service_ns >> SERVICE_SHIFT);
    method_update_ready_locked(d, method);
}

bool
amdi_dispatcher_needs_help_locked(struct amdi_dispatcher *d, bool is_quick)
{
    // A quick call will be over before another worker is awake.
    return !is_quick && d->nqueued > 0 && dispatcher_claim_sleeper_locked(d);
}
