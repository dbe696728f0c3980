/**
 * HTTP/2 on one connection, without its socket: bytes in, events out; answers
 * in, bytes out. The interface is independent of the engine behind it; only
 * common/h2*.c know which one that is.
 *
 * Everything happens on the connection's loop thread. No function may be
 * called from an event but the amdi_h2_submit_… ones, amdi_h2_reset and
 * amdi_h2_consume. The session is destroyed outside its events.
 */
#ifndef AMDI_H2_H
#define AMDI_H2_H

#include <amdrpc/err.h>

#include "common/h2/h2_guard.h"
#include "common/out.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct amdi_h2;

// RFC 9113, section 7.
enum amdi_h2_code {
    AMDI_H2_NO_ERROR = 0x0,
    AMDI_H2_PROTOCOL_ERROR = 0x1,
    AMDI_H2_INTERNAL_ERROR = 0x2,
    AMDI_H2_FLOW_CONTROL_ERROR = 0x3,
    AMDI_H2_SETTINGS_TIMEOUT = 0x4,
    AMDI_H2_STREAM_CLOSED = 0x5,
    AMDI_H2_FRAME_SIZE_ERROR = 0x6,
    AMDI_H2_REFUSED_STREAM = 0x7,
    AMDI_H2_CANCEL = 0x8,
    AMDI_H2_COMPRESSION_ERROR = 0x9,
    AMDI_H2_CONNECT_ERROR = 0xa,
    AMDI_H2_ENHANCE_YOUR_CALM = 0xb,
    AMDI_H2_INADEQUATE_SECURITY = 0xc,
    AMDI_H2_HTTP_1_1_REQUIRED = 0xd,
};

/** One header field; borrowed. */
struct amdi_h2_field {
    const char *name; // lower case
    size_t name_len;
    const char *value;
    size_t value_len;
    bool is_secret; // never enters a compression table
};

/** Builds a field from two string literals. */
#define AMDI_H2_FIELD(n, v)              \
    ((struct amdi_h2_field){.name = (n), \
            .name_len = sizeof(n) - 1,   \
            .value = (v),                \
            .value_len = sizeof(v) - 1})

/** What a stream has to send next; see amdi_h2_events.on_body. */
struct amdi_h2_body {
    size_t len;   // bytes ready, at most what was asked for; 0: wait
    bool is_last; // nothing follows the len bytes …
    // … and the stream ends with these fields (trailers), or without when 0.
    const struct amdi_h2_field *trailers; // borrowed until the next on_body
    size_t ntrailers;
};

/** @stream is what on_open returned or amdi_h2_submit_request was given. */
struct amdi_h2_events {
    // Server: a request begins. Returns the stream's object, or NULL to refuse
    // it (REFUSED_STREAM); a refused stream has no further events.
    void *(*on_open)(void *ctx, int32_t stream_id);
    // A field of a header block. False ends the stream with a reset: for
    // what the application cannot go on with. The bytes are not checked beyond
    // what the engine needs.
    bool (*on_field)(
            void *ctx, void *stream, const struct amdi_h2_field *field);
    // A header block is complete. is_trailers: it followed a body or the
    // initial block. Informational (1xx) blocks are not told.
    void (*on_headers)(void *ctx, void *stream, bool is_trailers);
    // Server: the block that began this stream has the same fields, in the same
    // order, as the one of the last on_headers; told instead of these events.
    // May be NULL: then they are told each time.
    void (*on_same_headers)(void *ctx, void *stream);
    // Bytes of the body; borrowed until return. They count against the
    // windows until amdi_h2_consume.
    void (*on_data)(void *ctx, void *stream, const uint8_t *data, size_t len);
    // END_STREAM was seen.
    void (*on_end)(void *ctx, void *stream);
    // The stream is gone, the last event for it. @code: of the RST_STREAM that
    // ended it, or NO_ERROR. @by_peer: the reset came from the other side.
    void (*on_close)(
            void *ctx, void *stream, enum amdi_h2_code code, bool by_peer);
    // How much of @room bytes the stream can send now.
    void (*on_body)(
            void *ctx, void *stream, size_t room, struct amdi_h2_body *body);
    // Gives @len of the bytes that on_body spoke of to @out.
    void (*on_take)(void *ctx, void *stream, struct amdi_out *out, size_t len);
    // GOAWAY came: streams above @last_stream_id were not and will not be
    // looked at.
    void (*on_goaway)(void *ctx, int32_t last_stream_id, enum amdi_h2_code code,
            const uint8_t *debug, size_t debug_len);
    // A PING came; false: there are too many, and the connection ends. May be
    // NULL.
    bool (*on_ping)(void *ctx);
    // The answer to amdi_h2_submit_ping.
    void (*on_ping_ack)(void *ctx, const uint8_t opaque[8]);
    // The peer's SETTINGS came (every time); may be NULL.
    void (*on_settings)(void *ctx);
};

