/** The server's options with every default filled in. */
#include "server/options.h"

#include "common/wire.h"
#include "server/conn/h2_limits.h"

#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

#define KIB 1024u
#define MIB (1024u * KIB)
#define SECOND 1000u
#define MINUTE (60u * SECOND)
#define HOUR (60u * MINUTE)

#define MAX_DEFAULT_LOOPS 4u

/** A default, and whose limit it is: see amdrpc_server_options. */
struct row {
    size_t offset;
    uint32_t fallback;
};

#define ROW(name, value)                               \
    {                                                  \
        offsetof(amdrpc_server_options, name), (value) \
    }

static const struct row rows[] = {
        ROW(max_connections, 10000),
        ROW(max_connections_per_address, 256),
        ROW(max_concurrent_streams, 128),
        ROW(max_recv_message_bytes, 4 * MIB),
        ROW(max_send_message_bytes, 16 * MIB),
        ROW(max_decoded_bytes, 32 * MIB),
        ROW(max_queued_bytes, 288 * KIB),
        ROW(max_connection_queued_bytes, 1 * MIB),
        ROW(advised_header_list_bytes, 8 * KIB),
        ROW(max_header_list_bytes, 16 * KIB),
        ROW(max_header_field_bytes, 8 * KIB),
        ROW(max_header_fields, 100),
        ROW(stream_window_bytes, 64 * KIB),
        ROW(connection_window_bytes, 1 * MIB),
        ROW(max_nesting, AMDI_WIRE_MAX_DEPTH),
        ROW(frames_per_turn, 256),
        ROW(handshake_timeout_ms, 10 * SECOND),
        ROW(header_timeout_ms, 10 * SECOND),
        ROW(body_timeout_ms, 30 * SECOND),
        ROW(stall_timeout_ms, 60 * SECOND),
        ROW(idle_timeout_ms, 15 * MINUTE),
        ROW(max_age_ms, AMDRPC_NO_LIMIT),
        ROW(max_age_grace_ms, AMDRPC_NO_LIMIT),
        ROW(keepalive_interval_ms, 2 * HOUR),
        ROW(keepalive_timeout_ms, 20 * SECOND),
        ROW(min_ping_interval_ms, 60 * SECOND),
        ROW(drain_timeout_ms, 30 * SECOND),
};

static uint32_t
cpu_count(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n > 0 ? (uint32_t)n : 1;
}

/** What a connection may open again and again while handlers do not end. */
static void
options_set_calls(amdrpc_server_options *options)
{
    if (options->max_calls_per_connection == 0) {
        options->max_calls_per_connection =
                options->max_concurrent_streams < AMDRPC_NO_LIMIT / 2
                ? 2 * options->max_concurrent_streams
                : AMDRPC_NO_LIMIT;
    }
}

/** Connections leave some descriptors for files, other peers and loops. */
static void
options_bound_connections(amdrpc_server_options *options)
{
    struct rlimit fds;

    if (getrlimit(RLIMIT_NOFILE, &fds) == 0 && fds.rlim_cur != RLIM_INFINITY &&
            fds.rlim_cur / 5 * 4 < options->max_connections) {
        options->max_connections = (uint32_t)(fds.rlim_cur / 5 * 4);
    }
}

static void
options_set_threads(amdrpc_server_options *options)
{
    uint32_t ncpus = cpu_count();

    if (options->loops == 0) {
        options->loops = ncpus < MAX_DEFAULT_LOOPS ? ncpus : MAX_DEFAULT_LOOPS;
    }
    if (options->max_workers == 0) {
        options->max_workers =
                options->workers != 0 ? options->workers : 8 * ncpus;
    }
    if (options->workers == 0) {
        options->workers = 2 * ncpus;
    }
    if (options->workers > options->max_workers) {
        options->workers = options->max_workers;
    }
}

amdrpc_err
amdi_options_complete(
        const amdrpc_server_options *options, amdrpc_server_options *out)
{
    static const amdrpc_server_options none;
    amdrpc_server_options made = options == NULL ? none : *options;

    if (made.loops > AMDI_MAX_THREADS || made.workers > AMDI_MAX_THREADS ||
            made.max_workers > AMDI_MAX_THREADS ||
            (made.max_workers != 0 && made.max_workers < made.workers) ||
            (unsigned)made.dispatch > AMDRPC_DISPATCH_SYNC ||
            made.max_nesting > AMDI_MAX_NESTING) {
        return AMDRPC_EINVAL;
    }
    // HTTP/2 windows end at 2^31 - 1 (RFC 9113, section 6.9.1).
    if (made.stream_window_bytes > INT32_MAX ||
            made.connection_window_bytes > INT32_MAX) {
        return AMDRPC_EINVAL;
    }
    options_set_threads(&made);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t *value = (uint32_t *)(void *)((char *)&made + rows[i].offset);

        if (*value == 0) {
            *value = rows[i].fallback;
        }
    }
    amdi_h2_limits_complete(&made);
    if (made.advised_header_list_bytes > made.max_header_list_bytes) {
        made.advised_header_list_bytes = made.max_header_list_bytes;
    }
    options_set_calls(&made);
    options_bound_connections(&made);
    *out = made;
    return AMDRPC_OK;
}

struct amdi_unpack_limits
amdi_options_unpack_limits(const amdrpc_server_options *options)
{
    return (struct amdi_unpack_limits){.max_bytes = options->max_decoded_bytes,
            .max_nesting = options->max_nesting};
}
