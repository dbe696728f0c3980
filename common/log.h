/** Log lines from inside the libraries. */
#ifndef AMDI_LOG_H
#define AMDI_LOG_H

#include <amdrpc/err.h>
#include <amdrpc/log.h>

#include <stdbool.h>

/** Tells whether a line of that level would reach the sink. Thread: any. */
bool amdi_log_is_on(amdrpc_log_level level);

/**
 * Writes one line. @context is what the line is about, "conn=12 " with its
 * space at the end, or "". Thread: any.
 */
void amdi_log_write(amdrpc_log_level level, const char *context, const char *id,
        const char *format, ...) AMDRPC_PRINTF(4, 5);

// The arguments are only evaluated when the level is on.
#define AMDI_LOG_AT(level, ...)                 \
    do {                                        \
        if (amdi_log_is_on(level)) {            \
            amdi_log_write(level, __VA_ARGS__); \
        }                                       \
    } while (0)

#define amdi_log_error(...) AMDI_LOG_AT(AMDRPC_LOG_ERROR, __VA_ARGS__)
#define amdi_log_warn(...) AMDI_LOG_AT(AMDRPC_LOG_WARN, __VA_ARGS__)
#define amdi_log_info(...) AMDI_LOG_AT(AMDRPC_LOG_INFO, __VA_ARGS__)
#define amdi_log_debug(...) AMDI_LOG_AT(AMDRPC_LOG_DEBUG, __VA_ARGS__)

#endif
