/** A call as its handler sees it. */
#ifndef AMDRPC_CALL_H
#define AMDRPC_CALL_H

#include <amdrpc/err.h>
#include <amdrpc/metadata.h>
#include <amdrpc/status.h>

#include <protobuf-c/protobuf-c.h>

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * One invocation of a method, from its request to its status.
 *
 * A handler ends its call exactly once: with amdrpc_call_finish or
 * amdrpc_call_reply, before it returns, or later, from any thread, after
 * amdrpc_call_defer. Until then the call is valid, whatever became of the
 * client; afterwards it must not be touched. A handler that returns without
 * either ends its call with UNKNOWN.
 *
 * A call is used by one thread at a time, but for amdrpc_call_is_cancelled,
 * which any thread may ask.
 */
typedef struct amdrpc_call amdrpc_call;

/** Called on a loop thread; must not block. @arg as given with it. */
typedef void (*amdrpc_call_fn)(amdrpc_call *call, void *arg);

/* ---- answering ---- */

/**
 * Queues one response message.
 *
 * A slow reader is not an error: on a worker the function waits while more
 * than the server's max_queued_bytes are queued. Where it may not wait, on a
 * thread of a loop (any server's or channel's), it queues nothing and says so;
 * the on_writable event tells when to try again. The message of a unary method
 * is sent with its status.
 *
 * Thread:  any
 * @msg     borrowed until return; of the method's output type
 * Errors:  AMDRPC_EAGAIN    nothing was queued; wait for on_writable
 *          AMDRPC_ECANCELED the peer, the deadline or the server ended the
 *                           call; finish it
 *          AMDRPC_ELIMIT    larger than the server's max_send_message_bytes
 *          AMDRPC_ESTATE    a second message of a unary method
 *          AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_call_send(
        amdrpc_call *call, const ProtobufCMessage *msg);

/**
 * Lets the messages sent from now on be compressed, or not. A wish: messages
 * stay plain for a client that takes no codec of ours, and those that would
 * not get shorter. Its first "on" must come before the initial metadata
 * leaves, which names the codec. At the start it is as the server's options
 * say.
 *
 * Thread:  the handler's
 */
void amdrpc_call_set_compression(amdrpc_call *call, bool is_on);

/**
 * Ends the call. Messages queued before are delivered first, if the client
 * still listens. The first end counts; after a cancellation it is a no-op
 * but for giving the call back.
 *
 * Thread:    any
 * @call      taken
 * @message   copied; UTF-8, a sentence for people, cut to 1 KiB; NULL for none
 */
void amdrpc_call_finish(
        amdrpc_call *call, amdrpc_status_code code, const char *message);

/** What programs read about a failure: google.rpc.ErrorInfo. */
typedef struct amdrpc_error_info {
    const char *reason; // UPPER_SNAKE_CASE, unique in its domain
    const char *domain; // whose reasons these are: "shop.example.com"
    // Names and values by turns, ending with NULL; may be NULL.
    const char *const *facts;
} amdrpc_error_info;

/**
 * As amdrpc_call_finish, with details in grpc-status-details-bin. They are left
 * out when memory is short.
 *
 * @info  borrowed until return
 */
void amdrpc_call_fail(amdrpc_call *call, amdrpc_status_code code,
        const char *message, const amdrpc_error_info *info);

/** As amdrpc_call_finish, with a message made as by printf. */
void amdrpc_call_finishf(amdrpc_call *call, amdrpc_status_code code,
        const char *format, ...) AMDRPC_PRINTF(3, 4);

/**
 * Sends @msg and ends the call with OK. When sending fails, ends it with the
 * status of that failure instead.
 *
 * Thread:  any
 * @call    taken
 * @msg     borrowed until return
 */
void amdrpc_call_reply(amdrpc_call *call, const ProtobufCMessage *msg);

/**
 * Says that the call will be finished after the handler returns. To be called
 * by the handler, before the call is given to who will finish it.
 *
 * Thread:  the handler's
 */
void amdrpc_call_defer(amdrpc_call *call);

/**
 * Reports progress, and tells whether to go on. Made for long work: a few times
 * a second is often enough.
 *
 * Thread:        any
 * @done, @total  in units of the method's choice; @total 0 when unknown
 * @return        false when the work should stop (cancelled, deadline passed,
 *                server stopping at once): finish the call
 */
bool amdrpc_call_checkpoint(amdrpc_call *call, uint64_t done, uint64_t total);

/**
 * As amdrpc_call_checkpoint, with what the work is at. Who watches an operation
 * sees the newest step, and its note.
 *
 * @note  copied; UTF-8, cut to 200 bytes; NULL for none
 */
bool amdrpc_call_checkpoint_note(
        amdrpc_call *call, uint64_t done, uint64_t total, const char *note);

/* ---- reading a request stream ---- */

/**
 * Takes the next message of a request stream.
 *
 * Waits for it on a worker; on a thread of a loop (any server's or channel's)
 * answers "again", and the on_readable event tells when. Room is given to the
 * client as messages are taken, so a slow handler slows its client down.
 *
 * Thread:  any
 * @out     borrowed from the call until the next amdrpc_call_recv or finish
 * Errors:  AMDRPC_EEND      the client has sent its last message
 *          AMDRPC_EAGAIN    none yet; wait for on_readable
 *          AMDRPC_EINVAL    the bytes are no such message; finish the call,
 *                           which tells the client so whatever is given there
 *          AMDRPC_ELIMIT    nested too deep; finish the call
 *          AMDRPC_ECANCELED the call has ended
 *          AMDRPC_ESTATE    the method has no request stream
 *          AMDRPC_ENOMEM    the message is too big once unpacked, or memory
 *                           is short; finish the call
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_call_recv(
        amdrpc_call *call, const ProtobufCMessage **out);

/** Tells whether the request message got last came compressed. */
bool amdrpc_call_was_compressed(const amdrpc_call *call);

