/** Latency histogram: exact below 64, then 64 buckets per power of two. */
#include "common/histogram.h"

#define HISTOGRAM_SUB_BITS 6u
#define HISTOGRAM_SUB (1u << HISTOGRAM_SUB_BITS)

void
amdi_histogram_init(struct amdi_histogram *histogram)
{
    *histogram = (struct amdi_histogram){.min = UINT64_MAX};
}

/** The bucket of a value: its highest bit, then the six bits below it. */
static size_t
histogram_index(uint64_t value)
{
    unsigned shift;

    if (value < HISTOGRAM_SUB) {
        return (size_t)value;
    }
    shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
    return (size_t)(shift + 1) * HISTOGRAM_SUB +
            (size_t)(value >> shift & (HISTOGRAM_SUB - 1));
}

/** The largest value of a bucket. */
static uint64_t
histogram_upper(size_t index)
{
    unsigned shift = (unsigned)(index / HISTOGRAM_SUB);
    uint64_t low = index % HISTOGRAM_SUB;

    if (shift == 0) {
        return low;
    }
    shift--;
    low = (low | HISTOGRAM_SUB) << shift;
    return low + ((UINT64_C(1) << shift) - 1);
}

void
amdi_histogram_add(struct amdi_histogram *histogram, uint64_t value)
{
    histogram->counts[histogram_index(value)]++;
    histogram->count++;
    histogram->sum += value;
    if (value < histogram->min) {
        histogram->min = value;
    }
    if (value > histogram->max) {
        histogram->max = value;
    }
}

void
amdi_histogram_merge(
        struct amdi_histogram *into, const struct amdi_histogram *from)
{
    for (size_t i = 0; i < AMDI_HISTOGRAM_BUCKETS; i++) {
        into->counts[i] += from->counts[i];
    }
    into->count += from->count;
    into->sum += from->sum;
    if (from->min < into->min) {
        into->min = from->min;
    }
    if (from->max > into->max) {
        into->max = from->max;
    }
}

/** The value of the bucket that holds the @rank-th smallest value. */
static uint64_t
histogram_value_at(const struct amdi_histogram *histogram, uint64_t rank)
{
    uint64_t seen = 0;

    for (size_t i = 0; i < AMDI_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen >= rank) {
            uint64_t upper = histogram_upper(i);

            return upper < histogram->max ? upper : histogram->max;
        }
    }
    return histogram->max;
}

uint64_t
amdi_histogram_percentile(
        const struct amdi_histogram *histogram, double percent)
{
    double exact = percent / 100.0 * (double)histogram->count;
    uint64_t rank;

    if (histogram->count == 0) {
        return 0;
    }
    if (!(percent > 0.0)) { // also what is not a number
        return histogram->min;
    }
    if (percent >= 100.0) {
        return histogram->max;
    }
    rank = (uint64_t)exact;
    if ((double)rank < exact) {
        rank++;
    }
    return histogram_value_at(histogram, rank);
}
