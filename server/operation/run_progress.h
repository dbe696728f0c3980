/**
 * The newest step of an execution: handlers report as often as they like, and
 * what is written down is the newest, at most every so often.
 */
#ifndef AMDI_RUN_PROGRESS_H
#define AMDI_RUN_PROGRESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define AMDI_NOTE_BYTES 201u

// Ten steps a second are enough for people; a handler may make millions.
#define AMDI_PROGRESS_INTERVAL_MS 100u

struct amdi_step {
    uint64_t done;
    uint64_t total;
    char note[AMDI_NOTE_BYTES];
};

struct amdi_run_progress {
    // Any thread, under mtx.
    pthread_mutex_t mtx;
    struct amdi_step newest;
    bool is_new; // has not been taken

    // Who takes.
    uint64_t next_at_ms; // not before
};

void amdi_run_progress_init(struct amdi_run_progress *progress);
void amdi_run_progress_fini(struct amdi_run_progress *progress);

/**
 * Reports a step. Returns whether who takes must be told; that is once for all
 * steps until then. @note: copied; NULL for none. Thread: any.
 */
bool amdi_run_progress_set(struct amdi_run_progress *progress, uint64_t done,
        uint64_t total, const char *note);

/** Takes the newest step; false when there is no new one. */
bool amdi_run_progress_take(struct amdi_run_progress *progress, uint64_t now_ms,
        struct amdi_step *out);

#endif
