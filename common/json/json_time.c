/** Timestamps and durations as text: RFC 3339, and seconds with an "s". */
#include "common/json/json_internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define NANOS_PER_SECOND 1000000000

// 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z.
#define TIMESTAMP_MIN_SECONDS INT64_C(-62135596800)
#define TIMESTAMP_MAX_SECONDS INT64_C(253402300799)

// 10,000 years.
#define DURATION_MAX_SECONDS INT64_C(315576000000)

/* Writes ".021" with 0, 3, 6 or 9 digits: as few as hold the value. */
static void
print_nanos(int64_t nanos, char *out, size_t size)
{
    if (nanos == 0) {
        out[0] = '\0';
    } else if (nanos % 1000000 == 0) {
        (void)snprintf(out, size, ".%03d", (int)(nanos / 1000000));
    } else if (nanos % 1000 == 0) {
        (void)snprintf(out, size, ".%06d", (int)(nanos / 1000));
    } else {
        (void)snprintf(out, size, ".%09d", (int)nanos);
    }
}

bool
amdi_json_print_timestamp(
        int64_t seconds, int64_t nanos, char out[JSON_TIME_BYTES])
{
    char fraction[16];
    struct tm tm;
    time_t time = (time_t)seconds;

    if (seconds < TIMESTAMP_MIN_SECONDS || seconds > TIMESTAMP_MAX_SECONDS ||
            nanos < 0 || nanos >= NANOS_PER_SECOND ||
            gmtime_r(&time, &tm) == NULL) {
        return false;
    }
    print_nanos(nanos, fraction, sizeof(fraction));
    (void)snprintf(out, JSON_TIME_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d%sZ",
            (tm.tm_year + 1900) % 10000, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
            tm.tm_min, tm.tm_sec, fraction);
    return true;
}

bool
amdi_json_print_duration(
        int64_t seconds, int64_t nanos, char out[JSON_TIME_BYTES])
{
    char fraction[16];

    if (seconds < -DURATION_MAX_SECONDS || seconds > DURATION_MAX_SECONDS ||
            nanos <= -NANOS_PER_SECOND || nanos >= NANOS_PER_SECOND ||
            (seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0)) {
        return false;
    }
    print_nanos(nanos < 0 ? -nanos : nanos, fraction, sizeof(fraction));
    (void)snprintf(out, JSON_TIME_BYTES, "%s%lld%ss",
            seconds < 0 || nanos < 0 ? "-" : "",
            (long long)(seconds < 0 ? -seconds : seconds), fraction);
    return true;
}

/* Reads exactly @ndigits digits and goes behind them. */
static bool
parse_digits(const char **text, size_t ndigits, int *out)
{
    int value = 0;

    for (size_t i = 0; i < ndigits; i++) {
        char c = (*text)[i];

        if (c < '0' || c > '9') {
            return false;
        }
        value = value * 10 + (c - '0');
    }
    *text += ndigits;
    *out = value;
    return true;
}

static bool
parse_char(const char **text, char c)
{
    if (**text != c) {
        return false;
    }
    (*text)++;
    return true;
}

/* Reads ".5" up to nine digits, or nothing. */
static bool
parse_nanos(const char **text, int32_t *out)
{
    int32_t nanos = 0;
    int ndigits = 0;

    *out = 0;
    if (!parse_char(text, '.')) {
        return true;
    }
    for (; **text >= '0' && **text <= '9'; (*text)++) {
        if (++ndigits > 9) {
            return false;
        }
        nanos = nanos * 10 + (**text - '0');
    }
    for (int i = ndigits; i < 9; i++) {
        nanos *= 10;
    }
    *out = nanos;
    return ndigits > 0;
}

/* Reads "Z" or "+01:30", to the end of the text. */
static bool
parse_offset(const char **text, int64_t *out_seconds)
{
    int sign = **text == '-' ? -1 : 1;
    int hours;
    int minutes;

    *out_seconds = 0;
    if (parse_char(text, 'Z')) {
        return **text == '\0';
    }
    if ((!parse_char(text, '+') && !parse_char(text, '-')) ||
            !parse_digits(text, 2, &hours) || !parse_char(text, ':') ||
            !parse_digits(text, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    *out_seconds = sign * (hours * 3600 + minutes * 60);
    return **text == '\0';
}

/* timegm moves February 30 into March; going back shows it. */
static bool
tm_to_seconds(const struct tm *tm, int64_t *out)
{
    struct tm copy = *tm;
    struct tm back;
    time_t time = timegm(&copy);

    *out = (int64_t)time;
    return gmtime_r(&time, &back) != NULL && back.tm_mday == tm->tm_mday &&
            back.tm_mon == tm->tm_mon && back.tm_hour == tm->tm_hour &&
            back.tm_min == tm->tm_min && back.tm_sec == tm->tm_sec;
}

static bool
parse_date_and_time(const char **text, int64_t *out_seconds)
{
    struct tm tm = {0};

    if (!parse_digits(text, 4, &tm.tm_year) || !parse_char(text, '-') ||
            !parse_digits(text, 2, &tm.tm_mon) || !parse_char(text, '-') ||
            !parse_digits(text, 2, &tm.tm_mday) || !parse_char(text, 'T') ||
            !parse_digits(text, 2, &tm.tm_hour) || !parse_char(text, ':') ||
            !parse_digits(text, 2, &tm.tm_min) || !parse_char(text, ':') ||
            !parse_digits(text, 2, &tm.tm_sec)) {
        return false;
    }
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return tm_to_seconds(&tm, out_seconds);
}

bool
amdi_json_parse_timestamp(
        const char *text, int64_t *out_seconds, int32_t *out_nanos)
{
    int64_t offset;

    if (!parse_date_and_time(&text, out_seconds) ||
            !parse_nanos(&text, out_nanos) || !parse_offset(&text, &offset)) {
        return false;
    }
    *out_seconds -= offset;
    return *out_seconds >= TIMESTAMP_MIN_SECONDS &&
            *out_seconds <= TIMESTAMP_MAX_SECONDS;
}

bool
amdi_json_parse_duration(
        const char *text, int64_t *out_seconds, int32_t *out_nanos)
{
    bool is_negative = parse_char(&text, '-');
    int64_t seconds = 0;

    if (*text < '0' || *text > '9') {
        return false;
    }
    for (; *text >= '0' && *text <= '9'; text++) {
        seconds = seconds * 10 + (*text - '0');
        if (seconds > DURATION_MAX_SECONDS) {
            return false;
        }
    }
    if (!parse_nanos(&text, out_nanos) || strcmp(text, "s") != 0) {
        return false;
    }
    *out_seconds = is_negative ? -seconds : seconds;
    *out_nanos = is_negative ? -*out_nanos : *out_nanos;
    return true;
}
