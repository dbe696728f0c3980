/** Progress that a program writes among its output. Pure. */
#include "server/modules/command/command_progress.h"

#include <string.h>

// The match as a whole, and the groups of what is done and of the total.
#define NMATCHES 3

amdrpc_err
amdi_command_pattern_init(struct amdi_command_pattern *pattern,
        const char *text, struct amdi_error *error)
{
    char why[128];
    int rv = 0;

    amdi_command_pattern_fini(pattern); // an earlier one
    rv = regcomp(&pattern->regex, text, REG_EXTENDED);
    if (rv != 0) {
        (void)regerror(rv, &pattern->regex, why, sizeof(why));
        return amdi_error_set(error,
                rv == REG_ESPACE ? AMDRPC_ENOMEM : AMDRPC_EINVAL, "\"%s\": %s",
                text, why);
    }
    pattern->is_set = true;
    if (pattern->regex.re_nsub == 0) {
        return amdi_error_set(error, AMDRPC_EINVAL,
                "\"%s\" has no group (…) for what is done", text);
    }
    return AMDRPC_OK;
}

void
amdi_command_pattern_fini(struct amdi_command_pattern *pattern)
{
    if (pattern->is_set) {
        regfree(&pattern->regex);
        pattern->is_set = false;
    }
}

/* Reads a group's digits; what follows them, as a fraction, is left. */
static bool
group_read(const char *line, const regmatch_t *group, uint64_t *out)
{
    uint64_t value = 0;
    regoff_t at = group->rm_so;

    if (at < 0) {
        return false;
    }
    for (; at < group->rm_eo && line[at] >= '0' && line[at] <= '9'; at++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
                __builtin_add_overflow(
                        value, (uint64_t)(line[at] - '0'), &value)) {
            return false;
        }
    }
    *out = value;
    return at > group->rm_so;
}

/* Takes the line that is complete; tells whether it is one of progress. */
static bool
progress_end_line(struct amdi_command_progress *progress,
        const struct amdi_command_pattern *pattern)
{
    regmatch_t groups[NMATCHES];
    uint64_t done = 0;
    uint64_t total = pattern->total;

    // A NUL ends what the expression sees of the line.
    progress->line[progress->len] = '\0';
    progress->len = 0;
    if (progress->is_overlong) {
        progress->is_overlong = false;
        return false;
    }
    if (regexec(&pattern->regex, progress->line, NMATCHES, groups, 0) != 0 ||
            !group_read(progress->line, &groups[1], &done)) {
        return false;
    }
    if (groups[2].rm_so >= 0 &&
            !group_read(progress->line, &groups[2], &total)) {
        return false;
    }
    progress->done = done;
    progress->total = total;
    return true;
}

static void
progress_add(struct amdi_command_progress *progress, char c)
{
    if (progress->len + 1 == sizeof(progress->line)) {
        progress->is_overlong = true;
    } else {
        progress->line[progress->len++] = c;
    }
}

bool
amdi_command_progress_read(struct amdi_command_progress *progress,
        const struct amdi_command_pattern *pattern, const uint8_t *data,
        size_t len)
{
    bool has_found = false;

    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n' || data[i] == '\r') {
            has_found |= progress_end_line(progress, pattern);
        } else {
            progress_add(progress, (char)data[i]);
        }
    }
    return has_found;
}
