/** A clock that only moves when a test moves it. */
#include "tests/support/fake_clock.h"

#include "common/clock.h"

#include <stdatomic.h>
#include <stddef.h>

#define NS_PER_MS UINT64_C(1000000)
#define CLOCK_START_NS (UINT64_C(3600000) * NS_PER_MS)

static _Atomic uint64_t clock_ns;

static uint64_t
clock_now_ns(void)
{
    return atomic_load(&clock_ns);
}

void
test_clock_start(void)
{
    atomic_store(&clock_ns, CLOCK_START_NS);
    amdi_clock_set(clock_now_ns);
}

void
test_clock_advance_ms(uint64_t ms)
{
    atomic_fetch_add(&clock_ns, ms * NS_PER_MS);
}

void
test_clock_stop(void)
{
    amdi_clock_set(NULL);
}
