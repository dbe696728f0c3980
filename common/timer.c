/** Hierarchical timing wheel. */
#include "common/timer.h"

#include "common/assertion.h"

#include <stddef.h>

#define LEVEL_BITS 6
#define SLOT_MASK (AMDI_WHEEL_NSLOTS - 1u)

static unsigned
wheel_slot_at(uint64_t at_ms, unsigned level)
{
    return (unsigned)(at_ms >> (level * LEVEL_BITS)) & SLOT_MASK;
}

/** The number of the block of 64 slots of @level that @at_ms lies in. */
static uint64_t
wheel_block_at(uint64_t at_ms, unsigned level)
{
    // Two steps, because 66 is no shift.
    return at_ms >> (level * LEVEL_BITS) >> LEVEL_BITS;
}

void
amdi_wheel_init(struct amdi_wheel *wheel, uint64_t now_ms)
{
    wheel->now_ms = now_ms;
    amdi_list_init(&wheel->due);
    for (unsigned level = 0; level < AMDI_WHEEL_NLEVELS; level++) {
        wheel->occupied[level] = 0;
        for (unsigned slot = 0; slot < AMDI_WHEEL_NSLOTS; slot++) {
            amdi_list_init(&wheel->slots[level][slot]);
        }
    }
}

void
amdi_wheel_add(struct amdi_wheel *wheel, struct amdi_timer *timer)
{
    unsigned level;
    unsigned slot;

    if (timer->at_ms <= wheel->now_ms) {
        amdi_list_push(&wheel->due, &timer->node);
        return;
    }
    // The highest bit in which the times differ tells the level. Above it they
    // agree, so the slot is in the present block, after the present slot.
    level = (63u - (unsigned)__builtin_clzll(timer->at_ms ^ wheel->now_ms)) /
            LEVEL_BITS;
    slot = wheel_slot_at(timer->at_ms, level);
    amdi_list_push(&wheel->slots[level][slot], &timer->node);
    wheel->occupied[level] |= UINT64_C(1) << slot;
}

uint64_t
amdi_wheel_next_ms(struct amdi_wheel *wheel)
{
    if (!amdi_list_is_empty(&wheel->due)) {
        return wheel->now_ms;
    }
    for (unsigned level = 0; level < AMDI_WHEEL_NLEVELS; level++) {
        while (wheel->occupied[level] != 0) {
            unsigned slot = (unsigned)__builtin_ctzll(wheel->occupied[level]);
            uint64_t block = wheel_block_at(wheel->now_ms, level);

            if (!amdi_list_is_empty(&wheel->slots[level][slot])) {
                return (block << LEVEL_BITS | slot) << (level * LEVEL_BITS);
            }
            wheel->occupied[level] &= ~(UINT64_C(1) << slot);
        }
    }
    return AMDI_WHEEL_NEVER;
}

/** Moves the timers of those slots of a level that @mask names to @passed. */
static void
wheel_empty_slots(struct amdi_wheel *wheel, unsigned level, uint64_t mask,
        struct amdi_list *passed)
{
    uint64_t slots = wheel->occupied[level] & mask;

    wheel->occupied[level] &= ~mask;
    while (slots != 0) {
        unsigned slot = (unsigned)__builtin_ctzll(slots);

        amdi_list_append_all(passed, &wheel->slots[level][slot]);
        slots &= slots - 1;
    }
}

/** Collects, in the order of time, whatever lies in slots up to @now_ms. */
static void
wheel_collect_passed(
        struct amdi_wheel *wheel, uint64_t now_ms, struct amdi_list *passed)
{
    for (unsigned level = 0; level < AMDI_WHEEL_NLEVELS; level++) {
        bool is_same_block = wheel_block_at(wheel->now_ms, level) ==
                wheel_block_at(now_ms, level);

        if (is_same_block) {
            unsigned slot = wheel_slot_at(now_ms, level);

            wheel_empty_slots(
                    wheel, level, UINT64_MAX >> (SLOT_MASK - slot), passed);
            return;
        }
        wheel_empty_slots(wheel, level, UINT64_MAX, passed);
    }
}

void
amdi_wheel_advance(struct amdi_wheel *wheel, uint64_t now_ms)
{
    struct amdi_list passed;
    struct amdi_list *node;

    amdi_list_init(&passed);
    if (now_ms > wheel->now_ms) {
        wheel_collect_passed(wheel, now_ms, &passed);
        wheel->now_ms = now_ms;
    }
    while ((node = amdi_list_pop(&passed)) != NULL) {
        amdi_wheel_add(wheel, AMDI_CONTAINER_OF(node, struct amdi_timer, node));
    }
    // What is due moves aside, so that a timer that starts itself again for a
    // time that has passed cannot keep this going for ever.
    amdi_list_append_all(&passed, &wheel->due);
    while ((node = amdi_list_pop(&passed)) != NULL) {
        struct amdi_timer *timer =
                AMDI_CONTAINER_OF(node, struct amdi_timer, node);

        timer->node.next = NULL;
        timer->run(timer); // may free the timer, and stop others
    }
}

void
amdi_timer_stop(struct amdi_timer *timer)
{
    if (timer->node.next != NULL) {
        amdi_list_remove(&timer->node);
        timer->node.next = NULL;
    }
}

bool
amdi_timer_is_running(const struct amdi_timer *timer)
{
    return timer->node.next != NULL;
}
