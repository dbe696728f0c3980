/**
 * Tests what protoc-gen-amdrpc makes of odd.proto: that it compiles says that
 * its names are protobuf-c's; what stands here says that it calls the right
 * function. The libraries' side is played by the functions below.
 */
#include "common/future.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "tests/proto/odd.amdrpc-client.h"
#include "tests/proto/odd.amdrpc-server.h"
#include "tests/proto/odd.amdrpc.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

/* ---- the server's side ---- */

#define NMETHODS 5u

static amdrpc_invoke_fn invoke[NMETHODS];
static const void *added_handlers;
static const ProtobufCMessage *sent;     // by send or reply
static const ProtobufCMessage *incoming; // what recv gives

/* Calls are never looked into, so any address will do for one. */
static char a_call;
#define CALL ((amdrpc_call *)(void *)&a_call)
#define CLIENT_CALL ((amdrpc_client_call *)(void *)&a_call)
#define CHANNEL ((amdrpc_channel *)(void *)&a_call)

amdrpc_err
amdrpc_server_add_service(amdrpc_server *server,
        const amdrpc_service_desc *desc, const amdrpc_invoke_fn *functions,
        const void *handlers, void *user_data)
{
    ck_assert_ptr_null(server);
    ck_assert_ptr_null(user_data);
    ck_assert_ptr_eq(desc, &amdrpc_test_odd_v1_http_svc_service);
    memcpy(invoke, functions, sizeof(invoke));
    added_handlers = handlers;
    return AMDRPC_OK;
}

amdrpc_err
amdrpc_call_send(amdrpc_call *call, const ProtobufCMessage *msg)
{
    ck_assert_ptr_eq(call, CALL);
    sent = msg;
    return AMDRPC_OK;
}

void
amdrpc_call_reply(amdrpc_call *call, const ProtobufCMessage *msg)
{
    ck_assert_ptr_eq(call, CALL);
    sent = msg;
}

amdrpc_err
amdrpc_call_recv(amdrpc_call *call, const ProtobufCMessage **out)
{
    ck_assert_ptr_eq(call, CALL);
    if (incoming == NULL) {
        return AMDRPC_EEND;
    }
    *out = incoming;
    return AMDRPC_OK;
}

/* ---- the client's side ---- */

static amdrpc_err next_err;               // of start_call, call and send
static const amdrpc_method_desc *called;  // the method of the last call
static const ProtobufCMessage *requested; // its request
static unsigned nunrefs;

amdrpc_err
amdrpc_channel_start_call(amdrpc_channel *channel,
        const amdrpc_method_desc *method, const amdrpc_call_options *options,
        amdrpc_client_call **out)
{
    ck_assert_ptr_eq(channel, CHANNEL);
    ck_assert_ptr_null(options);
    called = method;
    *out = CLIENT_CALL;
    return AMDRPC_OK;
}

amdrpc_err
amdrpc_client_call_send(amdrpc_client_call *call, const ProtobufCMessage *msg)
{
    ck_assert_ptr_eq(call, CLIENT_CALL);
    requested = msg;
    return next_err;
}

amdrpc_err
amdrpc_client_call_recv(amdrpc_client_call *call, int64_t timeout_ms,
        const ProtobufCMessage **out)
{
    ck_assert_ptr_eq(call, CLIENT_CALL);
    ck_assert_int_eq(timeout_ms, 7);
    if (incoming == NULL) {
        return AMDRPC_EEND;
    }
    *out = incoming;
    return AMDRPC_OK;
}

void
amdrpc_client_call_unref(amdrpc_client_call *call)
{
    ck_assert_ptr_eq(call, CLIENT_CALL);
    nunrefs++;
}

amdrpc_err
amdrpc_channel_call(amdrpc_channel *channel, const amdrpc_method_desc *method,
        const ProtobufCMessage *request, const amdrpc_call_options *options,
        amdrpc_future **out)
{
    struct amdi_future_result result = {.message = incoming};
    amdrpc_err err;

    ck_assert_ptr_eq(channel, CHANNEL);
    ck_assert_ptr_null(options);
    called = method;
    requested = request;
    if (next_err != AMDRPC_OK) {
        return next_err;
    }
    err = amdi_future_create(NULL, out);
    if (err == AMDRPC_OK) {
        ck_assert(amdi_future_complete_take(*out, &result));
    }
    return err;
}

