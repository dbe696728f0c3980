/**
 * What a loop's calls came to: counts and times by method. One thread writes,
 * any thread reads; each number is right by itself.
 */
#ifndef AMDI_STATS_H
#define AMDI_STATS_H

#include <amdrpc/err.h>
#include <amdrpc/status.h>

#include "server/dispatch/admission.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define AMDI_STATS_NCODES 17u

// grpc/proposal A66's latency buckets, and three for long work.
#define AMDI_STATS_NBOUNDS 43u

/** Upper bounds of the buckets but the last, in nanoseconds, ascending. */
extern const uint64_t amdi_stats_bounds_ns[AMDI_STATS_NBOUNDS];

/** The same bounds in seconds, as text. */
extern const char *const amdi_stats_bounds_text[AMDI_STATS_NBOUNDS];

/** How long something took, how often. */
struct amdi_stats_times {
    atomic_ullong counts[AMDI_STATS_NBOUNDS + 1];
    atomic_ullong sum_ns;
    size_t last; // of counts, where the last time went; the writer's own
};

struct amdi_method_stats {
    atomic_ullong nstarted;
    atomic_ullong nended[AMDI_STATS_NCODES];
    struct amdi_stats_times duration; // from the request to the end
    struct amdi_stats_times waited;   // in a queue
};

struct amdi_stats {
    struct amdi_method_stats *methods; // owned; one more than there are methods
    size_t nmethods;
    atomic_ullong started_at_ns; // the last call, of amdi_clock; 0: none
    atomic_ullong nconnections;  // since the start
    atomic_ullong nread;         // bytes
    atomic_ullong nwritten;
    atomic_ullong nrefused[AMDI_NREFUSALS]; // by enum amdi_refusal
};

/** Makes room for @nmethods and calls of unknown ones. Errors: AMDRPC_ENOMEM.
 */
AMDRPC_NODISCARD amdrpc_err amdi_stats_init(
        struct amdi_stats *stats, size_t nmethods);

/** Accepts zero bytes. */
void amdi_stats_fini(struct amdi_stats *stats);

/** Adds to a number that only this thread writes. */
static inline void
amdi_stats_add(atomic_ullong *number, uint64_t n)
{
    atomic_store_explicit(number,
            atomic_load_explicit(number, memory_order_relaxed) + n,
            memory_order_relaxed);
}

/** A call has begun. @method: its index; nmethods when unknown. */
void amdi_stats_call_started(
        struct amdi_stats *stats, size_t method, uint64_t now_ns);

/** A call has ended. */
void amdi_stats_call_ended(struct amdi_stats *stats, size_t method,
        amdrpc_status_code code, uint64_t duration_ns, uint64_t waited_ns);

/** All calls together. */
struct amdi_stats_calls {
    uint64_t nstarted;
    uint64_t nsucceeded;    // ended with OK
    uint64_t nfailed;       // ended with another status
    uint64_t started_at_ns; // the last; 0: none
};

/** Adds a loop's to @sum. Thread: any. */
void amdi_stats_sum_calls(
        const struct amdi_stats *stats, struct amdi_stats_calls *sum);

#endif
