/** One execution of an operation: the sink of its call. */
#include "common/alloc.h"
#include "common/thread.h"
#include "server/operation/any.h"
#include "server/operation/executor.h"
#include "server/operation/lane.h"
#include "server/server.h"
#include "server/server_loop.h"

enum run_event {
    RUN_EV_STEP = AMDI_CALL_EV_SINK, // there is a new step
};

static struct amdi_executor *
run_executor(const struct amdi_run *run)
{
    return run->lane->executor;
}

/* ---- answers ---- */

/** Messages are bounded as in any other answer, and by what can be kept. */
static amdrpc_err
run_check_size(const struct amdi_run *run, const ProtobufCMessage *msg,
        size_t *out_any_size)
{
    const struct amdi_executor *executor = run_executor(run);
    size_t len = protobuf_c_message_get_packed_size(msg);

    *out_any_size = amdi_any_size(msg);
    return len > executor->server->options.max_send_message_bytes ||
                    *out_any_size > executor->max_blob_bytes
            ? AMDRPC_ELIMIT
            : AMDRPC_OK;
}

static amdrpc_err
unary_send(amdrpc_call *call, const ProtobufCMessage *msg)
{
    struct amdi_run *run = amdi_run_of(call);
    size_t len = 0;
    amdrpc_err err = run_check_size(run, msg, &len);
    uint8_t *data = NULL;

    if (run->reply.data != NULL) {
        return AMDRPC_ESTATE;
    }
    if (err != AMDRPC_OK) {
        return err;
    }
    data = amdi_arena_alloc(&call->arena, len);
    if (data == NULL) {
        return AMDRPC_ENOMEM;
    }
    amdi_any_pack(msg, data);
    run->reply = (struct amdi_bytes){data, len};
    return AMDRPC_OK;
}

/** A message on its way to the store. */
struct run_message {
    struct amdi_run *run;
    size_t len;
};

static void
run_on_message_kept(
        void *arg, enum amdi_store_result result, const struct amdi_op *op)
{
    struct run_message *message = arg;
    struct amdi_run *run = message->run;

    (void)op; // there is none
    atomic_fetch_sub(&run->nrequests, 1);
    if (amdi_run_flow_give(&run->flow, message->len)) {
        amdi_call_post(&run->call, AMDI_CALL_EV_WRITABLE);
    }
    amdi_free(message);
    amdi_run_on_message(run, result);
}

/**
 * Has the next message appended: if one before it cannot be kept, it must not
 * take its place.
 */
static enum amdi_store_result
run_append(struct amdi_run *run, struct amdi_bytes data,
        struct run_message *message)
{
    const struct amdi_executor *executor = run_executor(run);
    enum amdi_store_result result = AMDI_STORE_OK;

    (void)pthread_mutex_lock(&run->push_mtx);
    result = amdi_store_append(executor->store, executor->sl->loop, run->fence,
            AMDI_EVENT_MESSAGE, run->ndelivered + run->npushed + 1, data,
            run_on_message_kept, message);
    run->npushed += result == AMDI_STORE_OK;
    (void)pthread_mutex_unlock(&run->push_mtx);
    return result;
}

/** Gives a message to the store, from whatever thread. */
static amdrpc_err
run_push(struct amdi_run *run, const uint8_t *data, size_t len)
{
    struct run_message *message = amdi_alloc(sizeof(*message));

    if (message == NULL) {
        return AMDRPC_ENOMEM;
    }
    *message = (struct run_message){.run = run, .len = len};
    // Counted first: the answer may come before this returns.
    atomic_fetch_add(&run->nrequests, 1);
    if (run_append(run, (struct amdi_bytes){data, len}, message) ==
            AMDI_STORE_OK) {
        return AMDRPC_OK;
    }
    atomic_fetch_sub(&run->nrequests, 1);
    amdi_free(message);
    return AMDRPC_ENOMEM; // the one reason while we hold a lease
}

static amdrpc_err
run_pack_and_push(struct amdi_run *run, const ProtobufCMessage *msg, size_t len)
{
    uint8_t *data = amdi_alloc(len);
    amdrpc_err err = AMDRPC_ENOMEM;

    if (data != NULL) {
        amdi_any_pack(msg, data);
        err = run_push(run, data, len);
        amdi_free(data);
    }
    return err;
}