static const char *named; // the operation that was asked for

amdrpc_err
amdrpc_operation_submit(amdrpc_channel *channel,
        const amdrpc_method_desc *method, const ProtobufCMessage *request,
        const amdrpc_operation_options *options, amdrpc_future **out)
{
    ck_assert_ptr_null(options);
    return amdrpc_channel_call(channel, method, request, NULL, out);
}

amdrpc_err
amdrpc_future_from_name(amdrpc_channel *channel,
        const amdrpc_method_desc *method, const char *name,
        const amdrpc_operation_options *options, amdrpc_future **out)
{
    named = name;
    ck_assert_ptr_null(options);
    return amdrpc_channel_call(channel, method, NULL, NULL, out);
}

static void
setup(void)
{
    named = NULL;
    memset(invoke, 0, sizeof(invoke));
    added_handlers = NULL;
    sent = NULL;
    incoming = NULL;
    next_err = AMDRPC_OK;
    called = NULL;
    requested = NULL;
    nunrefs = 0;
}

/* ---- the description ---- */

START_TEST(service_is_described_by_its_file)
{
    static const struct {
        const char *path;
        amdrpc_method_kind kind;
    } methods[NMETHODS] = {
            [AMDRPC_TEST_ODD_V1_HTTP_SVC_GET_HTTPTHING] =
                    {"/amdrpc.testOdd.v1.HTTP_Svc/GetHTTPThing", AMDRPC_UNARY},
            [AMDRPC_TEST_ODD_V1_HTTP_SVC_CLASS_] =
                    {"/amdrpc.testOdd.v1.HTTP_Svc/class", AMDRPC_UNARY},
            [AMDRPC_TEST_ODD_V1_HTTP_SVC_UPLOAD] =
                    {"/amdrpc.testOdd.v1.HTTP_Svc/Upload",
                            AMDRPC_CLIENT_STREAMING},
            [AMDRPC_TEST_ODD_V1_HTTP_SVC_WATCH] =
                    {"/amdrpc.testOdd.v1.HTTP_Svc/Watch",
                            AMDRPC_SERVER_STREAMING},
            [AMDRPC_TEST_ODD_V1_HTTP_SVC_CHAT] =
                    {"/amdrpc.testOdd.v1.HTTP_Svc/Chat", AMDRPC_BIDI_STREAMING},
    };
    const amdrpc_service_desc *service = &amdrpc_test_odd_v1_http_svc_service;

    ck_assert_str_eq(service->name, "amdrpc.testOdd.v1.HTTP_Svc");
    ck_assert_uint_eq(service->nmethods, NMETHODS);
    for (size_t i = 0; i < NMETHODS; i++) {
        ck_assert_str_eq(service->methods[i].path, methods[i].path);
        ck_assert_int_eq(service->methods[i].kind, methods[i].kind);
    }
}
END_TEST

START_TEST(messages_are_those_of_protobuf_c)
{
    const amdrpc_method_desc *method =
            &amdrpc_test_odd_v1_http_svc_service
                     .methods[AMDRPC_TEST_ODD_V1_HTTP_SVC_GET_HTTPTHING];

    ck_assert_str_eq(
            method->input->name, "amdrpc.testOdd.v1_x.HTTPServer2x.innerMsg");
    ck_assert_str_eq(method->output->name, "amdrpc.testOdd.v1_x.lower_case");
}
END_TEST

START_TEST(service_without_methods_is_described)
{
    ck_assert_str_eq(
            amdrpc_test_odd_v1_silent_service.name, "amdrpc.testOdd.v1.Silent");
    ck_assert_uint_eq(amdrpc_test_odd_v1_silent_service.nmethods, 0);
    ck_assert_ptr_null(amdrpc_test_odd_v1_silent_service.methods);
}
END_TEST

