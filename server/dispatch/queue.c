/** The order in which waiting calls come to workers. */
#include "server/dispatch/queue.h"

#include "common/alloc.h"
#include "common/assertion.h"

#include <string.h>

#define FIRST_BUCKETS 64u

/** What ages a class: entries taken before it, or time. */
static const struct {
    uint32_t max_passed;
    uint64_t max_wait_ns;
} ageing[AMDI_QUEUE_NCLASSES] = {
        {.max_passed = UINT32_MAX, .max_wait_ns = UINT64_MAX},
        {.max_passed = 8, .max_wait_ns = UINT64_C(200) * 1000000},
        {.max_passed = 32, .max_wait_ns = UINT64_C(1000) * 1000000},
};

/* ---- life ---- */

amdrpc_err
amdi_queue_init(struct amdi_queue *queue)
{
    memset(queue, 0, sizeof(*queue));
    for (size_t i = 0; i < AMDI_QUEUE_NCLASSES; i++) {
        amdi_list_init(&queue->classes[i].lanes);
    }
    amdi_list_init(&queue->idle);
    queue->buckets = amdi_calloc(FIRST_BUCKETS, sizeof(struct amdi_flow *));
    if (queue->buckets == NULL) {
        return AMDRPC_ENOMEM;
    }
    queue->nbuckets = FIRST_BUCKETS;
    return AMDRPC_OK;
}

void
amdi_queue_fini(struct amdi_queue *queue)
{
    for (size_t i = 0; i < queue->nbuckets; i++) {
        while (queue->buckets[i] != NULL) {
            struct amdi_flow *flow = queue->buckets[i];

            amdi_assert(flow->state == AMDI_FLOW_IDLE);
            queue->buckets[i] = flow->next_hashed;
            amdi_free(flow);
        }
    }
    amdi_free(queue->buckets);
    amdi_free(queue->weights);
    memset(queue, 0, sizeof(*queue));
}

static void
flow_init(struct amdi_flow *flow, struct amdi_lane *lane, uint64_t caller)
{
    *flow = (struct amdi_flow){
            .lane = lane, .caller = caller, .weight = 1, .credit = 1};
    amdi_list_init(&flow->node);
    amdi_list_init(&flow->entries);
}

void
amdi_lane_init(struct amdi_lane *lane)
{
    *lane = (struct amdi_lane){.class_index = 1,
            .max_running = UINT32_MAX,
            .max_queued = UINT32_MAX};
    amdi_list_init(&lane->ready_node);
    amdi_list_init(&lane->ring);
    flow_init(&lane->shared, lane, /*caller=*/0);
}

/* ---- the table of flows ---- */

static struct amdi_flow **
queue_bucket(const struct amdi_queue *queue, const struct amdi_lane *lane,
        uint64_t caller)
{
    uint64_t hash = (caller ^ (uintptr_t)lane) * UINT64_C(0x9e3779b97f4a7c15);

    return &queue->buckets[(hash >> 32) & (queue->nbuckets - 1)];
}

/** Keeps chains short; without memory they are longer. */
static void
queue_grow_table(struct amdi_queue *queue)
{
    size_t old_nbuckets = queue->nbuckets;
    struct amdi_flow **old = queue->buckets;
    struct amdi_flow **made =
            amdi_calloc(2 * old_nbuckets, sizeof(struct amdi_flow *));

    if (made == NULL) {
        return;
    }
    queue->buckets = made;
    queue->nbuckets = 2 * old_nbuckets;
    for (size_t i = 0; i < old_nbuckets; i++) {
        while (old[i] != NULL) {
            struct amdi_flow *flow = old[i];
            struct amdi_flow **at =
                    queue_bucket(queue, flow->lane, flow->caller);

            old[i] = flow->next_hashed;
            flow->next_hashed = *at;
            *at = flow;
        }
    }
    amdi_free(old);
}

