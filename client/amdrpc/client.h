/** The client: channels to servers, and calls made over them. */
#ifndef AMDRPC_CLIENT_H
#define AMDRPC_CLIENT_H

#include <amdrpc/err.h>
#include <amdrpc/future.h>
#include <amdrpc/metadata.h>
#include <amdrpc/service.h>
#include <amdrpc/status.h>
#include <amdrpc/tls.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A pool of connections to a server, kept by a loop thread of its own.
 * Connects when first used, reconnects by itself. Counted.
 */
typedef struct amdrpc_channel amdrpc_channel;

/** A call being made. Counted. One thread reads, one writes. */
typedef struct amdrpc_client_call amdrpc_client_call;

/**
 * When a failed call is made again by itself (gRPC, proposal A6). It is while
 * nothing of an answer but its status has come, and its request has one
 * message: what a request stream has sent is not kept. The server's word when
 * to try again (grpc-retry-pushback-ms), or not to, counts for more than the
 * waits here. A call whose deadline comes before the next attempt ends at once
 * with the status of the last one. Zero fields mean the default.
 */
typedef struct amdrpc_retry_options {
    uint32_t max_attempts;       // the first one counts; 0, 1: none; at most 5
    uint32_t initial_backoff_ms; // 100; a fifth more or less, by chance
    uint32_t max_backoff_ms;     // 5 s
    double backoff_multiplier;   // 2; at least 1
    uint32_t retryable_statuses; // bits, 1 << AMDRPC_STATUS_…; UNAVAILABLE
} amdrpc_retry_options;

/**
 * Zero fields mean the default, which stands behind each.
 *
 * Whatever these say, a call that the server did not look at (REFUSED_STREAM,
 * a stream above its GOAWAY's last) is made again once, at once.
 */
typedef struct amdrpc_channel_options {
    uint32_t connections;            // 1; calls go to the least busy one
    uint32_t connect_timeout_ms;     // 20 s
    uint32_t max_recv_message_bytes; // 4 MiB, after decompression
    uint32_t max_send_message_bytes; // unlimited
    uint32_t max_queued_bytes;       // 288 KiB: a call's unsent messages
    const char *user_agent;          // put before our own; copied
    amdrpc_tls *tls; // counted; of role CLIENT; default: plaintext
    // In place of the target's name, with or without a port: what the server
    // is asked for, and what its certificate must be for; copied.
    const char *authority;
    // Off. A PING when nothing was read for so long while calls are going on,
    // at least 10 s; without an answer in time the connection is lost. It
    // doubles when a server finds it too often (too_many_pings).
    uint32_t keepalive_interval_ms;
    uint32_t keepalive_timeout_ms; // 20 s
    bool keepalive_without_calls;
    amdrpc_retry_options retry; // of calls that say nothing else
    // No throttle. So many failures in a row, more than half of these tokens,
    // stop all retries until calls succeed again; at most 1000.
    uint32_t retry_max_tokens;
    double retry_token_ratio; // 0.1: what a success gives back
} amdrpc_channel_options;

/**
 * Creates a channel and its thread; connects on first use.
 *
 * Thread:   any
 * @target   "HOST:PORT", "[::1]:PORT", "dns:///HOST:PORT" or "unix:/PATH"
 * @options  copied; NULL for all defaults
 * @out      returned owned
 * Errors:   AMDRPC_EINVAL (not such a target or authority, or an option
 *           beyond its bounds), AMDRPC_ENOMEM, AMDRPC_EIO
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_channel_create(const char *target,
        const amdrpc_channel_options *options, amdrpc_channel **out);

/** Takes another reference; returns @channel. Thread: any. */
amdrpc_channel *amdrpc_channel_ref(amdrpc_channel *channel);

/**
 * Drops a reference; with the last one, calls still going on are cancelled
 * and the thread ends. NULL is accepted.
 *
 * Thread:  any; on the channel's own loop thread the end is left to another
 */
void amdrpc_channel_unref(amdrpc_channel *channel);

/** Zero fields mean the default. */
typedef struct amdrpc_call_options {
    int64_t timeout_ms; // 0: none. Sent as grpc-timeout and kept here
    const amdrpc_metadata *metadata; // borrowed until the call has started
    bool wait_for_ready; // wait for a connection rather than UNAVAILABLE
    bool compress;       // the request's messages, by gzip
    const amdrpc_retry_options *retry; // copied; NULL: as the channel says
} amdrpc_call_options;

/**
 * Starts a call of any kind. It never fails for the network: what goes
 * wrong becomes the call's status.
 *
 * Thread:  any
 * @method  borrowed for the call's life (static, as generated)
 * @options copied; NULL for all defaults
 * @out     returned owned
 * Errors:  AMDRPC_ENOMEM
 *          AMDRPC_EINVAL  metadata that cannot be sent (more than 100 fields or
 *                         32 KiB), a negative timeout, or retry options
 *                         beyond their bounds
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_channel_start_call(amdrpc_channel *channel,
        const amdrpc_method_desc *method, const amdrpc_call_options *options,
        amdrpc_client_call **out);

/** Takes another reference; returns @call. Thread: any. */
amdrpc_client_call *amdrpc_client_call_ref(amdrpc_client_call *call);