START_TEST(embedded_files_begin_with_the_imports)
{
    static const char *const names[] = {"google/protobuf/duration.proto",
            "google/protobuf/empty.proto", "odd_types.proto", "odd.proto"};
    const amdrpc_service_desc *service = &amdrpc_test_odd_v1_http_svc_service;
    Google__Protobuf__FileDescriptorSet *set =
            google__protobuf__file_descriptor_set__unpack(
                    NULL, service->descriptor_set_len, service->descriptor_set);

    ck_assert_ptr_nonnull(set);
    ck_assert_uint_eq(set->n_file, 4);
    for (size_t i = 0; i < set->n_file; i++) {
        ck_assert_str_eq(set->file[i]->name, names[i]);
        ck_assert_ptr_null(set->file[i]->source_code_info);
    }
    google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
}
END_TEST

/* ---- handlers ---- */

static const void *handled; // the request that a handler got

static void
handle_thing(amdrpc_call *call,
        const Amdrpc__TestOdd__V1X__HTTPServer2x__InnerMsg *request,
        void *user_data)
{
    ck_assert_ptr_eq(call, CALL);
    ck_assert_ptr_eq(user_data, &handled);
    handled = request;
}

static void
handle_chat(amdrpc_call *call, void *user_data)
{
    ck_assert_ptr_eq(call, CALL);
    *(const void **)user_data = CALL;
}

static const amdrpc_test_odd_v1_http_svc_handlers some_handlers = {
        .get_httpthing = handle_thing, .chat = handle_chat};

START_TEST(handlers_that_are_missing_stay_unset)
{
    ck_assert_int_eq(
            amdrpc_test_odd_v1_http_svc_register(NULL, &some_handlers, NULL),
            AMDRPC_OK);

    ck_assert_ptr_eq(added_handlers, &some_handlers);
    ck_assert(invoke[AMDRPC_TEST_ODD_V1_HTTP_SVC_GET_HTTPTHING] != NULL);
    ck_assert(invoke[AMDRPC_TEST_ODD_V1_HTTP_SVC_CLASS_] == NULL);
    ck_assert(invoke[AMDRPC_TEST_ODD_V1_HTTP_SVC_UPLOAD] == NULL);
    ck_assert(invoke[AMDRPC_TEST_ODD_V1_HTTP_SVC_WATCH] == NULL);
    ck_assert(invoke[AMDRPC_TEST_ODD_V1_HTTP_SVC_CHAT] != NULL);
}
END_TEST

START_TEST(handler_gets_call_request_and_user_data)
{
    Amdrpc__TestOdd__V1X__HTTPServer2x__InnerMsg request;

    amdrpc__test_odd__v1_x__httpserver2x__inner_msg__init(&request);
    ck_assert_int_eq(
            amdrpc_test_odd_v1_http_svc_register(NULL, &some_handlers, NULL),
            AMDRPC_OK);

    invoke[AMDRPC_TEST_ODD_V1_HTTP_SVC_GET_HTTPTHING](
            added_handlers, CALL, &request.base, &handled);
    ck_assert_ptr_eq(handled, &request);
    invoke[AMDRPC_TEST_ODD_V1_HTTP_SVC_CHAT](
            added_handlers, CALL, NULL, &handled);
    ck_assert_ptr_eq(handled, CALL);
}
END_TEST

START_TEST(helpers_of_handlers_pass_messages_on)
{
    Google__Protobuf__Duration duration = GOOGLE__PROTOBUF__DURATION__INIT;
    Amdrpc__TestOdd__V1__Note note = AMDRPC__TEST_ODD__V1__NOTE__INIT;
    const Amdrpc__TestOdd__V1__Note *got = NULL;

    amdrpc_test_odd_v1_http_svc_class__reply(CALL, &duration);
    ck_assert_ptr_eq(sent, &duration.base);
    ck_assert_int_eq(
            amdrpc_test_odd_v1_http_svc_chat_send(CALL, &note), AMDRPC_OK);
    ck_assert_ptr_eq(sent, &note.base);
    incoming = &note.base;
    ck_assert_int_eq(
            amdrpc_test_odd_v1_http_svc_chat_recv(CALL, &got), AMDRPC_OK);
    ck_assert_ptr_eq(got, &note);
    incoming = NULL;
    ck_assert_int_eq(
            amdrpc_test_odd_v1_http_svc_chat_recv(CALL, &got), AMDRPC_EEND);
}
END_TEST