static void
queue_forget_flow(struct amdi_queue *queue, struct amdi_flow *flow)
{
    struct amdi_flow **at = queue_bucket(queue, flow->lane, flow->caller);

    while (*at != flow) {
        at = &(*at)->next_hashed;
    }
    *at = flow->next_hashed;
    queue->nflows--;
    if (flow->lane->recent == flow) {
        flow->lane->recent = NULL;
    }
    amdi_free(flow);
}

/** Frees the flow that is idle longest when there is no room for another. */
static void
queue_trim_idle(struct amdi_queue *queue)
{
    if (queue->nidle >= AMDI_QUEUE_MAX_IDLE) {
        struct amdi_list *node = amdi_list_pop(&queue->idle);

        queue->nidle--;
        queue_forget_flow(
                queue, AMDI_CONTAINER_OF(node, struct amdi_flow, node));
    }
}

static uint32_t
queue_get_weight(const struct amdi_queue *queue, uint64_t caller)
{
    for (size_t i = 0; i < queue->nweights; i++) {
        if (queue->weights[i].caller == caller) {
            return queue->weights[i].weight;
        }
    }
    return 1;
}

amdrpc_err
amdi_queue_set_weight(
        struct amdi_queue *queue, uint64_t caller, uint32_t weight)
{
    struct amdi_weight *weights = amdi_realloc(
            queue->weights, (queue->nweights + 1) * sizeof(*weights));

    if (weights == NULL) {
        return AMDRPC_ENOMEM;
    }
    queue->weights = weights;
    weights[queue->nweights++] =
            (struct amdi_weight){.caller = caller, .weight = weight};
    return AMDRPC_OK;
}

static struct amdi_flow *
queue_make_flow(
        struct amdi_queue *queue, struct amdi_lane *lane, uint64_t caller)
{
    struct amdi_flow *flow = amdi_alloc(sizeof(*flow));
    struct amdi_flow **at = NULL;

    if (flow == NULL) {
        return &lane->shared;
    }
    queue_trim_idle(queue);
    if (queue->nflows >= queue->nbuckets) {
        queue_grow_table(queue);
    }
    flow_init(flow, lane, caller);
    flow->weight = queue_get_weight(queue, caller);
    at = queue_bucket(queue, lane, caller);
    flow->next_hashed = *at;
    *at = flow;
    queue->nflows++;
    amdi_list_push(&queue->idle, &flow->node);
    queue->nidle++;
    return flow;
}

struct amdi_flow *
amdi_queue_find_flow(
        struct amdi_queue *queue, struct amdi_lane *lane, uint64_t caller)
{
    struct amdi_flow *flow = lane->recent;

    if (flow != NULL && flow->caller == caller) {
        return flow;
    }
    flow = *queue_bucket(queue, lane, caller);
    while (flow != NULL && (flow->caller != caller || flow->lane != lane)) {
        flow = flow->next_hashed;
    }
    if (flow == NULL) {
        flow = queue_make_flow(queue, lane, caller);
    }
    lane->recent = flow == &lane->shared ? NULL : flow;
    return flow;
}

/* ---- where lanes and flows stand ---- */

/** Puts a lane on its class, or off, as its numbers say. */
static void
lane_update(struct amdi_queue *queue, struct amdi_lane *lane, uint64_t now_ns)
{
    bool is_ready = !amdi_list_is_empty(&lane->ring) &&
            lane->nrunning < lane->max_running;
    bool was_ready = amdi_list_is_linked(&lane->ready_node);
    struct amdi_queue_class *class = &queue->classes[lane->class_index];

    if (is_ready && !was_ready) {
        if (amdi_list_is_empty(&class->lanes)) {
            class->waits_since_ns = now_ns;
            class->npassed = 0;
        }
        amdi_list_push(&class->lanes, &lane->ready_node);
        queue->nready++;
    } else if (!is_ready && was_ready) {
        amdi_list_remove(&lane->ready_node);
        queue->nready--;
    }
}

static enum amdi_flow_state
flow_next_state(const struct amdi_flow *flow)
{
    uint32_t max = flow->lane->max_per_key;

    if (flow->nqueued > 0 && (max == 0 || flow->nrunning < max)) {
        return AMDI_FLOW_READY;
    }
    return flow->nqueued > 0 || flow->nrunning > 0 ? AMDI_FLOW_HELD
                                                   : AMDI_FLOW_IDLE;
}

