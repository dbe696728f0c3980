/** Tests dispatchers: the pools they have. */
#include "server/dispatch/dispatch.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

static amdrpc_err
make_dispatcher(void *arg)
{
    struct amdi_dispatcher *d = NULL;
    amdrpc_err err = amdi_dispatcher_create(&d);

    (void)arg;
    if (err == AMDRPC_OK) {
        err = amdi_dispatcher_add_pool(d, "one", 1, 2);
    }
    if (err == AMDRPC_OK) {
        err = amdi_dispatcher_add_pool(d, "two", 1, 1);
    }
    amdi_dispatcher_destroy(d);
    return err;
}

START_TEST(lack_of_memory_is_an_error)
{
    ck_assert_uint_ge(test_sweep_allocations(make_dispatcher, NULL), 9);
}
END_TEST

START_TEST(pools_have_names)
{
    struct amdi_dispatcher *d = NULL;

    ck_assert_int_eq(amdi_dispatcher_create(&d), AMDRPC_OK);
    ck_assert_int_eq(amdi_dispatcher_add_pool(d, "slow", 1, 2), AMDRPC_OK);
    ck_assert_int_eq(amdi_dispatcher_add_pool(d, "slow", 1, 2), AMDRPC_EEXIST);
    ck_assert_int_eq(amdi_dispatcher_add_pool(d, "", 1, 2), AMDRPC_EINVAL);
    ck_assert_int_eq(amdi_dispatcher_add_pool(d, "none", 0, 2), AMDRPC_EINVAL);
    ck_assert_int_eq(amdi_dispatcher_add_pool(d, "less", 2, 1), AMDRPC_EINVAL);
    ck_assert_int_eq(amdi_dispatcher_add_pool(
                             d, "a-name-of-more-than-31-characters", 1, 1),
            AMDRPC_EINVAL);

    ck_assert_ptr_nonnull(amdi_dispatcher_find_pool(d, "slow"));
    ck_assert_ptr_null(amdi_dispatcher_find_pool(d, "fast"));
    amdi_dispatcher_destroy(d);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("dispatcher");
    TCase *tcase = tcase_create("pools");

    tcase_add_test(tcase, lack_of_memory_is_an_error);
    tcase_add_test(tcase, pools_have_names);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(make_suite)