/**
 * Drops a reference; the last one cancels a call that is going on. NULL is
 * accepted. Thread: any.
 */
void amdrpc_client_call_unref(amdrpc_client_call *call);

/**
 * Queues one request message; waits while more than max_queued_bytes are.
 *
 * Thread:  any but the loop's (there it never waits: AMDRPC_EAGAIN)
 * @msg     borrowed until return
 * Errors:  AMDRPC_ECLOSED  the call has ended; read its status
 *          AMDRPC_ESTATE   after close_send, or a second unary request
 *          AMDRPC_EAGAIN  AMDRPC_ELIMIT  AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_client_call_send(
        amdrpc_client_call *call, const ProtobufCMessage *msg);

/** As amdrpc_client_call_send, with the message in its serialized form. */
AMDRPC_NODISCARD amdrpc_err amdrpc_client_call_send_bytes(
        amdrpc_client_call *call, const void *data, size_t len);

/**
 * Lets the messages sent from now on be compressed, or not. Without effect on
 * a call that was not started with `compress`, and on messages that would not
 * get shorter.
 *
 * Thread:  the writer's
 */
void amdrpc_client_call_set_compression(amdrpc_client_call *call, bool is_on);

/** Says that no more messages follow; `send` does for a unary request. */
void amdrpc_client_call_close_send(amdrpc_client_call *call);

/**
 * Waits for the next response message.
 *
 * Thread:      any but the loop's (there it never waits: AMDRPC_EAGAIN)
 * @timeout_ms  0 asks without waiting; negative waits without limit
 * @out         borrowed until the next recv or the call's last unref; the
 *              method's output type
 * Errors:      AMDRPC_EEND       the call has ended; its status is there
 *              AMDRPC_ETIMEDOUT  AMDRPC_EAGAIN
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_client_call_recv(amdrpc_client_call *call,
        int64_t timeout_ms, const ProtobufCMessage **out);

/** As amdrpc_client_call_recv, with the message in its serialized form. */
AMDRPC_NODISCARD amdrpc_err amdrpc_client_call_recv_bytes(
        amdrpc_client_call *call, int64_t timeout_ms, const void **out_data,
        size_t *out_len);

/** Tells whether the message read last came compressed. Thread: the reader's */
bool amdrpc_client_call_was_compressed(const amdrpc_client_call *call);

/**
 * Called on the channel's loop thread, never under a lock, never after the
 * last reference is gone. NULL fields are not told. Nothing may block.
 */
typedef struct amdrpc_client_call_events {
    void (*on_readable)(amdrpc_client_call *call, void *arg);
    void (*on_writable)(amdrpc_client_call *call, void *arg);
    void (*on_end)(amdrpc_client_call *call, void *arg); // once
} amdrpc_client_call_events;

/**
 * Sets the callbacks, in place of earlier ones; a condition that holds already
 * is told again.
 *
 * Thread:  any
 * @events  copied; NULL for none
 * @arg     passed to each
 */
void amdrpc_client_call_set_events(amdrpc_client_call *call,
        const amdrpc_client_call_events *events, void *arg);

/** Ends the call here and on the server (RST_STREAM CANCEL). Any thread. */
void amdrpc_client_call_cancel(amdrpc_client_call *call);

/**
 * Returns a future that completes with the call's status when the call has
 * ended, and for a method without response stream holds its message. Every
 * time the same one.
 *
 * Thread:  any
 * @out     returned owned
 * Errors:  AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_client_call_get_future(
        amdrpc_client_call *call, amdrpc_future **out);

/** The status; UNKNOWN while the call is going on. */
amdrpc_status_code amdrpc_client_call_get_status(
        const amdrpc_client_call *call);

/** The status message, "" when there is none; borrowed from the call. */
const char *amdrpc_client_call_get_status_message(
        const amdrpc_client_call *call);

/** What the server sent before its messages; NULL until it is there. */
const amdrpc_metadata *amdrpc_client_call_get_initial_metadata(
        const amdrpc_client_call *call);

/** What the server sent with its status; NULL until the call has ended. */
const amdrpc_metadata *amdrpc_client_call_get_trailing_metadata(
        const amdrpc_client_call *call);

/**
 * Makes a call with one request message and returns its future; generated
 * `…_future` functions call this.
 *
 * Thread:  any
 * @request borrowed until return
 * @out     returned owned
 * Errors:  as amdrpc_channel_start_call and amdrpc_client_call_send
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_channel_call(amdrpc_channel *channel,
        const amdrpc_method_desc *method, const ProtobufCMessage *request,
        const amdrpc_call_options *options, amdrpc_future **out);

#ifdef __cplusplus
}
#endif

#endif
