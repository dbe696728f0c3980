/** A server of operations by script. */
#include "tests/integration/operations.h"

#include "amdrpc/v1/operations.amdrpc-server.h"
#include "google/longrunning/operations.amdrpc-server.h"
#include "tests/support/deadline.h"

#include <check.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef Google__Longrunning__Operation operation_message;

struct test_script test_script;
amdrpc_channel *test_channel;

static pthread_mutex_t script_mtx = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t script_changed = PTHREAD_COND_INITIALIZER;
static amdrpc_server *server;
static char folder[] = "/tmp/amdrpc-operations-XXXXXX";
static char address[64];

/** An operation's message and what it points to. */
struct answer {
    operation_message operation;
    Google__Protobuf__Any metadata;
    Google__Protobuf__Any response;
    Google__Rpc__Status error;
    uint8_t metadata_bytes[256];
    uint8_t response_bytes[64];
};

static void
any_set(Google__Protobuf__Any *any, const ProtobufCMessage *message,
        uint8_t *bytes, char *type_url)
{
    google__protobuf__any__init(any);
    any->type_url = type_url;
    any->value.data = bytes;
    any->value.len = protobuf_c_message_pack(message, bytes);
}

static void
answer_set_result(struct answer *answer)
{
    Amdrpc__Bench__V1__EchoResponse echo =
            AMDRPC__BENCH__V1__ECHO_RESPONSE__INIT;

    if (test_script.end_status != AMDRPC_STATUS_OK) {
        google__rpc__status__init(&answer->error);
        answer->error.code = (int32_t)test_script.end_status;
        answer->error.message = (char *)"as the script says";
        answer->operation.result_case =
                GOOGLE__LONGRUNNING__OPERATION__RESULT_ERROR;
        answer->operation.error = &answer->error;
        return;
    }
    echo.payload.data = (uint8_t *)"done";
    echo.payload.len = 4;
    any_set(&answer->response, &echo.base, answer->response_bytes,
            test_script.has_other_response
                    ? (char *)"type.googleapis.com/other.Type"
                    : (char *)"type.googleapis.com/"
                              "amdrpc.bench.v1.EchoResponse");
    answer->operation.result_case =
            GOOGLE__LONGRUNNING__OPERATION__RESULT_RESPONSE;
    answer->operation.response = &answer->response;
}

static void
answer_init(struct answer *answer, bool is_done)
{
    Amdrpc__V1__OperationMetadata metadata =
            AMDRPC__V1__OPERATION_METADATA__INIT;
    Amdrpc__V1__Progress progress = AMDRPC__V1__PROGRESS__INIT;
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

    google__longrunning__operation__init(&answer->operation);
    answer->operation.name = (char *)"operations/1";
    answer->operation.done = is_done;
    progress.done = 3;
    progress.total = 5;
    progress.note = (char *)"half way";
    time.seconds = 12;
    time.nanos = 345000000;
    metadata.method = (char *)"/amdrpc.bench.v1.Bench/Echo";
    metadata.state = is_done ? AMDRPC__V1__OPERATION_METADATA__STATE__SUCCEEDED
                             : AMDRPC__V1__OPERATION_METADATA__STATE__RUNNING;
    metadata.progress = &progress;
    metadata.create_time = &time;
    metadata.attempt = 2;
    any_set(&answer->metadata, &metadata.base, answer->metadata_bytes,
            (char *)"type.googleapis.com/amdrpc.v1.OperationMetadata");
    answer->operation.metadata = &answer->metadata;
    if (is_done) {
        answer_set_result(answer);
    }
}

/* ---- amdrpc.v1.Operations ---- */

static bool
ids_keep_locked(const char *id)
{
    for (unsigned i = 0; i < test_script.noperations; i++) {
        if (strcmp(test_script.request_ids[i], id) == 0) {
            return true;
        }
    }
    if (test_script.noperations == TEST_NOPERATIONS) {
        return false;
    }
    (void)snprintf(test_script.request_ids[test_script.noperations],
            sizeof(test_script.request_ids[0]), "%s", id);
    test_script.noperations++;
    return true;
}

static void
on_submit(amdrpc_call *call, const Amdrpc__V1__SubmitRequest *request, void *d)
{
    struct answer answer;
    bool is_lost;

    (void)d;
    (void)pthread_mutex_lock(&script_mtx);
    bool is_kept = ids_keep_locked(request->request_id);
    test_script.nsubmits++;
    is_lost = test_script.nlost_submits > 0;
    test_script.nlost_submits -= is_lost ? 1 : 0;
    answer_init(&answer, /*is_done=*/false);
    (void)pthread_cond_broadcast(&script_changed);
    (void)pthread_mutex_unlock(&script_mtx);
    if (is_lost || !is_kept) {
        amdrpc_call_finish(call, AMDRPC_STATUS_UNAVAILABLE, "lost");
    } else {
        amdrpc_v1_operations_submit_reply(call, &answer.operation);
    }
}