/** Moves a flow to where its numbers say; the only writer of its state. */
static void
flow_update(struct amdi_queue *queue, struct amdi_flow *flow)
{
    enum amdi_flow_state next = flow_next_state(flow);
    bool is_shared = flow == &flow->lane->shared;

    if (next == flow->state) {
        return;
    }
    if (flow->state == AMDI_FLOW_IDLE && !is_shared) {
        queue->nidle--;
    }
    amdi_list_remove(&flow->node);
    flow->state = next;
    switch (next) {
    case AMDI_FLOW_READY:
        flow->credit = flow->weight;
        amdi_list_push(&flow->lane->ring, &flow->node);
        break;
    case AMDI_FLOW_HELD:
        break;
    case AMDI_FLOW_IDLE:
        if (!is_shared) {
            queue_trim_idle(queue);
            amdi_list_push(&queue->idle, &flow->node);
            queue->nidle++;
        }
        break;
    }
}

/* ---- entries ---- */

static void
lane_note_length(struct amdi_lane *lane, struct amdi_flow *flow)
{
    if (lane->longest == NULL || flow->nqueued > lane->longest->nqueued) {
        lane->longest = flow;
    }
}

/** An entry of @flow waits no longer. */
static void
flow_count_out(struct amdi_queue *queue, struct amdi_flow *flow)
{
    struct amdi_lane *lane = flow->lane;

    flow->nqueued--;
    lane->nqueued--;
    queue->nqueued--;
    if (flow->nqueued == 0) {
        lane->nwaiting--;
        if (lane->longest == flow) {
            lane->longest = NULL;
        }
    } else {
        // Each flow comes by here once in a turn: the longest is found again.
        lane_note_length(lane, flow);
    }
}

/** The youngest entry of a caller that has much more waiting, or NULL. */
static struct amdi_queue_entry *
lane_find_victim(const struct amdi_lane *lane, const struct amdi_flow *flow)
{
    const struct amdi_flow *longest = lane->longest;

    if (longest == NULL || longest->nqueued <= flow->nqueued + 1) {
        return NULL;
    }
    return AMDI_CONTAINER_OF(
            longest->entries.prev, struct amdi_queue_entry, node);
}

bool
amdi_queue_push(struct amdi_queue *queue, struct amdi_flow *flow,
        struct amdi_queue_entry *entry, uint64_t now_ns,
        struct amdi_queue_entry **out_evicted)
{
    struct amdi_lane *lane = flow->lane;

    *out_evicted = NULL;
    if (lane->nqueued >= lane->max_queued) {
        *out_evicted = lane_find_victim(lane, flow);
        if (*out_evicted == NULL) {
            return false;
        }
        amdi_queue_remove(queue, *out_evicted);
    }
    entry->flow = flow;
    entry->queued_at_ns = now_ns;
    entry->seq = flow->next_seq++;
    amdi_list_push(&flow->entries, &entry->node);
    queue->nqueued++;
    lane->nqueued++;
    if (flow->nqueued++ == 0) {
        lane->nwaiting++;
    }
    lane_note_length(lane, flow);
    flow_update(queue, flow);
    lane_update(queue, lane, now_ns);
    return true;
}

void
amdi_queue_remove(struct amdi_queue *queue, struct amdi_queue_entry *entry)
{
    struct amdi_flow *flow = entry->flow;
    struct amdi_lane *lane = flow->lane;

    amdi_list_remove(&entry->node);
    flow_count_out(queue, flow);
    flow_update(queue, flow);
    // A lane does not become ready by losing an entry: the time is not used.
    lane_update(queue, lane, /*now_ns=*/0);
}

static bool
class_is_aged(const struct amdi_queue *queue, size_t index, uint64_t now_ns)
{
    const struct amdi_queue_class *class = &queue->classes[index];

    // Loops and workers read the clock at slightly different times.
    return class->npassed >= ageing[index].max_passed ||
            (now_ns > class->waits_since_ns &&
                    now_ns - class->waits_since_ns >=
                            ageing[index].max_wait_ns);
}

