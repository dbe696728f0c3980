/** What the server's options say about its HTTP/2 sessions. */
#include "server/conn/h2_limits.h"

#include <stddef.h>

/** A uint32_t of the options, and the one of the limits that it is. */
struct row {
    size_t option;
    size_t limit;
};

#define ROW(name, field)                                 \
    {                                                    \
        .option = offsetof(amdrpc_server_options, name), \
        .limit = offsetof(struct amdi_h2_limits, field)  \
    }
#define RATE(name, guard)                \
    ROW(name.burst, rates[guard].burst), \
            ROW(name.per_second, rates[guard].per_second)

static const struct row rows[] = {
        RATE(resets, AMDI_H2_GUARD_RESET),
        RATE(faults, AMDI_H2_GUARD_FAULT),
        RATE(pings, AMDI_H2_GUARD_PING),
        RATE(settings_frames, AMDI_H2_GUARD_SETTINGS),
        RATE(stray_frames, AMDI_H2_GUARD_STRAY),
        ROW(max_empty_frames, max_empty_frames),
        ROW(early_reset_streams, early_reset_streams),
        ROW(priorities_per_stream, priorities_per_stream),
        ROW(window_updates_per_frame, window_updates_per_frame),
        ROW(max_settings, max_settings),
        ROW(max_continuations, max_continuations),
        ROW(header_table_bytes, header_table_bytes),
};

#define NROWS (sizeof(rows) / sizeof(rows[0]))

static uint32_t
limit_get(const struct amdi_h2_limits *limits, const struct row *row)
{
    return *(const uint32_t *)(const void *)((const char *)limits + row->limit);
}

void
amdi_h2_limits_complete(amdrpc_server_options *options)
{
    for (size_t i = 0; i < NROWS; i++) {
        uint32_t *option =
                (uint32_t *)(void *)((char *)options + rows[i].option);

        if (*option == 0) {
            *option = limit_get(&amdi_h2_default_limits, &rows[i]);
        }
    }
}

void
amdi_h2_limits_take(
        const amdrpc_server_options *options, struct amdi_h2_limits *out)
{
    *out = amdi_h2_default_limits; // what there is no option for
    for (size_t i = 0; i < NROWS; i++) {
        uint32_t *limit = (uint32_t *)(void *)((char *)out + rows[i].limit);

        *limit = *(const uint32_t *)(const void *)((const char *)options +
                rows[i].option);
    }
}
