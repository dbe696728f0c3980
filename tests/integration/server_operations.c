/** What the tests of operations have in common. */
#include "tests/integration/server_operations.h"

#include "amdrpc/v1/operations.pb-c.h"
#include "common/alloc.h"
#include "common/loop.h"
#include "google/protobuf/any.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "server/server.h"
#include "server/server_loop.h"
#include "tests/integration/server_operations_calls.h"
#include "tests/support/tree.h"

#include <check.h>

#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#define MAX_REQUEST_BYTES 65536

static struct {
    amdrpc_server *server;
    struct test_tree tree;
    uint8_t request[MAX_REQUEST_BYTES];
} ops;

/* ---- life ---- */

void
ops_setup(void)
{
    ops_calls_reset();
    test_tree_init(&ops.tree);
}

void
ops_teardown(void)
{
    ops_let_go();
    amdrpc_server_destroy(ops.server);
    ops.server = NULL;
    test_tree_fini(&ops.tree);
}

amdrpc_operations_options
ops_options(void)
{
    return (amdrpc_operations_options){
            .lease_ms = 1500, .backoff_ms = 10, .max_backoff_ms = 40};
}

static void
ops_create_server(const amdrpc_server_options *options)
{
    static const amdrpc_server_options small = {
            .loops = 2, .workers = 2, .max_workers = 2};

    ck_assert_int_eq(amdrpc_server_create(
                             options == NULL ? &small : options, &ops.server),
            AMDRPC_OK);
    ck_assert_int_eq(ops_calls_register(ops.server), AMDRPC_OK);
}

void
ops_start_over(
        struct amdi_store *store, const amdrpc_operations_options *options)
{
    ops_create_server(NULL);
    ck_assert_int_eq(
            amdi_operations_add_take(ops.server, options, store), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_server_start(ops.server), AMDRPC_OK);
}

void
ops_start_with(int store, const amdrpc_operations_options *options,
        const amdrpc_server_options *server_options,
        const amdrpc_policy *policy)
{
    amdrpc_operations_options complete = *options;
    char uri[96];
    char why[256] = "";

    (void)snprintf(uri, sizeof(uri), "sqlite:%s", ops.tree.path);
    complete.store = store == 0 ? "memory:" : uri;
    ops_create_server(server_options);
    if (policy != NULL) {
        ck_assert_int_eq(amdrpc_server_set_policy(ops.server,
                                 "/amdrpc.testCalls.v1.Calls/", policy),
                AMDRPC_OK);
    }
    ck_assert_msg(amdrpc_operations_add(
                          ops.server, &complete, why, sizeof(why)) == AMDRPC_OK,
            "%s", why);
    ck_assert_int_eq(amdrpc_server_start(ops.server), AMDRPC_OK);
}

void
ops_start(int store)
{
    amdrpc_operations_options options = ops_options();

    ops_start_with(store, &options, NULL, NULL);
}

void
ops_stop_running(void)
{
    ck_assert_int_eq(amdrpc_server_stop(ops.server), AMDRPC_OK);
}

void
ops_stop(void)
{
    ops_stop_running();
    amdrpc_server_destroy(ops.server);
    ops.server = NULL;
}

amdrpc_server *
ops_server(void)
{
    return ops.server;
}

/* ---- on a loop ---- */

/** What is done there, and its answer. */
struct visit {
    struct amdi_task task;
    void (*fn)(void *arg);
    void *arg;
    sem_t is_done;
};

static void
visit_run(struct amdi_task *task)
{
    struct visit *visit = AMDI_CONTAINER_OF(task, struct visit, task);

    visit->fn(visit->arg);
    sem_post(&visit->is_done);
}

static void
visit_loop(struct amdi_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct visit visit = {.task = {.run = visit_run}, .fn = fn, .arg = arg};

    (void)sem_init(&visit.is_done, 0, 0);
    amdi_loop_post(loop, &visit.task);
    (void)sem_wait(&visit.is_done);
    (void)sem_destroy(&visit.is_done);
}

void
ops_on_loop(void (*fn)(void *arg), void *arg)
{
    visit_loop(ops.server->loops[0].loop, fn, arg);
}

/* ---- questions ---- */

/** A question to the store, asked on a loop. */
struct question {
    const struct amdi_submission *submission;
    uint64_t id;
    struct amdi_loop *loop;
    enum amdi_store_result result;
    struct ops_state *out; // may be NULL
    struct ops_event *events;
    size_t nevents;
    sem_t is_answered;
};

