/** Operations: calls that have a name, made now and come back to later. */
#ifndef AMDRPC_OPERATION_H
#define AMDRPC_OPERATION_H

#include <amdrpc/client.h>
#include <amdrpc/err.h>
#include <amdrpc/future.h>
#include <amdrpc/metadata.h>
#include <amdrpc/service.h>
#include <amdrpc/status.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A generated request id with its NUL, as text. */
#define AMDRPC_REQUEST_ID_BYTES 37

/** Which operations of a method go first. */
typedef enum amdrpc_operation_priority {
    AMDRPC_OPERATION_DEFAULT = 0, // NORMAL
    AMDRPC_OPERATION_HIGH = 1,
    AMDRPC_OPERATION_NORMAL = 2,
    AMDRPC_OPERATION_LOW = 3,
} amdrpc_operation_priority;

/** Zero fields mean the default, which stands behind each. */
typedef struct amdrpc_operation_options {
    // Of every request that is made; copied.
    const amdrpc_metadata *metadata; // the handler sees the submission's
    // For how long the server may be away, counted from its last answer,
    // before the work here ends with UNAVAILABLE. Negative: for ever.
    int64_t max_unavailable_ms; // 5 min

    // Of a submission; else unused.
    const char *request_id; // copied; a new one, that sorts by time
    amdrpc_operation_priority priority;
    int64_t timeout_ms;    // executing it is given up; as the server says
    int64_t ttl_ms;        // it is kept after its end; as the server says
    int64_t start_at_ms;   // since 1970; at once
    uint32_t max_attempts; // as the method's policy says
    bool no_wait;          // the future completes, without a message, once the
                           // server will not lose the operation any more
} amdrpc_operation_options;

/**
 * Lets a server execute a method with a name of its own. The future completes
 * when the operation is done, with the method's response (nothing for a method
 * with a response stream: see amdrpc_watch_open) or its status.
 *
 * It outlives connections and servers: while the server is away, it asks again,
 * at growing intervals. The same request id goes with every submission, so
 * that the method is executed for one of them only. Cancelling the future asks
 * the server to cancel the operation, once that is known; dropping it does
 * not. With the channel's last reference it completes with CANCELLED here, and
 * the operation goes on there.
 *
 * Thread:   any
 * @method   borrowed for the future's life (static, as generated)
 * @request  borrowed until return; the method's input type
 * @options  copied; NULL for all defaults
 * @out      returned owned
 * Errors:   AMDRPC_EINVAL  a method with a request stream; a negative time;
 *                          metadata that cannot be sent
 *           AMDRPC_EIO     no random numbers for a request id
 *           AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_operation_submit(amdrpc_channel *channel,
        const amdrpc_method_desc *method, const ProtobufCMessage *request,
        const amdrpc_operation_options *options, amdrpc_future **out);

/**
 * As amdrpc_operation_submit, with the request in its serialized form. Without
 * an output type in @method the future tells the status only.
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_operation_submit_bytes(
        amdrpc_channel *channel, const amdrpc_method_desc *method,
        const void *data, size_t len, const amdrpc_operation_options *options,
        amdrpc_future **out);

/**
 * Comes back to an operation, in this process or another: as the future of
 * amdrpc_operation_submit once the operation was acknowledged.
 *
 * Thread:   any
 * @method   what was submitted; NULL: the future tells the status only
 * @name     copied; "operations/…"
 * @options  copied; NULL for all defaults
 * @out      returned owned
 * Errors:   AMDRPC_EINVAL  metadata that cannot be sent
 *           AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_future_from_name(amdrpc_channel *channel,
        const amdrpc_method_desc *method, const char *name,
        const amdrpc_operation_options *options, amdrpc_future **out);

/**
 * The operation's name, "operations/…", borrowed from the future. NULL until
 * the server has acknowledged it, and for futures of anything else.
 *
 * Thread:  any
 */
const char *amdrpc_future_get_operation_name(const amdrpc_future *future);

/**
 * Makes a request id: a UUID that sorts by time, which costs a store less than
 * a random one. For who wants to submit again after a crash of this process.
 *
 * Thread:  any
 * @out     AMDRPC_REQUEST_ID_BYTES
 * Errors:  AMDRPC_EIO  no random numbers
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_request_id_create(char *out);

/* ---- what is known of an operation ---- */

typedef enum amdrpc_operation_state {
    AMDRPC_OPERATION_UNKNOWN = 0, // the server does not tell
    AMDRPC_OPERATION_QUEUED = 1,
    AMDRPC_OPERATION_RUNNING = 2,
    AMDRPC_OPERATION_SUCCEEDED = 3,
    AMDRPC_OPERATION_FAILED = 4,
    AMDRPC_OPERATION_CANCELLED = 5,
} amdrpc_operation_state;

/**
 * A look at an operation. Texts are never NULL; times are milliseconds since
 * 1970, 0 when there is none. The server's operations.proto tells more of each.
 */
typedef struct amdrpc_operation {
    const char *name;
    const char *method; // "/package.Service/Method"
    const char *request_id;
    amdrpc_operation_state state;
    bool is_done;
    bool is_cancel_requested;
    uint64_t queue_position; // while queued: how many go before it
    uint64_t progress_done;
    uint64_t progress_total; // 0: unknown
    const char *progress_note;
    uint32_t attempt; // 0: not started yet
    uint32_t max_attempts;
    uint64_t first_seq; // the events that are kept; 0: none yet
    uint64_t last_seq;
    uint64_t nmessages; // of the answer so far
    int64_t create_at_ms;
    int64_t expected_start_at_ms;
    int64_t start_at_ms; // of the newest attempt
    int64_t end_at_ms;
    int64_t expire_at_ms;
    int64_t deadline_at_ms;

    // Once it is done.
    amdrpc_status_code status; // UNKNOWN before
    const char *status_message;
    const char *response_type; // "package.Message"; "" without a response
    const void *response;      // serialized
    size_t response_len;
} amdrpc_operation;

