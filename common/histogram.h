/** Latency histogram with a bounded relative error (about 1 %). */
#ifndef AMDI_HISTOGRAM_H
#define AMDI_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

// 64 buckets for each power of two of a 64-bit value.
#define AMDI_HISTOGRAM_BUCKETS (64u * 59u)

/** Counts values from 0 to 2^64 - 1. Fixed size; not locked. */
struct amdi_histogram {
    uint64_t counts[AMDI_HISTOGRAM_BUCKETS];
    uint64_t count;
    uint64_t sum;
    uint64_t min;
    uint64_t max;
};

void amdi_histogram_init(struct amdi_histogram *histogram);
void amdi_histogram_add(struct amdi_histogram *histogram, uint64_t value);
void amdi_histogram_merge(
        struct amdi_histogram *into, const struct amdi_histogram *from);

/** The value that @percent (0 … 100) of all values do not exceed; 0 if none. */
uint64_t amdi_histogram_percentile(
        const struct amdi_histogram *histogram, double percent);

#endif