static struct amdi_store *
store(void)
{
    return amdi_operations_store(amdi_operations_of(ops.server));
}

/** The text in a result: a Response's, or how many a StreamEnd tells. */
static void
read_result(struct amdi_bytes bytes, char *out, size_t size)
{
    Google__Protobuf__Any *any =
            google__protobuf__any__unpack(NULL, bytes.len, bytes.data);

    ck_assert_ptr_nonnull(any);
    if (strcmp(any->type_url, "type.googleapis.com/amdrpc.v1.StreamEnd") == 0) {
        Amdrpc__V1__StreamEnd *end = amdrpc__v1__stream_end__unpack(
                NULL, any->value.len, any->value.data);

        (void)snprintf(out, size, "%lu", (unsigned long)end->messages);
        amdrpc__v1__stream_end__free_unpacked(end, NULL);
    } else {
        ops_response *response = NULL;

        ck_assert_str_eq(any->type_url,
                "type.googleapis.com/amdrpc.testCalls.v1.Response");
        response = amdrpc__test_calls__v1__response__unpack(
                NULL, any->value.len, any->value.data);
        (void)snprintf(out, size, "%s", response->text);
        amdrpc__test_calls__v1__response__free_unpacked(response, NULL);
    }
    google__protobuf__any__free_unpacked(any, NULL);
}

static void
read_status(struct amdi_bytes bytes, struct ops_state *out)
{
    Google__Rpc__Status *status =
            google__rpc__status__unpack(NULL, bytes.len, bytes.data);

    ck_assert_ptr_nonnull(status);
    ck_assert_int_eq(status->code, out->op.code);
    (void)snprintf(out->status, sizeof(out->status), "%s", status->message);
    out->ndetails = (uint32_t)status->n_details;
    google__rpc__status__free_unpacked(status, NULL);
}

static void
read_state(const struct amdi_op *op, struct ops_state *out)
{
    *out = (struct ops_state){.op = *op};
    if (op->result.len > 0) {
        read_result(op->result, out->result, sizeof(out->result));
    }
    if (op->status.len > 0) {
        read_status(op->status, out);
    }
}

static void
question_on_op(
        void *arg, enum amdi_store_result result, const struct amdi_op *op)
{
    struct question *question = arg;

    question->result = result;
    if (op != NULL) {
        question->id = op->id;
        if (question->out != NULL) {
            read_state(op, question->out);
        }
    }
    sem_post(&question->is_answered);
}

static void
question_end(struct question *question, enum amdi_store_result asked)
{
    if (asked != AMDI_STORE_OK) {
        question->result = asked;
        sem_post(&question->is_answered);
    }
}

static void
ask_submit(void *arg)
{
    struct question *question = arg;

    question_end(question,
            amdi_operations_submit(amdi_operations_of(ops.server),
                    question->loop, question->submission, question_on_op,
                    question));
}

static void
ask_get(void *arg)
{
    struct question *question = arg;

    question_end(question,
            amdi_store_get(store(), question->loop, question->id,
                    question_on_op, question));
}

static void
ask_cancel(void *arg)
{
    struct question *question = arg;

    question_end(question,
            amdi_store_cancel(store(), question->loop, question->id,
                    question_on_op, question));
}

static enum amdi_store_result
ask(void (*fn)(void *arg), struct question *question)
{
    uint32_t last = ops.server->options.loops - 1;

    question->loop = ops.server->loops[last].loop;
    (void)sem_init(&question->is_answered, 0, 0);
    visit_loop(question->loop, fn, question);
    (void)sem_wait(&question->is_answered);
    (void)sem_destroy(&question->is_answered);
    return question->result;
}

struct amdi_submission
ops_submission(const char *path, const ops_request *request)
{
    size_t len = amdrpc__test_calls__v1__request__get_packed_size(request);

    ck_assert_uint_le(len, sizeof(ops.request));
    amdrpc__test_calls__v1__request__pack(request, ops.request);
    return (struct amdi_submission){
            .method = amdi_service_table_find(
                    &ops.server->services, path, strlen(path)),
            .request = {ops.request, len},
            .identity = "tester",
            .peer = "192.0.2.1:1000",
            .priority = AMDI_OP_NORMAL};
}

