/**
 * Queue from many threads to one, without a lock.
 *
 * Intrusive: a node lies in its object and is on one queue at a time. Producers
 * push one node; the consumer takes everything at once, so a node that was
 * taken and pushed again cannot confuse a push in progress.
 */
#ifndef AMDI_MPSC_H
#define AMDI_MPSC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct amdi_mpsc_node {
    struct amdi_mpsc_node *next; // older; of a chain that was taken, newer
};

/** Zero bytes: empty. */
struct amdi_mpsc {
    _Atomic(struct amdi_mpsc_node *) head; // the newest
};

static inline void
amdi_mpsc_init(struct amdi_mpsc *queue)
{
    atomic_init(&queue->head, NULL);
}

/** Adds @node; returns whether the queue was empty before. Thread: any. */
static inline bool
amdi_mpsc_push(struct amdi_mpsc *queue, struct amdi_mpsc_node *node)
{
    struct amdi_mpsc_node *head =
            atomic_load_explicit(&queue->head, memory_order_relaxed);

    // Release hands the object over to the thread that takes it.
    do {
        node->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&queue->head, &head, node,
            memory_order_release, memory_order_relaxed));
    return head == NULL;
}

/** Returns all nodes as a chain, oldest first, or NULL. Thread: consumer. */
static inline struct amdi_mpsc_node *
amdi_mpsc_take_all(struct amdi_mpsc *queue)
{
    struct amdi_mpsc_node *node =
            atomic_exchange_explicit(&queue->head, NULL, memory_order_acquire);
    struct amdi_mpsc_node *chain = NULL;

    while (node != NULL) {
        struct amdi_mpsc_node *older = node->next;

        node->next = chain;
        chain = node;
        node = older;
    }
    return chain;
}

/** Tells whether it was empty a moment ago. Thread: any. */
static inline bool
amdi_mpsc_is_empty(struct amdi_mpsc *queue)
{
    return atomic_load_explicit(&queue->head, memory_order_acquire) == NULL;
}

#endif
