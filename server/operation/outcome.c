/** What an execution has written down. */
#include "server/operation/outcome.h"

#include "amdrpc/v1/operations.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "server/details.h"
#include "server/operation/any.h"
#include "server/operation/lane.h"
#include "server/server_loop.h"
#include "server/service.h"

#include <stdio.h>

static const struct amdi_bytes nothing;

static struct amdi_executor *
run_executor(const struct amdi_run *run)
{
    return run->lane->executor;
}

/** Packs into the arena; no data without memory. */
static struct amdi_bytes
bytes_pack(const ProtobufCMessage *msg, struct amdi_arena *arena)
{
    size_t len = protobuf_c_message_get_packed_size(msg);
    uint8_t *data = amdi_arena_alloc(arena, len + 1); // of an empty one too

    if (data != NULL) {
        (void)protobuf_c_message_pack(msg, data); // as long as measured
    }
    return (struct amdi_bytes){data, len};
}

/* ---- the end ---- */

/** The google.rpc.Status that the handler left among its trailers. */
static const amdrpc_metadata_field *
run_details(const struct amdi_run *run)
{
    return run->verdict.is_handlers && run->call.trailing != NULL
            ? amdrpc_metadata_get(run->call.trailing, AMDI_DETAILS_FIELD)
            : NULL;
}

static struct amdi_bytes
run_status(const struct amdi_run *run, struct amdi_arena *arena)
{
    const amdrpc_metadata_field *details = run_details(run);
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;

    if (details != NULL) {
        return (struct amdi_bytes){details->value, details->value_len};
    }
    status.code = (int32_t)run->verdict.code;
    if (run->verdict.message != NULL) {
        status.message = (char *)run->verdict.message;
    }
    return bytes_pack(&status.base, arena);
}

/** What a method with a response stream has as its result. */
static struct amdi_bytes
run_stream_end(struct amdi_run *run, struct amdi_arena *arena)
{
    Amdrpc__V1__StreamEnd end = AMDRPC__V1__STREAM_END__INIT;
    size_t len = 0;
    uint8_t *data = NULL;

    end.messages = run->ndelivered + run->npushed;
    len = amdi_any_size(&end.base);
    data = amdi_arena_alloc(arena, len);
    if (data != NULL) {
        amdi_any_pack(&end.base, data);
    }
    return (struct amdi_bytes){data, len};
}

static enum amdi_store_result
run_write_success(struct amdi_run *run, struct amdi_arena *arena, amdi_op_fn fn)
{
    struct amdi_executor *executor = run_executor(run);
    bool is_stream = amdrpc_method_has_response_stream(run->call.method->desc);
    struct amdi_bytes result =
            is_stream ? run_stream_end(run, arena) : run->reply;

    if (is_stream && result.data == NULL) {
        return AMDI_STORE_NOMEM;
    }
    return amdi_store_finish(executor->store, executor->sl->loop, run->fence,
            AMDRPC_STATUS_OK, result, nothing, fn, run);
}

static enum amdi_store_result
run_write_failure(struct amdi_run *run, struct amdi_arena *arena, amdi_op_fn fn)
{
    struct amdi_executor *executor = run_executor(run);
    struct amdi_bytes status = run_status(run, arena);

    if (status.data == NULL) {
        return AMDI_STORE_NOMEM;
    }
    return amdi_store_finish(executor->store, executor->sl->loop, run->fence,
            (int)run->verdict.code, nothing, status, fn, run);
}

static enum amdi_store_result
run_write_retry(struct amdi_run *run, amdi_op_fn fn)
{
    struct amdi_executor *executor = run_executor(run);
    const struct amdi_run_verdict *verdict = &run->verdict;
    char why[1200]; // a message has at most 1 KiB
    int len = snprintf(why, sizeof(why), "%s%s%s",
            amdrpc_status_name(verdict->code),
            verdict->message == NULL ? "" : ": ",
            verdict->message == NULL ? "" : verdict->message);

    return amdi_store_retry(executor->store, executor->sl->loop, run->fence,
            verdict->ready_at_us, (struct amdi_bytes){why, (size_t)len}, fn,
            run);
}

enum amdi_store_result
amdi_outcome_write(struct amdi_run *run, amdi_op_fn fn)
{
    struct amdi_executor *executor = run_executor(run);
    enum amdi_store_result result = AMDI_STORE_INVALID;

    switch (run->verdict.kind) {
    case AMDI_VERDICT_FINISH:
        result = run->verdict.code == AMDRPC_STATUS_OK
                ? run_write_success(run, &executor->scratch, fn)
                : run_write_failure(run, &executor->scratch, fn);
        amdi_arena_reset(&executor->scratch);
        break;
    case AMDI_VERDICT_RETRY:
        result = run_write_retry(run, fn);
        break;
    case AMDI_VERDICT_RELEASE:
        result = amdi_store_release(executor->store, executor->sl->loop,
                run->fence, run->verdict.ready_at_us, fn, run);
        break;
    }
    return result;
}

/* ---- steps ---- */

enum amdi_store_result
amdi_outcome_write_step(
        struct amdi_run *run, const struct amdi_step *step, amdi_op_fn fn)
{
    struct amdi_executor *executor = run_executor(run);
    Amdrpc__V1__Progress progress = AMDRPC__V1__PROGRESS__INIT;
    enum amdi_store_result result = AMDI_STORE_NOMEM;
    struct amdi_bytes packed;

    progress.done = step->done;
    progress.total = step->total;
    progress.note = (char *)step->note;
    packed = bytes_pack(&progress.base, &executor->scratch);
    if (packed.data != NULL) {
        result = amdi_store_append(executor->store, executor->sl->loop,
                run->fence, AMDI_EVENT_PROGRESS, /*number=*/0, packed, fn, run);
    }
    amdi_arena_reset(&executor->scratch);
    return result;
}

/* ---- counting ---- */

void
amdi_outcome_count(
        struct amdi_op_stats *stats, const struct amdi_run_verdict *verdict)
{
    unsigned code = (unsigned)verdict->code;

    switch (verdict->kind) {
    case AMDI_VERDICT_FINISH:
        if (code >= AMDI_STATS_NCODES) {
            code = AMDRPC_STATUS_UNKNOWN;
        }
        amdi_stats_add(&stats->nended[code], 1);
        break;
    case AMDI_VERDICT_RETRY:
        amdi_stats_add(&stats->nretried, 1);
        break;
    case AMDI_VERDICT_RELEASE:
        amdi_stats_add(&stats->nreleased, 1);
        break;
    }
}
