/** Operations that are swept. */
#include "tests/integration/server_operations.h"
#include "tests/support/runner.h"

#include <sched.h>

static struct amdi_store *
store_of_server(void)
{
    return amdi_operations_store(amdi_operations_of(ops_server()));
}

/** @_i: the number of the store, here and below. */
START_TEST(what_is_too_much_is_swept_at_once)
{
    amdrpc_operations_options options = ops_options();
    ops_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;

    request.how = OPS_HOW(REPLY);
    request.text = (char *)(uintptr_t) "text";
    options.max_kept = 3;
    ops_start_with(_i, &options, NULL, NULL);
    for (int i = 0; i < 50; i++) {
        (void)ops_add(OPS_UNARY, &request);
    }

    // The next look is ten seconds away: this is by the hint.
    while (amdi_store_get_usage(store_of_server()).nunfinished > 0 ||
            amdi_store_get_usage(store_of_server()).ndone > 3) {
        (void)sched_yield();
    }
    ck_assert_uint_eq(amdi_store_get_usage(store_of_server()).ndone, 3);
}
END_TEST

static Suite *
create_suite(void)
{
    Suite *suite = suite_create("server_operations_keep");
    TCase *tests = tcase_create("keep");

    tcase_add_checked_fixture(tests, ops_setup, ops_teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(
            tests, what_is_too_much_is_swept_at_once, 0, OPS_NSTORES);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(create_suite)
