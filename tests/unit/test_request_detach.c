/** Tests which requests are for detached calls. */
#include "common/arena.h"
#include "common/metadata.h"
#include "server/conn/request_head.h"
#include "server/service.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const amdrpc_method_desc methods[] = {
        {.name = "Echo", .path = "/pkg.Svc/Echo"},
        {.name = "Unwritten", .path = "/pkg.Svc/Unwritten"},
};
static const amdrpc_service_desc service = {
        .name = "pkg.Svc", .methods = methods, .nmethods = COUNT(methods)};
static const struct amdi_request_limits limits = {
        .max_list_bytes = 1000, .max_field_bytes = 900, .max_fields = 10};

static struct amdi_service_table services;
static struct amdi_request_head *head;
static struct amdi_request_verdict verdict;

static void
invoke_nothing(const void *handlers, amdrpc_call *call,
        const ProtobufCMessage *msg, void *user_data)
{
    (void)handlers;
    (void)call;
    (void)msg;
    (void)user_data;
}

static void
setup(void)
{
    static const amdrpc_invoke_fn invokes[] = {invoke_nothing, NULL};
    static const amdrpc_policy policy = {.max_queued = 1};

    amdi_service_table_init(&services);
    ck_assert_int_eq(amdi_service_table_add(
                             &services, &service, invokes, NULL, NULL, &policy),
            AMDRPC_OK);
    head = amdi_request_head_create(&services, &limits);
    ck_assert_ptr_nonnull(head);
    memset(&verdict, 0, sizeof(verdict));
}

static void
teardown(void)
{
    amdi_request_head_unref(head);
    amdi_service_table_fini(&services);
}

static bool
field(const char *name, const char *value)
{
    const struct amdi_h2_field f = {.name = name,
            .name_len = strlen(name),
            .value = value,
            .value_len = strlen(value)};

    return amdi_request_head_field(head, &f);
}

static void
fields_until_path(void)
{
    ck_assert(field(":method", "POST"));
    ck_assert(field(":scheme", "http"));
    ck_assert(field(":authority", "localhost"));
}

/** The fields of a request that is served. */
static void
good_fields(void)
{
    fields_until_path();
    ck_assert(field(":path", "/pkg.Svc/Echo"));
    ck_assert(field("te", "trailers"));
    ck_assert(field("content-type", "application/grpc"));
}

static void
end_gives_status(amdrpc_status_code code, const char *message)
{
    amdi_request_head_judge(head, &verdict);
    ck_assert_int_eq(verdict.kind, AMDI_REQUEST_STATUS);
    ck_assert_int_eq(verdict.code, code);
    ck_assert_str_eq(verdict.message, message);
}

static void
end_serves(void)
{
    amdi_request_head_judge(head, &verdict);
    ck_assert_int_eq(verdict.kind, AMDI_REQUEST_SERVE);
}

START_TEST(detached_call_is_served_by_another_method)
{
    amdi_service_table_set_detached(&services, invoke_nothing, &services);
    ck_assert_int_eq(amdi_service_table_make_detached(&services), AMDRPC_OK);
    good_fields();

    ck_assert(field("amdrpc-detach", _i == 0 ? "now" : "on-disconnect"));
    ck_assert(field("amdrpc-detach", "now")); // once more changes nothing

    end_serves();
    ck_assert_ptr_eq(head->method->user_data, &services);
    ck_assert_ptr_eq(head->method->desc, &methods[0]);
    ck_assert_uint_eq(amdrpc_metadata_count(&head->metadata), 2);
}
END_TEST

START_TEST(call_cannot_be_detached_without_operations)
{
    good_fields();
    ck_assert(field("amdrpc-detach", "now"));

    end_gives_status(AMDRPC_STATUS_FAILED_PRECONDITION,
            "amdrpc-detach: this server keeps no operations");
}
END_TEST

START_TEST(some_methods_cannot_be_detached)
{
    // The user data of the service is the same.
    amdi_service_table_set_detached(&services, invoke_nothing, NULL);
    ck_assert_int_eq(amdi_service_table_make_detached(&services), AMDRPC_OK);
    good_fields();
    ck_assert(field("amdrpc-detach", "now"));

    end_gives_status(AMDRPC_STATUS_INVALID_ARGUMENT,
            "amdrpc-detach: calls of this method cannot be detached");
}
END_TEST

START_TEST(unknown_way_to_detach_is_refused)
{
    good_fields();
    ck_assert(field("amdrpc-detach", "later"));

    end_gives_status(AMDRPC_STATUS_INVALID_ARGUMENT,
            "amdrpc-detach is neither \"now\" nor \"on-disconnect\"");
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("request_detach");
    TCase *tests = tcase_create("detached");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, detached_call_is_served_by_another_method, 0, 2);
    tcase_add_test(tests, call_cannot_be_detached_without_operations);
    tcase_add_test(tests, some_methods_cannot_be_detached);
    tcase_add_test(tests, unknown_way_to_detach_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
