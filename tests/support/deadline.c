/** The end of a wait, as pthread_cond_timedwait and sem_timedwait take it. */
#include "tests/support/deadline.h"

struct timespec
test_deadline_ms(uint32_t ms)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_REALTIME, &at); // fails only for unknown clocks
    at.tv_sec += ms / 1000;
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}
