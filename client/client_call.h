/**
 * A call being made.
 *
 * Any thread asks, by setting a signal and posting the call's one task; the
 * channel's loop thread acts. On the loop thread itself the same happens at
 * once. The object is freed on the loop, at the end of a turn, once it has
 * no stream and no reference any more: the last `unref` is a signal too, so
 * no task of it can be on its way then.
 */
#ifndef AMDI_CLIENT_CALL_H
#define AMDI_CLIENT_CALL_H

#include <amdrpc/client.h>

#include "client/request.h"
#include "client/retry.h"
#include "common/arena.h"
#include "common/h2/h2.h"
#include "common/inbox.h"
#include "common/list.h"
#include "common/loop.h"
#include "common/metadata.h"
#include "common/outbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct amdi_client_conn;

enum amdi_client_call_state {
    CALL_NEW,     // its start has not come to the loop yet
    CALL_WAITING, // for a connection with room; on channel->waiting
    CALL_OPEN,    // has a stream
    CALL_FAILING, // its attempt has failed; the next one waits for the stream
    CALL_BACKOFF, // waits for the next attempt's time; on channel->retrying
    CALL_ENDING,  // its status stands; the stream is not gone yet
    CALL_CLOSED,  // has no stream; waits for its last reference
};

/** What the loop is asked to do; bits of `signals`. */
enum amdi_client_call_signal {
    CALL_SIGNAL_START = 1 << 0,
    CALL_SIGNAL_SEND = 1 << 1,       // the outbox has more
    CALL_SIGNAL_CLOSE_SEND = 1 << 2, // nothing follows what the outbox has
    CALL_SIGNAL_CANCEL = 1 << 3,
    CALL_SIGNAL_UNREADABLE = 1 << 4, // the reader met a bad message
    CALL_SIGNAL_CONSUME = 1 << 5,    // the reader took bytes
    CALL_SIGNAL_TELL_ALL = 1 << 6,   // there are new events or a new future
    CALL_SIGNAL_RELEASE = 1 << 7,    // the last reference is gone
};

/** What the user is to be told; bits of `tells`. */
enum amdi_client_call_tell {
    CALL_TELL_READABLE = 1 << 0,
    CALL_TELL_WRITABLE = 1 << 1,
    CALL_TELL_END = 1 << 2,
};

/** What a call with a retry policy has more. The loop's. */
struct amdi_call_retry {
    struct amdrpc_client_call *call;
    struct amdi_retry decision;
    uint64_t wait_ms; // before the next attempt, while FAILING
    struct amdi_timer timer;
};

struct amdrpc_client_call {
    // Set when it is made.
    struct amdrpc_channel *channel; // lives as long as its calls
    const amdrpc_method_desc *method;
    uint64_t deadline_at_ns; // of amdi_clock_now_ns; 0: none
    bool wait_for_ready;

    // Any thread.
    atomic_bool is_send_closed; // the writer's
    atomic_int unreadable;      // amdrpc_err of a message that its reader met
    atomic_uint nrefs;
    atomic_uint signals;
    struct amdi_task task; // posted while `signals` is not 0

    // Written by the loop before the flag, read by any thread after it.
    atomic_bool has_initial;
    atomic_bool is_ended;
    amdrpc_status_code status;
    const char *status_message; // static or in the arena

    // The loop's.
    enum amdi_client_call_state state;
    unsigned tells;
    struct amdi_client_conn *conn; // while OPEN, FAILING and ENDING
    int32_t stream_id;
    bool is_released;         // the last reference is gone
    bool is_request_complete; // close_send has come here
    bool is_request_sent;     // and the session has all of it
    bool was_released;        // sent bytes were freed: it cannot begin again
    bool is_retried;          // it has begun again once, unseen by the server
    bool has_committed;       // the answer has begun: it is the only one
    bool was_told_end;
    struct amdi_list conn_node;  // conn->calls
    struct amdi_list queue_node; // channel->waiting or conn->resuming
    struct amdi_list write_node; // conn->writing
    struct amdi_list tell_node;  // channel->telling
    struct amdi_list reap_node;  // channel->reaping
    struct amdi_timer deadline;
    struct amdi_call_retry *retry; // in the arena; NULL: no further attempts
    struct amdi_request request;
    struct amdi_arena arena; // the caller's until the start; then the loop's

    // The loop's: the response as far as it came.
    bool has_headers; // the first block is complete
    bool is_grpc;     // its content-type says so
    int http_status;  // 0: none yet
    int wire_status;  // -1: none yet
    const char *wire_message;
    size_t nfields; // of the block that is coming
    size_t nfield_bytes;
    size_t nmessages;
    size_t nheld_bytes; // of the body, not given back to the windows yet
    const ProtobufCMessage *response; // unpacked for a future; in the arena

    // The boxes: any thread, as their headers say.
    struct amdi_outbox outbox;
    struct amdi_inbox inbox;
    atomic_size_t ntaken_bytes; // read; to be given back to the window

    // Any thread, under mtx.
    pthread_mutex_t mtx;
    amdrpc_future *future; // owned until it is complete
    amdrpc_client_call_events events;
    void *events_arg;

