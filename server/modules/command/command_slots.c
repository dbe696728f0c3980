/** How many runs of a program there may be at once. */
#include "server/modules/command/command_slots.h"

void
amdi_command_slots_init(struct amdi_command_slots *slots)
{
    *slots = (struct amdi_command_slots){0};
    (void)pthread_mutex_init(&slots->mtx, NULL); // cannot fail on Linux
    amdi_list_init(&slots->queue);
}

void
amdi_command_slots_fini(struct amdi_command_slots *slots)
{
    (void)pthread_mutex_destroy(&slots->mtx); // nobody waits for it
}

static enum amdi_command_slot
slots_enter_locked(struct amdi_command_slots *slots, struct amdi_list *node)
{
    if (slots->nrunning < slots->max_running) {
        slots->nrunning++;
        return AMDI_COMMAND_SLOT_TAKEN;
    }
    if (slots->nqueued >= slots->max_queued) {
        return AMDI_COMMAND_SLOT_REFUSED;
    }
    slots->nqueued++;
    amdi_list_push(&slots->queue, node);
    return AMDI_COMMAND_SLOT_QUEUED;
}

enum amdi_command_slot
amdi_command_slots_enter(struct amdi_command_slots *slots,
        struct amdi_list *node, bool (*is_over)(const void *arg),
        const void *arg)
{
    enum amdi_command_slot slot = AMDI_COMMAND_SLOT_REFUSED;

    pthread_mutex_lock(&slots->mtx);
    if (!is_over(arg)) {
        slot = slots_enter_locked(slots, node);
    }
    pthread_mutex_unlock(&slots->mtx);
    return slot;
}

bool
amdi_command_slots_remove(
        struct amdi_command_slots *slots, struct amdi_list *node)
{
    bool was_queued = false;

    pthread_mutex_lock(&slots->mtx);
    was_queued = amdi_list_is_linked(node);
    if (was_queued) {
        amdi_list_remove(node);
        slots->nqueued--;
    }
    pthread_mutex_unlock(&slots->mtx);
    return was_queued;
}

struct amdi_list *
amdi_command_slots_leave(struct amdi_command_slots *slots)
{
    struct amdi_list *node = NULL;

    pthread_mutex_lock(&slots->mtx);
    node = amdi_list_pop(&slots->queue);
    if (node == NULL) {
        slots->nrunning--;
    } else {
        slots->nqueued--; // its slot is the one that is given back
    }
    pthread_mutex_unlock(&slots->mtx);
    return node;
}
