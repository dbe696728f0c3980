/** Computes the back-off between attempts to connect. */
#include "client/backoff.h"

#define BACKOFF_MULTIPLIER 1.6
#define BACKOFF_JITTER 0.2

uint64_t
amdi_backoff_ms(unsigned nfailures, uint32_t random)
{
    double ms = AMDI_BACKOFF_FIRST_MS;

    for (unsigned i = 1; i < nfailures && ms < AMDI_BACKOFF_MAX_MS; i++) {
        ms *= BACKOFF_MULTIPLIER;
    }
    if (ms > AMDI_BACKOFF_MAX_MS) {
        ms = AMDI_BACKOFF_MAX_MS;
    }
    double unit = (double)random / (double)UINT32_MAX;
    return (uint64_t)(ms * (1 - BACKOFF_JITTER + 2 * BACKOFF_JITTER * unit));
}
