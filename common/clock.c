/** Time: the system's clocks, the monotonic one replaceable. */
#include "common/clock.h"

#include <stdatomic.h>
#include <stddef.h>

#define NS_PER_S 1000000000
#define NS_PER_MS 1000000
#define NS_PER_US 1000
#define MS_PER_S 1000

static _Atomic(amdi_clock_fn) clock_override; // NULL: the system's

uint64_t
amdi_clock_now_ns(void)
{
    amdi_clock_fn now_ns =
            atomic_load_explicit(&clock_override, memory_order_relaxed);
    struct timespec now;

    if (now_ns != NULL) {
        return now_ns();
    }
    // It cannot fail: the clock is a valid one, and so is the address.
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t
amdi_clock_now_ms(void)
{
    return amdi_clock_now_ns() / NS_PER_MS;
}

int64_t
amdi_clock_wall_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now); // cannot fail, as above
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / NS_PER_US;
}

struct timespec
amdi_clock_deadline(uint64_t ms)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at); // cannot fail, as above
    at.tv_sec += (time_t)(ms / MS_PER_S);
    at.tv_nsec += (long)(ms % MS_PER_S * NS_PER_MS);
    if (at.tv_nsec >= NS_PER_S) {
        at.tv_sec++;
        at.tv_nsec -= NS_PER_S;
    }
    return at;
}

void
amdi_clock_set(amdi_clock_fn now_ns)
{
    atomic_store_explicit(&clock_override, now_ns, memory_order_relaxed);
}
