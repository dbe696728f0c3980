/** A clock that only moves when a test moves it. */
#ifndef TEST_FAKE_CLOCK_H
#define TEST_FAKE_CLOCK_H

#include <stdint.h>

/** Puts it in place of the monotonic clock, at one hour. */
void test_clock_start(void);

/** Lets time pass. Thread: any. */
void test_clock_advance_ms(uint64_t ms);

/** Brings the system's clock back. */
void test_clock_stop(void);

#endif
