/** Log lines: formatted, made safe to print, and handed to the sink. */
#include "common/log.h"

#include "common/clock.h"
#include "common/encoding.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

// Part of a line may come from a peer; no peer writes more than this at once.
#define LOG_LINE_BYTES 1024u

// Most that one character becomes: "\xc2\x80".
#define LOG_CHAR_BYTES 8u

#define LOG_OFF (-1)

// Set before threads start and read without a lock: the level is the gate.
static amdrpc_log_fn log_fn;
static void *log_arg;
static atomic_int log_level = LOG_OFF;

void
amdrpc_log_set(amdrpc_log_fn fn, void *arg, amdrpc_log_level level)
{
    atomic_store_explicit(&log_level, LOG_OFF, memory_order_release);
    log_fn = fn;
    log_arg = arg;
    if (fn != NULL) {
        atomic_store_explicit(&log_level, (int)level, memory_order_release);
    }
}

bool
amdi_log_is_on(amdrpc_log_level level)
{
    return (int)level <= atomic_load_explicit(&log_level, memory_order_acquire);
}

const char *
amdrpc_log_level_name(amdrpc_log_level level)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    size_t index = (size_t)level; // a negative number becomes too large

    return index < sizeof(names) / sizeof(names[0]) ? names[index] : "debug";
}

/**
 * Tells whether the byte at @pos could end the line or steer a terminal:
 * control bytes, U+0080 to U+009F, and whatever is not UTF-8.
 */
static bool
log_byte_is_unsafe(const char *text, size_t pos, bool is_utf8)
{
    uint8_t byte = (uint8_t)text[pos];
    uint8_t before = pos > 0 ? (uint8_t)text[pos - 1] : 0;
    uint8_t after = (uint8_t)text[pos + 1]; // at the end, the NUL

    if (byte < 0x80) {
        return byte < 0x20 || byte == 0x7f;
    }
    return !is_utf8 || (byte == 0xc2 && after < 0xa0) ||
            (before == 0xc2 && byte < 0xa0);
}

static bool
log_is_inside_char(const char *text, size_t pos)
{
    return ((uint8_t)text[pos] & 0xc0) == 0x80;
}

/** Writes one byte as it is, or as "\x1b"; returns how many bytes that took. */
static size_t
log_write_byte(char *out, char byte, bool is_unsafe)
{
    static const char digits[] = "0123456789abcdef";

    out[0] = byte;
    if (!is_unsafe) {
        return 1;
    }
    out[0] = '\\';
    out[1] = 'x';
    out[2] = digits[(uint8_t)byte >> 4];
    out[3] = digits[(uint8_t)byte & 15];
    return 4;
}

/** Copies a line and makes it safe. @is_cut: text is missing already. */
static void
log_escape(const char *text, size_t len, bool is_cut, char out[LOG_LINE_BYTES])
{
    static const char mark[] = "...";
    const size_t room = LOG_LINE_BYTES - LOG_CHAR_BYTES - sizeof(mark);
    bool is_utf8 = amdi_utf8_is_valid(text, len);
    size_t pos = 0;

    for (size_t i = 0; i < len; i++) {
        bool is_start = !is_utf8 || !log_is_inside_char(text, i);

        if (is_start && pos > room) {
            is_cut = true;
            break;
        }
        pos += log_write_byte(
                out + pos, text[i], log_byte_is_unsafe(text, i, is_utf8));
    }
    if (is_cut) {
        memcpy(out + pos, mark, sizeof(mark));
        return;
    }
    out[pos] = '\0';
}

/** Cuts a formatted text that filled the line, before its last character. */
static size_t
log_cut(const char *text)
{
    size_t len = LOG_LINE_BYTES - 2; // the byte there may be half a character

    for (size_t i = 0; i < 3 && log_is_inside_char(text, len); i++) {
        len--;
    }
    return len;
}

/** Writes context and text; returns the length, larger if it did not fit. */
AMDRPC_PRINTF(3, 0)
static size_t
log_format(char out[LOG_LINE_BYTES], const char *context, const char *format,
        va_list args)
{
    int context_len = snprintf(out, LOG_LINE_BYTES, "%s", context);
    size_t used = context_len > 0 ? (size_t)context_len : 0;
    int text_len;

    if (used >= LOG_LINE_BYTES) {
        return used;
    }
    text_len = vsnprintf(out + used, LOG_LINE_BYTES - used, format, args);
    if (text_len < 0) { // only a format of ours could fail
        out[used] = '\0';
        return used;
    }
    return used + (size_t)text_len;
}

void
amdi_log_write(amdrpc_log_level level, const char *context, const char *id,
        const char *format, ...)
{
    char text[LOG_LINE_BYTES];
    char line[LOG_LINE_BYTES];
    size_t len;
    bool is_cut;
    va_list args;

    if (!amdi_log_is_on(level)) {
        return;
    }
    va_start(args, format);
    len = log_format(text, context, format, args);
    va_end(args);
    is_cut = len >= LOG_LINE_BYTES;
    log_escape(text, is_cut ? log_cut(text) : len, is_cut, line);
    log_fn(log_arg, level, id, line);
}

// One call for each line, so that lines of several threads do not mix.
void
amdrpc_log_stderr(
        void *arg, amdrpc_log_level level, const char *id, const char *text)
{
    int64_t now_us = amdi_clock_wall_us();
    time_t now = (time_t)(now_us / 1000000);
    struct tm date;
    char when[sizeof("2038-01-19T03:14:07")];

    (void)arg;
    (void)gmtime_r(&now, &date); // fails only beyond year 2^31
    (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &date);
    // A log that cannot be written has nobody to be told to.
    (void)fprintf(stderr, "%s.%06dZ %s %s %s\n", when, (int)(now_us % 1000000),
            amdrpc_log_level_name(level), id, text);
}
