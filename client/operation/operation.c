/** The future of an operation: submits, waits, cancels, and goes on asking. */
#include "client/operation/operation.h"

#include "amdrpc/v1/operations.amdrpc.h"
#include "client/channel.h"
#include "common/alloc.h"
#include "common/assertion.h"
#include "common/clock.h"
#include "common/future.h"
#include "google/longrunning/operations.amdrpc.h"
#include "google/longrunning/operations.pb-c.h"

#include <string.h>

/** What the loop is asked to do; bits of `signals`. */
enum operation_signal {
    OPERATION_SIGNAL_START = 1 << 0,
    OPERATION_SIGNAL_CANCEL = 1 << 1,
    OPERATION_SIGNAL_RELEASE = 1 << 2, // the last reference is gone
};

// What the server is asked to wait, and how much longer the answer may take
// before the connection is held to be dead.
#define OPERATION_WAIT_S 30
#define OPERATION_ANSWER_MS 20000

// A server that does not wait is not asked more often than this.
#define OPERATION_POLL_MS 100

static const char channel_closed[] = "the channel was closed";

static void operation_call(struct amdi_operation *operation);
static void operation_on_task(struct amdi_task *task);

/* ---- the state; the loop thread's ---- */

static bool
operation_may_enter(
        enum amdi_operation_state state, enum amdi_operation_state next)
{
    switch (state) {
    case OPERATION_NEW:
        return next == OPERATION_CALLING || next == OPERATION_DONE;
    case OPERATION_CALLING:
        return true;
    case OPERATION_PAUSING:
        return next == OPERATION_CALLING || next == OPERATION_DONE;
    case OPERATION_DONE:
        return false;
    }
    return false;
}

/** Leaves what belongs to the present state, and enters the next. */
static void
operation_set_state(
        struct amdi_operation *operation, enum amdi_operation_state next)
{
    amdrpc_client_call *call = operation->call;

    amdi_assert(operation_may_enter(operation->state, next));
    operation->state = next;
    operation->call = NULL;
    amdi_timer_stop(&operation->pause);
    if (call != NULL) {
        amdrpc_client_call_set_events(call, NULL, NULL);
        amdrpc_client_call_unref(call);
    }
    if (next == OPERATION_DONE) {
        amdi_list_remove(&operation->node);
    }
}

/* ---- references ---- */

static void
operation_signal(struct amdi_operation *operation, unsigned signals)
{
    struct amdi_loop *loop = operation->channel->loop;

    if (atomic_fetch_or_explicit(
                &operation->signals, signals, memory_order_acq_rel) != 0) {
        return; // the task is on its way and will see it
    }
    if (amdi_loop_is_current(loop)) {
        operation_on_task(&operation->task);
    } else {
        amdi_loop_post(loop, &operation->task);
    }
}

void
amdi_operation_unref(struct amdi_operation *operation)
{
    struct amdrpc_channel *channel = operation->channel;

    if (atomic_fetch_sub_explicit(&operation->nrefs, 1, memory_order_acq_rel) >
            1) {
        return;
    }
    // The channel may end once the loop has seen this, while this thread is
    // still about to wake the loop.
    atomic_fetch_add_explicit(&channel->nleaving, 1, memory_order_relaxed);
    operation_signal(operation, OPERATION_SIGNAL_RELEASE);
    atomic_fetch_sub_explicit(&channel->nleaving, 1, memory_order_release);
}

void
amdi_operation_discard(struct amdi_operation *operation)
{
    amdi_arena_fini(&operation->arena);
    amdi_free(operation);
}

static void
operation_on_reap(struct amdi_hook *hook)
{
    struct amdi_operation *operation =
            AMDI_CONTAINER_OF(hook, struct amdi_operation, reap);
    struct amdrpc_channel *channel = operation->channel;

    amdi_operation_discard(operation);
    amdi_channel_release(channel);
}

void
amdi_operation_start(struct amdi_operation *operation)
{
    operation->task.run = operation_on_task;
    amdi_hook_init(&operation->reap, operation_on_reap);
    operation_signal(operation, OPERATION_SIGNAL_START);
}

void
amdi_operation_cancel(struct amdi_operation *operation)
{
    operation_signal(operation, OPERATION_SIGNAL_CANCEL);
}

static void
result_on_destroy(void *arg)
{
    amdi_operation_unref(arg);
}

/* ---- the end ---- */

/** Completes the future; @message and the response as the outcome says. */
static void
operation_finish(struct amdi_operation *operation,
        const struct amdi_operation_outcome *outcome)
{
    amdrpc_future *future = operation->future;
    const struct amdi_future_result result = {
            .status = outcome->status,
            .status_message = outcome->message,
            .message = outcome->response,
            .destroy = result_on_destroy,
            .arg = operation, // holds what it points to
    };

    operation_set_state(operation, OPERATION_DONE);
    operation->future = NULL;
    atomic_fetch_add_explicit(&operation->nrefs, 1, memory_order_relaxed);
    (void)amdi_future_complete_take(future, &result); // nobody else does
    amdrpc_future_unref(future);
    amdi_operation_unref(operation); // the machine's
}

