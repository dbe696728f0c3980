/** Intrusive doubly linked list; one node for each list an object is on. */
#ifndef AMDI_LIST_H
#define AMDI_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct amdi_list {
    struct amdi_list *next;
    struct amdi_list *prev;
};

#define AMDI_CONTAINER_OF(ptr, type, member) \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/** Safe against removal of @node itself, not of its neighbours. */
#define AMDI_LIST_FOREACH(node, list)                                      \
    for (struct amdi_list *node = (list)->next, *node##_next = node->next; \
            node != (list); node = node##_next, node##_next = node->next)

/** Makes an empty list, or a node that is on none. */
static inline void
amdi_list_init(struct amdi_list *list)
{
    list->next = list;
    list->prev = list;
}

static inline bool
amdi_list_is_empty(const struct amdi_list *list)
{
    return list->next == list;
}

/** Tells whether an initialised node is on a list. */
static inline bool
amdi_list_is_linked(const struct amdi_list *node)
{
    return node->next != node;
}

/** Puts @node before @at; with the list's head as @at: at the end. */
static inline void
amdi_list_insert(struct amdi_list *at, struct amdi_list *node)
{
    node->next = at;
    node->prev = at->prev;
    at->prev->next = node;
    at->prev = node;
}

static inline void
amdi_list_push(struct amdi_list *list, struct amdi_list *node)
{
    amdi_list_insert(list, node);
}

/** Takes @node off its list; harmless when it is on none. */
static inline void
amdi_list_remove(struct amdi_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    amdi_list_init(node);
}

/** Takes the first node off, or returns NULL. */
static inline struct amdi_list *
amdi_list_pop(struct amdi_list *list)
{
    struct amdi_list *node = list->next;

    if (node == list) {
        return NULL;
    }
    amdi_list_remove(node);
    return node;
}

/** Moves everything on @from to the end of @list. */
static inline void
amdi_list_append_all(struct amdi_list *list, struct amdi_list *from)
{
    if (amdi_list_is_empty(from)) {
        return;
    }
    from->next->prev = list->prev;
    list->prev->next = from->next;
    from->prev->next = list;
    list->prev = from->prev;
    amdi_list_init(from);
}

#endif
