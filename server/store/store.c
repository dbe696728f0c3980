/** The store's questions: arguments are checked and copied into requests. */
#include "server/store/store.h"

#include "common/clock.h"
#include "common/error.h"
#include "server/store/sqlite_store.h"
#include "server/store/store_internal.h"

#include <openssl/evp.h>

#include <string.h>

// A method's path, a principal, a request id, a queue, a node: what has an
// index must stay small.
#define MAX_NAME_BYTES 1024u
#define MAX_TOKEN_BYTES 256u
#define MAX_LEASE 1000u
#define MAX_BEAT 65536u
#define MAX_SWEEP 500u
#define DEFAULT_PAGE 100u

/* ---- life ---- */

const char *
amdi_store_result_text(enum amdi_store_result result)
{
    static const char *const texts[] = {
            [AMDI_STORE_OK] = "done",
            [AMDI_STORE_EXISTS] = "exists already",
            [AMDI_STORE_CONFLICT] =
                    "the request id was used with another request",
            [AMDI_STORE_NOTFOUND] = "no such operation",
            [AMDI_STORE_LOST] = "the lease was lost",
            [AMDI_STORE_DONE] = "the operation has ended",
            [AMDI_STORE_UNFINISHED] = "the operation has not ended",
            [AMDI_STORE_GONE] = "these events are not kept any more",
            [AMDI_STORE_INVALID] = "not a possible argument",
            [AMDI_STORE_BUSY] = "too many requests wait for the store",
            [AMDI_STORE_FULL] = "the store is full",
            [AMDI_STORE_NOMEM] = "no memory",
            [AMDI_STORE_UNKNOWN] = "the outcome is unknown",
            [AMDI_STORE_DOWN] = "the store cannot write",
            [AMDI_STORE_CORRUPT] = "the store's file is damaged",
    };

    return texts[result];
}

struct amdi_store_options
amdi_store_options_fill(const struct amdi_store_options *options)
{
    struct amdi_store_options filled = {0};

#define FILL(field, value)          \
    do {                            \
        if (filled.field == 0) {    \
            filled.field = (value); \
        }                           \
    } while (0)

    if (options != NULL) {
        filled = *options;
    }
    FILL(max_queued, 16384);
    FILL(max_queued_bytes, (size_t)64 << 20);
    FILL(max_blob_bytes, (size_t)4 << 20);
    FILL(max_events, 10000);
    FILL(max_event_bytes, (size_t)16 << 20);
    FILL(retain_us, INT64_C(24) * 3600 * 1000000);
    FILL(now_us, amdi_clock_wall_us);
#undef FILL
    return filled;
}

amdrpc_err
amdi_store_open(const char *uri, const struct amdi_store_options *options,
        struct amdi_store **out, struct amdi_error *error)
{
    static const char sqlite_scheme[] = "sqlite:";
    struct amdi_store_options filled = amdi_store_options_fill(options);
    const char *dir = uri + sizeof(sqlite_scheme) - 1;

    if (strcmp(uri, "memory:") == 0) {
        return amdi_sqlite_store_open(NULL, &filled, out, error);
    }
    if (strncmp(uri, sqlite_scheme, sizeof(sqlite_scheme) - 1) == 0 &&
            *dir != '\0') {
        return amdi_sqlite_store_open(dir, &filled, out, error);
    }
    return amdi_error_set(error, AMDRPC_EINVAL,
            "store \"%s\": neither \"memory:\" nor \"sqlite:DIRECTORY\"", uri);
}

void
amdi_store_close(struct amdi_store *store, struct amdi_loop *loop,
        void (*done)(void *arg), void *arg)
{
    if (store == NULL) {
        done(arg);
        return;
    }
    store->ops->close(store, loop, done, arg);
}

void
amdi_store_set_hints(struct amdi_store *store, struct amdi_loop *loop,
        void (*fn)(void *arg, unsigned hints), void *arg)
{
    amdi_hub_set_hints(store->hub, loop, fn, arg);
}

struct amdi_store_usage
amdi_store_get_usage(const struct amdi_store *store)
{
    return store->ops->get_usage(store);
}