static void
operation_fail(struct amdi_operation *operation, amdrpc_status_code status,
        const char *message)
{
    const struct amdi_operation_outcome outcome = {
            .status = status, .message = message};

    operation_finish(operation, &outcome);
}

static void
operation_fail_with_err(struct amdi_operation *operation, amdrpc_err err)
{
    operation_fail(
            operation, amdrpc_status_from_err(err), amdrpc_err_text(err));
}

/* ---- one call after another ---- */

static void
operation_on_pause(struct amdi_timer *timer)
{
    operation_call(AMDI_CONTAINER_OF(timer, struct amdi_operation, pause));
}

static void
operation_pause(struct amdi_operation *operation, uint64_t ms)
{
    struct amdi_loop *loop = operation->channel->loop;

    operation_set_state(operation, OPERATION_PAUSING);
    amdi_timer_start(loop, &operation->pause, amdi_loop_now_ms(loop) + ms,
            operation_on_pause);
}

/** Takes the name that the server gave. */
static amdrpc_err
operation_adopt_name(struct amdi_operation *operation, const char *name)
{
    operation->name = amdi_arena_strndup(&operation->arena, name, strlen(name));
    if (operation->name == NULL) {
        return AMDRPC_ENOMEM;
    }
    return amdi_future_set_name(operation->future, name);
}

static void
operation_take_answer(struct amdi_operation *operation,
        const Google__Longrunning__Operation *answer)
{
    if (operation->name == NULL) {
        amdrpc_err err = operation_adopt_name(operation, answer->name);

        if (err != AMDRPC_OK) {
            operation_fail_with_err(operation, err);
            return;
        }
        if (operation->no_wait) {
            operation_fail(operation, AMDRPC_STATUS_OK, NULL);
            return;
        }
    }
    if (answer->done) {
        struct amdi_operation_outcome outcome;

        amdi_operation_read_outcome(
                answer, operation->method, &operation->arena, &outcome);
        operation_finish(operation, &outcome);
    } else if (operation->step == OPERATION_WAIT &&
            amdi_clock_now_ms() - operation->call_at_ms < OPERATION_POLL_MS) {
        operation_pause(operation, OPERATION_POLL_MS);
    } else {
        operation_call(operation);
    }
}

/** A call that ended OK. */
static void
operation_on_answer(struct amdi_operation *operation, amdrpc_client_call *call)
{
    const ProtobufCMessage *message = NULL;

    amdi_patience_reset(&operation->patience);
    if (operation->step == OPERATION_CANCEL) {
        operation->is_cancel_wanted = false; // the server knows
        operation_call(operation);
    } else if (amdrpc_client_call_recv(call, 0, &message) != AMDRPC_OK) {
        // The call's status tells what was wrong with it.
        operation_fail(operation, AMDRPC_STATUS_INTERNAL,
                "the server's answer cannot be read");
    } else {
        operation_take_answer(
                operation, (const Google__Longrunning__Operation *)message);
    }
}

/** A call that failed, for good or for now. */
static void
operation_on_failure(struct amdi_operation *operation,
        const amdrpc_client_call *call, amdrpc_status_code status)
{
    const char *message = amdrpc_client_call_get_status_message(call);
    uint64_t delay_ms;

    if (amdi_patience_may_go_on(
                &operation->patience, status, amdi_clock_now_ms(), &delay_ms)) {
        operation_pause(operation, delay_ms);
        return;
    }
    if (operation->step == OPERATION_CANCEL &&
            status != AMDRPC_STATUS_NOT_FOUND &&
            status != AMDRPC_STATUS_UNAVAILABLE) {
        // It cannot be cancelled; then it ends otherwise.
        operation->is_cancel_wanted = false;
        operation_call(operation);
        return;
    }
    if (status == AMDRPC_STATUS_DEADLINE_EXCEEDED) {
        // Ours for one call, and not the operation's.
        operation_fail(operation, AMDRPC_STATUS_UNAVAILABLE,
                "the server does not answer");
        return;
    }
    operation_fail(operation, status,
            amdi_arena_strndup(&operation->arena, message, strlen(message)));
}

static void
call_on_end(amdrpc_client_call *call, void *arg)
{
    struct amdi_operation *operation = arg;
    amdrpc_status_code status = amdrpc_client_call_get_status(call);

    if (status == AMDRPC_STATUS_OK) {
        operation_on_answer(operation, call);
    } else {
        operation_on_failure(operation, call, status);
    }
}

