/**
 * Who watches which operation.
 *
 * A watch belongs to its loop. The hub's lock guards who is in the table and
 * whether a watch's task is on its way; a watch that has left the table is not
 * posted again, so its loop can free it once nothing of it is under way.
 */
#include "server/store/watch.h"

#include "common/alloc.h"
#include "common/assertion.h"
#include "common/list.h"
#include "common/loop.h"
#include "server/store/request.h"
#include "server/store/store_internal.h"

#include <pthread.h>
#include <stdatomic.h>

#define HUB_NBUCKETS 256u

struct amdi_hub {
    pthread_mutex_t mtx;
    struct amdi_list buckets[HUB_NBUCKETS]; // of watches, by id

    // Constant once requests are made.
    struct amdi_loop *hint_loop;
    void (*hint_fn)(void *arg, unsigned hints);
    void *hint_arg;

    struct amdi_task hint_task; // on its way while hints is not 0
    atomic_uint hints;
};

enum watch_state {
    WATCH_IDLE,    // has shown all there is; waits to be touched
    WATCH_READING, // a request is under way
    WATCH_AGAIN,   // as READING, and touched meanwhile
    WATCH_WAITING, // touched while paused
    WATCH_ENDED,   // shows nothing more
};

struct amdi_store_watch {
    // Loop thread only.
    struct amdi_store *store;
    struct amdi_loop *loop;
    uint64_t id;
    uint64_t last_seq; // shown
    enum watch_state state;
    bool is_paused;
    bool has_request; // or is in its callback; also when ENDED
    amdi_watch_fn fn;
    void *arg;

    // Any thread, under the hub's mtx.
    struct amdi_list node;

    struct amdi_task task;
    atomic_bool is_posted; // set under mtx, while in the table
};

/* ---- the hub ---- */

static void
hub_on_hints(struct amdi_task *task)
{
    struct amdi_hub *hub = AMDI_CONTAINER_OF(task, struct amdi_hub, hint_task);

    hub->hint_fn(hub->hint_arg, atomic_exchange(&hub->hints, 0));
}

struct amdi_hub *
amdi_hub_create(void)
{
    struct amdi_hub *hub = amdi_zalloc(sizeof(*hub));

    if (hub == NULL) {
        return NULL;
    }
    (void)pthread_mutex_init(&hub->mtx, NULL); // cannot fail on Linux
    for (size_t i = 0; i < HUB_NBUCKETS; i++) {
        amdi_list_init(&hub->buckets[i]);
    }
    atomic_init(&hub->hints, 0);
    hub->hint_task.run = hub_on_hints;
    return hub;
}

void
amdi_hub_destroy(struct amdi_hub *hub)
{
    if (hub == NULL) {
        return;
    }
    for (size_t i = 0; i < HUB_NBUCKETS; i++) {
        amdi_assert(amdi_list_is_empty(&hub->buckets[i]));
    }
    (void)pthread_mutex_destroy(&hub->mtx);
    amdi_free(hub);
}

static struct amdi_list *
hub_bucket(struct amdi_hub *hub, uint64_t id)
{
    // Ids differ in their time and in their random part.
    return &hub->buckets[(id ^ id >> 22) % HUB_NBUCKETS];
}

static void
watch_post_locked(struct amdi_store_watch *watch)
{
    if (!atomic_exchange(&watch->is_posted, true)) {
        amdi_loop_post(watch->loop, &watch->task);
    }
}

void
amdi_hub_touch(struct amdi_hub *hub, uint64_t id)
{
    struct amdi_list *bucket = hub_bucket(hub, id);

    (void)pthread_mutex_lock(&hub->mtx);
    AMDI_LIST_FOREACH (node, bucket) {
        struct amdi_store_watch *watch =
                AMDI_CONTAINER_OF(node, struct amdi_store_watch, node);

        if (watch->id == id) {
            watch_post_locked(watch);
        }
    }
    (void)pthread_mutex_unlock(&hub->mtx);
}

void
amdi_hub_touch_all(struct amdi_hub *hub)
{
    (void)pthread_mutex_lock(&hub->mtx);
    for (size_t i = 0; i < HUB_NBUCKETS; i++) {
        AMDI_LIST_FOREACH (node, &hub->buckets[i]) {
            watch_post_locked(
                    AMDI_CONTAINER_OF(node, struct amdi_store_watch, node));
        }
    }
    (void)pthread_mutex_unlock(&hub->mtx);
}

void
amdi_hub_set_hints(struct amdi_hub *hub, struct amdi_loop *loop,
        void (*fn)(void *arg, unsigned hints), void *arg)
{
    hub->hint_loop = loop;
    hub->hint_fn = fn;
    hub->hint_arg = arg;
}

void
amdi_hub_give_hints(struct amdi_hub *hub, unsigned hints)
{
    if (hints == 0 || hub->hint_fn == NULL) {
        return;
    }
    if (atomic_fetch_or(&hub->hints, hints) == 0) {
        amdi_loop_post(hub->hint_loop, &hub->hint_task);
    }
}

/* ---- a watch ---- */