/* ---- asking ---- */

/** Hands the request over, or frees it. */
static enum amdi_store_result
request_push(struct amdi_store *store, struct amdi_request *request)
{
    enum amdi_store_result result =
            store->ops->push(store, request, amdi_request_is_emptying(request));

    if (result != AMDI_STORE_OK) {
        amdi_request_destroy(request);
    }
    return result;
}

static enum amdi_store_result
request_give_up(struct amdi_request *request)
{
    amdi_request_destroy(request);
    return AMDI_STORE_NOMEM;
}

static bool
bytes_copy_text(
        struct amdi_request *request, const char *text, const char **out)
{
    struct amdi_bytes copy;

    if (!amdi_request_copy(
                request, (struct amdi_bytes){text, strlen(text)}, &copy)) {
        return false;
    }
    *out = copy.data;
    return true;
}

/** Whoever sends the same id again must mean the same call. */
static bool
submit_hash_body(struct amdi_submit_request *submit)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const struct amdi_new_op *new_op = &submit->new_op;
    bool is_done = ctx != NULL &&
            EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
            // With its NUL, so that nothing can move between the two.
            EVP_DigestUpdate(
                    ctx, new_op->method.data, new_op->method.len + 1) == 1 &&
            EVP_DigestUpdate(ctx, new_op->payload.data, new_op->payload.len) ==
                    1 &&
            EVP_DigestFinal_ex(ctx, submit->body_hash, NULL) == 1;

    EVP_MD_CTX_free(ctx);
    return is_done;
}

static bool
submit_fill(struct amdi_request *request, const struct amdi_new_op *from)
{
    struct amdi_new_op *to = &request->in.submit.new_op;

    *to = *from;
    if (!amdi_request_copy(request, from->principal, &to->principal) ||
            !amdi_request_copy(request, from->request_id, &to->request_id) ||
            !amdi_request_copy(request, from->method, &to->method) ||
            !amdi_request_copy(request, from->queue, &to->queue) ||
            !amdi_request_copy(request, from->payload, &to->payload) ||
            !amdi_request_copy(request, from->metadata, &to->metadata)) {
        return false;
    }
    if (from->node != NULL &&
            !bytes_copy_text(request, from->node, &to->node)) {
        return false;
    }
    return from->request_id.len == 0 || submit_hash_body(&request->in.submit);
}

static bool
submit_is_possible(
        const struct amdi_store *store, const struct amdi_new_op *new_op)
{
    return new_op->method.len > 0 && new_op->method.len <= MAX_NAME_BYTES &&
            new_op->principal.len <= MAX_NAME_BYTES &&
            new_op->request_id.len <= MAX_NAME_BYTES &&
            new_op->queue.len <= MAX_NAME_BYTES &&
            new_op->payload.len <= store->options.max_blob_bytes &&
            new_op->metadata.len <= store->options.max_blob_bytes &&
            new_op->ready_at_us >= 0 && new_op->deadline_at_us >= 0 &&
            new_op->retain_us >= 0 && new_op->lease_us >= 0;
}

enum amdi_store_result
amdi_store_submit(struct amdi_store *store, struct amdi_loop *loop,
        const struct amdi_new_op *new_op, amdi_op_fn fn, void *arg)
{
    struct amdi_request *request;

    if (!submit_is_possible(store, new_op)) {
        return AMDI_STORE_INVALID;
    }
    request = amdi_request_create(loop, AMDI_REQUEST_SUBMIT, arg);
    if (request == NULL || !submit_fill(request, new_op)) {
        return request_give_up(request);
    }
    request->fn.op = fn;
    return request_push(store, request);
}

static enum amdi_store_result
store_ask_by_id(struct amdi_store *store, struct amdi_loop *loop,
        enum amdi_request_kind kind, uint64_t id, amdi_op_fn fn, void *arg)
{
    struct amdi_request *request = amdi_request_create(loop, kind, arg);

    if (request == NULL) {
        return AMDI_STORE_NOMEM;
    }
    request->in.id = id;
    request->fn.op = fn;
    return request_push(store, request);
}

