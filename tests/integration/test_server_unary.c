/** Tests the server with calls of one message each way. */
#include "common/cache.h"
#include "common/encoding.h"
#include "common/frame.h"
#include "server/server.h"
#include "server/server_loop.h"
#include "tests/integration/server.h"
#include "tests/support/h2_raw.h"
#include "tests/support/runner.h"

#include <check.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/** Tells whether the details of the status have that reason. */
static bool
details_have(const struct test_rpc *rpc, const char *reason)
{
    static const char name[] = "grpc-status-details-bin: ";
    const char *value = strstr(rpc->fields, name);
    uint8_t details[sizeof(rpc->fields)];
    size_t len = 0;

    if (value == NULL) {
        return false;
    }
    value += strlen(name);
    ck_assert_int_eq(
            amdi_base64_decode(value, strcspn(value, "\n"), details, &len),
            AMDRPC_OK);
    return memmem(details, len, reason, strlen(reason)) != NULL;
}

START_TEST(call_is_answered)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    struct test_rpc *rpc = NULL;
    test_response *response = NULL;

    test_server_start(_i);
    request.text = (char *)(uintptr_t) "hello";
    request.count = 42;

    rpc = test_call(test_conn, TEST_UNARY, &request);

    test_rpc_expect(rpc, AMDRPC_STATUS_OK);
    ck_assert_str_eq(rpc->http_status, "200");
    ck_assert_ptr_nonnull(
            strstr(rpc->fields, "content-type: application/grpc\n"));
    response = (test_response *)test_rpc_take(
            rpc, &amdrpc__test_calls__v1__response__descriptor);
    ck_assert_ptr_nonnull(response);
    ck_assert_str_eq(response->text, "hello");
    ck_assert_uint_eq(response->count, 42);
    amdrpc__test_calls__v1__response__free_unpacked(response, NULL);
}
END_TEST

START_TEST(request_in_small_pieces_is_joined)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    uint8_t wire[64];
    struct test_rpc *rpc = NULL;
    size_t len = 0;

    test_server_start(_i);
    request.text = (char *)(uintptr_t) "in pieces";
    len = amdrpc__test_calls__v1__request__pack(&request, wire + 5);
    amdi_frame_write_prefix(wire, false, (uint32_t)len);
    rpc = test_rpc_begin(test_conn, TEST_UNARY, NULL, 0);
    for (size_t i = 0; i < len + 5; i++) {
        test_rpc_send_raw(rpc, wire + i, 1);
        test_rpc_flush(test_conn);
    }
    test_rpc_flush(test_conn);
    ck_assert_uint_eq(test_server_get(TEST_NSTARTED), 0);
    test_rpc_end(rpc); // an empty DATA frame

    test_rpc_expect(rpc, AMDRPC_STATUS_OK);
}
END_TEST

START_TEST(empty_message_is_answered)
{
    struct test_rpc *rpc = NULL;

    test_server_start(_i);

    rpc = test_call_how(test_conn, TEST_HOW(REPLY));

    test_rpc_expect(rpc, AMDRPC_STATUS_OK);
    ck_assert_uint_eq(rpc->nbody, AMDI_FRAME_PREFIX_BYTES);
}
END_TEST

START_TEST(failure_has_status_and_text)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    struct test_rpc *rpc = NULL;

    test_server_start(_i);
    request.how = TEST_HOW(FAIL);
    request.code = AMDRPC_STATUS_FAILED_PRECONDITION;
    request.text = (char *)(uintptr_t) "gr\xc3\xbc\xc3\x9f 100%\n";

    rpc = test_call(test_conn, TEST_UNARY, &request);

    test_rpc_expect(rpc, AMDRPC_STATUS_FAILED_PRECONDITION);
    ck_assert_str_eq(rpc->message, "gr%C3%BC%C3%9F 100%25%0A");
    ck_assert_uint_eq(rpc->nbody, 0);
}
END_TEST

START_TEST(handler_without_status_ends_with_unknown)
{
    struct test_rpc *rpc = NULL;

    test_server_start(_i);

    rpc = test_call_how(test_conn, TEST_HOW(FORGET));

    test_rpc_expect(rpc, AMDRPC_STATUS_UNKNOWN);
    ck_assert_str_eq(rpc->message,
            "the handler of " TEST_UNARY " returned without a status");
    ck_assert(details_have(rpc, "HANDLER_GAVE_NO_STATUS"));
}
END_TEST

