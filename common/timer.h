/**
 * Hierarchical timing wheel: the order of a loop's timers.
 *
 * Level n has 64 slots of 64^n milliseconds. A timer lies in the lowest level
 * whose 64 slots, of the block that the present time is in, hold its time; it
 * moves down when time reaches its slot. Starting and stopping take constant
 * time, and so does a jump of the clock, however far.
 */
#ifndef AMDI_TIMER_H
#define AMDI_TIMER_H

#include "common/loop.h"

#include <stdint.h>

// Levels of 6 bits each that cover all 64 bits of a time.
#define AMDI_WHEEL_NLEVELS 11
#define AMDI_WHEEL_NSLOTS 64

#define AMDI_WHEEL_NEVER UINT64_MAX

struct amdi_wheel {
    uint64_t now_ms; // all before and at this time is in due or was run
    // A bit for each slot; it may stay set when the slot's last timer is
    // stopped, which has no way to the wheel.
    uint64_t occupied[AMDI_WHEEL_NLEVELS];
    struct amdi_list slots[AMDI_WHEEL_NLEVELS][AMDI_WHEEL_NSLOTS];
    struct amdi_list due;
};

void amdi_wheel_init(struct amdi_wheel *wheel, uint64_t now_ms);

/** Adds a timer that is stopped. */
void amdi_wheel_add(struct amdi_wheel *wheel, struct amdi_timer *timer);

/**
 * Returns a time not after that of the first timer, at which the wheel wants
 * to be advanced, or AMDI_WHEEL_NEVER.
 */
uint64_t amdi_wheel_next_ms(struct amdi_wheel *wheel);

/**
 * Moves the time on and runs what is due. What is started meanwhile waits for
 * the next time, even when it is due already.
 */
void amdi_wheel_advance(struct amdi_wheel *wheel, uint64_t now_ms);

#endif
