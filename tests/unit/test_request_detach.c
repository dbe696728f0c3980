/** Tests which requests are for detached calls. */
#include "common/arena.h"
#include "common/metadata.h"
#include "tests/support/heads.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

START_TEST(detached_call_is_served_by_another_method)
{
    amdi_service_table_set_detached(
            &heads_services, heads_invoke, &heads_services);
    ck_assert_int_eq(
            amdi_service_table_make_detached(&heads_services), AMDRPC_OK);
    good_fields();

    ck_assert(field("amdrpc-detach", _i == 0 ? "now" : "on-disconnect"));
    ck_assert(field("amdrpc-detach", "now")); // once more changes nothing

    end_serves();
    ck_assert_ptr_eq(head->method->user_data, &heads_services);
    ck_assert_ptr_eq(head->method->desc, &heads_methods[0]);
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
    amdi_service_table_set_detached(&heads_services, heads_invoke, NULL);
    ck_assert_int_eq(
            amdi_service_table_make_detached(&heads_services), AMDRPC_OK);
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

    tcase_add_checked_fixture(tests, heads_setup, heads_teardown);
    tcase_add_loop_test(tests, detached_call_is_served_by_another_method, 0, 2);
    tcase_add_test(tests, call_cannot_be_detached_without_operations);
    tcase_add_test(tests, some_methods_cannot_be_detached);
    tcase_add_test(tests, unknown_way_to_detach_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
