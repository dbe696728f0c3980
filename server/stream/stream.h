/**
 * A call's HTTP/2 stream: the sink of calls that clients wait for.
 *
 * A stream is its loop's. Two things end separately: the stream on the wire
 * (enum amdi_stream_state) and the work of the handler (enum amdi_stream_work).
 * Whichever is last lets the stream go, at the end of the turn. The handler
 * reaches it only through the sink, which sets bits and posts one task.
 */
#ifndef AMDI_STREAM_H
#define AMDI_STREAM_H

#include <amdrpc/server.h>

#include "common/frame.h"
#include "common/h2/h2.h"
#include "common/inbox.h"
#include "common/list.h"
#include "common/loop.h"
#include "common/outbox.h"
#include "server/call.h"

struct amdi_conn;
struct amdi_peer;
struct amdi_request_head;
struct amdi_server_loop;

enum amdi_stream_state {
    AMDI_STREAM_OPEN,        // reading the request; on conn->streams
    AMDI_STREAM_HALF_CLOSED, // request complete; on conn->streams
    AMDI_STREAM_ENDING,      // the status is known and on its way; ditto
    AMDI_STREAM_CLOSED,      // gone from the wire; on no list
};

enum amdi_stream_work {
    AMDI_WORK_NONE,  // nobody has the call
    AMDI_WORK_READY, // handed over at the end of this turn; on sl->ready
    AMDI_WORK_OUT,   // with the dispatcher or the handler
    AMDI_WORK_DONE,  // finished, or will never start
};

/** Both directions of a call with a stream; only such calls have it. */
struct amdi_streaming {
    struct amdi_stream *stream; // whose it is
    struct amdi_outbox out;
    struct amdi_inbox in;
    atomic_size_t ntaken;   // bytes the handler took; for the window
    struct amdi_list taken; // on conn->taken while `out` has bytes to release
};

struct amdi_stream {
    struct amdrpc_call call; // first

    // Loop thread only.
    struct amdi_server_loop *sl;
    struct amdi_conn *conn;         // NULL once gone
    struct amdi_peer *peer;         // counted
    struct amdi_request_head *head; // counted; NULL before on_headers
    int32_t id;
    enum amdi_stream_state state;
    enum amdi_stream_work work;
    bool has_sent_headers;
    bool is_own_end; // the status is ours, not the handler's
    bool is_http;    // the answer is no gRPC: its body ends without trailers
    // Any thread; by the handler's wish or first message. Here for its size.
    atomic_bool is_initial_sent;
    struct amdi_list conn_node;
    uint64_t opened_at_ns;
    uint32_t progress_at_ms; // bytes came or went last, or began to wait;
                             // low bits of the loop's clock
    amdrpc_status_code code; // while ENDING
    struct amdi_timer deadline;
    union {
        struct amdi_frame_reader reader; // of a lone request; WORK_NONE
        struct amdi_timer after;         // once there is work
    };
    const char *message; // while ENDING: static, or the call's once finished

    // The handler's until it finishes, then the loop's.
    uint8_t *reply; // framed; in the call's arena
    uint32_t reply_len;
    uint32_t reply_taken;
    struct amdi_streaming *streaming; // owned; NULL for unary methods
};

static inline struct amdi_stream *
amdi_stream_of(const struct amdrpc_call *call)
{
    return AMDI_CONTAINER_OF(call, struct amdi_stream, call);
}

/**
 * Takes a stream for a request that begins; NULL without memory, or when its
 * peer has as many calls as it may.
 */
struct amdi_stream *amdi_stream_open(
        struct amdi_server_loop *sl, struct amdi_conn *conn, int32_t id);

/** Frees a closed stream's contents; the struct is for reuse or amdi_free. */
void amdi_stream_fini(struct amdi_stream *stream);

/* ---- what the wire tells ---- */

/** The header block is complete. @head: a reference is taken. */
void amdi_stream_on_headers(
        struct amdi_stream *stream, struct amdi_request_head *head);
void amdi_stream_on_data(
        struct amdi_stream *stream, const uint8_t *data, size_t len);
void amdi_stream_on_end(struct amdi_stream *stream);

/** The stream is gone; also to be called when its connection is. */
void amdi_stream_on_close(struct amdi_stream *stream);
void amdi_stream_on_body(
        struct amdi_stream *stream, size_t room, struct amdi_h2_body *body);
void amdi_stream_on_take(
        struct amdi_stream *stream, struct amdi_out *out, size_t len);

/** Bytes taken by on_take have been written. */
void amdi_stream_on_written(struct amdi_stream *stream);

/* ---- its end ---- */

/**
 * The one way a call ends before its handler has finished it: deadline, peer's
 * reset, lost connection, drain. The client, if it is still there, gets @code
 * and @message (static). The first one counts.
 */
void amdi_stream_cancel(struct amdi_stream *stream, amdrpc_status_code code,
        const char *message);

/** Ends a call that came to no handler. @message: copied. */
void amdi_stream_fail(struct amdi_stream *stream, amdrpc_status_code code,
        const char *message);

/** As amdi_stream_fail, for a request that is no gRPC. */
void amdi_stream_fail_http(
        struct amdi_stream *stream, const char *http_status, const char *text);

/** Which of the server's statistics are this call's. */
size_t amdi_stream_method_index(const struct amdi_stream *stream);

/** Ends it when its bytes have not come, or not gone, for too long. */
void amdi_stream_check_progress(struct amdi_stream *stream, uint64_t now_ms,
        const amdrpc_server_options *options);

/* ---- the two state machines ---- */

/** Moves the stream; the only writer of its state. */
void amdi_stream_set_state(
        struct amdi_stream *stream, enum amdi_stream_state next);

/** Moves the work; the only writer of it. */
void amdi_stream_set_work(
        struct amdi_stream *stream, enum amdi_stream_work next);

/** Tells whether the status is known or the stream gone. */
static inline bool
amdi_stream_is_ended(const struct amdi_stream *stream)
{
    return stream->state == AMDI_STREAM_ENDING ||
            stream->state == AMDI_STREAM_CLOSED;
}

/** Lets the stream go at the end of the turn if nothing holds it. */
void amdi_stream_check_reap(struct amdi_stream *stream);

/** Sends the initial metadata, and messages that wait. */
void amdi_stream_send(struct amdi_stream *stream);

/** The handler has finished the call. */
void amdi_stream_on_finish(struct amdi_stream *stream);

/* ---- between the sinks and the loop ---- */

/** Beside those of server/call_link.h. */
enum amdi_stream_event {
    AMDI_STREAM_EV_OUT = AMDI_CALL_EV_SINK,          // messages to send
    AMDI_STREAM_EV_TAKEN = AMDI_CALL_EV_SINK << 1,   // request bytes were taken
    AMDI_STREAM_EV_INITIAL = AMDI_CALL_EV_SINK << 2, // initial metadata may go
};

/* ---- the queue; server/stream/stream_queue.c ---- */

/** Tells whether the client asked how long its call's way is. */
bool amdi_stream_wants_queue_info(const struct amdi_stream *stream);

/** Tells it, before the call is handed over; at once if the call has to wait.
 */
void amdi_stream_tell_queue(struct amdi_stream *stream);

extern const struct amdi_sink_ops amdi_unary_sink;
extern const struct amdi_sink_ops amdi_stream_sink;

#endif
