/** Tests what a thread knows about itself. */
#include "common/thread.h"
#include "tests/support/runner.h"

#include <check.h>

#include <pthread.h>

static void *
thread_main(void *arg)
{
    bool *was_loop = arg;

    *was_loop = amdi_thread_is_loop();
    return NULL;
}

START_TEST(only_the_thread_that_says_so_is_a_loop)
{
    bool was_loop = true;
    pthread_t thread;

    amdi_thread_set_is_loop(true);
    ck_assert_int_eq(pthread_create(&thread, NULL, thread_main, &was_loop), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);

    ck_assert(amdi_thread_is_loop());
    ck_assert(!was_loop);
    amdi_thread_set_is_loop(false);
    ck_assert(!amdi_thread_is_loop());
}
END_TEST

START_TEST(long_name_is_cut)
{
    char name[32];

    amdi_thread_set_name("amd-work-123456789");

    ck_assert_int_eq(pthread_getname_np(pthread_self(), name, sizeof(name)), 0);
    ck_assert_str_eq(name, "amd-work-123456");
}
END_TEST

static Suite *
thread_suite(void)
{
    Suite *suite = suite_create("thread");
    TCase *self = tcase_create("self");

    tcase_add_test(self, only_the_thread_that_says_so_is_a_loop);
    tcase_add_test(self, long_name_is_cut);
    suite_add_tcase(suite, self);
    return suite;
}

TEST_MAIN(thread_suite)
