/** How far a call is: a bar on a terminal, now and then a line elsewhere. */
#ifndef AMDI_PROGRESS_H
#define AMDI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define AMDI_PROGRESS_PATH_BYTES 256
#define AMDI_PROGRESS_LINE_BYTES 512

/** What a server told; 0 and "" where it told nothing. */
struct amdi_progress {
    uint64_t bytes_done;
    uint64_t bytes_total;
    uint64_t files_done;
    uint64_t files_total;
    bool is_count; // the bytes are steps of some kind
    char path[AMDI_PROGRESS_PATH_BYTES];
};

/**
 * Takes the progress out of a message that carries one: in its JSON form an
 * object "progress" with at least one of bytesDone, bytesTotal, filesDone and
 * filesTotal (or bytes_done and so on), or done and total.
 *
 * @out_is_all  whether the message holds nothing else
 * @return      whether there was one
 */
bool amdi_progress_from_json(const char *json, size_t len,
        struct amdi_progress *out, bool *out_is_all);

/**
 * Writes one line without a line end: " 45 % [====>     ] 12.3 MiB of 27.0
 * MiB, 3 files, src/x.c", cut to @width columns.
 *
 * @width  0 for a plain line without a bar
 * @out    AMDI_PROGRESS_LINE_BYTES
 */
void amdi_progress_format(
        const struct amdi_progress *progress, size_t width, char *out);

/** Shows progress on a file; not locked. */
struct amdi_progress_view {
    FILE *file;
    bool is_terminal;
    bool is_shown;         // a bar stands on the terminal's line
    uint64_t last_at_ms;   // when something was shown; 0 for never
    unsigned last_percent; // of the last plain line
    bool never_goes_back;  // what was done once is not shown undone
    double furthest;       // the largest part that was shown, 0 to 1
};

/** @file  borrowed; stderr outside of tests */
void amdi_progress_view_init(
        struct amdi_progress_view *view, FILE *file, bool is_terminal);

/** Shows it, unless something was shown a moment ago. */
void amdi_progress_view_show(
        struct amdi_progress_view *view, const struct amdi_progress *progress);

/** Takes the bar away, before other output or at the end. */
void amdi_progress_view_clear(struct amdi_progress_view *view);

#endif
