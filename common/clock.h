/** Time. Monotonic everywhere; the wall clock is for people only. */
#ifndef AMDI_CLOCK_H
#define AMDI_CLOCK_H

#include <stdint.h>
#include <time.h>

/** Nanoseconds of CLOCK_MONOTONIC. Thread: any. */
uint64_t amdi_clock_now_ns(void);

/** Milliseconds of the same clock. */
uint64_t amdi_clock_now_ms(void);

/** Microseconds since 1970, for records and logs. */
int64_t amdi_clock_wall_us(void);

/**
 * When a wait of @ms that begins now is over, for waits by CLOCK_MONOTONIC. It
 * is the system's clock also where the other one is replaced: the system does
 * the waiting.
 */
struct timespec amdi_clock_deadline(uint64_t ms);

/** Returns what amdi_clock_now_ns shall return. */
typedef uint64_t (*amdi_clock_fn)(void);

/** Replaces the monotonic clock; NULL brings it back. Thread: setup. */
void amdi_clock_set(amdi_clock_fn now_ns);

#endif
