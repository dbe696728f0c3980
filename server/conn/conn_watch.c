/** What a connection may take how long: one timer that looks at it. */
#include "server/conn/conn_watch.h"

#include "server/conn/conn.h"
#include "server/server.h"
#include "server/server_loop.h"
#include "server/stream/stream.h"

// Looks are this often at the most, and a quarter of the shortest limit at the
// least, so that no limit is passed by more than a quarter of it.
#define MAX_INTERVAL_MS 1000u
#define MIN_INTERVAL_MS 5u

// PINGs that come too soon before the connection is ended.
#define MAX_STRIKES 2u

// Without calls, unless allowed, PINGs may come only this often.
#define IDLE_PING_INTERVAL_MS (2u * 60 * 60 * 1000)

#define NEVER UINT64_MAX

static const uint8_t keepalive_ping[8] = {
        'a', 'm', 'd', 'a', 'l', 'i', 'v', 'e'};

static void watch_on_timer(struct amdi_timer *timer);

static uint64_t
watch_now_ms(const struct amdi_conn *conn)
{
    return amdi_loop_now_ms(conn->sl->loop);
}

static const amdrpc_server_options *
watch_options(const struct amdi_conn *conn)
{
    return &conn->sl->server->options;
}

static uint64_t
time_after(uint64_t from_ms, uint32_t limit_ms)
{
    return limit_ms == AMDRPC_NO_LIMIT ? NEVER : from_ms + limit_ms;
}

