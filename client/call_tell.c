/** What the user of a call is told: callbacks and its future. */
#include "client/channel.h"
#include "client/client_call.h"
#include "common/frame.h"
#include "common/future.h"

void
amdi_client_call_tell(struct amdrpc_client_call *call, unsigned tells)
{
    if (call->is_released) {
        return; // nobody is left to hear it
    }
    call->tells |= tells;
    if (!amdi_list_is_linked(&call->tell_node)) {
        amdi_channel_tell(call->channel, call);
    }
}

/** Takes a reference unless the last one is gone already. */
static bool
call_try_ref(struct amdrpc_client_call *call)
{
    unsigned nrefs = atomic_load_explicit(&call->nrefs, memory_order_relaxed);

    while (nrefs > 0) {
        if (atomic_compare_exchange_weak_explicit(&call->nrefs, &nrefs,
                    nrefs + 1, memory_order_acquire, memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

/* ---- the future ---- */

static void
future_on_cancel(void *arg)
{
    amdrpc_client_call_cancel(arg);
}

static void
future_on_release(void *arg)
{
    amdrpc_client_call_unref(arg);
}

/** Unpacks the response message of a call that ended OK. */
static amdrpc_err
call_unpack_response(struct amdrpc_client_call *call)
{
    struct amdi_message *message = NULL;
    size_t nconsume = 0;

    if (call->response != NULL ||
            amdrpc_method_has_response_stream(call->method) ||
            amdi_inbox_take(&call->inbox, 0, &message, &nconsume) !=
                    AMDRPC_OK) {
        return AMDRPC_OK; // there is none, or its reader has it
    }
    amdrpc_err err = amdi_client_call_inflate(call, &message);
    if (err == AMDRPC_OK) {
        call->response = amdi_client_call_unpack(call, message, &call->arena);
        err = call->response == NULL ? AMDRPC_EPROTO : AMDRPC_OK;
    }
    amdi_message_free(message);
    return err;
}

static void
call_complete_future_take(
        struct amdrpc_client_call *call, amdrpc_future *future)
{
    struct amdi_future_result result = {
            .status = call->status,
            .status_message = call->status_message,
            .destroy = future_on_release,
            .arg = amdrpc_client_call_ref(call), // holds what it points to
    };

    if (result.status == AMDRPC_STATUS_OK) {
        amdrpc_err err = call_unpack_response(call);

        if (err != AMDRPC_OK) {
            result.status = amdi_client_call_judge_unreadable(
                    err, &result.status_message);
        }
    }
    result.message = call->response;
    // Not its first end when it was cancelled without us: nothing is lost.
    (void)amdi_future_complete_take(future, &result);
    amdrpc_future_unref(future);
}

amdrpc_err
amdi_client_call_add_future(struct amdrpc_client_call *call)
{
    const struct amdi_future_work work = {
            .cancel = future_on_cancel,
            .release = future_on_release,
            .arg = call,
    };

    return amdi_future_create(&work, &call->future);
}

amdrpc_err
amdrpc_client_call_get_future(amdrpc_client_call *call, amdrpc_future **out)
{
    amdrpc_err err = AMDRPC_OK;

    (void)pthread_mutex_lock(&call->mtx);
    if (call->future == NULL) {
        err = amdi_client_call_add_future(call);
        if (err == AMDRPC_OK) {
            (void)amdrpc_client_call_ref(call); // the future's
        }
    }
    if (err == AMDRPC_OK) {
        *out = amdrpc_future_ref(call->future);
    }
    (void)pthread_mutex_unlock(&call->mtx);
    if (err == AMDRPC_OK) {
        // The call may have ended before: then it is complete in a moment.
        amdi_client_call_signal(call, CALL_SIGNAL_TELL_ALL);
    }
    return err;
}

/* ---- callbacks ---- */

void
amdrpc_client_call_set_events(amdrpc_client_call *call,
        const amdrpc_client_call_events *events, void *arg)
{
    (void)pthread_mutex_lock(&call->mtx);
    call->events = events == NULL ? (amdrpc_client_call_events){0} : *events;
    call->events_arg = arg;
    (void)pthread_mutex_unlock(&call->mtx);
    amdi_client_call_signal(call, CALL_SIGNAL_TELL_ALL);
}

/** What is told in one go; a copy, so that no lock is held meanwhile. */
struct call_telling {
    amdrpc_client_call_events events;
    void *arg;
    amdrpc_future *future; // to complete; owned
};

static void
call_read_telling(struct amdrpc_client_call *call, struct call_telling *out)
{
    (void)pthread_mutex_lock(&call->mtx);
    out->events = call->events;
    out->arg = call->events_arg;
    out->future = NULL;
    if (call->state >= CALL_ENDING) {
        out->future = call->future;
        call->future = NULL;
    }
    (void)pthread_mutex_unlock(&call->mtx);
}

static void
call_run_events(
        struct amdrpc_client_call *call, const struct call_telling *telling)
{
    unsigned tells = call->tells;
    const amdrpc_client_call_events *events = &telling->events;

    call->tells = 0;
    if ((tells & CALL_TELL_READABLE) != 0 && events->on_readable != NULL &&
            amdi_inbox_is_readable(&call->inbox)) {
        events->on_readable(call, telling->arg);
    }
    if ((tells & CALL_TELL_WRITABLE) != 0 && events->on_writable != NULL &&
            call->state < CALL_ENDING) {
        events->on_writable(call, telling->arg);
    }
    if (call->state >= CALL_ENDING && events->on_end != NULL &&
            !call->was_told_end) {
        call->was_told_end = true;
        events->on_end(call, telling->arg);
    }
}

void
amdi_client_call_run_tells(struct amdrpc_client_call *call)
{
    struct call_telling telling;

    if (!call_try_ref(call)) {
        return;
    }
    call_read_telling(call, &telling);
    call_run_events(call, &telling);
    if (telling.future != NULL) {
        call_complete_future_take(call, telling.future);
    }
    amdrpc_client_call_unref(call);
}
