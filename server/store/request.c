/** One question to a store: its memory, and its way home. */
#include "server/store/request.h"

#include "common/alloc.h"

#include <string.h>

static void request_deliver(struct amdi_task *task);

struct amdi_request *
amdi_request_create(
        struct amdi_loop *loop, enum amdi_request_kind kind, void *arg)
{
    struct amdi_request *request = amdi_zalloc(sizeof(*request));

    if (request == NULL) {
        return NULL;
    }
    request->task.run = request_deliver;
    request->loop = loop;
    request->kind = kind;
    request->nbytes = sizeof(*request);
    request->complete = amdi_request_post;
    request->arg = arg;
    amdi_list_init(&request->node);
    amdi_arena_init(&request->arena, 0);
    return request;
}

void
amdi_request_destroy(struct amdi_request *request)
{
    if (request != NULL) {
        amdi_arena_fini(&request->arena);
        amdi_free(request);
    }
}

bool
amdi_request_is_write(const struct amdi_request *request)
{
    switch (request->kind) {
    case AMDI_REQUEST_GET:
    case AMDI_REQUEST_LIST:
    case AMDI_REQUEST_EVENTS:
    case AMDI_REQUEST_BACKLOG:
        return false;
    case AMDI_REQUEST_SUBMIT:
    case AMDI_REQUEST_CANCEL:
    case AMDI_REQUEST_REMOVE:
    case AMDI_REQUEST_LEASE:
    case AMDI_REQUEST_BEAT:
    case AMDI_REQUEST_APPEND:
    case AMDI_REQUEST_FINISH:
    case AMDI_REQUEST_RETRY:
    case AMDI_REQUEST_RELEASE:
    case AMDI_REQUEST_SWEEP:
        break;
    }
    return true;
}

bool
amdi_request_is_emptying(const struct amdi_request *request)
{
    switch (request->kind) {
    case AMDI_REQUEST_BEAT:
    case AMDI_REQUEST_APPEND:
    case AMDI_REQUEST_FINISH:
    case AMDI_REQUEST_RETRY:
    case AMDI_REQUEST_RELEASE:
    case AMDI_REQUEST_SWEEP:
        return true;
    case AMDI_REQUEST_SUBMIT:
    case AMDI_REQUEST_GET:
    case AMDI_REQUEST_CANCEL:
    case AMDI_REQUEST_REMOVE:
    case AMDI_REQUEST_LIST:
    case AMDI_REQUEST_LEASE:
    case AMDI_REQUEST_EVENTS:
    case AMDI_REQUEST_BACKLOG:
        break;
    }
    return false;
}

bool
amdi_request_copy(struct amdi_request *request, struct amdi_bytes from,
        struct amdi_bytes *to)
{
    char *copy = amdi_arena_alloc(&request->arena, from.len + 1);

    if (copy == NULL) {
        return false;
    }
    if (from.len > 0) {
        memcpy(copy, from.data, from.len);
    }
    copy[from.len] = '\0';
    request->nbytes += from.len;
    *to = (struct amdi_bytes){copy, from.len};
    return true;
}

/* ---- the way home ---- */

void
amdi_request_post(struct amdi_request *request)
{
    amdi_loop_post(request->loop, &request->task);
}

void
amdi_request_fail(struct amdi_request *request, enum amdi_store_result result)
{
    memset(&request->out, 0, sizeof(request->out));
    request->result = result;
}

static void
request_deliver_op(const struct amdi_request *request)
{
    request->fn.op(request->arg, request->result, request->out.ops.ops);
}

static void
request_deliver_beat(const struct amdi_request *request)
{
    request->fn.beat(request->arg, request->result, request->out.beat.lost,
            request->out.beat.nlost, request->out.beat.cancelled,
            request->out.beat.ncancelled);
}

static void
request_deliver(struct amdi_task *task)
{
    struct amdi_request *request =
            AMDI_CONTAINER_OF(task, struct amdi_request, task);
    enum amdi_store_result result = request->result;
    void *arg = request->arg;

    switch (request->kind) {
    case AMDI_REQUEST_LIST:
        request->fn.list(arg, result, request->out.ops.ops,
                request->out.ops.nops, request->out.ops.next_token);
        break;
    case AMDI_REQUEST_LEASE:
        request->fn.lease(arg, result, request->out.ops.ops,
                request->out.ops.nops, request->out.ops.next_ready_at_us);
        break;
    case AMDI_REQUEST_BEAT:
        request_deliver_beat(request);
        break;
    case AMDI_REQUEST_SWEEP:
        request->fn.sweep(arg, result, request->out.nremoved);
        break;
    case AMDI_REQUEST_EVENTS:
        request->fn.events(arg, request);
        break;
    case AMDI_REQUEST_BACKLOG:
        request->fn.backlog(arg, result, request->out.backlog.queues,
                request->out.backlog.nqueues);
        break;
    case AMDI_REQUEST_SUBMIT:
    case AMDI_REQUEST_GET:
    case AMDI_REQUEST_CANCEL:
    case AMDI_REQUEST_REMOVE:
    case AMDI_REQUEST_APPEND:
    case AMDI_REQUEST_FINISH:
    case AMDI_REQUEST_RETRY:
    case AMDI_REQUEST_RELEASE:
        request_deliver_op(request);
        break;
    }
    amdi_request_destroy(request);
}