/** The class whose turn it is, or NULL. */
static struct amdi_queue_class *
queue_pick_class(struct amdi_queue *queue, uint64_t now_ns)
{
    struct amdi_queue_class *picked = NULL;

    for (size_t i = 0; i < AMDI_QUEUE_NCLASSES; i++) {
        struct amdi_queue_class *class = &queue->classes[i];

        if (amdi_list_is_empty(&class->lanes)) {
            continue;
        }
        if (picked == NULL || class_is_aged(queue, i, now_ns)) {
            picked = class;
        }
    }
    return picked;
}

/** Counts the turn of @served: others that wait grow older. */
static void
queue_age(struct amdi_queue *queue, struct amdi_queue_class *served,
        uint64_t now_ns)
{
    for (size_t i = 0; i < AMDI_QUEUE_NCLASSES; i++) {
        queue->classes[i].npassed++;
    }
    served->npassed = 0;
    served->waits_since_ns = now_ns;
}

/** Takes the first entry of a flow, and moves the turn on. */
static struct amdi_queue_entry *
flow_take(struct amdi_queue *queue, struct amdi_flow *flow)
{
    struct amdi_list *node = amdi_list_pop(&flow->entries);

    amdi_assert(node != NULL);
    flow_count_out(queue, flow);
    flow->nrunning++;
    if (--flow->credit == 0) {
        flow->credit = flow->weight;
        amdi_list_remove(&flow->node);
        amdi_list_push(&flow->lane->ring, &flow->node);
    }
    flow_update(queue, flow);
    return AMDI_CONTAINER_OF(node, struct amdi_queue_entry, node);
}

struct amdi_queue_entry *
amdi_queue_take(struct amdi_queue *queue, uint64_t now_ns)
{
    struct amdi_queue_class *class = queue_pick_class(queue, now_ns);
    struct amdi_lane *lane = NULL;
    struct amdi_queue_entry *entry = NULL;

    if (class == NULL) {
        return NULL;
    }
    lane = AMDI_CONTAINER_OF(class->lanes.next, struct amdi_lane, ready_node);
    amdi_list_remove(&lane->ready_node);
    amdi_list_push(&class->lanes, &lane->ready_node);
    lane->nrunning++;
    entry = flow_take(
            queue, AMDI_CONTAINER_OF(lane->ring.next, struct amdi_flow, node));
    lane_update(queue, lane, now_ns);
    queue_age(queue, class, now_ns);
    return entry;
}

void
amdi_queue_done(
        struct amdi_queue *queue, struct amdi_flow *flow, uint64_t now_ns)
{
    struct amdi_lane *lane = flow->lane;

    flow->nrunning--;
    lane->nrunning--;
    flow_update(queue, flow);
    lane_update(queue, lane, now_ns);
}

/* ---- how long the way is ---- */

/** Entries before one that has @nown of its own flow before it. */
static uint64_t
flow_ahead(const struct amdi_flow *flow, uint64_t nown)
{
    const struct amdi_lane *lane = flow->lane;
    uint64_t nothers = lane->nwaiting - (flow->nqueued > 0 ? 1 : 0);
    uint64_t nfair = nown + nothers * (nown / flow->weight + 1);
    uint64_t nall = nown + (lane->nqueued - flow->nqueued);

    return nfair < nall ? nfair : nall;
}

uint64_t
amdi_flow_ahead(const struct amdi_flow *flow)
{
    return flow_ahead(flow, flow->nqueued);
}

uint64_t
amdi_queue_entry_ahead(const struct amdi_queue_entry *entry)
{
    const struct amdi_list *first = entry->flow->entries.next;
    const struct amdi_queue_entry *head =
            AMDI_CONTAINER_OF(first, struct amdi_queue_entry, node);

    // Entries that were cancelled between them are counted too.
    return flow_ahead(entry->flow, entry->seq - head->seq);
}
