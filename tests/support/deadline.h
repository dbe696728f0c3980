/** The end of a wait, as pthread_cond_timedwait and sem_timedwait take it. */
#ifndef TEST_DEADLINE_H
#define TEST_DEADLINE_H

#include <stdint.h>
#include <time.h>

/** The time on the wall clock in so many milliseconds. */
struct timespec test_deadline_ms(uint32_t ms);

#endif