/* ---- calls ---- */

static const amdrpc_method_desc *
method_at(int index)
{
    return &amdrpc_test_odd_v1_http_svc_service.methods[index];
}

START_TEST(blocking_call_gives_status_and_response)
{
    Google__Protobuf__Empty request = GOOGLE__PROTOBUF__EMPTY__INIT;
    Google__Protobuf__Duration response = GOOGLE__PROTOBUF__DURATION__INIT;
    amdrpc_future *future = NULL;

    incoming = &response.base;
    ck_assert_int_eq(amdrpc_test_odd_v1_http_svc_class_(
                             CHANNEL, &request, NULL, &future),
            AMDRPC_STATUS_OK);

    ck_assert_ptr_eq(called, method_at(AMDRPC_TEST_ODD_V1_HTTP_SVC_CLASS_));
    ck_assert_ptr_eq(requested, &request.base);
    ck_assert_ptr_eq(
            amdrpc_test_odd_v1_http_svc_class__result(future), &response);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(blocking_call_that_cannot_start_has_a_status)
{
    Google__Protobuf__Empty request = GOOGLE__PROTOBUF__EMPTY__INIT;
    amdrpc_future *future = NULL;

    next_err = AMDRPC_ENOMEM;
    ck_assert_int_eq(amdrpc_test_odd_v1_http_svc_class_(
                             CHANNEL, &request, NULL, &future),
            AMDRPC_STATUS_RESOURCE_EXHAUSTED);
    ck_assert_ptr_null(future);
}
END_TEST

START_TEST(blocking_call_needs_no_future)
{
    Google__Protobuf__Empty request = GOOGLE__PROTOBUF__EMPTY__INIT;

    ck_assert_int_eq(
            amdrpc_test_odd_v1_http_svc_class_(CHANNEL, &request, NULL, NULL),
            AMDRPC_STATUS_OK);
}
END_TEST

START_TEST(future_call_hands_its_future_over)
{
    Google__Protobuf__Empty request = GOOGLE__PROTOBUF__EMPTY__INIT;
    amdrpc_future *future = NULL;

    ck_assert_int_eq(amdrpc_test_odd_v1_http_svc_class__future(
                             CHANNEL, &request, NULL, &future),
            AMDRPC_OK);
    ck_assert_ptr_eq(called, method_at(AMDRPC_TEST_ODD_V1_HTTP_SVC_CLASS_));
    ck_assert(amdrpc_future_is_ready(future));
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(submission_hands_its_request_over)
{
    Google__Protobuf__Empty request = GOOGLE__PROTOBUF__EMPTY__INIT;
    amdrpc_future *future = NULL;

    ck_assert_int_eq(amdrpc_test_odd_v1_http_svc_class__submit(
                             CHANNEL, &request, NULL, &future),
            AMDRPC_OK);
    ck_assert_ptr_eq(called, method_at(AMDRPC_TEST_ODD_V1_HTTP_SVC_CLASS_));
    ck_assert_ptr_eq(requested, &request.base);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(response_stream_is_come_back_to_by_its_name)
{
    amdrpc_future *future = NULL;

    ck_assert_int_eq(amdrpc_test_odd_v1_http_svc_watch_future_from_name(
                             CHANNEL, "operations/7", NULL, &future),
            AMDRPC_OK);
    ck_assert_ptr_eq(called, method_at(AMDRPC_TEST_ODD_V1_HTTP_SVC_WATCH));
    ck_assert_str_eq(named, "operations/7");
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(server_stream_starts_with_its_request)
{
    Google__Protobuf__Empty request = GOOGLE__PROTOBUF__EMPTY__INIT;
    Amdrpc__TestOdd__V1X__HTTPServer2x__InnerMsg__Deep9a response;
    const Amdrpc__TestOdd__V1X__HTTPServer2x__InnerMsg__Deep9a *got = NULL;
    amdrpc_client_call *call = NULL;

    amdrpc__test_odd__v1_x__httpserver2x__inner_msg__deep9a__init(&response);
    ck_assert_int_eq(amdrpc_test_odd_v1_http_svc_watch_start(
                             CHANNEL, &request, NULL, &call),
            AMDRPC_OK);
    ck_assert_ptr_eq(called, method_at(AMDRPC_TEST_ODD_V1_HTTP_SVC_WATCH));
    ck_assert_ptr_eq(requested, &request.base);

    incoming = &response.base;
    ck_assert_int_eq(
            amdrpc_test_odd_v1_http_svc_watch_client_recv(call, 7, &got),
            AMDRPC_OK);
    ck_assert_ptr_eq(got, &response);
    incoming = NULL;
    ck_assert_int_eq(
            amdrpc_test_odd_v1_http_svc_watch_client_recv(call, 7, &got),
            AMDRPC_EEND);
}
END_TEST

START_TEST(stream_whose_request_cannot_be_sent_is_dropped)
{
    Google__Protobuf__Empty request = GOOGLE__PROTOBUF__EMPTY__INIT;
    amdrpc_client_call *call = NULL;

    next_err = AMDRPC_ELIMIT;
    ck_assert_int_eq(amdrpc_test_odd_v1_http_svc_watch_start(
                             CHANNEL, &request, NULL, &call),
            AMDRPC_ELIMIT);
    ck_assert_ptr_null(call);
    ck_assert_uint_eq(nunrefs, 1);

    next_err = AMDRPC_ECLOSED; // ended already: the status tells why
    ck_assert_int_eq(amdrpc_test_odd_v1_http_svc_watch_start(
                             CHANNEL, &request, NULL, &call),
            AMDRPC_OK);
    ck_assert_ptr_eq(call, CLIENT_CALL);
}
END_TEST

START_TEST(request_stream_sends_typed_messages)
{
    Amdrpc__TestOdd__V1X__LowerCase part;
    amdrpc_client_call *call = NULL;

    amdrpc__test_odd__v1_x__lower_case__init(&part);
    ck_assert_int_eq(
            amdrpc_test_odd_v1_http_svc_upload_start(CHANNEL, NULL, &call),
            AMDRPC_OK);
    ck_assert_ptr_eq(called, method_at(AMDRPC_TEST_ODD_V1_HTTP_SVC_UPLOAD));
    ck_assert_ptr_null(requested);

    ck_assert_int_eq(
            amdrpc_test_odd_v1_http_svc_upload_client_send(call, &part),
            AMDRPC_OK);
    ck_assert_ptr_eq(requested, &part.base);
}
END_TEST

static Suite *
generated_suite(void)
{
    Suite *suite = suite_create("generated");
    TCase *service = tcase_create("service");
    TCase *handlers = tcase_create("handlers");
    TCase *calls = tcase_create("calls");

    tcase_add_test(service, service_is_described_by_its_file);
    tcase_add_test(service, messages_are_those_of_protobuf_c);
    tcase_add_test(service, service_without_methods_is_described);
    tcase_add_test(service, embedded_files_begin_with_the_imports);
    suite_add_tcase(suite, service);
    tcase_add_checked_fixture(handlers, setup, NULL);
    tcase_add_test(handlers, handlers_that_are_missing_stay_unset);
    tcase_add_test(handlers, handler_gets_call_request_and_user_data);
    tcase_add_test(handlers, helpers_of_handlers_pass_messages_on);
    suite_add_tcase(suite, handlers);
    tcase_add_checked_fixture(calls, setup, NULL);
    tcase_add_test(calls, blocking_call_gives_status_and_response);
    tcase_add_test(calls, blocking_call_that_cannot_start_has_a_status);
    tcase_add_test(calls, blocking_call_needs_no_future);
    tcase_add_test(calls, future_call_hands_its_future_over);
    tcase_add_test(calls, submission_hands_its_request_over);
    tcase_add_test(calls, response_stream_is_come_back_to_by_its_name);
    tcase_add_test(calls, server_stream_starts_with_its_request);
    tcase_add_test(calls, stream_whose_request_cannot_be_sent_is_dropped);
    tcase_add_test(calls, request_stream_sends_typed_messages);
    suite_add_tcase(suite, calls);
    return suite;
}

TEST_MAIN(generated_suite)
