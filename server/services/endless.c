/** Calls that have no end of their own, ended when the server drains. */
#include "server/services/endless.h"

#include "common/assertion.h"

static void
item_set_state(struct amdi_endless_call *item, enum amdi_endless_state next)
{
    amdi_assert(item->state != next);
    if (item->state == AMDI_ENDLESS_OUT) {
        amdi_list_push(&item->endless->calls, &item->node);
    }
    if (next == AMDI_ENDLESS_OUT) {
        amdi_list_remove(&item->node);
    }
    item->state = next;
}

bool
amdi_endless_is_draining(struct amdi_endless *endless)
{
    bool is_draining;

    pthread_mutex_lock(&endless->mtx);
    is_draining = endless->is_draining;
    pthread_mutex_unlock(&endless->mtx);
    return is_draining;
}

bool
amdi_endless_add(struct amdi_endless *endless, struct amdi_endless_call *item,
        void (*end)(struct amdi_endless_call *item))
{
    bool is_draining;

    *item = (struct amdi_endless_call){.endless = endless, .end = end};
    amdi_list_init(&item->node);
    pthread_mutex_lock(&endless->mtx);
    is_draining = endless->is_draining;
    if (!is_draining) {
        item_set_state(item, AMDI_ENDLESS_IDLE);
    }
    pthread_mutex_unlock(&endless->mtx);
    return !is_draining;
}

bool
amdi_endless_enter(struct amdi_endless_call *item)
{
    bool is_ours;

    pthread_mutex_lock(&item->endless->mtx);
    is_ours = item->state == AMDI_ENDLESS_IDLE;
    if (is_ours) {
        item_set_state(item, AMDI_ENDLESS_BUSY);
    }
    pthread_mutex_unlock(&item->endless->mtx);
    return is_ours;
}

bool
amdi_endless_leave(struct amdi_endless_call *item)
{
    struct amdi_endless *endless = item->endless;
    bool is_draining;

    pthread_mutex_lock(&endless->mtx);
    is_draining = endless->is_draining;
    item_set_state(item, is_draining ? AMDI_ENDLESS_OUT : AMDI_ENDLESS_IDLE);
    pthread_mutex_unlock(&endless->mtx);
    return !is_draining;
}

void
amdi_endless_remove(struct amdi_endless_call *item)
{
    pthread_mutex_lock(&item->endless->mtx);
    item_set_state(item, AMDI_ENDLESS_OUT);
    pthread_mutex_unlock(&item->endless->mtx);
}

/* Takes one idle call out, or returns NULL. */
static struct amdi_endless_call *
endless_take(struct amdi_endless *endless)
{
    struct amdi_endless_call *taken = NULL;

    pthread_mutex_lock(&endless->mtx);
    endless->is_draining = true;
    AMDI_LIST_FOREACH (node, &endless->calls) {
        struct amdi_endless_call *item =
                AMDI_CONTAINER_OF(node, struct amdi_endless_call, node);

        if (item->state == AMDI_ENDLESS_IDLE) {
            item_set_state(item, AMDI_ENDLESS_OUT);
            taken = item;
            break;
        }
    }
    pthread_mutex_unlock(&endless->mtx);
    return taken;
}

static void
endless_on_drain(void *arg)
{
    struct amdi_endless_call *item;

    while ((item = endless_take(arg)) != NULL) {
        item->end(item);
    }
}

void
amdi_endless_init(struct amdi_endless *endless)
{
    endless->is_draining = false;
    amdi_list_init(&endless->calls);
    pthread_mutex_init(&endless->mtx, NULL); // never fails on Linux
}

amdrpc_err
amdi_endless_attach(struct amdi_endless *endless, amdrpc_server *server)
{
    return amdrpc_server_on_drain(server, endless_on_drain, endless);
}

void
amdi_endless_fini(struct amdi_endless *endless)
{
    pthread_mutex_destroy(&endless->mtx);
}