struct amdi_h2_options {
    bool is_server;
    uint32_t max_concurrent_streams; // that the peer may open
    uint32_t stream_window_bytes;
    uint32_t connection_window_bytes;
    uint32_t max_header_list_bytes; // advertised only
    // What the peer may do; borrowed for the session's life; NULL: defaults.
    const struct amdi_h2_limits *limits;
};

/**
 * Creates a session; its first SETTINGS wait to be produced.
 *
 * @events  borrowed for the session's life; all set unless said otherwise
 * Errors:  AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_h2_create(
        const struct amdi_h2_options *options,
        const struct amdi_h2_events *events, void *ctx, struct amdi_h2 **out);

/**
 * Frees it; streams still open are told nothing more, so their owner closes
 * them first. NULL is accepted.
 */
void amdi_h2_destroy(struct amdi_h2 *h2);

/**
 * Takes bytes from the peer and tells what they mean.
 *
 * Errors:  AMDRPC_EPROTO  the connection cannot go on; a GOAWAY that says why
 *                         waits to be produced, then close it
 *          AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_h2_receive(
        struct amdi_h2 *h2, const uint8_t *data, size_t len);

/**
 * As amdi_h2_receive, but stops after @max_frames (not 0) frames that are not
 * DATA: they cost the most for their size.
 *
 * @out_taken  of @len; the rest is to come again. Written on success only
 */
AMDRPC_NODISCARD amdrpc_err amdi_h2_receive_some(struct amdi_h2 *h2,
        const uint8_t *data, size_t len, uint32_t max_frames,
        size_t *out_taken);

/**
 * Appends what there is to send to @out, as far as it has room. Call again
 * while amdi_h2_wants_write after @out has been written.
 *
 * Errors:  AMDRPC_ENOMEM, AMDRPC_EPROTO: close the connection
 */
AMDRPC_NODISCARD amdrpc_err amdi_h2_produce(
        struct amdi_h2 *h2, struct amdi_out *out);

bool amdi_h2_wants_write(const struct amdi_h2 *h2);

/** Tells whether the session is over: nothing to read or write any more. */
bool amdi_h2_is_over(const struct amdi_h2 *h2);

/**
 * Server: begins the answer. With @has_body on_body is asked for it, else the
 * stream ends here (gRPC's Trailers-Only). When the answer has been sent
 * while the request has not ended, the stream is reset with NO_ERROR
 * (RFC 9113, section 8.1).
 */
AMDRPC_NODISCARD amdrpc_err amdi_h2_submit_response(struct amdi_h2 *h2,
        int32_t stream_id, const struct amdi_h2_field *fields, size_t nfields,
        bool has_body);

/**
 * Client: begins a request with a body.
 *
 * @out_stream_id  its identifier
 * Errors:         AMDRPC_ECLOSED  no more streams can be opened here
 *                 AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_h2_submit_request(struct amdi_h2 *h2,
        const struct amdi_h2_field *fields, size_t nfields, void *stream,
        int32_t *out_stream_id);

/** Asks on_body again after it said "wait". Harmless otherwise. */
void amdi_h2_resume(struct amdi_h2 *h2, int32_t stream_id);

/** Ends a stream with RST_STREAM; on_close follows, later. */
void amdi_h2_reset(
        struct amdi_h2 *h2, int32_t stream_id, enum amdi_h2_code code);

/**
 * Opens the windows by @len bytes of on_data. Harmless once the stream is
 * closed: what it had not consumed was given back then.
 */
void amdi_h2_consume(struct amdi_h2 *h2, int32_t stream_id, size_t len);

/**
 * First GOAWAY of a drain: last stream 2^31-1 (RFC 9113, section 6.8). @debug:
 * NULL for none.
 */
void amdi_h2_submit_shutdown_notice(struct amdi_h2 *h2, const char *debug);

/** GOAWAY with the last stream that was looked at. @debug: NULL for none. */
void amdi_h2_submit_goaway(
        struct amdi_h2 *h2, enum amdi_h2_code code, const char *debug);

void amdi_h2_submit_ping(struct amdi_h2 *h2, const uint8_t opaque[8]);

/** Complete frames, header blocks, and pieces of DATA, that were received. */
uint64_t amdi_h2_nframes(const struct amdi_h2 *h2);

/** Tells whether a frame or a header block is complete only in part. */
bool amdi_h2_is_amid_frame(const struct amdi_h2 *h2);

/** What the connection's windows leave: bytes of DATA that we, or the peer, may
 * still send. Ours may be negative (RFC 9113, section 6.9.2). */
int64_t amdi_h2_send_window(const struct amdi_h2 *h2);
int64_t amdi_h2_receive_window(const struct amdi_h2 *h2);

/** Bytes of frames other than DATA that wait to be produced. */
size_t amdi_h2_nqueued(const struct amdi_h2 *h2);

/** How many streams the peer lets us open at once. */
uint32_t amdi_h2_peer_max_streams(const struct amdi_h2 *h2);

#endif
