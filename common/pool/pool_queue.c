/** The queues of a pool, and the choice of the task to run next. */
#include "common/assertion.h"
#include "common/pool/pool.h"

// A worker begins with the oldest tasks once in so many turns, so that
// functions that spawn without end delay the others but do not starve them.
#define FAIR_TURN 64u

// So many tasks of one queue are looked at when a glance must do.
#define GLANCE_TASKS 16u

void
amdi_pool_queue_init(struct amdi_pool_queue *queue)
{
    // On Linux it takes no memory and cannot fail.
    (void)pthread_mutex_init(&queue->mtx, NULL);
    amdi_list_init(&queue->tasks);
    atomic_init(&queue->ntasks, 0);
}

void
amdi_pool_queue_fini(struct amdi_pool_queue *queue)
{
    amdi_assert(amdi_list_is_empty(&queue->tasks));
    (void)pthread_mutex_destroy(&queue->mtx); // unlocked, so it succeeds
}

static size_t
queue_get_ntasks(struct amdi_pool_queue *queue)
{
    return atomic_load_explicit(&queue->ntasks, memory_order_relaxed);
}

// Only ever under the lock, so it needs no atomic addition.
static void
queue_set_ntasks_locked(struct amdi_pool_queue *queue, size_t ntasks)
{
    atomic_store_explicit(&queue->ntasks, ntasks, memory_order_relaxed);
}

amdrpc_err
amdi_pool_queue_push(struct amdi_pool_queue *queue, struct amdi_pool_task *task,
        size_t max_queued, bool *out_was_empty)
{
    size_t ntasks;

    pthread_mutex_lock(&queue->mtx);
    ntasks = queue_get_ntasks(queue);
    if (ntasks < max_queued) {
        amdi_list_push(&queue->tasks, &task->node);
        queue_set_ntasks_locked(queue, ntasks + 1);
    }
    pthread_mutex_unlock(&queue->mtx);
    if (ntasks >= max_queued) {
        return AMDRPC_ELIMIT;
    }
    *out_was_empty = ntasks == 0;
    return AMDRPC_OK;
}

static void
queue_remove_locked(struct amdi_pool_queue *queue, struct amdi_list *node)
{
    amdi_list_remove(node);
    queue_set_ntasks_locked(queue, queue_get_ntasks(queue) - 1);
}

bool
amdi_pool_queue_remove(
        struct amdi_pool_queue *queue, struct amdi_pool_task *task)
{
    bool is_queued;

    pthread_mutex_lock(&queue->mtx);
    is_queued = amdi_list_is_linked(&task->node);
    if (is_queued) {
        queue_remove_locked(queue, &task->node);
    }
    pthread_mutex_unlock(&queue->mtx);
    return is_queued;
}

/** Which task of a queue is wanted. */
struct wanted {
    const amdrpc_group *group; // its own and those below; NULL: any
    bool is_newest;            // the newest, else the oldest
    enum amdi_pool_look look;
};

/**
 * Finds the wanted task. A queued task keeps its group alive, and that the
 * groups above, so the way up may be walked under the queue's lock.
 */
static struct amdi_pool_task *
queue_find_locked(
        const struct amdi_pool_queue *queue, const struct wanted *wanted)
{
    const struct amdi_list *end = &queue->tasks;
    struct amdi_list *node = wanted->is_newest ? end->prev : end->next;
    unsigned nlooks = 0;

    while (node != end) {
        struct amdi_pool_task *task =
                AMDI_CONTAINER_OF(node, struct amdi_pool_task, node);

        if (wanted->group == NULL ||
                amdi_group_is_within(task->group, wanted->group)) {
            return task;
        }
        if (++nlooks == GLANCE_TASKS && wanted->look == AMDI_POOL_GLANCE) {
            return NULL;
        }
        node = wanted->is_newest ? node->prev : node->next;
    }
    return NULL;
}

static struct amdi_pool_task *
queue_take(struct amdi_pool_queue *queue, const struct wanted *wanted)
{
    struct amdi_pool_task *task;

    // Without the lock the count may be an old one.
    if (wanted->look == AMDI_POOL_GLANCE && queue_get_ntasks(queue) == 0) {
        return NULL;
    }
    pthread_mutex_lock(&queue->mtx);
    task = queue_find_locked(queue, wanted);
    if (task != NULL) {
        queue_remove_locked(queue, &task->node);
    }
    pthread_mutex_unlock(&queue->mtx);
    return task;
}

/** Takes the oldest one of the common queue, else of the workers' in turn. */
static struct amdi_pool_task *
pool_take_oldest(amdrpc_pool *pool, unsigned first, const struct wanted *wanted)
{
    struct amdi_pool_task *task = queue_take(&pool->common, wanted);

    for (unsigned i = 0; task == NULL && i < pool->threads_max; i++) {
        unsigned index = (first + i) % pool->threads_max;

        task = queue_take(&pool->workers[index].queue, wanted);
    }
    return task;
}

static struct amdi_pool_task *
queue_take_newest(struct amdi_pool_queue *queue, struct wanted wanted)
{
    wanted.is_newest = true;
    return queue_take(queue, &wanted);
}

struct amdi_pool_task *
amdi_pool_take(amdrpc_pool *pool, enum amdi_pool_look look)
{
    struct amdi_pool_worker *worker = amdi_pool_self()->worker;
    const struct wanted wanted = {.look = look};
    struct amdi_pool_task *task = NULL;

    amdi_assert(worker != NULL && worker->pool == pool);
    if (++worker->nturns % FAIR_TURN != 0) {
        task = queue_take_newest(&worker->queue, wanted);
    }
    return task != NULL ? task : pool_take_oldest(pool, worker->index, &wanted);
}

struct amdi_pool_queue *
amdi_pool_own_queue(amdrpc_pool *pool)
{
    struct amdi_pool_worker *worker = amdi_pool_self()->worker;

    return worker != NULL && worker->pool == pool ? &worker->queue
                                                  : &pool->common;
}

struct amdi_pool_task *
amdi_pool_take_within(
        amdrpc_pool *pool, amdrpc_group *group, enum amdi_pool_look look)
{
    struct amdi_pool_worker *worker = amdi_pool_self()->worker;
    const struct wanted wanted = {.group = group, .look = look};
    struct amdi_pool_task *task =
            queue_take_newest(amdi_pool_own_queue(pool), wanted);
    unsigned first = worker != NULL ? worker->index : 0;

    return task != NULL ? task : pool_take_oldest(pool, first, &wanted);
}