enum amdi_store_result
amdi_store_get(struct amdi_store *store, struct amdi_loop *loop, uint64_t id,
        amdi_op_fn fn, void *arg)
{
    return store_ask_by_id(store, loop, AMDI_REQUEST_GET, id, fn, arg);
}

enum amdi_store_result
amdi_store_cancel(struct amdi_store *store, struct amdi_loop *loop, uint64_t id,
        amdi_op_fn fn, void *arg)
{
    return store_ask_by_id(store, loop, AMDI_REQUEST_CANCEL, id, fn, arg);
}

enum amdi_store_result
amdi_store_remove(struct amdi_store *store, struct amdi_loop *loop, uint64_t id,
        amdi_op_fn fn, void *arg)
{
    return store_ask_by_id(store, loop, AMDI_REQUEST_REMOVE, id, fn, arg);
}

enum amdi_store_result
amdi_store_list(struct amdi_store *store, struct amdi_loop *loop,
        const struct amdi_store_filter *filter, unsigned page,
        struct amdi_bytes token, amdi_list_fn fn, void *arg)
{
    struct amdi_request *request;
    struct amdi_list_request *list;

    if (page > AMDI_STORE_MAX_PAGE || token.len > MAX_TOKEN_BYTES ||
            filter->principal.len > MAX_NAME_BYTES ||
            filter->method.len > MAX_NAME_BYTES) {
        return AMDI_STORE_INVALID;
    }
    request = amdi_request_create(loop, AMDI_REQUEST_LIST, arg);
    if (request == NULL) {
        return AMDI_STORE_NOMEM;
    }
    list = &request->in.list;
    list->filter = *filter;
    list->page = page == 0 ? DEFAULT_PAGE : page;
    request->fn.list = fn;
    if (!amdi_request_copy(
                request, filter->principal, &list->filter.principal) ||
            !amdi_request_copy(request, filter->method, &list->filter.method) ||
            !amdi_request_copy(request, token, &list->token)) {
        return request_give_up(request);
    }
    return request_push(store, request);
}

/* ---- executing ---- */

enum amdi_store_result
amdi_store_lease(struct amdi_store *store, struct amdi_loop *loop,
        const char *node, struct amdi_bytes queue, unsigned max,
        int64_t lease_us, amdi_lease_fn fn, void *arg)
{
    struct amdi_request *request;
    struct amdi_lease_request *lease;

    if (max == 0 || max > MAX_LEASE || queue.len > MAX_NAME_BYTES ||
            strlen(node) > MAX_NAME_BYTES || lease_us <= 0) {
        return AMDI_STORE_INVALID;
    }
    request = amdi_request_create(loop, AMDI_REQUEST_LEASE, arg);
    if (request == NULL) {
        return AMDI_STORE_NOMEM;
    }
    lease = &request->in.lease;
    lease->max = max;
    lease->lease_us = lease_us;
    request->fn.lease = fn;
    if (!bytes_copy_text(request, node, &lease->node) ||
            !amdi_request_copy(request, queue, &lease->queue)) {
        return request_give_up(request);
    }
    return request_push(store, request);
}

enum amdi_store_result
amdi_store_beat(struct amdi_store *store, struct amdi_loop *loop,
        const char *node, const struct amdi_fence *fences, size_t nfences,
        int64_t lease_us, amdi_beat_fn fn, void *arg)
{
    struct amdi_request *request;
    struct amdi_beat_request *beat;
    struct amdi_bytes copy;

    if (nfences > MAX_BEAT || strlen(node) > MAX_NAME_BYTES || lease_us <= 0) {
        return AMDI_STORE_INVALID;
    }
    request = amdi_request_create(loop, AMDI_REQUEST_BEAT, arg);
    if (request == NULL) {
        return AMDI_STORE_NOMEM;
    }
    beat = &request->in.beat;
    beat->nfences = nfences;
    beat->lease_us = lease_us;
    request->fn.beat = fn;
    if (!bytes_copy_text(request, node, &beat->node) ||
            !amdi_request_copy(request,
                    (struct amdi_bytes){fences, nfences * sizeof(*fences)},
                    &copy)) {
        return request_give_up(request);
    }
    beat->fences = (struct amdi_fence *)copy.data;
    return request_push(store, request);
}