/* ---- events ---- */

/** What a handler may be told. NULL fields are not told. */
typedef struct amdrpc_call_events {
    amdrpc_call_fn on_readable; // a message or the end of the request stream
    amdrpc_call_fn on_writable; // room again after AMDRPC_EAGAIN
    amdrpc_call_fn on_cancel;   // once; the call still has to be finished
} amdrpc_call_events;

/**
 * Sets what is told, once for a call. Each event is told at the owning loop's
 * next turn when its condition holds already. None is told once the call has
 * been finished.
 *
 * Thread:  the handler's, or a loop callback of this call
 * @events  borrowed until the call is finished (usually static)
 * @arg     passed to each
 */
void amdrpc_call_set_events(
        amdrpc_call *call, const amdrpc_call_events *events, void *arg);

/**
 * Calls @fn on the owning loop after @delay_ms, or earlier when the call is
 * cancelled. One such wait at a time. No thread is held meanwhile. @fn is not
 * called once the call has been finished.
 *
 * Thread:    the handler's, or a loop callback of this call
 * @arg       passed to @fn
 */
void amdrpc_call_after(
        amdrpc_call *call, uint32_t delay_ms, amdrpc_call_fn fn, void *arg);

/** What may happen to a file descriptor. */
typedef enum amdrpc_fd_event {
    AMDRPC_FD_READ = 1,
    AMDRPC_FD_WRITE = 2,
    AMDRPC_FD_TIMEOUT = 4,   // the time is over
    AMDRPC_FD_CANCELLED = 8, // the call is cancelled
    AMDRPC_FD_FAILED = 16,   // such a descriptor cannot be waited for
} amdrpc_fd_event;

/** Called on a loop thread; must not block. @events: of amdrpc_fd_event. */
typedef void (*amdrpc_call_fd_fn)(
        amdrpc_call *call, unsigned events, void *arg);

/**
 * Calls @fn on the owning loop, once, when @fd is ready: to be called after
 * amdrpc_call_defer, so that no worker waits. One such wait at a time; @fn may
 * begin the next. No longer called once the call has been finished.
 *
 * One wait is told of a cancellation. Those that follow go on as if there was
 * none, so that what the call has begun can be ended in good order.
 *
 * Thread:      any
 * @fd          borrowed until @fn is called or the call is finished on the
 *              loop
 * @events      AMDRPC_FD_READ, AMDRPC_FD_WRITE or both
 * @timeout_ms  negative: none
 * Errors:      AMDRPC_EINVAL  @fd or @events
 *              AMDRPC_ESTATE  such a wait is going on
 *              AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_call_wait_fd(amdrpc_call *call, int fd,
        unsigned events, int64_t timeout_ms, amdrpc_call_fd_fn fn, void *arg);

/* ---- facts; thread: whoever has the call, unless said otherwise ---- */

/** Any thread: has the call ended for its client? Then finish it soon. */
bool amdrpc_call_is_cancelled(const amdrpc_call *call);

/** Milliseconds until the deadline, never negative. */
int64_t amdrpc_call_time_left_ms(const amdrpc_call *call);

/** The peer's address, "127.0.0.1:40112"; borrowed until finish. */
const char *amdrpc_call_get_peer(const amdrpc_call *call);

/**
 * The caller's name: what its bearer token stands for, else the one in its
 * certificate; "" for an anonymous caller. Borrowed until finish.
 */
const char *amdrpc_call_get_identity(const amdrpc_call *call);

/** "/package.Service/Method"; borrowed for the server's life. */
const char *amdrpc_call_get_method(const amdrpc_call *call);

/**
 * The name of the operation that this call executes, "" for a plain call. With
 * the attempt it is a token for what must not be done twice elsewhere.
 * Borrowed until finish.
 */
const char *amdrpc_call_get_operation(const amdrpc_call *call);

/** How often it has been started, with this time: 1 for a plain call. */
uint32_t amdrpc_call_get_attempt(const amdrpc_call *call);

/**
 * Messages that earlier attempts of this operation have delivered: a handler
 * whose messages are always the same, in the same order, may go on behind
 * them. 0 for a plain call. Others send all of them again.
 */
uint64_t amdrpc_call_get_delivered(const amdrpc_call *call);

/** What the client sent; borrowed until finish. */
const amdrpc_metadata *amdrpc_call_get_metadata(const amdrpc_call *call);

/**
 * Adds to the initial metadata, which leaves with the first message or
 * amdrpc_call_send_initial_metadata.
 *
 * Errors:  as amdrpc_metadata_add, and AMDRPC_ESTATE when it has left
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_call_add_initial_metadata(amdrpc_call *call,
        const char *name, const void *value, size_t value_len);

/** Sends the initial metadata now; a no-op when it has left. */
void amdrpc_call_send_initial_metadata(amdrpc_call *call);

/** Adds to the trailing metadata. Errors as amdrpc_metadata_add. */
AMDRPC_NODISCARD amdrpc_err amdrpc_call_add_trailing_metadata(amdrpc_call *call,
        const char *name, const void *value, size_t value_len);

/**
 * Memory that lives until the call is finished; NULL when there is none. It is
 * aligned for any type, not cleared, and not to be freed.
 */
void *amdrpc_call_alloc(amdrpc_call *call, size_t size);

#ifdef __cplusplus
}
#endif

#endif