/** Zero fields mean the default. */
typedef struct amdrpc_operation_query {
    const char *filter;     // "" for all; see docs/operations.md
    const char *page_token; // next_page_token of the page before; "" for none
    uint32_t page_size;     // as the server says
} amdrpc_operation_query;

typedef struct amdrpc_operation_page {
    const amdrpc_operation *operations; // newest first
    size_t noperations;
    const char *next_page_token; // "" on the last page
} amdrpc_operation_page;

/**
 * Asks for an operation; read it with amdrpc_future_get_operation. The future
 * is that of one plain call: nothing is asked again.
 *
 * Thread:   any
 * @options  copied; NULL for all defaults
 * @out      returned owned
 * Errors:   AMDRPC_EINVAL  as amdrpc_channel_start_call
 *           AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_operation_get(amdrpc_channel *channel,
        const char *name, const amdrpc_call_options *options,
        amdrpc_future **out);

/** Asks for a page of operations; read it with amdrpc_future_get_operations. */
AMDRPC_NODISCARD amdrpc_err amdrpc_operation_list(amdrpc_channel *channel,
        const amdrpc_operation_query *query, const amdrpc_call_options *options,
        amdrpc_future **out);

/** Asks an operation to stop. It may end otherwise all the same. */
AMDRPC_NODISCARD amdrpc_err amdrpc_operation_cancel(amdrpc_channel *channel,
        const char *name, const amdrpc_call_options *options,
        amdrpc_future **out);

/** Lets the server forget an operation that is done. */
AMDRPC_NODISCARD amdrpc_err amdrpc_operation_delete(amdrpc_channel *channel,
        const char *name, const amdrpc_call_options *options,
        amdrpc_future **out);

/** What amdrpc_operation_get found, else NULL; borrowed from the future. */
const amdrpc_operation *amdrpc_future_get_operation(amdrpc_future *future);

/** What amdrpc_operation_list found, else NULL; borrowed from the future. */
const amdrpc_operation_page *amdrpc_future_get_operations(
        amdrpc_future *future);

/* ---- watching ---- */

/** Follows the events of an operation. One thread reads it. */
typedef struct amdrpc_watch amdrpc_watch;

typedef enum amdrpc_watch_kind {
    AMDRPC_WATCH_MESSAGE = 1,  // a message of the method's answer
    AMDRPC_WATCH_PROGRESS = 2, // a step; some may be left out
    AMDRPC_WATCH_RETRY = 3,    // an attempt failed, and another follows
    AMDRPC_WATCH_END = 4,      // the operation is done: the last event
} amdrpc_watch_kind;

typedef struct amdrpc_watch_event {
    amdrpc_watch_kind kind;
    uint64_t seq;
    uint32_t attempt;
    int64_t at_ms; // since 1970

    // MESSAGE, and END of a unary method that ended OK.
    const char *type; // "package.Message"
    const void *data; // serialized
    size_t len;
    const ProtobufCMessage *message; // NULL without the method's output type

    // PROGRESS; total 0: unknown.
    uint64_t done;
    uint64_t total;

    // PROGRESS: the note; RETRY: why; END: the status message.
    const char *text;

    // END.
    amdrpc_status_code status;
} amdrpc_watch_event;

/**
 * Begins to follow an operation. What was lost with a connection or a server is
 * taken up at the next event, however often; no event comes twice.
 *
 * Thread:     any
 * @method     borrowed until close; NULL: messages come serialized only
 * @name       copied; "operations/…"
 * @after_seq  the last event seen; 0: from the beginning
 * @options    metadata and max_unavailable_ms count; NULL for all defaults
 * @out        returned owned
 * Errors:     AMDRPC_EINVAL  metadata that cannot be sent
 *             AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_watch_open(amdrpc_channel *channel,
        const amdrpc_method_desc *method, const char *name, uint64_t after_seq,
        const amdrpc_operation_options *options, amdrpc_watch **out);

/**
 * Waits for the next event.
 *
 * Thread:      any but a loop's
 * @timeout_ms  0 asks without waiting; negative waits without limit
 * @out         borrowed until the next call or close
 * Errors:      AMDRPC_EEND       after the END event, and when the watch has
 *                                failed: see amdrpc_watch_get_status
 *              AMDRPC_ETIMEDOUT
 *              AMDRPC_ESTATE     called on a loop thread
 *              AMDRPC_ENOMEM     ask again
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_watch_next(amdrpc_watch *watch,
        int64_t timeout_ms, const amdrpc_watch_event **out);

/**
 * How the watch ended: OK after the END event, whatever that says; CANCELLED
 * after amdrpc_watch_cancel; UNAVAILABLE when the server was away for too long;
 * else what the server said. UNKNOWN while it goes on. Thread: the reader's.
 */
amdrpc_status_code amdrpc_watch_get_status(const amdrpc_watch *watch);

/** The status message, "" when there is none; borrowed from the watch. */
const char *amdrpc_watch_get_status_message(const amdrpc_watch *watch);

/** The last event that was read; to go on after it. Thread: the reader's. */
uint64_t amdrpc_watch_get_seq(const amdrpc_watch *watch);

/** Ends the watch, not the operation; a waiting reader is woken. Any thread. */
void amdrpc_watch_cancel(amdrpc_watch *watch);

/** Ends the watch and frees it; NULL is accepted. Thread: the reader's. */
void amdrpc_watch_close(amdrpc_watch *watch);

#ifdef __cplusplus
}
#endif

#endif