static uint32_t
shorter(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t
watch_interval_ms(const amdrpc_server_options *options)
{
    uint32_t shortest = shorter(shorter(options->header_timeout_ms,
                                        options->body_timeout_ms),
                                options->stall_timeout_ms) /
            4;

    if (shortest < MIN_INTERVAL_MS) {
        return MIN_INTERVAL_MS;
    }
    return shorter(shortest, MAX_INTERVAL_MS);
}

/** Tells whether something may come to its limit before the next timer. */
static bool
watch_is_busy(const struct amdi_conn *conn)
{
    return conn->nstreams > 0 || amdi_h2_is_amid_frame(conn->h2) ||
            amdi_transport_is_blocked(conn->transport);
}

static uint64_t
watch_next_ms(const struct amdi_conn *conn)
{
    const struct amdi_conn_watch *watch = &conn->watch;
    const amdrpc_server_options *options = watch_options(conn);
    uint64_t next =
            time_after(watch->read_at_ms, options->keepalive_interval_ms);
    uint64_t idle = time_after(watch->active_at_ms, options->idle_timeout_ms);

    if (watch_is_busy(conn) || conn->state != AMDI_CONN_OPEN) {
        return watch_now_ms(conn) + watch->interval_ms;
    }
    if (watch->ping_at_ms != 0) {
        next = time_after(watch->ping_at_ms, options->keepalive_timeout_ms);
    }
    next = idle < next ? idle : next;
    return watch->age_at_ms < next ? watch->age_at_ms : next;
}

static void
watch_schedule(struct amdi_conn *conn)
{
    uint64_t next = watch_next_ms(conn);

    if (next != NEVER) {
        amdi_timer_start(
                conn->sl->loop, &conn->watch.timer, next, watch_on_timer);
    }
}

/** A little chance, so that what connected together does not go together. */
static uint64_t
watch_age_ms(const struct amdi_conn *conn, uint64_t now_ms)
{
    uint32_t age_ms = watch_options(conn)->max_age_ms;
    uint64_t tenth = age_ms / 10;
    uint64_t spread = conn->id * 0x9e3779b97f4a7c15u >> 32;

    if (age_ms == AMDRPC_NO_LIMIT) {
        return NEVER;
    }
    return now_ms + age_ms - tenth + spread % (2 * tenth + 1);
}

void
amdi_conn_watch_start(struct amdi_conn *conn)
{
    struct amdi_conn_watch *watch = &conn->watch;
    uint64_t now_ms = watch_now_ms(conn);

    *watch = (struct amdi_conn_watch){.read_at_ms = now_ms,
            .active_at_ms = now_ms,
            .frame_at_ms = now_ms,
            .written_at_ms = now_ms,
            .age_at_ms = watch_age_ms(conn, now_ms),
            .age_grace_at_ms = NEVER,
            .interval_ms = watch_interval_ms(watch_options(conn))};
    watch_schedule(conn);
}

void
amdi_conn_watch_stop(struct amdi_conn *conn)
{
    amdi_timer_stop(&conn->watch.timer);
}

void
amdi_conn_watch_on_read(struct amdi_conn *conn)
{
    struct amdi_conn_watch *watch = &conn->watch;
    uint64_t now_ms = watch_now_ms(conn);

    watch->read_at_ms = now_ms;
    watch->ping_at_ms = 0;
    // An idle connection's timer is far away.
    if (conn->state < AMDI_CONN_LINGERING &&
            watch->timer.at_ms > now_ms + watch->interval_ms &&
            watch_is_busy(conn)) {
        watch_schedule(conn);
    }
}

bool
amdi_conn_watch_on_ping(struct amdi_conn *conn)
{
    struct amdi_conn_watch *watch = &conn->watch;
    const amdrpc_server_options *options = watch_options(conn);
    uint64_t now_ms = watch_now_ms(conn);
    uint32_t gap_ms = conn->nstreams == 0 && !options->allow_pings_without_calls
            ? IDLE_PING_INTERVAL_MS
            : options->min_ping_interval_ms;

    if (watch->peer_ping_at_ms != 0 &&
            now_ms < watch->peer_ping_at_ms + gap_ms) {
        watch->nstrikes++;
    } else {
        watch->peer_ping_at_ms = now_ms;
    }
    return watch->nstrikes <= MAX_STRIKES;
}

void
amdi_conn_watch_on_answer(struct amdi_conn *conn)
{
    conn->watch.nstrikes = 0;
    conn->watch.peer_ping_at_ms = 0;
}

/* ---- the looks; each returns whether the connection is still there ---- */

static bool
watch_frames(struct amdi_conn *conn, uint64_t now_ms)
{
    struct amdi_conn_watch *watch = &conn->watch;
    uint64_t nframes = amdi_h2_nframes(conn->h2);

    if (!amdi_h2_is_amid_frame(conn->h2) || nframes != watch->nframes) {
        watch->nframes = nframes;
        watch->frame_at_ms = now_ms;
    } else if (now_ms >= time_after(watch->frame_at_ms,
                                 watch_options(conn)->header_timeout_ms)) {
        amdi_conn_close(conn, "a frame did not come in time");
        return false;
    }
    return true;
}

static bool
watch_writes(struct amdi_conn *conn, uint64_t now_ms)
{
    struct amdi_conn_watch *watch = &conn->watch;
    uint64_t nwritten = amdi_transport_nwritten(conn->transport);

    if (!amdi_transport_is_blocked(conn->transport) ||
            nwritten != watch->nwritten) {
        watch->nwritten = nwritten;
        watch->written_at_ms = now_ms;
    } else if (now_ms >= time_after(watch->written_at_ms,
                                 watch_options(conn)->stall_timeout_ms)) {
        amdi_conn_close(conn, "the peer reads nothing");
        return false;
    }
    return true;
}

static bool
watch_keepalive(struct amdi_conn *conn, uint64_t now_ms)
{
    struct amdi_conn_watch *watch = &conn->watch;
    const amdrpc_server_options *options = watch_options(conn);

    if (watch->ping_at_ms != 0) {
        if (now_ms >=
                time_after(watch->ping_at_ms, options->keepalive_timeout_ms)) {
            amdi_conn_close(conn, "the peer did not answer a PING");
            return false;
        }
    } else if (now_ms >=
            time_after(watch->read_at_ms, options->keepalive_interval_ms)) {
        watch->ping_at_ms = now_ms;
        amdi_h2_submit_ping(conn->h2, keepalive_ping);
        conn->counts.nkeepalives++;
        amdi_conn_flush(conn);
    }
    return true;
}

/** Idle and old connections are drained: no call is lost by it. */
static void
watch_age(struct amdi_conn *conn, uint64_t now_ms)
{
    struct amdi_conn_watch *watch = &conn->watch;
    const amdrpc_server_options *options = watch_options(conn);

    if (conn->state == AMDI_CONN_BEGINNING) {
        return; // it has another limit
    }
    if (conn->nstreams > 0) {
        watch->active_at_ms = now_ms;
    }
    if (now_ms >= watch->age_at_ms) {
        watch->age_at_ms = NEVER;
        watch->age_grace_at_ms = time_after(now_ms, options->max_age_grace_ms);
        amdi_conn_drain(conn, "max_age");
    } else if (now_ms >=
            time_after(watch->active_at_ms, options->idle_timeout_ms)) {
        amdi_conn_drain(conn, "max_idle");
    }
    if (now_ms >= watch->age_grace_at_ms) {
        watch->age_grace_at_ms = NEVER;
        amdi_conn_cancel_calls(conn, "the connection is too old");
    }
}

static void
watch_streams(struct amdi_conn *conn, uint64_t now_ms)
{
    const amdrpc_server_options *options = watch_options(conn);

    AMDI_LIST_FOREACH (node, &conn->streams) {
        amdi_stream_check_progress(
                AMDI_CONTAINER_OF(node, struct amdi_stream, conn_node), now_ms,
                options);
    }
}

static void
watch_on_timer(struct amdi_timer *timer)
{
    struct amdi_conn *conn =
            AMDI_CONTAINER_OF(timer, struct amdi_conn, watch.timer);
    uint64_t now_ms = watch_now_ms(conn);

    if (conn->state >= AMDI_CONN_LINGERING || !watch_frames(conn, now_ms) ||
            !watch_writes(conn, now_ms) || !watch_keepalive(conn, now_ms)) {
        return;
    }
    watch_age(conn, now_ms);
    watch_streams(conn, now_ms);
    watch_schedule(conn);
}
