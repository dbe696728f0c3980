/**
 * Further attempts of one call.
 *
 * A failed attempt that another may make good does not end the call: it is
 * FAILING until its stream is gone, then in BACKOFF until its time has come,
 * and is placed like a new one. Its request is in the outbox still, from which
 * nothing is released before an answer has begun.
 */
#include "client/channel.h"
#include "client/client_call.h"
#include "client/client_conn.h"
#include "common/clock.h"

#define NS_PER_MS UINT64_C(1000000)

static const char pushback_field[] = "grpc-retry-pushback-ms";

amdrpc_err
amdi_client_call_add_retry(
        struct amdrpc_client_call *call, const amdrpc_retry_options *options)
{
    if (!amdi_retry_is_valid(options)) {
        return AMDRPC_EINVAL;
    }
    if (!amdi_retry_is_on(options)) {
        return AMDRPC_OK;
    }
    call->retry = amdi_arena_alloc(&call->arena, sizeof(*call->retry));
    if (call->retry == NULL) {
        return AMDRPC_ENOMEM;
    }
    *call->retry = (struct amdi_call_retry){.call = call};
    amdi_retry_init(&call->retry->decision, options);
    return AMDRPC_OK;
}

/* ---- the decision ---- */

static bool
call_has_time(const struct amdrpc_client_call *call, uint64_t wait_ms)
{
    return call->deadline_at_ns == 0 ||
            amdi_clock_now_ns() + wait_ms * NS_PER_MS < call->deadline_at_ns;
}

static bool
call_may_repeat(const struct amdrpc_client_call *call)
{
    return !call->was_released && !call->is_released &&
            call->channel->state == CHANNEL_OPEN;
}

/** Asks the policy; true: retry->wait_ms is set. */
static bool
retry_decide(struct amdi_call_retry *retry, amdrpc_status_code code)
{
    struct amdrpc_client_call *call = retry->call;
    struct amdi_retry_throttle *throttle = &call->channel->throttle;
    const amdrpc_metadata_field *pushback =
            amdrpc_metadata_get(&call->trailing, pushback_field);

    if (code == AMDRPC_STATUS_OK) {
        amdi_retry_on_success(throttle);
        return false;
    }
    return amdi_retry_on_failure(&retry->decision, throttle, code,
                   pushback == NULL ? NULL : pushback->value,
                   amdi_backoff_random(), &retry->wait_ms) &&
            call_may_repeat(call) && call_has_time(call, retry->wait_ms);
}

bool
amdi_client_call_fail_attempt(
        struct amdrpc_client_call *call, amdrpc_status_code code)
{
    if (call->retry == NULL ||
            (call->state != CALL_OPEN && call->state != CALL_WAITING) ||
            !retry_decide(call->retry, code)) {
        return false;
    }
    if (call->state == CALL_OPEN) {
        amdi_client_call_set_state(call, CALL_FAILING);
    } else {
        amdi_client_call_back_off(call);
    }
    return true;
}

void
amdi_client_call_end_attempt(struct amdrpc_client_call *call,
        amdrpc_status_code code, const char *message, amdrpc_err end)
{
    if (!amdi_client_call_fail_attempt(call, code)) {
        amdi_client_call_end(call, code, message, end);
    }
}

void
amdi_client_call_abort_attempt(struct amdrpc_client_call *call,
        amdrpc_status_code code, const char *message)
{
    struct amdi_client_conn *conn = call->conn;

    if (!amdi_client_call_fail_attempt(call, code)) {
        amdi_client_call_abort(call, code, message);
    } else if (conn != NULL) {
        amdi_h2_reset(conn->h2, call->stream_id, AMDI_H2_CANCEL);
        amdi_client_conn_flush_later(conn);
    }
}

/* ---- the next attempt ---- */

/** As if nothing of the call had been sent, nor anything come. */
static void
call_rewind(struct amdrpc_client_call *call)
{
    amdi_outbox_rewind(&call->outbox);
    amdi_list_remove(&call->write_node);
    call->is_request_sent = false;
    call->stream_id = 0;
    call->has_headers = false;
    call->is_grpc = false;
    call->http_status = 0;
    call->wire_status = -1;
    call->wire_message = NULL;
    call->nfields = 0;
    call->nfield_bytes = 0;
    call->inbox.reader.refuses_compressed = true;
    amdi_metadata_init(&call->initial, &call->arena);
    amdi_metadata_init(&call->trailing, &call->arena);
}

void
amdi_client_call_begin_again(struct amdrpc_client_call *call)
{
    struct amdi_client_conn *conn = call->conn;

    call_rewind(call);
    call->is_retried = true;
    amdi_channel_place_again(call->channel, call);
    amdi_client_conn_forget(conn, call);
}

static void
retry_on_time(struct amdi_timer *timer)
{
    struct amdi_call_retry *retry =
            AMDI_CONTAINER_OF(timer, struct amdi_call_retry, timer);

    amdi_channel_place(retry->call->channel, retry->call);
}

void
amdi_client_call_back_off(struct amdrpc_client_call *call)
{
    struct amdi_client_conn *conn = call->conn;
    struct amdi_call_retry *retry = call->retry;
    struct amdrpc_channel *channel = call->channel;

    call_rewind(call);
    call->request.nattempts = retry->decision.nattempts;
    amdi_client_call_set_state(call, CALL_BACKOFF);
    amdi_list_push(&channel->retrying, &call->queue_node);
    amdi_timer_start(channel->loop, &retry->timer,
            amdi_loop_now_ms(channel->loop) + retry->wait_ms, retry_on_time);
    if (conn != NULL) {
        amdi_client_conn_forget(conn, call);
    }
    if (channel->state != CHANNEL_OPEN) {
        amdi_channel_end_waiting(channel); // it closed since the decision
    }
}