static const amdrpc_method_desc *
step_method(enum amdi_operation_step step)
{
    const amdrpc_method_desc *ours = amdrpc_v1_operations_service.methods;
    const amdrpc_method_desc *standard =
            google_longrunning_operations_service.methods;

    switch (step) {
    case OPERATION_SUBMIT:
        return &ours[AMDRPC_V1_OPERATIONS_SUBMIT];
    case OPERATION_CANCEL:
        return &standard[GOOGLE_LONGRUNNING_OPERATIONS_CANCEL_OPERATION];
    case OPERATION_WAIT:
        break;
    }
    return &standard[GOOGLE_LONGRUNNING_OPERATIONS_WAIT_OPERATION];
}

static amdrpc_err
operation_send(struct amdi_operation *operation, amdrpc_client_call *call)
{
    Google__Longrunning__WaitOperationRequest wait =
            GOOGLE__LONGRUNNING__WAIT_OPERATION_REQUEST__INIT;
    Google__Longrunning__CancelOperationRequest cancel =
            GOOGLE__LONGRUNNING__CANCEL_OPERATION_REQUEST__INIT;
    Google__Protobuf__Duration timeout = GOOGLE__PROTOBUF__DURATION__INIT;

    switch (operation->step) {
    case OPERATION_SUBMIT:
        return amdrpc_client_call_send_bytes(
                call, operation->submission, operation->submission_len);
    case OPERATION_CANCEL:
        cancel.name = (char *)(uintptr_t)operation->name;
        return amdrpc_client_call_send(call, &cancel.base);
    case OPERATION_WAIT:
        break;
    }
    timeout.seconds = OPERATION_WAIT_S;
    wait.name = (char *)(uintptr_t)operation->name;
    wait.timeout = &timeout;
    return amdrpc_client_call_send(call, &wait.base);
}

static amdrpc_err
operation_start_call(struct amdi_operation *operation)
{
    static const amdrpc_client_call_events events = {.on_end = call_on_end};
    const amdrpc_call_options options = {
            .metadata = &operation->metadata,
            .timeout_ms = OPERATION_ANSWER_MS +
                    (operation->step == OPERATION_WAIT ? OPERATION_WAIT_S * 1000
                                                       : 0),
    };
    amdrpc_err err = amdrpc_channel_start_call(operation->channel,
            step_method(operation->step), &options, &operation->call);

    if (err != AMDRPC_OK) {
        return err;
    }
    amdrpc_client_call_set_events(operation->call, &events, operation);
    err = operation_send(operation, operation->call);
    return err == AMDRPC_ECLOSED ? AMDRPC_OK : err; // its end is told
}

/** Makes the call that comes next. */
static void
operation_call(struct amdi_operation *operation)
{
    operation_set_state(operation, OPERATION_CALLING);
    if (operation->name == NULL) {
        operation->step = OPERATION_SUBMIT;
    } else {
        operation->step =
                operation->is_cancel_wanted ? OPERATION_CANCEL : OPERATION_WAIT;
    }
    operation->call_at_ms = amdi_clock_now_ms();
    amdrpc_err err = operation_start_call(operation);
    if (err != AMDRPC_OK) {
        operation_fail_with_err(operation, err);
    }
}

/* ---- what the loop is asked to do ---- */

static void
operation_start(struct amdi_operation *operation)
{
    struct amdrpc_channel *channel = operation->channel;

    amdi_channel_hold(channel);
    if (channel->state != CHANNEL_OPEN) {
        operation_fail(operation, AMDRPC_STATUS_CANCELLED, channel_closed);
        return;
    }
    amdi_list_push(&channel->operations, &operation->node);
    operation_call(operation);
}

static void
operation_cancel(struct amdi_operation *operation)
{
    operation->is_cancel_wanted = true;
    // A submission goes on: perhaps the server has it already.
    if (operation->state == OPERATION_CALLING &&
            operation->step == OPERATION_WAIT) {
        operation_call(operation);
    }
}

static void
operation_on_task(struct amdi_task *task)
{
    struct amdi_operation *operation =
            AMDI_CONTAINER_OF(task, struct amdi_operation, task);
    unsigned signals = atomic_exchange_explicit(
            &operation->signals, 0, memory_order_acq_rel);

    if ((signals & OPERATION_SIGNAL_START) != 0) {
        operation_start(operation);
    }
    if ((signals & OPERATION_SIGNAL_CANCEL) != 0) {
        operation_cancel(operation);
    }
    if ((signals & OPERATION_SIGNAL_RELEASE) != 0) {
        amdi_loop_at_turn_end(
                operation->channel->loop, AMDI_TURN_REAP, &operation->reap);
    }
}

void
amdi_operation_stop_all(struct amdrpc_channel *channel)
{
    while (!amdi_list_is_empty(&channel->operations)) {
        operation_fail(AMDI_CONTAINER_OF(channel->operations.next,
                               struct amdi_operation, node),
                AMDRPC_STATUS_CANCELLED, channel_closed);
    }
}
