/** What the files of the HTTP/2 engine share; nobody else includes this. */
#ifndef AMDI_H2_SESSION_H
#define AMDI_H2_SESSION_H

#include "common/buf.h"
#include "common/h2/h2.h"
#include "common/h2/h2_frame.h"
#include "common/h2/h2_guard.h"
#include "common/list.h"

#include <nghttp2/nghttp2.h>

enum h2_stream_state {
    H2_STREAM_OPEN,          // both sides may send
    H2_STREAM_LOCAL_CLOSED,  // we sent END_STREAM; on the peer's turn
    H2_STREAM_REMOTE_CLOSED, // END_STREAM came; our turn
    H2_STREAM_RESETTING,     // closed by the next produce; on h2->resets
};

/** One stream; owned by h2->streams until it is closed. */
struct h2_stream {
    int32_t id;
    enum h2_stream_state state;
    void *user;          // NULL: its owner is told nothing more
    int32_t send_window; // may be negative (RFC 9113, section 6.9.2)
    uint32_t nreceived;  // bytes of DATA not given back by a WINDOW_UPDATE …
    uint32_t nconsumed;  // … and of them, those that the user has consumed
    uint32_t opened_at_ms;        // server: h2->received_at_ms of then
    enum amdi_h2_code reset_code; // while RESETTING …
    // Bits, as every call that waits has a stream: it takes 56 bytes.
    bool is_reset_by_peer : 1;  // … it knows: no RST_STREAM is sent
    bool has_headers : 1;       // the peer's first block is complete
    bool has_body : 1;          // on_body has more to say
    bool is_waiting : 1;        // on_body said "wait"
    bool is_blocked : 1;        // on h2->blocked
    struct amdi_list send_node; // on h2->sending, ->blocked or ->resets
};

/** Open streams by id: open addressing, at most half full. */
struct h2_streams {
    struct h2_stream **slots; // owned, with what they point to
    size_t nslots;            // a power of two, or 0
    size_t nstreams;
};

/**
 * The last request's header block, if it left the table as it was: as long as
 * no other block changes the table, the same bytes mean the same fields. Most
 * clients send all their requests of a method that way.
 */
struct h2_same_block {
    uint8_t bytes[127];
    uint8_t len; // 0: none
};

/**
 * A header block that we sent, if it left the encoder's table as it was: as
 * long as no other block changes that, the same fields make the same bytes.
 * Most answers of a server are so. What is secret always is encoded anew.
 */
struct h2_sent_block {
    uint8_t len; // 0: none
    uint8_t nfields;
    uint8_t bytes[62];
    uint8_t fields[192]; // of each both lengths, the name, and the value
};

struct amdi_h2 {
    const struct amdi_h2_events *events;
    void *ctx;
    struct amdi_h2_options options;

    // Receiving.
    size_t npreface;   // bytes of the client's preface seen (server)
    bool has_settings; // the peer's first SETTINGS came …
    bool has_ack;      // … and its answer to ours
    uint64_t nframes;
    uint32_t frames_left;      // but DATA, that are taken now
    uint32_t received_at_ms;   // server: what is taken now; low bits of a clock
    struct amdi_buf partial;   // the start of a frame whose rest is to come
    struct amdi_h2_frame data; // the DATA frame whose payload is arriving …
    struct h2_stream *data_stream; // … NULL: its stream is gone
    uint32_t data_left;            // … and how much of it is to come
    uint32_t data_padding; // of which the last so many bytes are padding
    bool is_data_wanted;   // it keeps to its stream's rules
    nghttp2_hd_inflater *inflater;  // owned
    int32_t block_stream_id;        // of the header block in progress, or 0
    struct h2_stream *block_stream; // NULL: decoded, but told to nobody
    uint8_t block_flags;            // of its HEADERS frame
    uint32_t ncontinuations;
    bool is_new_request; // the block opened its stream
    int32_t told_id;     // of the request that on_headers was told of last
    bool is_trailers;
    bool is_informational;
    bool has_seen_regular_field;
    struct h2_same_block same_block;
    int32_t last_peer_id; // the highest stream that the peer opened
    uint32_t nreceived;   // as in h2_stream, for the connection
    uint32_t nconsumed;
    struct amdi_h2_guard guard;

    // Sending.
    nghttp2_hd_deflater *deflater;       // owned
    struct h2_sent_block sent_blocks[2]; // without END_STREAM, and with it
    struct amdi_buf control;             // frames that go before any DATA
    struct amdi_list sending; // of h2_stream.send_node: have something to say
    struct amdi_list blocked; // of h2_stream.send_node: once we may send DATA
    struct amdi_list resets;  // of h2_stream.send_node
    int32_t send_window;
    int32_t next_id;            // client: of the next request
    uint32_t peer_window_bytes; // its SETTINGS_INITIAL_WINDOW_SIZE
    uint32_t peer_max_streams;
    int32_t goaway_last_id; // what our GOAWAY said; 2^31-1 before
    bool has_sent_goaway;   // the final one
    bool has_peer_goaway;
    bool has_failed; // of its own GOAWAY nothing follows
    uint32_t npings; // of ours, not answered