    // The loop's, and its user's once the flags above say so.
    struct amdrpc_metadata initial;
    struct amdrpc_metadata trailing;

    // The reader's.
    struct amdi_arena message_arena; // of the message it was given
    struct amdi_message *message;    // the same in serialized form; owned
    bool was_compressed;             // as it came

    // The writer's.
    bool is_compressing; // the next message
};

/* ---- any thread ---- */

/**
 * Makes a call that is not started, with one reference.
 * Errors: AMDRPC_ENOMEM, AMDRPC_EINVAL
 */
AMDRPC_NODISCARD amdrpc_err amdi_client_call_create(
        struct amdrpc_channel *channel, const amdrpc_method_desc *method,
        const amdrpc_call_options *options, struct amdrpc_client_call **out);

/** Frees a call that was never started. */
void amdi_client_call_discard(struct amdrpc_client_call *call);

/** Asks the loop for something; at once when this is its thread. */
void amdi_client_call_signal(struct amdrpc_client_call *call, unsigned signals);

/** Frames a message into the outbox (send.c). @arena: as amdi_outbox_push. */
AMDRPC_NODISCARD amdrpc_err amdi_client_call_push(
        struct amdrpc_client_call *call, const ProtobufCMessage *msg,
        bool may_block, struct amdi_arena *arena);

/* ---- the loop thread ---- */

/** Gives a waiting or new call its stream on @conn; false: not there. */
bool amdi_client_call_open(
        struct amdrpc_client_call *call, struct amdi_client_conn *conn);

/** Puts the call on the list of those that wait: @before: as list insert. */
void amdi_client_call_wait(
        struct amdrpc_client_call *call, struct amdi_list *before);

/**
 * Ends the call: the first status counts, later ones do nothing.
 *
 * @message  static or in the call's arena
 * @end      what readers get: AMDRPC_EEND after what is queued, or at once
 *           AMDRPC_ECANCELED
 */
void amdi_client_call_end(struct amdrpc_client_call *call,
        amdrpc_status_code code, const char *message, amdrpc_err end);

/** Ends the call from our side, with a reset when it has a stream. */
void amdi_client_call_abort(struct amdrpc_client_call *call,
        amdrpc_status_code code, const char *message);

/**
 * The call's attempt ended with @code. True: another one follows, in time, so
 * the call goes on (call_retry.c).
 */
bool amdi_client_call_fail_attempt(
        struct amdrpc_client_call *call, amdrpc_status_code code);

/** End and abort the call, if no other attempt follows. */
void amdi_client_call_end_attempt(struct amdrpc_client_call *call,
        amdrpc_status_code code, const char *message, amdrpc_err end);
void amdi_client_call_abort_attempt(struct amdrpc_client_call *call,
        amdrpc_status_code code, const char *message);

/** Opens the windows again by @len bytes of the response, while it has a
 * stream; a closed one has given back all. */
void amdi_client_call_consume(struct amdrpc_client_call *call, size_t len);

/** The stream is gone. */
void amdi_client_call_close(struct amdrpc_client_call *call);

/**
 * The stream is gone, and the server did nothing with it: begins again at once
 * (call_retry.c).
 */
void amdi_client_call_begin_again(struct amdrpc_client_call *call);

/** The failed attempt's stream is gone: waits for the next one's time. */
void amdi_client_call_back_off(struct amdrpc_client_call *call);

/**
 * Lets the call have further attempts, when @options want them; before the
 * start. Errors: AMDRPC_EINVAL, AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_client_call_add_retry(
        struct amdrpc_client_call *call, const amdrpc_retry_options *options);

/** Changes the state; for the call's own files. */
void amdi_client_call_set_state(
        struct amdrpc_client_call *call, enum amdi_client_call_state next);

/** The bytes it gave last have been written. */
void amdi_client_call_on_written(struct amdrpc_client_call *call);

/** Lets the user be told at the end of this turn. */
void amdi_client_call_tell(struct amdrpc_client_call *call, unsigned tells);

/**
 * Makes the call's future, under mtx or before the start; it takes one
 * reference to the call, on success only (call_tell.c). Errors: AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_client_call_add_future(
        struct amdrpc_client_call *call);

/** Tells the user (call_tell.c). */
void amdi_client_call_run_tells(struct amdrpc_client_call *call);

/** Frees it; from the channel's reap hook. */
void amdi_client_call_destroy(struct amdrpc_client_call *call);

/**
 * Puts the plain message in the place of a compressed one (receive.c).
 * Errors: as amdi_gzip_inflate
 */
AMDRPC_NODISCARD amdrpc_err amdi_client_call_inflate(
        const struct amdrpc_client_call *call, struct amdi_message **message);

/** Unpacks a response after a look at its depth and strings (receive.c). */
const ProtobufCMessage *amdi_client_call_unpack(
        const struct amdrpc_client_call *call,
        const struct amdi_message *message, struct amdi_arena *arena);

/** The status that a response gets which cannot be read, and its message. */
amdrpc_status_code amdi_client_call_judge_unreadable(
        amdrpc_err err, const char **out_message);

#endif
