/**
 * An operation that a future stands for.
 *
 * On the channel's loop thread one call follows another: Submit until it is
 * acknowledged, CancelOperation if that was asked for, WaitOperation until it
 * is done. A call that failed for a passing reason is made again after a pause.
 *
 * As with calls, any thread asks by a signal, and the loop thread acts. The
 * machine, the future's work and the result that a complete future holds have
 * a reference each; the last one is given back to the loop, which frees the
 * object at the end of a turn. So the channel outlives its operations.
 */
#ifndef AMDI_OPERATION_H
#define AMDI_OPERATION_H

#include <amdrpc/operation.h>

#include "client/operation/patience.h"
#include "common/arena.h"
#include "common/list.h"
#include "common/loop.h"
#include "common/metadata.h"
#include "google/longrunning/operations.pb-c.h"

#include <stdatomic.h>

enum amdi_operation_state {
    OPERATION_NEW,     // its start has not come to the loop yet
    OPERATION_CALLING, // a call goes on
    OPERATION_PAUSING, // the timer runs; then the next call
    OPERATION_DONE,    // the future is complete
};

/** What the call is that goes on, or comes next. */
enum amdi_operation_step {
    OPERATION_SUBMIT, // until it has a name
    OPERATION_CANCEL, // while a cancellation is wanted and not known there
    OPERATION_WAIT,
};

struct amdi_operation {
    // Set when it is made.
    struct amdrpc_channel *channel;   // lives as long as its operations
    const amdrpc_method_desc *method; // NULL: status only
    bool no_wait;

    // Any thread.
    atomic_uint nrefs;
    atomic_uint signals;
    struct amdi_task task; // posted while `signals` is not 0

    // The caller's until the start; then the loop's.
    struct amdi_arena arena;
    struct amdrpc_metadata metadata;
    const void *submission; // packed, in the arena; NULL: it has a name
    size_t submission_len;
    const char *name;      // in the arena; NULL: not acknowledged
    amdrpc_future *future; // owned until it is complete

    // The loop's.
    enum amdi_operation_state state;
    enum amdi_operation_step step;
    bool is_cancel_wanted; // and the server does not know
    struct amdi_patience patience;
    amdrpc_client_call *call; // owned, while CALLING
    uint64_t call_at_ms;      // when it began
    struct amdi_timer pause;
    struct amdi_list node; // channel->operations
    struct amdi_hook reap;
};

/** Lets the machine begin. Thread: any. */
void amdi_operation_start(struct amdi_operation *operation);

/** Asks the server to cancel it, once it has a name. Thread: any. */
void amdi_operation_cancel(struct amdi_operation *operation);

/** Drops a reference. Thread: any. */
void amdi_operation_unref(struct amdi_operation *operation);

/** Frees one that was not started. */
void amdi_operation_discard(struct amdi_operation *operation);

/** Completes every operation of a channel that is being closed. Loop thread. */
void amdi_operation_stop_all(struct amdrpc_channel *channel);

/** How an operation ended: a status, and the response when it is OK. */
struct amdi_operation_outcome {
    amdrpc_status_code status;
    const char *message;              // static or in the arena
    const ProtobufCMessage *response; // in the arena; NULL: none
};

/**
 * Reads the end of an operation that is done.
 *
 * @method  NULL: the response is not looked at
 */
void amdi_operation_read_outcome(
        const Google__Longrunning__Operation *operation,
        const amdrpc_method_desc *method, struct amdi_arena *arena,
        struct amdi_operation_outcome *out);

/** The status that an operation's error stands for. */
amdrpc_status_code amdi_operation_status_of(int32_t code);

/** "type.googleapis.com/foo.Bar" is "foo.Bar". */
const char *amdi_operation_type_of(const char *type_url);

#endif
