/** A connection's PINGs, and what a server says of them. */
#include "client/channel.h"
#include "client/client_conn.h"
#include "common/log.h"

#include <string.h>

static bool
keepalive_has_calls(void *ctx)
{
    return ((const struct amdi_client_conn *)ctx)->nstreams > 0;
}

static void
keepalive_on_ping(void *ctx)
{
    static const uint8_t opaque[8] = {'a', 'm', 'd', 'r', 'p', 'c'};
    struct amdi_client_conn *conn = ctx;

    amdi_h2_submit_ping(conn->h2, opaque);
    amdi_client_conn_flush_later(conn);
}

static void
keepalive_on_dead(void *ctx)
{
    amdi_client_conn_lose(ctx, AMDRPC_ETIMEDOUT);
}

static const struct amdi_keepalive_events conn_keepalive_events = {
        .has_calls = keepalive_has_calls,
        .on_ping = keepalive_on_ping,
        .on_dead = keepalive_on_dead,
};

void
amdi_client_conn_start_keepalive(struct amdi_client_conn *conn)
{
    const struct amdrpc_channel *channel = conn->channel;
    const struct amdi_keepalive_options options = {
            .interval_ms = channel->keepalive_interval_ms,
            .timeout_ms = channel->options.keepalive_timeout_ms,
            .without_calls = channel->options.keepalive_without_calls,
    };

    amdi_keepalive_start(&conn->keepalive, channel->loop, &options,
            &conn_keepalive_events, conn);
}

void
amdi_client_conn_obey_calm(struct amdi_client_conn *conn,
        enum amdi_h2_code code, const uint8_t *debug, size_t debug_len)
{
    static const char too_many[] = "too_many_pings";
    struct amdrpc_channel *channel = conn->channel;

    if (channel->keepalive_interval_ms > 0 &&
            code == AMDI_H2_ENHANCE_YOUR_CALM &&
            debug_len == sizeof(too_many) - 1 &&
            memcmp(debug, too_many, debug_len) == 0) {
        channel->keepalive_interval_ms =
                amdi_keepalive_longer_ms(channel->keepalive_interval_ms);
        amdi_log_warn("", "channel-too-many-pings",
                "target=%s keepalive_interval_ms=%u", channel->target.authority,
                channel->keepalive_interval_ms);
    }
}
