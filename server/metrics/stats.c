/** What a loop's calls came to: counts and times by method. */
#include "server/metrics/stats.h"

#include "common/alloc.h"

// One row is one bound, as nanoseconds and as text.
#define BOUNDS(X)            \
    X(10000, "0.00001")      \
    X(50000, "0.00005")      \
    X(100000, "0.0001")      \
    X(300000, "0.0003")      \
    X(600000, "0.0006")      \
    X(800000, "0.0008")      \
    X(1000000, "0.001")      \
    X(2000000, "0.002")      \
    X(3000000, "0.003")      \
    X(4000000, "0.004")      \
    X(5000000, "0.005")      \
    X(6000000, "0.006")      \
    X(8000000, "0.008")      \
    X(10000000, "0.01")      \
    X(13000000, "0.013")     \
    X(16000000, "0.016")     \
    X(20000000, "0.02")      \
    X(25000000, "0.025")     \
    X(30000000, "0.03")      \
    X(40000000, "0.04")      \
    X(50000000, "0.05")      \
    X(65000000, "0.065")     \
    X(80000000, "0.08")      \
    X(100000000, "0.1")      \
    X(130000000, "0.13")     \
    X(160000000, "0.16")     \
    X(200000000, "0.2")      \
    X(250000000, "0.25")     \
    X(300000000, "0.3")      \
    X(400000000, "0.4")      \
    X(500000000, "0.5")      \
    X(650000000, "0.65")     \
    X(800000000, "0.8")      \
    X(1000000000, "1")       \
    X(2000000000, "2")       \
    X(5000000000, "5")       \
    X(10000000000, "10")     \
    X(20000000000, "20")     \
    X(50000000000, "50")     \
    X(100000000000, "100")   \
    X(300000000000, "300")   \
    X(1800000000000, "1800") \
    X(7200000000000, "7200")

#define BOUND_NS(ns, text) ns##u,
#define BOUND_TEXT(ns, text) text,

const uint64_t amdi_stats_bounds_ns[AMDI_STATS_NBOUNDS] = {BOUNDS(BOUND_NS)};
const char *const amdi_stats_bounds_text[AMDI_STATS_NBOUNDS] = {
        BOUNDS(BOUND_TEXT)};

amdrpc_err
amdi_stats_init(struct amdi_stats *stats, size_t nmethods)
{
    stats->methods = amdi_calloc(nmethods + 1, sizeof(*stats->methods));
    if (stats->methods == NULL) {
        return AMDRPC_ENOMEM;
    }
    stats->nmethods = nmethods;
    return AMDRPC_OK;
}

void
amdi_stats_fini(struct amdi_stats *stats)
{
    amdi_free(stats->methods);
    stats->methods = NULL;
}

/** Tells whether a time belongs in that place of the counts. */
static bool
bounds_hold(size_t at, uint64_t ns)
{
    return (at == AMDI_STATS_NBOUNDS || ns <= amdi_stats_bounds_ns[at]) &&
            (at == 0 || ns > amdi_stats_bounds_ns[at - 1]);
}

static size_t
bounds_find(uint64_t ns)
{
    size_t low = 0;
    size_t high = AMDI_STATS_NBOUNDS;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (ns <= amdi_stats_bounds_ns[middle]) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/** The calls of one turn mostly take equally long. */
static void
times_add(struct amdi_stats_times *times, uint64_t ns)
{
    if (!bounds_hold(times->last, ns)) {
        times->last = bounds_find(ns);
    }
    amdi_stats_add(&times->counts[times->last], 1);
    amdi_stats_add(&times->sum_ns, ns);
}

void
amdi_stats_call_started(
        struct amdi_stats *stats, size_t method, uint64_t now_ns)
{
    amdi_stats_add(&stats->methods[method].nstarted, 1);
    atomic_store_explicit(&stats->started_at_ns, now_ns, memory_order_relaxed);
}

void
amdi_stats_call_ended(struct amdi_stats *stats, size_t method,
        amdrpc_status_code code, uint64_t duration_ns, uint64_t waited_ns)
{
    struct amdi_method_stats *of = &stats->methods[method];

    // A handler may have made up a code of its own.
    amdi_stats_add(&of->nended[(size_t)code < AMDI_STATS_NCODES
                                   ? (size_t)code
                                   : AMDRPC_STATUS_UNKNOWN],
            1);
    times_add(&of->duration, duration_ns);
    times_add(&of->waited, waited_ns);
}

static uint64_t
number_of(const atomic_ullong *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

void
amdi_stats_sum_calls(
        const struct amdi_stats *stats, struct amdi_stats_calls *sum)
{
    uint64_t started_at_ns = number_of(&stats->started_at_ns);

    for (size_t i = 0; i <= stats->nmethods; i++) {
        const struct amdi_method_stats *of = &stats->methods[i];

        sum->nstarted += number_of(&of->nstarted);
        for (size_t code = 0; code < AMDI_STATS_NCODES; code++) {
            uint64_t *ended =
                    code == AMDRPC_STATUS_OK ? &sum->nsucceeded : &sum->nfailed;

            *ended += number_of(&of->nended[code]);
        }
    }
    if (started_at_ns > sum->started_at_ns) {
        sum->started_at_ns = started_at_ns;
    }
}