static void
event_send(amdrpc_call *call, uint64_t seq)
{
    Amdrpc__V1__WatchResponse response = AMDRPC__V1__WATCH_RESPONSE__INIT;
    Amdrpc__V1__Progress progress = AMDRPC__V1__PROGRESS__INIT;
    Amdrpc__V1__Retry retry = AMDRPC__V1__RETRY__INIT;
    Amdrpc__Bench__V1__EchoResponse echo =
            AMDRPC__BENCH__V1__ECHO_RESPONSE__INIT;
    Google__Protobuf__Any any;
    struct answer answer;
    uint8_t bytes[64];
    uint8_t number = (uint8_t)seq;

    response.seq = seq;
    response.attempt = 1;
    if (seq == TEST_NEVENTS) {
        answer_init(&answer, /*is_done=*/true);
        response.event_case = AMDRPC__V1__WATCH_RESPONSE__EVENT_END;
        response.end = &answer.operation;
    } else if (seq % 5 == 0) {
        progress.done = seq;
        progress.total = TEST_NEVENTS;
        response.event_case = AMDRPC__V1__WATCH_RESPONSE__EVENT_PROGRESS;
        response.progress = &progress;
    } else if (seq % 7 == 0) {
        retry.reason = (char *)"once more";
        response.event_case = AMDRPC__V1__WATCH_RESPONSE__EVENT_RETRY;
        response.retry = &retry;
    } else {
        echo.payload.data = &number;
        echo.payload.len = 1;
        any_set(&any, &echo.base, bytes,
                (char *)"type.googleapis.com/amdrpc.bench.v1.EchoResponse");
        response.event_case = AMDRPC__V1__WATCH_RESPONSE__EVENT_MESSAGE;
        response.message = &any;
    }
    // When the client is gone, the call's end tells it.
    (void)!amdrpc_v1_operations_watch_send(call, &response);
}

static void
watch_on_cancel(amdrpc_call *call, void *arg)
{
    (void)arg;
    amdrpc_call_finish(call, AMDRPC_STATUS_CANCELLED, NULL);
}

static void
on_watch(amdrpc_call *call, const Amdrpc__V1__WatchRequest *request, void *d)
{
    static const amdrpc_call_events events = {.on_cancel = watch_on_cancel};

    (void)d;
    (void)pthread_mutex_lock(&script_mtx);
    struct test_script script = test_script;
    test_script.nstreams++;
    (void)pthread_cond_broadcast(&script_changed);
    (void)pthread_mutex_unlock(&script_mtx);
    if (strcmp(request->name, "operations/1") != 0) {
        amdrpc_call_finish(call, AMDRPC_STATUS_NOT_FOUND, "no such operation");
        return;
    }
    uint64_t seq = request->after_seq < script.nevents_twice
            ? 0
            : request->after_seq - script.nevents_twice;
    uint64_t last = TEST_NEVENTS - (script.never_ends ? 1 : 0);
    unsigned nsent = 0;

    while (seq < last &&
            (script.nevents_of_stream == 0 ||
                    nsent < script.nevents_of_stream)) {
        event_send(call, ++seq);
        nsent++;
    }
    if (seq < last) {
        amdrpc_call_finish(call, AMDRPC_STATUS_UNAVAILABLE, "it broke");
    } else if (script.never_ends) {
        amdrpc_call_defer(call); // until the client or the server goes
        amdrpc_call_set_events(call, &events, NULL);
    } else {
        amdrpc_call_finish(call, AMDRPC_STATUS_OK, NULL);
    }
}

/* ---- google.longrunning.Operations ---- */

static bool
name_is_known(amdrpc_call *call, const char *name)
{
    if (strcmp(name, "operations/1") == 0) {
        return true;
    }
    amdrpc_call_finish(call, AMDRPC_STATUS_NOT_FOUND, "no such operation");
    return false;
}

static void
on_wait(amdrpc_call *call,
        const Google__Longrunning__WaitOperationRequest *request, void *d)
{
    struct answer answer;

    (void)d;
    if (!name_is_known(call, request->name)) {
        return;
    }
    (void)pthread_mutex_lock(&script_mtx);
    bool is_done = test_script.is_ended || test_script.is_cancelled ||
            (test_script.nwaits_before_end >= 0 &&
                    (int)test_script.nwaits >= test_script.nwaits_before_end);
    test_script.nwaits++;
    answer_init(&answer, is_done);
    (void)pthread_cond_broadcast(&script_changed);
    (void)pthread_mutex_unlock(&script_mtx);
    google_longrunning_operations_wait_operation_reply(call, &answer.operation);
}

