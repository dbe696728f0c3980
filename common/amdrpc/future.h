/** The handle of something ongoing: a call, an operation, a local function. */
#ifndef AMDRPC_FUTURE_H
#define AMDRPC_FUTURE_H

#include <amdrpc/err.h>
#include <amdrpc/status.h>

#include <protobuf-c/protobuf-c.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Completes exactly once, with a status and, when that is OK, a value. Counted:
 * whoever gets one owns a reference. Every function may be called from any
 * thread unless it says otherwise.
 */
typedef struct amdrpc_future amdrpc_future;

/** Called once when the future is complete; borrowed until return. */
typedef void (*amdrpc_future_fn)(amdrpc_future *future, void *arg);

/** Takes another reference; returns @future. */
amdrpc_future *amdrpc_future_ref(amdrpc_future *future);

/** Drops a reference; NULL is accepted. Does not cancel. */
void amdrpc_future_unref(amdrpc_future *future);

/** Tells whether it is complete. Never waits. */
bool amdrpc_future_is_ready(const amdrpc_future *future);

/**
 * Waits until the future is complete.
 *
 * Thread:      any but a loop's (there: AMDRPC_ESTATE, never a deadlock)
 * @timeout_ms  0 asks without waiting; negative waits without limit
 * Errors:      AMDRPC_ETIMEDOUT  still ongoing
 *              AMDRPC_ESTATE     called on a loop thread
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_future_wait(
        amdrpc_future *future, int64_t timeout_ms);

/**
 * Waits until one of them is complete; @out_index tells which (the first of
 * several). Thread and errors as amdrpc_future_wait, and
 *
 * Errors:  AMDRPC_EINVAL  no futures, so none can complete
 *          AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_future_wait_any(
        amdrpc_future *const *futures, size_t nfutures, int64_t timeout_ms,
        size_t *out_index);

/** Waits until all are complete. As amdrpc_future_wait. */
AMDRPC_NODISCARD amdrpc_err amdrpc_future_wait_all(
        amdrpc_future *const *futures, size_t nfutures, int64_t timeout_ms);

/**
 * Calls @fn once when the future is complete; at once, in the calling thread,
 * when it is already, else in the thread that completes it (for calls: the
 * channel's loop thread, where nothing may block). The future holds a
 * reference to itself until then.
 *
 * Errors:  AMDRPC_ENOMEM  @fn will not be called
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_future_then(
        amdrpc_future *future, amdrpc_future_fn fn, void *arg);

/**
 * Asks the work to stop. The future completes as soon as it can, with
 * CANCELLED unless the work was quicker.
 */
void amdrpc_future_cancel(amdrpc_future *future);

/**
 * Returns a file descriptor that becomes readable once the future is complete,
 * for poll and event loops; owned by the future. Do not read it.
 *
 * Errors:  AMDRPC_EIO  no descriptor could be made
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_future_get_fd(
        amdrpc_future *future, int *out);

/**
 * The status; UNKNOWN while ongoing. This and what follows accept NULL, the
 * future of a call that could not be started: UNKNOWN, "", no message.
 */
amdrpc_status_code amdrpc_future_get_status(const amdrpc_future *future);

/** The status message, "" when there is none; borrowed from the future. */
const char *amdrpc_future_get_status_message(const amdrpc_future *future);

/**
 * The response message of a call that ended OK, else NULL; borrowed from the
 * future.
 */
const ProtobufCMessage *amdrpc_future_get_message(const amdrpc_future *future);

/**
 * The result of a local function (amdrpc_async) that ended OK, else NULL;
 * borrowed from the future. NULL once it was taken.
 */
void *amdrpc_future_get_pointer(amdrpc_future *future);

/** As amdrpc_future_get_pointer; returned owned, to the first who asks. */
void *amdrpc_future_take_pointer(amdrpc_future *future);

#ifdef __cplusplus
}
#endif

#endif