enum amdi_store_result
ops_submit(const struct amdi_submission *submission, uint64_t *out_id)
{
    struct question question = {.submission = submission};
    enum amdi_store_result result = ask(ask_submit, &question);

    if (out_id != NULL) {
        *out_id = question.id;
    }
    return result;
}

uint64_t
ops_add(const char *path, const ops_request *request)
{
    struct amdi_submission submission = ops_submission(path, request);
    uint64_t id = 0;

    ck_assert_int_eq(ops_submit(&submission, &id), AMDI_STORE_OK);
    return id;
}

void
ops_get(uint64_t id, struct ops_state *out)
{
    struct question question = {.id = id, .out = out};

    ck_assert_int_eq(ask(ask_get, &question), AMDI_STORE_OK);
}

enum amdi_store_result
ops_cancel(uint64_t id)
{
    struct question question = {.id = id};

    return ask(ask_cancel, &question);
}

static void
ask_finish(void *arg)
{
    struct question *question = arg;

    question_end(question,
            amdi_store_finish(store(), question->loop,
                    (struct amdi_fence){question->id, 1},
                    AMDRPC_STATUS_DATA_LOSS, (struct amdi_bytes){NULL, 0},
                    (struct amdi_bytes){NULL, 0}, question_on_op, question));
}

void
ops_steal(uint64_t id)
{
    struct question question = {.id = id};

    ck_assert_int_eq(ask(ask_finish, &question), AMDI_STORE_OK);
}

/* ---- events ---- */

static void
read_message(struct amdi_bytes bytes, struct ops_event *out)
{
    Google__Protobuf__Any *any =
            google__protobuf__any__unpack(NULL, bytes.len, bytes.data);
    ops_response *response = amdrpc__test_calls__v1__response__unpack(
            NULL, any->value.len, any->value.data);

    out->number = response->count;
    amdrpc__test_calls__v1__response__free_unpacked(response, NULL);
    google__protobuf__any__free_unpacked(any, NULL);
}

static void
read_progress(struct amdi_bytes bytes, struct ops_event *out)
{
    Amdrpc__V1__Progress *progress =
            amdrpc__v1__progress__unpack(NULL, bytes.len, bytes.data);

    out->number = progress->done;
    (void)snprintf(out->text, sizeof(out->text), "%s", progress->note);
    amdrpc__v1__progress__free_unpacked(progress, NULL);
}

static void
read_event(const struct amdi_event *event, struct ops_event *out)
{
    *out = (struct ops_event){.kind = event->kind, .attempt = event->attempt};
    switch (event->kind) {
    case AMDI_EVENT_MESSAGE:
        read_message(event->data, out);
        break;
    case AMDI_EVENT_PROGRESS:
        read_progress(event->data, out);
        break;
    case AMDI_EVENT_RETRY:
        (void)snprintf(out->text, sizeof(out->text), "%.*s",
                (int)event->data.len, (const char *)event->data.data);
        break;
    case AMDI_EVENT_END:
        break;
    }
}

static void
question_on_events(void *arg, enum amdi_store_result result,
        const struct amdi_event *events, size_t nevents)
{
    struct question *question = arg;

    for (size_t i = 0; i < nevents; i++) {
        if (question->events != NULL && question->nevents < OPS_MAX_EVENTS) {
            read_event(&events[i], &question->events[question->nevents++]);
        }
    }
    if (result != AMDI_STORE_OK) {
        question->result = result;
        sem_post(&question->is_answered);
    }
}

static void
ask_watch(void *arg)
{
    struct question *question = arg;
    struct amdi_store_watch *watch = NULL;

    question_end(question,
            amdi_store_watch(store(), question->loop, question->id, 0,
                    question_on_events, question, &watch));
}

size_t
ops_read_events(uint64_t id, struct ops_event events[OPS_MAX_EVENTS])
{
    struct question question = {.id = id, .events = events};

    ck_assert_int_eq(ask(ask_watch, &question), AMDI_STORE_DONE);
    return question.nevents;
}

void
ops_await_end(uint64_t id, struct ops_state *out)
{
    (void)ops_read_events(id, NULL);
    ops_get(id, out);
}

void
ops_expect_end(uint64_t id, int code, struct ops_state *out)
{
    struct ops_state state;

    ops_await_end(id, &state);
    ck_assert_int_eq(state.op.state, AMDI_OP_DONE);
    ck_assert_msg(state.op.code == code, "it ended with %d: %s", state.op.code,
            state.status);
    if (out != NULL) {
        *out = state;
    }
}
