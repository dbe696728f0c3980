/** Computes the times between attempts. */
#include "client/backoff.h"

#include "common/clock.h"

#define BACKOFF_MULTIPLIER 1.6
#define BACKOFF_JITTER 0.2

uint64_t
amdi_backoff_after_ms(
        const struct amdi_backoff *backoff, unsigned nfailures, uint32_t random)
{
    double ms = backoff->first_ms;

    // With a multiplier of 1 it would go on for as many steps as failures.
    for (unsigned i = 1;
            i < nfailures && ms < backoff->max_ms && backoff->multiplier > 1;
            i++) {
        ms *= backoff->multiplier;
    }
    if (ms > backoff->max_ms) {
        ms = backoff->max_ms;
    }
    double unit = (double)random / (double)UINT32_MAX;
    return (uint64_t)(ms * (1 - BACKOFF_JITTER + 2 * BACKOFF_JITTER * unit));
}

uint64_t
amdi_backoff_ms(unsigned nfailures, uint32_t random)
{
    static const struct amdi_backoff connecting = {
            .first_ms = AMDI_BACKOFF_FIRST_MS,
            .max_ms = AMDI_BACKOFF_MAX_MS,
            .multiplier = BACKOFF_MULTIPLIER,
    };

    return amdi_backoff_after_ms(&connecting, nfailures, random);
}

uint32_t
amdi_backoff_random(void)
{
    // The low bits of the clock, spread over all of the result's.
    return (uint32_t)(amdi_clock_now_ns() * UINT64_C(2654435761));
}
