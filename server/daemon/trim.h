/**
 * Gives the system back what malloc keeps after a peak.
 *
 * Threads that become idle free what they kept for their next calls; to malloc,
 * which hands memory on only from the end of a heap. Now and then the daemon
 * looks how much of its memory is used at all, and trims when that is little.
 * Trimming locks each heap for a moment, and what it gave back costs a page
 * fault when it is needed again, so it is done for much, and seldom.
 */
#ifndef AMDI_TRIM_H
#define AMDI_TRIM_H

#include <stdbool.h>
#include <stdint.h>

// How often the daemon looks.
#define AMDI_TRIM_PERIOD_MS 60000

// What a process needs beside malloc, and what is not worth a trim.
#define AMDI_TRIM_SLACK_BYTES (UINT64_C(32) << 20)

/** What was left the last time; zero bytes at first. */
struct amdi_trim {
    uint64_t left_bytes; // resident after a trim, or less
};

/**
 * Tells whether to trim: half as much again as is used, and the slack, are
 * resident, and not just what the last trim could not give back.  (pure)
 */
bool amdi_trim_is_due(
        struct amdi_trim *trim, uint64_t resident_bytes, uint64_t used_bytes);

/** Looks, and trims if it is time. Thread: main. */
void amdi_trim_look(struct amdi_trim *trim);

#endif
