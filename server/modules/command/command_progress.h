/** Progress that a program writes among its output: lines of a pattern. Pure.
 */
#ifndef AMDI_COMMAND_PROGRESS_H
#define AMDI_COMMAND_PROGRESS_H

#include <amdrpc/err.h>

#include "common/error.h"

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What is looked at of a line; the program decides how long it is.
#define AMDI_COMMAND_LINE_BYTES 512u

/** What lines of progress look like. */
struct amdi_command_pattern {
    regex_t regex; // owned, if is_set
    bool is_set;
    uint64_t total; // where the pattern has no group for it; 0: unknown
};

/**
 * @text    a POSIX extended expression; its first group is what is done, its
 *          second, if there is one, the total
 * Errors:  AMDRPC_EINVAL, AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_command_pattern_init(
        struct amdi_command_pattern *pattern, const char *text,
        struct amdi_error *error);
void amdi_command_pattern_fini(struct amdi_command_pattern *pattern);

/** What a program's output has said. Zero bytes: nothing. */
struct amdi_command_progress {
    char line[AMDI_COMMAND_LINE_BYTES];
    size_t len;
    bool is_overlong; // the rest of the line is passed over
    uint64_t done;
    uint64_t total;
};

/**
 * Looks for lines of progress; they end with LF or CR.
 *
 * @return  whether there was one; the last one is in @progress
 */
bool amdi_command_progress_read(struct amdi_command_progress *progress,
        const struct amdi_command_pattern *pattern, const uint8_t *data,
        size_t len);

#endif
