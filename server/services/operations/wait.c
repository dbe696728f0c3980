/** google.longrunning.Operations: wait. */
#include "google/longrunning/operations.amdrpc-server.h"
#include "google/protobuf/duration.pb-c.h"
#include "server/services/operations/follow.h"
#include "server/services/operations/refuse.h"
#include "server/services/operations/services.h"
#include "server/services/operations/times.h"

struct wait {
    struct amdi_follow follow; // first
    uint32_t timeout_ms;       // UINT32_MAX: until the call's deadline
};

static struct wait *
wait_of(struct amdi_follow *follow)
{
    return AMDI_CONTAINER_OF(follow, struct wait, follow);
}

/** Answers with what the operation is now; done or not. */
static void
wait_reply(struct amdi_follow *follow, const struct amdi_op *op)
{
    amdi_follow_end(follow);
    amdi_op_reply(follow->services, follow->call, op);
}

static void
wait_on_timeout(amdrpc_call *call, void *arg)
{
    struct amdi_follow *follow = arg;

    (void)call;
    if (amdi_follow_enter(follow)) {
        amdi_follow_look(follow, wait_reply);
    }
}

static bool
wait_on_begin(struct amdi_follow *follow, const struct amdi_op *op)
{
    uint32_t timeout_ms = wait_of(follow)->timeout_ms;

    if (op->state == AMDI_OP_DONE || timeout_ms == 0) {
        wait_reply(follow, op);
        return false;
    }
    follow->after_seq = op->last_seq;
    if (timeout_ms != UINT32_MAX) {
        amdrpc_call_after(follow->call, timeout_ms, wait_on_timeout, follow);
    }
    return true;
}

/** Only the end is waited for. */
static amdrpc_err
wait_on_event(struct amdi_follow *follow, const struct amdi_event *event)
{
    (void)follow;
    (void)event;
    return AMDRPC_OK;
}

static bool
wait_on_end(struct amdi_follow *follow, const struct amdi_op *op)
{
    wait_reply(follow, op);
    return true;
}

/** To return early is allowed; the client looks at `done`. */
static void
wait_on_drain(struct amdi_follow *follow)
{
    amdi_follow_look(follow, wait_reply);
}

/** False: the call has been refused. */
static bool
wait_read_timeout(amdrpc_call *call,
        const Google__Longrunning__WaitOperationRequest *request,
        uint32_t *out_ms)
{
    int64_t us = 0;

    *out_ms = UINT32_MAX;
    if (request->timeout == NULL) {
        return true;
    }
    if (!amdi_op_duration_read(request->timeout, &us) || us < 0) {
        amdi_op_refuse_argument(call, "TIMEOUT_INVALID",
                "timeout: a duration of zero or more is expected");
        return false;
    }
    if (us / 1000 < UINT32_MAX) {
        *out_ms = (uint32_t)((us + 999) / 1000);
    }
    return true;
}

void
amdi_op_on_wait(amdrpc_call *call,
        const Google__Longrunning__WaitOperationRequest *request,
        void *user_data)
{
    static const struct amdi_follow_ops ops = {
            .on_begin = wait_on_begin,
            .on_event = wait_on_event,
            .on_end = wait_on_end,
            .on_drain = wait_on_drain,
    };
    struct wait *wait = amdrpc_call_alloc(call, sizeof(*wait));

    if (wait == NULL) {
        amdi_op_refuse_memory(call);
        return;
    }
    *wait = (struct wait){.follow.services = user_data,
            .follow.ops = &ops,
            .follow.call = call};
    if (amdi_op_name_read(call, request->name, &wait->follow.id) &&
            wait_read_timeout(call, request, &wait->timeout_ms)) {
        amdi_follow_start(&wait->follow);
    }
}
