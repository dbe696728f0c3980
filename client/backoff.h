/** Times that grow from one attempt to the next. */
#ifndef AMDI_BACKOFF_H
#define AMDI_BACKOFF_H

#include <stdint.h>

#define AMDI_BACKOFF_FIRST_MS 1000u
#define AMDI_BACKOFF_MAX_MS 120000u

/** How they grow: by a factor from the first to the longest. */
struct amdi_backoff {
    uint32_t first_ms;
    uint32_t max_ms;
    double multiplier; // at least 1
};

/**
 * Returns the time after the n-th failure in a row (n ≥ 1), up to a fifth more
 * or less as @random decides.
 */
uint64_t amdi_backoff_after_ms(const struct amdi_backoff *backoff,
        unsigned nfailures, uint32_t random);

/**
 * The same between attempts to connect (gRPC, connection-backoff.md): 1 s,
 * growing by 1.6 up to 120 s.
 */
uint64_t amdi_backoff_ms(unsigned nfailures, uint32_t random);

/** Random enough to spread clients out; not for secrets. Thread: any. */
uint32_t amdi_backoff_random(void);

#endif