static enum amdi_store_result
store_ask_fenced(struct amdi_store *store, struct amdi_loop *loop,
        enum amdi_request_kind kind, const struct amdi_fenced_request *in,
        amdi_op_fn fn, void *arg)
{
    struct amdi_request *request;

    if (in->data.len > store->options.max_blob_bytes ||
            in->status.len > store->options.max_blob_bytes ||
            in->ready_at_us < 0) {
        return AMDI_STORE_INVALID;
    }
    request = amdi_request_create(loop, kind, arg);
    if (request == NULL) {
        return AMDI_STORE_NOMEM;
    }
    request->in.fenced = *in;
    request->fn.op = fn;
    if (!amdi_request_copy(request, in->data, &request->in.fenced.data) ||
            !amdi_request_copy(
                    request, in->status, &request->in.fenced.status)) {
        return request_give_up(request);
    }
    return request_push(store, request);
}

enum amdi_store_result
amdi_store_append(struct amdi_store *store, struct amdi_loop *loop,
        struct amdi_fence fence, enum amdi_event_kind kind, uint64_t number,
        struct amdi_bytes data, amdi_op_fn fn, void *arg)
{
    if (kind != AMDI_EVENT_MESSAGE && kind != AMDI_EVENT_PROGRESS) {
        return AMDI_STORE_INVALID; // the others are the store's own
    }
    return store_ask_fenced(store, loop, AMDI_REQUEST_APPEND,
            &(struct amdi_fenced_request){.fence = fence,
                    .kind = kind,
                    .number = number,
                    .data = data},
            fn, arg);
}

enum amdi_store_result
amdi_store_finish(struct amdi_store *store, struct amdi_loop *loop,
        struct amdi_fence fence, int code, struct amdi_bytes result,
        struct amdi_bytes status, amdi_op_fn fn, void *arg)
{
    return store_ask_fenced(store, loop, AMDI_REQUEST_FINISH,
            &(struct amdi_fenced_request){.fence = fence,
                    .code = code,
                    .data = result,
                    .status = status},
            fn, arg);
}

enum amdi_store_result
amdi_store_retry(struct amdi_store *store, struct amdi_loop *loop,
        struct amdi_fence fence, int64_t ready_at_us, struct amdi_bytes why,
        amdi_op_fn fn, void *arg)
{
    return store_ask_fenced(store, loop, AMDI_REQUEST_RETRY,
            &(struct amdi_fenced_request){
                    .fence = fence, .ready_at_us = ready_at_us, .data = why},
            fn, arg);
}

enum amdi_store_result
amdi_store_release(struct amdi_store *store, struct amdi_loop *loop,
        struct amdi_fence fence, int64_t ready_at_us, amdi_op_fn fn, void *arg)
{
    return store_ask_fenced(store, loop, AMDI_REQUEST_RELEASE,
            &(struct amdi_fenced_request){
                    .fence = fence, .ready_at_us = ready_at_us},
            fn, arg);
}

enum amdi_store_result
amdi_store_sweep(struct amdi_store *store, struct amdi_loop *loop, unsigned max,
        amdi_sweep_fn fn, void *arg)
{
    struct amdi_request *request;

    if (max == 0 || max > MAX_SWEEP) {
        return AMDI_STORE_INVALID;
    }
    request = amdi_request_create(loop, AMDI_REQUEST_SWEEP, arg);
    if (request == NULL) {
        return AMDI_STORE_NOMEM;
    }
    request->in.sweep_max = max;
    request->fn.sweep = fn;
    return request_push(store, request);
}

enum amdi_store_result
amdi_store_get_backlog(struct amdi_store *store, struct amdi_loop *loop,
        amdi_backlog_fn fn, void *arg)
{
    struct amdi_request *request =
            amdi_request_create(loop, AMDI_REQUEST_BACKLOG, arg);

    if (request == NULL) {
        return AMDI_STORE_NOMEM;
    }
    request->fn.backlog = fn;
    return request_push(store, request);
}
