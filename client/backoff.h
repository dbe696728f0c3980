/** How long to wait before connecting again (gRPC, connection-backoff.md). */
#ifndef AMDI_BACKOFF_H
#define AMDI_BACKOFF_H

#include <stdint.h>

#define AMDI_BACKOFF_FIRST_MS 1000u
#define AMDI_BACKOFF_MAX_MS 120000u

/**
 * Returns the time after the n-th failure in a row (n ≥ 1): 1 s, growing by
 * 1.6 up to 120 s, and up to a fifth more or less as @random decides.
 */
uint64_t amdi_backoff_ms(unsigned nfailures, uint32_t random);

#endif