    struct h2_streams streams;
};

/* ---- streams (h2_streams.c) ---- */

/** The open stream of that id, or NULL. */
struct h2_stream *amdi_h2_find(const struct amdi_h2 *h2, int32_t id);

/** Opens a stream; NULL without memory. */
struct h2_stream *amdi_h2_open(struct amdi_h2 *h2, int32_t id, void *user);

/** Closes and frees it; its user is told. */
void amdi_h2_close(struct amdi_h2 *h2, struct h2_stream *stream,
        enum amdi_h2_code code, bool by_peer);

/** Lets the next produce close it, with a RST_STREAM unless @by_peer. */
void amdi_h2_close_later(struct amdi_h2 *h2, struct h2_stream *stream,
        enum amdi_h2_code code, bool by_peer);

/** Frees all without telling anyone. */
void amdi_h2_streams_fini(struct h2_streams *streams);

/** Calls @fn for each open stream; @fn closes none. */
void amdi_h2_each_stream(struct amdi_h2 *h2,
        void (*fn)(struct amdi_h2 *h2, struct h2_stream *stream, int64_t arg),
        int64_t arg);

/**
 * One side has said END_STREAM; closes the stream when it was the second: at
 * once, or by the next produce.
 */
void amdi_h2_end_local(struct amdi_h2 *h2, struct h2_stream *stream);
void amdi_h2_end_local_later(struct amdi_h2 *h2, struct h2_stream *stream);
void amdi_h2_end_remote(struct amdi_h2 *h2, struct h2_stream *stream);

/** Tells whether a stream's identifier was never used. */
bool amdi_h2_is_idle(const struct amdi_h2 *h2, int32_t id);

/** Lets a stream be asked for its body, unless it waits. */
void amdi_h2_schedule(struct amdi_h2 *h2, struct h2_stream *stream);

/* ---- receiving (h2_receive.c, h2_block.c, h2_control.c) ---- */

/**
 * The connection cannot go on: a GOAWAY with @code and @why waits to be
 * produced. Returns AMDRPC_EPROTO.
 */
amdrpc_err amdi_h2_fail(
        struct amdi_h2 *h2, enum amdi_h2_code code, const char *why);

/** Counts what a peer may do only so often; fails with @why when it is over. */
amdrpc_err amdi_h2_allow(
        struct amdi_h2 *h2, enum amdi_h2_guarded what, const char *why);

/** The same for what the guard has counted already. */
amdrpc_err amdi_h2_calm(struct amdi_h2 *h2, bool is_allowed, const char *why);

/**
 * A frame of a request or response came; fails when too many in a row carry
 * nothing, and not the flag @end either.
 */
amdrpc_err amdi_h2_content(
        struct amdi_h2 *h2, const struct amdi_h2_frame *frame, uint8_t end);

/** The peer broke a stream's rules: it is reset, which it may do so often. */
void amdi_h2_fault(
        struct amdi_h2 *h2, struct h2_stream *stream, enum amdi_h2_code code);

/** A complete frame but DATA. */
amdrpc_err amdi_h2_on_headers_frame(struct amdi_h2 *h2,
        const struct amdi_h2_frame *frame, const uint8_t *payload);
amdrpc_err amdi_h2_on_continuation_frame(struct amdi_h2 *h2,
        const struct amdi_h2_frame *frame, const uint8_t *payload);
amdrpc_err amdi_h2_on_control_frame(struct amdi_h2 *h2,
        const struct amdi_h2_frame *frame, const uint8_t *payload);

/** DATA that nobody is told of, or has consumed: gives the window back. */
void amdi_h2_give_back(
        struct amdi_h2 *h2, struct h2_stream *stream, uint32_t len);

/** The stream closes: what it did not consume no longer burdens the others. */
void amdi_h2_give_back_rest(struct amdi_h2 *h2, const struct h2_stream *stream);

/* ---- sending (h2.c, h2_encode.c, h2_send.c) ---- */

/** The peer says how large a table it keeps for our blocks. */
amdrpc_err amdi_h2_set_send_table(struct amdi_h2 *h2, uint32_t nbytes);

/** The connection's window has opened; asks the streams it held back. */
void amdi_h2_unblock(struct amdi_h2 *h2);

/** Queues a frame before any DATA. Errors: AMDRPC_ENOMEM. */
AMDRPC_NODISCARD amdrpc_err amdi_h2_push_frame(struct amdi_h2 *h2,
        const struct amdi_h2_frame *frame, const void *payload);

/** Queues a header block. Errors: AMDRPC_ENOMEM. */
AMDRPC_NODISCARD amdrpc_err amdi_h2_push_headers(struct amdi_h2 *h2,
        int32_t stream_id, const struct amdi_h2_field *fields, size_t nfields,
        bool has_end);

#endif