START_TEST(response_that_is_too_long_is_told)
{
    static char text[200];
    const amdrpc_server_options options = {.max_send_message_bytes = 100};
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    struct test_rpc *rpc = NULL;

    memset(text, 'x', sizeof(text) - 1);
    request.text = text;
    test_server_start_with(&options, NULL);

    rpc = test_call(test_conn, TEST_UNARY, &request);

    test_rpc_expect(rpc, AMDRPC_STATUS_RESOURCE_EXHAUSTED);
    ck_assert_ptr_nonnull(
            strstr(rpc->message, "the response could not be sent"));
    ck_assert(details_have(rpc, "RESPONSE_NOT_SENT"));
}
END_TEST

START_TEST(call_is_finished_by_a_timer)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;

    test_server_start(_i);
    request.how = TEST_HOW(LATER);
    request.count = 5;

    test_rpc_expect(
            test_call(test_conn, TEST_UNARY, &request), AMDRPC_STATUS_OK);
}
END_TEST

static void *
finish_one(void *arg)
{
    amdrpc_call *call = arg;
    test_response response = AMDRPC__TEST_CALLS__V1__RESPONSE__INIT;

    amdrpc_call_reply(call, &response.base);
    return NULL;
}

START_TEST(call_is_finished_later_from_any_thread)
{
    struct test_rpc *first = NULL;
    struct test_rpc *second = NULL;
    pthread_t thread;

    test_server_start(_i);
    first = test_call_how(test_conn, TEST_HOW(HOLD));
    second = test_call_how(test_conn, TEST_HOW(HOLD));
    test_server_await(TEST_NHELD, 2);
    test_expect_service(test_conn);

    ck_assert_int_eq(
            pthread_create(&thread, NULL, finish_one, test_server_take_held()),
            0);
    (void)finish_one(test_server_take_held());
    ck_assert_int_eq(pthread_join(thread, NULL), 0);

    test_rpc_expect(first, AMDRPC_STATUS_OK);
    test_rpc_expect(second, AMDRPC_STATUS_OK);
}
END_TEST

START_TEST(metadata_goes_there_and_back)
{
    const struct amdi_h2_field extra[] = {
            AMDI_H2_FIELD("x-text", "a b"),
            AMDI_H2_FIELD("x-twice", "1"),
            AMDI_H2_FIELD("x-twice", "2"),
            AMDI_H2_FIELD("x-raw-bin", "AP8="),
            AMDI_H2_FIELD("x-raw-bin", "aGk,aG8"),
            AMDI_H2_FIELD("other", "1"),
    };
    static const char returned[] = "x-text: a b\nx-twice: 1\nx-twice: 2\n"
                                   "x-raw-bin: AP8\nx-raw-bin: aGk\n"
                                   "x-raw-bin: aG8\n";
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    struct test_rpc *rpc = NULL;
    const char *first = NULL;

    test_server_start(_i);
    request.how = TEST_HOW(METADATA);
    rpc = test_rpc_begin(test_conn, TEST_UNARY, extra, 6);
    test_rpc_send(rpc, &request.base);
    test_rpc_end(rpc);

    test_rpc_expect(rpc, AMDRPC_STATUS_OK);
    first = strstr(rpc->fields, returned);
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_nonnull(strstr(first + 1, returned)); // in the trailers
    ck_assert_ptr_null(strstr(rpc->fields, "other"));
}
END_TEST

START_TEST(large_answer_passes_small_windows)
{
    char *text = NULL;
    const size_t len = 1000000;
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    struct test_rpc *rpc = NULL;

    test_server_start(_i);
    text = malloc(len + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, 't', len);
    text[len] = '\0';
    request.text = text;

    rpc = test_call(test_conn, TEST_UNARY, &request);

    test_rpc_expect(rpc, AMDRPC_STATUS_OK);
    ck_assert_uint_gt(rpc->nbody, len);
    free(text);
}
END_TEST

#define NMANY 10000
#define NAT_ONCE 100