static amdrpc_err
stream_send(amdrpc_call *call, const ProtobufCMessage *msg)
{
    struct amdi_run *run = amdi_run_of(call);
    size_t len = 0;
    amdrpc_err err = run_check_size(run, msg, &len);

    if (err == AMDRPC_OK) {
        err = amdi_run_flow_take(
                &run->flow, len, /*may_block=*/!amdi_thread_is_loop());
    }
    if (err != AMDRPC_OK) {
        return err;
    }
    err = run_pack_and_push(run, msg, len);
    if (err != AMDRPC_OK) {
        (void)amdi_run_flow_give(&run->flow, len);
    }
    return err;
}

static void
sink_finish(amdrpc_call *call)
{
    amdi_call_notify(call, AMDI_CALL_EV_FINISH);
}

static bool
sink_progress(
        amdrpc_call *call, uint64_t done, uint64_t total, const char *note)
{
    struct amdi_run *run = amdi_run_of(call);

    if (amdi_run_progress_set(&run->progress, done, total, note)) {
        amdi_call_notify(call, RUN_EV_STEP);
    }
    return true;
}

/** Methods with a request stream are not executed as operations. */
static amdrpc_err
sink_recv(amdrpc_call *call, struct amdi_message **out)
{
    (void)call;
    (void)out;
    return AMDRPC_ESTATE;
}

/* ---- facts ---- */

/** Nobody waits for initial metadata: it is not kept. */
static void
sink_send_initial(amdrpc_call *call)
{
    (void)call;
}

static bool
sink_has_sent_initial(const amdrpc_call *call)
{
    (void)call;
    return false;
}

static const char *
sink_get_peer(const amdrpc_call *call)
{
    return amdi_run_of(call)->peer;
}

static void
sink_get_attempt(const amdrpc_call *call, struct amdi_call_attempt *out)
{
    const struct amdi_run *run = amdi_run_of(call);

    *out = (struct amdi_call_attempt){.operation = run->name,
            .number = run->fence.attempt,
            .ndelivered = run->ndelivered};
}

static struct amdi_loop *
sink_get_loop(const amdrpc_call *call)
{
    return run_executor(amdi_run_of(call))->sl->loop;
}

/* ---- the loop's side ---- */

static void
sink_handle(amdrpc_call *call, unsigned events)
{
    if ((events & RUN_EV_STEP) != 0) {
        amdi_run_on_step(amdi_run_of(call));
    }
}

static void
sink_on_finish(amdrpc_call *call)
{
    amdi_run_on_finish(amdi_run_of(call));
}

static bool
sink_is_out(const amdrpc_call *call)
{
    return amdi_run_of(call)->work == AMDI_RUN_OUT;
}

static bool
sink_is_readable(const amdrpc_call *call)
{
    (void)call;
    return false;
}

static struct amdi_timer *
sink_get_timer(amdrpc_call *call)
{
    return &amdi_run_of(call)->after;
}

static void
sink_on_timer(struct amdi_timer *timer)
{
    struct amdi_run *run = AMDI_CONTAINER_OF(timer, struct amdi_run, after);

    amdi_call_run_after(&run->call);
}

static void
sink_settle(amdrpc_call *call)
{
    amdi_run_check_end(amdi_run_of(call));
}

static const struct amdi_call_owner_ops run_owner = {
        .get_loop = sink_get_loop,
        .handle = sink_handle,
        .on_finish = sink_on_finish,
        .is_out = sink_is_out,
        .is_readable = sink_is_readable,
        .get_timer = sink_get_timer,
        .on_timer = sink_on_timer,
        .settle = sink_settle,
};

const struct amdi_sink_ops amdi_run_unary_sink = {
        .send = unary_send,
        .finish = sink_finish,
        .progress = sink_progress,
        .recv = sink_recv,
        .send_initial = sink_send_initial,
        .has_sent_initial = sink_has_sent_initial,
        .get_peer = sink_get_peer,
        .get_attempt = sink_get_attempt,
        .owner = &run_owner,
};

const struct amdi_sink_ops amdi_run_stream_sink = {
        .send = stream_send,
        .finish = sink_finish,
        .progress = sink_progress,
        .recv = sink_recv,
        .send_initial = sink_send_initial,
        .has_sent_initial = sink_has_sent_initial,
        .get_peer = sink_get_peer,
        .get_attempt = sink_get_attempt,
        .owner = &run_owner,
};