/** Whatever is still under way of a watch that has ended frees it later. */
static void
watch_free_if_idle(struct amdi_store_watch *watch)
{
    if (!watch->has_request && !atomic_load(&watch->is_posted)) {
        amdi_free(watch);
    }
}

static void
watch_end(struct amdi_store_watch *watch)
{
    struct amdi_hub *hub = watch->store->hub;

    watch->state = WATCH_ENDED;
    (void)pthread_mutex_lock(&hub->mtx);
    amdi_list_remove(&watch->node);
    (void)pthread_mutex_unlock(&hub->mtx);
    watch_free_if_idle(watch);
}

/**
 * Calls back, which may end the watch, and ends it where the result does.
 * Tells whether it goes on.
 */
static bool
watch_show(struct amdi_store_watch *watch, enum amdi_store_result result,
        const struct amdi_event *events, size_t nevents)
{
    if (watch->state != WATCH_ENDED &&
            (nevents > 0 || result != AMDI_STORE_OK)) {
        watch->fn(watch->arg, result, events, nevents);
    }
    watch->has_request = false;
    if (watch->state == WATCH_ENDED) {
        watch_free_if_idle(watch);
        return false;
    }
    if (result != AMDI_STORE_OK) {
        watch_end(watch);
        return false;
    }
    return true;
}

static void watch_on_events(void *arg, const struct amdi_request *request);

static enum amdi_store_result
watch_start_read(struct amdi_store_watch *watch)
{
    struct amdi_request *request =
            amdi_request_create(watch->loop, AMDI_REQUEST_EVENTS, watch);
    enum amdi_store_result result;

    if (request == NULL) {
        return AMDI_STORE_NOMEM;
    }
    request->in.events = (struct amdi_events_request){
            .id = watch->id, .after_seq = watch->last_seq};
    request->fn.events = watch_on_events;
    result = watch->store->ops->push(watch->store, request, /*is_inner=*/true);
    if (result != AMDI_STORE_OK) {
        amdi_request_destroy(request);
        return result;
    }
    watch->has_request = true;
    watch->state = WATCH_READING;
    return AMDI_STORE_OK;
}

static void
watch_read(struct amdi_store_watch *watch)
{
    enum amdi_store_result result;

    if (watch->is_paused) {
        watch->state = WATCH_WAITING;
        return;
    }
    result = watch_start_read(watch);
    if (result != AMDI_STORE_OK) {
        watch->has_request = true;
        (void)watch_show(watch, result, NULL, 0); // it cannot go on
    }
}

static void
watch_on_events(void *arg, const struct amdi_request *request)
{
    struct amdi_store_watch *watch = arg;
    const struct amdi_event *events = request->out.events.events;
    size_t nevents = request->out.events.nevents;

    if (nevents > 0) {
        watch->last_seq = events[nevents - 1].seq;
    }
    if (!watch_show(watch, request->result, events, nevents)) {
        return;
    }
    if (watch->state == WATCH_AGAIN || request->out.events.has_more) {
        watch_read(watch);
    } else {
        watch->state = WATCH_IDLE;
    }
}

static void
watch_on_touch(struct amdi_task *task)
{
    struct amdi_store_watch *watch =
            AMDI_CONTAINER_OF(task, struct amdi_store_watch, task);

    atomic_store(&watch->is_posted, false);
    switch (watch->state) {
    case WATCH_IDLE:
        watch_read(watch);
        break;
    case WATCH_READING:
        watch->state = WATCH_AGAIN;
        break;
    case WATCH_AGAIN:
    case WATCH_WAITING:
        break;
    case WATCH_ENDED:
        watch_free_if_idle(watch);
        break;
    }
}

enum amdi_store_result
amdi_store_watch(struct amdi_store *store, struct amdi_loop *loop, uint64_t id,
        uint64_t after_seq, amdi_watch_fn fn, void *arg,
        struct amdi_store_watch **out)
{
    struct amdi_store_watch *watch = amdi_zalloc(sizeof(*watch));
    enum amdi_store_result result;

    if (watch == NULL) {
        return AMDI_STORE_NOMEM;
    }
    watch->store = store;
    watch->loop = loop;
    watch->id = id;
    watch->last_seq = after_seq;
    watch->fn = fn;
    watch->arg = arg;
    watch->task.run = watch_on_touch;
    atomic_init(&watch->is_posted, false);
    // First the table, then the first look, so that nothing falls between.
    (void)pthread_mutex_lock(&store->hub->mtx);
    amdi_list_push(hub_bucket(store->hub, id), &watch->node);
    (void)pthread_mutex_unlock(&store->hub->mtx);
    result = watch_start_read(watch);
    if (result != AMDI_STORE_OK) {
        watch_end(watch);
        return result;
    }
    *out = watch;
    return AMDI_STORE_OK;
}

void
amdi_store_watch_set_paused(struct amdi_store_watch *watch, bool is_paused)
{
    watch->is_paused = is_paused;
    if (!is_paused && watch->state == WATCH_WAITING) {
        watch_read(watch);
    }
}

void
amdi_store_unwatch(struct amdi_store_watch *watch)
{
    watch_end(watch);
}