static void
on_get(amdrpc_call *call,
        const Google__Longrunning__GetOperationRequest *request, void *d)
{
    struct answer answer;

    (void)d;
    if (!name_is_known(call, request->name)) {
        return;
    }
    (void)pthread_mutex_lock(&script_mtx);
    answer_init(&answer, test_script.is_ended);
    (void)pthread_mutex_unlock(&script_mtx);
    google_longrunning_operations_get_operation_reply(call, &answer.operation);
}

static void
on_list(amdrpc_call *call,
        const Google__Longrunning__ListOperationsRequest *request, void *d)
{
    Google__Longrunning__ListOperationsResponse response =
            GOOGLE__LONGRUNNING__LIST_OPERATIONS_RESPONSE__INIT;
    operation_message *operations[2];
    struct answer answer;

    (void)d;
    answer_init(&answer, /*is_done=*/false);
    operations[0] = &answer.operation;
    operations[1] = &answer.operation;
    response.operations = operations;
    response.n_operations = (size_t)request->page_size;
    // What it was asked for comes back as the token.
    response.next_page_token = request->filter;
    google_longrunning_operations_list_operations_reply(call, &response);
}

static void
on_cancel(amdrpc_call *call,
        const Google__Longrunning__CancelOperationRequest *request, void *d)
{
    Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;

    (void)d;
    (void)request;
    (void)pthread_mutex_lock(&script_mtx);
    test_script.ncancels++;
    test_script.is_cancelled = true;
    test_script.end_status = AMDRPC_STATUS_CANCELLED;
    (void)pthread_cond_broadcast(&script_changed);
    (void)pthread_mutex_unlock(&script_mtx);
    google_longrunning_operations_cancel_operation_reply(call, &empty);
}

static void
on_delete(amdrpc_call *call,
        const Google__Longrunning__DeleteOperationRequest *request, void *d)
{
    Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;

    (void)d;
    if (name_is_known(call, request->name)) {
        (void)pthread_mutex_lock(&script_mtx);
        test_script.ndeletes++;
        (void)pthread_mutex_unlock(&script_mtx);
        google_longrunning_operations_delete_operation_reply(call, &empty);
    }
}

/* ---- fixtures ---- */

void
test_operations_start(void)
{
    static const amdrpc_v1_operations_handlers ours = {
            .submit = on_submit, .watch = on_watch};
    static const google_longrunning_operations_handlers standard = {
            .list_operations = on_list,
            .get_operation = on_get,
            .delete_operation = on_delete,
            .cancel_operation = on_cancel,
            .wait_operation = on_wait};
    const amdrpc_server_options options = {.drain_timeout_ms = 100};

    ck_assert_int_eq(amdrpc_server_create(&options, &server), AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_v1_operations_register(server, &ours, NULL), AMDRPC_OK);
    ck_assert_int_eq(
            google_longrunning_operations_register(server, &standard, NULL),
            AMDRPC_OK);
    ck_assert_int_eq(amdrpc_server_listen(server, address, NULL), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_server_start(server), AMDRPC_OK);
}

void
test_operations_stop(void)
{
    if (server != NULL) {
        // Calls may have to be cut off.
        (void)!amdrpc_server_stop(server);
        amdrpc_server_destroy(server);
        server = NULL;
    }
}

void
test_operations_setup(void)
{
    test_script = (struct test_script){.nwaits_before_end = 0};
    (void)snprintf(folder, sizeof(folder), "/tmp/amdrpc-operations-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(address, sizeof(address), "unix:%s/socket", folder);
    test_operations_start();
    ck_assert_int_eq(
            amdrpc_channel_create(address, NULL, &test_channel), AMDRPC_OK);
}

void
test_operations_teardown(void)
{
    amdrpc_channel_unref(test_channel);
    test_channel = NULL;
    test_operations_stop();
    (void)unlink(address + sizeof("unix:") - 1); // the server may have
    (void)rmdir(folder);
}

void
test_operations_end(void)
{
    (void)pthread_mutex_lock(&script_mtx);
    test_script.is_ended = true;
    (void)pthread_mutex_unlock(&script_mtx);
}

void
test_operations_await(const unsigned *counter, unsigned n)
{
    const struct timespec until = test_deadline_ms(TEST_WAIT_MS);

    (void)pthread_mutex_lock(&script_mtx);
    while (*counter < n) {
        ck_assert_int_eq(
                pthread_cond_timedwait(&script_changed, &script_mtx, &until),
                0);
    }
    (void)pthread_mutex_unlock(&script_mtx);
}