START_TEST(many_calls_on_one_connection_are_answered)
{
    size_t nok = 0;

    test_server_start(_i);
    for (int i = 0; i < NMANY / NAT_ONCE; i++) {
        for (int k = 0; k < NAT_ONCE; k++) {
            (void)test_call_how(test_conn, TEST_HOW(REPLY));
        }
        test_rpc_await_all(test_conn);
    }

    for (struct test_rpc *rpc = test_conn->calls; rpc != NULL;
            rpc = rpc->next) {
        nok += rpc->status == AMDRPC_STATUS_OK ? 1 : 0;
    }
    ck_assert_uint_eq(nok, NMANY);
}
END_TEST

START_TEST(peer_of_a_call_is_its_client)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    struct test_rpc *rpc = NULL;
    test_response *response = NULL;

    test_server_start(_i);
    request.how = TEST_HOW(METADATA);
    rpc = test_call(test_conn, TEST_UNARY, &request);
    test_rpc_expect(rpc, AMDRPC_STATUS_OK);

    response = (test_response *)test_rpc_take(
            rpc, &amdrpc__test_calls__v1__response__descriptor);
    ck_assert_int_eq(strncmp(response->text, "127.0.0.1:", 10), 0);
    amdrpc__test_calls__v1__response__free_unpacked(response, NULL);
}
END_TEST

/* ---- memory ---- */

/** What a loop keeps for its next calls. */
struct kept {
    struct amdi_task task;
    struct amdi_server_loop *sl;
    bool has_served;
    size_t nstreams;
    size_t nbytes;
    atomic_bool is_there;
};

static void
kept_read(struct amdi_task *task)
{
    struct kept *kept = AMDI_CONTAINER_OF(task, struct kept, task);

    kept->has_served = kept->sl->reaped_at_ms > 0;
    kept->nstreams = kept->sl->nfree_streams;
    kept->nbytes = amdi_cache_thread_bytes();
    kept->sl->tidy_after_ms = 1;
    atomic_store(&kept->is_there, true);
}

/** Asks a loop, and tells it to be tidy soon. */
static struct kept
kept_by(size_t index)
{
    struct kept kept = {
            .task.run = kept_read, .sl = &test_server->loops[index]};

    atomic_init(&kept.is_there, false);
    amdi_loop_post(kept.sl->loop, &kept.task);
    while (!atomic_load(&kept.is_there)) {
        (void)sched_yield();
    }
    return kept;
}

START_TEST(idle_loop_keeps_no_memory)
{
    time_t give_up_at = time(NULL) + 20;
    struct kept kept;

    test_server_start_with(&(amdrpc_server_options){.loops = 1}, NULL);
    (void)kept_by(0);
    test_expect_service(test_conn);

    do {
        ck_assert_int_lt(time(NULL), give_up_at);
        kept = kept_by(0);
    } while (!kept.has_served || kept.nstreams > 0 || kept.nbytes > 0);

    test_expect_service(test_conn);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("server_unary");
    TCase *calls = tcase_create("calls");

    tcase_set_timeout(calls, 60);
    tcase_add_checked_fixture(calls, test_server_setup, test_server_teardown);
    tcase_add_loop_test(calls, call_is_answered, 0, TEST_NPLACES);
    tcase_add_loop_test(
            calls, request_in_small_pieces_is_joined, 0, TEST_NPLACES);
    tcase_add_loop_test(calls, empty_message_is_answered, 0, TEST_NPLACES);
    tcase_add_loop_test(calls, failure_has_status_and_text, 0, TEST_NPLACES);
    tcase_add_loop_test(
            calls, handler_without_status_ends_with_unknown, 0, TEST_NPLACES);
    tcase_add_test(calls, response_that_is_too_long_is_told);
    tcase_add_loop_test(calls, call_is_finished_by_a_timer, 0, TEST_NPLACES);
    tcase_add_loop_test(
            calls, call_is_finished_later_from_any_thread, 0, TEST_NPLACES);
    tcase_add_loop_test(calls, metadata_goes_there_and_back, 0, TEST_NPLACES);
    tcase_add_loop_test(
            calls, large_answer_passes_small_windows, 0, TEST_NPLACES);
    tcase_add_loop_test(
            calls, many_calls_on_one_connection_are_answered, 0, TEST_NPLACES);
    tcase_add_loop_test(calls, peer_of_a_call_is_its_client, 0, TEST_NPLACES);
    tcase_add_test(calls, idle_loop_keeps_no_memory);
    suite_add_tcase(suite, calls);
    return suite;
}

TEST_MAIN(make_suite)
