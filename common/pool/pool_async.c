/**
 * Calls with a future.
 *
 * A call lives as long as its future, so that cancelling, and waiting threads
 * that want to help, always find it. It is queued in the common queue only;
 * whoever takes it off there completes the future.
 */
#include "common/alloc.h"
#include "common/future.h"
#include "common/pool/pool.h"

struct async_call {
    struct amdi_pool_task task;
    amdrpc_group group;    // holds this function only; that of what it spawns
    amdrpc_pool *pool;     // counted
    amdrpc_future *future; // counted until the call has ended
    amdrpc_async_fn fn;
    void *arg;
    void (*destroy)(void *result);
};

static void
async_free(void *arg)
{
    struct async_call *call = arg;

    amdi_pool_unref(call->pool);
    amdi_free(call);
}

/** Completes the future; the call is gone afterwards. */
static void
async_complete(struct async_call *call, amdrpc_err err, void *pointer)
{
    amdrpc_future *future = call->future;
    const struct amdi_future_result result = {
            .status = amdrpc_status_from_err(err),
            .status_message = err == AMDRPC_OK ? NULL : amdrpc_err_text(err),
            .pointer = err == AMDRPC_OK ? pointer : NULL,
            .destroy_pointer = call->destroy,
            .destroy = async_free,
            .arg = call,
    };

    (void)amdi_future_complete_take(future, &result); // the only completion
    amdrpc_future_unref(future);
}

static void
async_run(struct amdi_pool_task *task)
{
    struct async_call *call = AMDI_CONTAINER_OF(task, struct async_call, task);
    struct amdi_pool_self *self = amdi_pool_self();
    amdrpc_group *outer = self->group;
    void *pointer = NULL;
    amdrpc_err err;

    self->group = &call->group;
    err = call->fn(call->arg, &pointer);
    self->group = outer;
    async_complete(call, err, pointer);
}

static void
async_on_cancel(void *arg)
{
    struct async_call *call = arg;

    if (amdi_pool_queue_remove(&call->pool->common, &call->task)) {
        async_complete(call, AMDRPC_ECANCELED, NULL);
    } else {
        amdrpc_group_cancel(&call->group);
    }
}

/** Only a pool's thread helps: others may have little stack. */
static bool
async_on_help(void *arg)
{
    struct async_call *call = arg;

    if (amdi_pool_self()->worker == NULL ||
            !amdi_pool_queue_remove(&call->pool->common, &call->task)) {
        return false;
    }
    async_run(&call->task);
    return true;
}

static amdrpc_err
async_create(amdrpc_pool *pool, struct async_call **out)
{
    struct async_call *call = amdi_zalloc(sizeof(*call));
    const struct amdi_future_work work = {
            .cancel = async_on_cancel,
            .help = async_on_help,
            .arg = call,
    };

    if (call == NULL) {
        return AMDRPC_ENOMEM;
    }
    if (amdi_future_create(&work, &call->future) != AMDRPC_OK) {
        amdi_free(call);
        return AMDRPC_ENOMEM;
    }
    // It is the outermost one: whoever waits for a function above it does not
    // wait for this one, and its end is not theirs.
    call->group = (amdrpc_group){.pool = pool};
    call->pool = amdi_pool_ref(pool);
    call->task = (struct amdi_pool_task){
            .group = &call->group,
            .run = async_run,
    };
    *out = call;
    return AMDRPC_OK;
}

amdrpc_err
amdrpc_async_owned(amdrpc_pool *pool, amdrpc_async_fn fn, void *arg,
        void (*destroy)(void *result), amdrpc_future **out)
{
    struct async_call *call;
    amdrpc_future *future;
    bool was_empty;
    amdrpc_err err = async_create(pool, &call);

    if (err != AMDRPC_OK) {
        return err;
    }
    call->fn = fn;
    call->arg = arg;
    call->destroy = destroy;
    future = amdrpc_future_ref(call->future); // keeps the call, too
    err = amdi_pool_queue_push(
            &pool->common, &call->task, pool->max_queued, &was_empty);
    if (err != AMDRPC_OK) {
        amdrpc_future_unref(future);
        amdrpc_future_unref(future); // the call's own
        async_free(call);
        return err;
    }
    amdi_pool_notify(pool, &call->group, /*for_syncing=*/false);
    *out = future;
    return AMDRPC_OK;
}

amdrpc_err
amdrpc_async(
        amdrpc_pool *pool, amdrpc_async_fn fn, void *arg, amdrpc_future **out)
{
    return amdrpc_async_owned(pool, fn, arg, NULL, out);
}
