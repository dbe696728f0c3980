/** Tests the threads of a pool: how many there are, and when. */
#include "common/pool/pool.h"
#include "tests/support/gate.h"
#include "tests/support/runner.h"

#include <check.h>

#include <pthread.h>
#include <sched.h>
#include <stdint.h>

static struct test_gate gate;

static void
pool_set_up(void)
{
    test_gate_init(&gate);
}

static void
pool_tear_down(void)
{
    test_gate_fini(&gate);
}

static amdrpc_pool *
create(amdrpc_pool_options options)
{
    amdrpc_pool *pool;

    ck_assert_int_eq(amdrpc_pool_create(&options, &pool), AMDRPC_OK);
    return pool;
}

static amdrpc_err
call_hold(void *arg, void **result)
{
    (void)arg;
    (void)result;
    test_gate_pass(&gate);
    return AMDRPC_OK;
}

/** Lets one more thread wait at the gate. */
static void
pool_hold_one(amdrpc_pool *pool)
{
    amdrpc_future *future;

    ck_assert_int_eq(amdrpc_async(pool, call_hold, NULL, &future), AMDRPC_OK);
    amdrpc_future_unref(future);
    test_gate_await(&gate);
}

START_TEST(options_that_cannot_be_are_invalid)
{
    static const amdrpc_pool_options wrong[] = {
            {.threads_min = 2, .threads_max = 1},
            {.threads_max = 1025},
            {.threads_min = 1025},
            {.threads_max = 1, .stack_bytes = 1},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        amdrpc_pool *pool = NULL;

        ck_assert_int_eq(amdrpc_pool_create(&wrong[i], &pool), AMDRPC_EINVAL);
        ck_assert_ptr_null(pool);
    }
}
END_TEST

START_TEST(stack_beyond_all_memory_starts_no_thread)
{
    const amdrpc_pool_options options = {
            .threads_max = 1,
            .stack_bytes = (size_t)1 << 60,
    };
    amdrpc_pool *pool = NULL;

    ck_assert_int_eq(amdrpc_pool_create(&options, &pool), AMDRPC_EIO);
    ck_assert_ptr_null(pool);
}
END_TEST

START_TEST(pool_without_options_has_a_thread_to_begin_with)
{
    amdrpc_pool *pool;

    ck_assert_int_eq(amdrpc_pool_create(NULL, &pool), AMDRPC_OK);

    ck_assert_uint_eq(atomic_load(&pool->nthreads), 1);
    ck_assert_uint_ge(pool->threads_max, 1);
    amdrpc_pool_destroy(pool);
    amdrpc_pool_destroy(NULL);
}
END_TEST

START_TEST(pool_grows_up_to_its_maximum)
{
    amdrpc_pool *pool = create((amdrpc_pool_options){.threads_max = 3});
    amdrpc_future *future;

    for (int i = 0; i < 3; i++) {
        pool_hold_one(pool);
    }
    ck_assert_int_eq(amdrpc_async(pool, call_hold, NULL, &future), AMDRPC_OK);
    ck_assert_uint_eq(atomic_load(&pool->nthreads), 3);
    for (int i = 0; i < 4; i++) {
        test_gate_open(&gate);
    }
    amdrpc_pool_destroy(pool);

    ck_assert(amdrpc_future_is_ready(future));
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(idle_threads_end_and_come_back)
{
    amdrpc_pool *pool =
            create((amdrpc_pool_options){.threads_max = 4, .idle_ms = 1});

    for (int turn = 0; turn < 3; turn++) {
        for (int i = 0; i < 4; i++) {
            pool_hold_one(pool);
        }
        for (int i = 0; i < 4; i++) {
            test_gate_open(&gate);
        }
        while (atomic_load(&pool->nthreads) > 1) {
            (void)sched_yield();
        }
    }
    amdrpc_pool_destroy(pool);
}
END_TEST

static amdrpc_err
call_get_name(void *arg, void **result)
{
    (void)pthread_getname_np(pthread_self(), arg, 16);
    *result = arg;
    return AMDRPC_OK;
}

START_TEST(threads_are_named_after_the_pool)
{
    char name[16] = "";
    amdrpc_pool *pool = create((amdrpc_pool_options){
            .name = "a-name-that-is-cut", .threads_max = 1});
    amdrpc_future *future;

    ck_assert_int_eq(
            amdrpc_async(pool, call_get_name, name, &future), AMDRPC_OK);
    amdrpc_pool_destroy(pool);

    ck_assert_str_eq(name, "a-name-that-0");
    amdrpc_future_unref(future);
}
END_TEST

static amdrpc_err
call_get_stack(void *arg, void **result)
{
    pthread_attr_t attr;

    (void)result;
    ck_assert_int_eq(pthread_getattr_np(pthread_self(), &attr), 0);
    ck_assert_int_eq(pthread_attr_getstacksize(&attr, arg), 0);
    (void)pthread_attr_destroy(&attr);
    return AMDRPC_OK;
}

START_TEST(threads_have_the_stack_asked_for)
{
    static const size_t asked[] = {0, 3u << 20};
    static const size_t given[] = {1u << 20, 3u << 20};

    for (size_t i = 0; i < 2; i++) {
        size_t stack_bytes = 0;
        amdrpc_pool *pool = create((amdrpc_pool_options){
                .threads_max = 1, .stack_bytes = asked[i]});
        amdrpc_future *future;

        ck_assert_int_eq(
                amdrpc_async(pool, call_get_stack, &stack_bytes, &future),
                AMDRPC_OK);
        amdrpc_pool_destroy(pool);
        ck_assert_uint_ge(stack_bytes, given[i]);
        amdrpc_future_unref(future);
    }
}
END_TEST

static Suite *
pool_suite(void)
{
    Suite *suite = suite_create("pool");
    TCase *options = tcase_create("options");
    TCase *threads = tcase_create("threads");

    tcase_add_checked_fixture(options, pool_set_up, pool_tear_down);
    tcase_add_test(options, options_that_cannot_be_are_invalid);
    tcase_add_test(options, stack_beyond_all_memory_starts_no_thread);
    tcase_add_test(options, pool_without_options_has_a_thread_to_begin_with);
    tcase_add_test(options, threads_are_named_after_the_pool);
    tcase_add_test(options, threads_have_the_stack_asked_for);
    suite_add_tcase(suite, options);
    tcase_add_checked_fixture(threads, pool_set_up, pool_tear_down);
    tcase_add_test(threads, pool_grows_up_to_its_maximum);
    tcase_add_test(threads, idle_threads_end_and_come_back);
    suite_add_tcase(suite, threads);
    return suite;
}

TEST_MAIN(pool_suite)
