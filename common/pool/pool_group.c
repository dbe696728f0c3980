/**
 * Fork and join.
 *
 * A group's state counts the functions that have not ended, in steps of
 * STATE_ONE, beside the bit that says that somebody sleeps until it is empty.
 * Who takes the count to zero touches the group no more: it may be gone at
 * once. The public type is plain C and C++, hence the compiler's atomics.
 */
#include "common/alloc.h"
#include "common/pool/pool.h"
#include "common/thread.h"

#include <sched.h>

#define STATE_WAITING 1u
#define STATE_ONE 2u

// So often a sync glances for a task before it sleeps.
#define GLANCES_BEFORE_SLEEP 64u

struct group_task {
    struct amdi_pool_task task;
    amdrpc_group_fn fn;
    void *arg;
};

void
amdrpc_group_init(amdrpc_group *group, amdrpc_pool *pool)
{
    amdrpc_group *parent = amdi_pool_self()->group;

    *group = (amdrpc_group){
            .pool = pool,
            .parent = parent,
            .depth = parent == NULL ? 0 : parent->depth + 1,
    };
}

bool
amdi_group_is_within(const amdrpc_group *group, const amdrpc_group *outer)
{
    while (group != NULL && group->depth > outer->depth) {
        group = group->parent;
    }
    return group == outer;
}

static bool
group_is_cancelled(const amdrpc_group *group)
{
    return __atomic_load_n(&group->is_cancelled, __ATOMIC_RELAXED) != 0;
}

bool
amdrpc_async_is_cancelled(void)
{
    const amdrpc_group *group = amdi_pool_self()->group;

    while (group != NULL && !group_is_cancelled(group)) {
        group = group->parent;
    }
    return group != NULL;
}

/** Keeps the first error. */
static void
group_note_err(amdrpc_group *group, amdrpc_err err)
{
    int none = AMDRPC_OK;

    if (err != AMDRPC_OK) {
        (void)__atomic_compare_exchange_n(&group->err, &none, (int)err,
                /*weak=*/false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
}

void
amdrpc_group_cancel(amdrpc_group *group)
{
    group_note_err(group, AMDRPC_ECANCELED);
    __atomic_store_n(&group->is_cancelled, 1, __ATOMIC_RELAXED);
}

/** Calls a function as a part of the group, on top of what runs here. */
static void
group_call(amdrpc_group *group, amdrpc_group_fn fn, void *arg)
{
    struct amdi_pool_self *self = amdi_pool_self();
    amdrpc_group *outer = self->group;

    if (group_is_cancelled(group)) {
        return;
    }
    self->group = group;
    group_note_err(group, fn(arg));
    self->group = outer;
}

static void
group_task_run(struct amdi_pool_task *task)
{
    struct group_task *self = AMDI_CONTAINER_OF(task, struct group_task, task);
    amdrpc_group *group = task->group;
    amdrpc_pool *pool = group->pool;
    amdrpc_group_fn fn = self->fn;
    void *arg = self->arg;

    amdi_free(self); // early, so that what it spawns reuses it
    group_call(group, fn, arg);
    if (__atomic_sub_fetch(&group->state, STATE_ONE, __ATOMIC_ACQ_REL) ==
            STATE_WAITING) {
        amdi_pool_wake_group(pool, group);
    }
}

/** Queues a call; false when there is no room for it. */
static bool
group_queue(amdrpc_group *group, amdrpc_group_fn fn, void *arg)
{
    amdrpc_pool *pool = group->pool;
    struct group_task *self = amdi_alloc(sizeof(*self));
    bool was_empty;
    uint64_t state;

    if (self == NULL) {
        return false;
    }
    *self = (struct group_task){
            .task = {.group = group, .run = group_task_run},
            .fn = fn,
            .arg = arg,
    };
    state = __atomic_add_fetch(&group->state, STATE_ONE, __ATOMIC_ACQ_REL);
    if (amdi_pool_queue_push(amdi_pool_own_queue(pool), &self->task,
                pool->max_queued, &was_empty) != AMDRPC_OK) {
        // Nobody sleeps for this to become zero: the caller is the one that
        // syncs, or a function that counts itself.
        (void)__atomic_sub_fetch(&group->state, STATE_ONE, __ATOMIC_ACQ_REL);
        amdi_free(self);
        return false;
    }
    amdi_pool_notify(pool, group, was_empty || (state & STATE_WAITING) != 0);
    return true;
}

void
amdrpc_group_spawn(amdrpc_group *group, amdrpc_group_fn fn, void *arg)
{
    if (amdi_thread_is_loop()) {
        group_note_err(group, AMDRPC_ESTATE);
        return;
    }
    if (!group_queue(group, fn, arg)) {
        group_call(group, fn, arg);
    }
}

static bool
group_is_empty(const amdrpc_group *group)
{
    return __atomic_load_n(&group->state, __ATOMIC_ACQUIRE) < STATE_ONE;
}

bool
amdi_group_set_waiting(amdrpc_group *group)
{
    return __atomic_fetch_or(&group->state, STATE_WAITING, __ATOMIC_ACQ_REL) >=
            STATE_ONE;
}

/** Finds something to run for the group, or sleeps. */
static struct amdi_pool_task *
group_next(amdrpc_group *group)
{
    for (unsigned i = 0; i < GLANCES_BEFORE_SLEEP; i++) {
        struct amdi_pool_task *task =
                amdi_pool_take_within(group->pool, group, AMDI_POOL_GLANCE);

        if (task != NULL || group_is_empty(group)) {
            return task;
        }
        (void)sched_yield(); // on Linux it cannot fail
    }
    return amdi_pool_sleep_syncing(group->pool, group);
}

amdrpc_err
amdrpc_group_sync(amdrpc_group *group)
{
    if (amdi_thread_is_loop()) {
        return AMDRPC_ESTATE;
    }
    while (!group_is_empty(group)) {
        struct amdi_pool_task *task = group_next(group);

        if (task != NULL) {
            task->run(task);
        }
    }
    group->state = 0; // nobody else looks at the state of an empty group
    __atomic_store_n(&group->is_cancelled, 0, __ATOMIC_RELAXED);
    return (amdrpc_err)__atomic_exchange_n(
            &group->err, AMDRPC_OK, __ATOMIC_RELAXED);
}
