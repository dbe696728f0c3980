/** Tests calls with a future. */
#include "common/pool/pool.h"
#include "common/thread.h"
#include "tests/support/gate.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <pthread.h>

#define MAX_QUEUED 4u

static amdrpc_pool *pool;
static struct test_gate gate;
static amdrpc_future *holder; // keeps the only thread busy at the gate
static int ndestroys;
static atomic_int ncalls;

static amdrpc_err
call_hold(void *arg, void **result)
{
    test_gate_pass(&gate);
    *result = arg;
    return amdrpc_async_is_cancelled() ? AMDRPC_ECANCELED : AMDRPC_OK;
}

static amdrpc_err
call_count(void *arg, void **result)
{
    atomic_fetch_add(&ncalls, 1);
    *result = arg;
    return AMDRPC_OK;
}

static amdrpc_err
call_fail(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return AMDRPC_ENOTFOUND;
}

static void
result_on_destroy(void *result)
{
    ck_assert_ptr_eq(result, &ndestroys);
    ndestroys++;
}

static void
pool_set_up(void)
{
    const amdrpc_pool_options options = {
            .threads_max = 1,
            .max_queued = MAX_QUEUED,
    };

    ndestroys = 0;
    atomic_store(&ncalls, 0);
    holder = NULL;
    test_gate_init(&gate);
    ck_assert_int_eq(amdrpc_pool_create(&options, &pool), AMDRPC_OK);
}

static void
pool_tear_down(void)
{
    amdrpc_pool_destroy(pool);
    amdrpc_future_unref(holder);
    test_gate_fini(&gate);
}

/** Returns once the pool's only thread is at the gate. */
static void
pool_hold(void)
{
    ck_assert_int_eq(amdrpc_async(pool, call_hold, &gate, &holder), AMDRPC_OK);
    test_gate_await(&gate);
}

static amdrpc_future *
start(amdrpc_async_fn fn, void *arg)
{
    amdrpc_future *future;

    ck_assert_int_eq(
            amdrpc_async_owned(pool, fn, arg, result_on_destroy, &future),
            AMDRPC_OK);
    return future;
}

static void
await(amdrpc_future *future)
{
    ck_assert_int_eq(amdrpc_future_wait(future, -1), AMDRPC_OK);
}

START_TEST(result_is_told_and_destroyed_with_the_future)
{
    amdrpc_future *future = start(call_count, &ndestroys);

    await(future);
    ck_assert_int_eq(amdrpc_future_get_status(future), AMDRPC_STATUS_OK);
    ck_assert_ptr_eq(amdrpc_future_get_pointer(future), &ndestroys);
    amdrpc_future_unref(future);
    amdrpc_pool_destroy(pool); // the thread lets go of it only now
    pool = NULL;

    ck_assert_int_eq(ndestroys, 1);
}
END_TEST

START_TEST(taken_result_is_not_destroyed)
{
    amdrpc_future *future = start(call_count, &ndestroys);

    await(future);
    ck_assert_ptr_eq(amdrpc_future_take_pointer(future), &ndestroys);
    ck_assert_ptr_null(amdrpc_future_take_pointer(future));
    ck_assert_ptr_null(amdrpc_future_get_pointer(future));
    amdrpc_future_unref(future);
    amdrpc_pool_destroy(pool);
    pool = NULL;

    ck_assert_int_eq(ndestroys, 0);
}
END_TEST

START_TEST(result_that_nobody_waits_for_is_destroyed)
{
    amdrpc_future_unref(start(call_count, &ndestroys));
    amdrpc_pool_destroy(pool);
    pool = NULL;

    ck_assert_int_eq(atomic_load(&ncalls), 1);
    ck_assert_int_eq(ndestroys, 1);
}
END_TEST

START_TEST(error_becomes_a_status_without_result)
{
    amdrpc_future *future = start(call_fail, NULL);

    ck_assert_ptr_null(amdrpc_future_get_pointer(future));
    await(future);

    ck_assert_int_eq(amdrpc_future_get_status(future), AMDRPC_STATUS_NOT_FOUND);
    ck_assert_str_eq(amdrpc_future_get_status_message(future),
            amdrpc_err_text(AMDRPC_ENOTFOUND));
    ck_assert_ptr_null(amdrpc_future_get_pointer(future));
    ck_assert_ptr_null(amdrpc_future_take_pointer(future));
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(calls_run_oldest_first)
{
    static amdrpc_future *futures[MAX_QUEUED];

    pool_hold();
    for (size_t i = 0; i < MAX_QUEUED; i++) {
        futures[i] = start(call_hold, NULL);
    }
    for (size_t i = 0; i < MAX_QUEUED; i++) {
        test_gate_open(&gate);
        test_gate_await(&gate);
        ck_assert(i == 0 || amdrpc_future_is_ready(futures[i - 1]));
        ck_assert(!amdrpc_future_is_ready(futures[i]));
    }
    test_gate_open(&gate);
    for (size_t i = 0; i < MAX_QUEUED; i++) {
        await(futures[i]);
        amdrpc_future_unref(futures[i]);
    }
}
END_TEST

START_TEST(full_queue_refuses_and_leaves_nothing)
{
    amdrpc_future *futures[MAX_QUEUED];
    amdrpc_future *refused = NULL;

    pool_hold();
    for (size_t i = 0; i < MAX_QUEUED; i++) {
        futures[i] = start(call_count, NULL);
    }
    ck_assert_int_eq(
            amdrpc_async(pool, call_count, NULL, &refused), AMDRPC_ELIMIT);
    ck_assert_ptr_null(refused);
    test_gate_open(&gate);

    for (size_t i = 0; i < MAX_QUEUED; i++) {
        await(futures[i]);
        amdrpc_future_unref(futures[i]);
    }
    ck_assert_int_eq(atomic_load(&ncalls), MAX_QUEUED);
}
END_TEST

START_TEST(cancelled_call_leaves_the_queue_at_once)
{
    amdrpc_future *future;

    pool_hold();
    for (size_t i = 0; i < 2 * MAX_QUEUED; i++) {
        future = start(call_count, &ndestroys);
        amdrpc_future_cancel(future);
        ck_assert_int_eq(
                amdrpc_future_get_status(future), AMDRPC_STATUS_CANCELLED);
        amdrpc_future_unref(future);
    }
    test_gate_open(&gate);
    await(holder);

    ck_assert_int_eq(atomic_load(&ncalls), 0);
    ck_assert_int_eq(ndestroys, 0);
}
END_TEST

START_TEST(running_call_sees_that_it_is_cancelled)
{
    pool_hold();
    amdrpc_future_cancel(holder);
    amdrpc_future_cancel(holder);
    ck_assert(!amdrpc_future_is_ready(holder));
    test_gate_open(&gate);
    await(holder);

    ck_assert_int_eq(amdrpc_future_get_status(holder), AMDRPC_STATUS_CANCELLED);
}
END_TEST

START_TEST(call_may_be_quicker_than_its_cancel)
{
    amdrpc_future *future = start(call_count, NULL);

    await(future);
    amdrpc_future_cancel(future);

    ck_assert_int_eq(amdrpc_future_get_status(future), AMDRPC_STATUS_OK);
    amdrpc_future_unref(future);
}
END_TEST

static void
future_on_done_cancel(amdrpc_future *future, void *arg)
{
    amdrpc_future_cancel(future);
    atomic_fetch_add((atomic_int *)arg, 1);
}

START_TEST(callback_may_cancel_and_outlive_its_user)
{
    amdrpc_future *future;

    pool_hold();
    future = start(call_count, NULL);
    ck_assert_int_eq(amdrpc_future_then(future, future_on_done_cancel, &ncalls),
            AMDRPC_OK);
    amdrpc_future_unref(future);
    test_gate_open(&gate);
    amdrpc_pool_destroy(pool);
    pool = NULL;

    ck_assert_int_eq(atomic_load(&ncalls), 2);
}
END_TEST

START_TEST(nobody_is_cancelled_outside_of_a_call)
{
    ck_assert(!amdrpc_async_is_cancelled());
}
END_TEST

START_TEST(destroy_runs_what_is_queued)
{
    amdrpc_future *future;

    pool_hold();
    future = start(call_count, NULL);
    test_gate_open(&gate);
    amdrpc_pool_destroy(pool);
    pool = NULL;

    ck_assert(amdrpc_future_is_ready(future));
    ck_assert_int_eq(atomic_load(&ncalls), 1);
    amdrpc_future_cancel(future); // outlives its pool
    ck_assert_int_eq(amdrpc_future_wait(future, -1), AMDRPC_OK);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(destroy_of_cancelled_work_runs_nothing)
{
    amdrpc_future *future;

    pool_hold();
    future = start(call_count, NULL);
    amdrpc_future_cancel(future);
    amdrpc_future_unref(future);
    amdrpc_future_cancel(holder);
    test_gate_open(&gate);
    amdrpc_pool_destroy(pool);
    pool = NULL;

    ck_assert_int_eq(atomic_load(&ncalls), 0);
}
END_TEST

/** Calls and waits, as deep as its argument says. */
static amdrpc_err
call_nested(void *arg, void **result)
{
    int *ndeeper = arg;
    amdrpc_future *future;
    amdrpc_err err;

    if (--*ndeeper <= 0) {
        return call_count(arg, result);
    }
    err = amdrpc_async(pool, call_nested, arg, &future);
    if (err == AMDRPC_OK) {
        err = amdrpc_future_wait(future, -1);
        *result = amdrpc_future_get_pointer(future);
        amdrpc_future_unref(future);
    }
    return err;
}

START_TEST(waiting_on_a_pool_thread_runs_what_is_queued)
{
    int ndeeper = 100;
    amdrpc_future *future;

    ck_assert_int_eq(
            amdrpc_async(pool, call_nested, &ndeeper, &future), AMDRPC_OK);
    await(future);

    ck_assert_ptr_eq(amdrpc_future_get_pointer(future), &ndeeper);
    amdrpc_future_unref(future);
}
END_TEST

/** Waits for two calls, first for any, then for all. */
static amdrpc_err
call_wait_for_two(void *arg, void **result)
{
    amdrpc_future *futures[] = {
            start(call_count, NULL), start(call_count, NULL)};
    size_t index = 2;

    (void)result;
    ck_assert_int_eq(amdrpc_future_wait(futures[1], 0), AMDRPC_ETIMEDOUT);
    ck_assert_int_eq(amdrpc_future_wait_any(futures, 2, -1, &index), AMDRPC_OK);
    ck_assert_uint_eq(index, 0);
    ck_assert_int_eq(*(atomic_int *)arg, 1);
    ck_assert_int_eq(amdrpc_future_wait_all(futures, 2, -1), AMDRPC_OK);
    amdrpc_future_unref(futures[0]);
    amdrpc_future_unref(futures[1]);
    return AMDRPC_OK;
}

START_TEST(waiting_helps_no_more_than_it_must)
{
    amdrpc_future *future;

    ck_assert_int_eq(
            amdrpc_async(pool, call_wait_for_two, &ncalls, &future), AMDRPC_OK);
    await(future);

    ck_assert_int_eq(amdrpc_future_get_status(future), AMDRPC_STATUS_OK);
    ck_assert_int_eq(atomic_load(&ncalls), 2);
    amdrpc_future_unref(future);
}
END_TEST

static amdrpc_err
async_make(void *unused)
{
    amdrpc_future *future;
    amdrpc_pool *made = NULL;
    const amdrpc_pool_options options = {.threads_min = 1, .threads_max = 1};
    amdrpc_err err = amdrpc_pool_create(&options, &made);

    (void)unused;
    if (err == AMDRPC_OK) {
        err = amdrpc_async(made, call_count, NULL, &future);
        if (err == AMDRPC_OK) {
            await(future);
            amdrpc_future_unref(future);
        }
    }
    amdrpc_pool_destroy(made);
    return err;
}

START_TEST(failed_allocation_is_an_error_and_leaks_nothing)
{
    ck_assert_uint_eq(test_sweep_allocations(async_make, NULL), 3);
}
END_TEST

START_TEST(loop_thread_may_call_but_not_wait)
{
    amdrpc_future *future;

    amdi_thread_set_is_loop(true);
    future = start(call_count, NULL);
    ck_assert_int_eq(amdrpc_future_wait(future, -1), AMDRPC_ESTATE);
    amdi_thread_set_is_loop(false);

    await(future);
    amdrpc_future_unref(future);
}
END_TEST

#define NCANCELERS 3
#define NROUNDS 500

/** Calls, and cancels at once, late, or not at all. */
static void *
canceler_main(void *unused)
{
    (void)unused;
    for (int i = 0; i < NROUNDS; i++) {
        amdrpc_future *future;

        if (amdrpc_async(pool, call_count, &ncalls, &future) != AMDRPC_OK) {
            continue; // the queue is full
        }
        if (i % 3 == 0) {
            amdrpc_future_cancel(future);
        }
        if (i % 2 == 0 && amdrpc_future_wait(future, -1) == AMDRPC_OK) {
            amdrpc_future_cancel(future);
        }
        amdrpc_future_unref(future);
    }
    return NULL;
}

START_TEST(cancel_races_with_the_call_from_several_threads)
{
    pthread_t threads[NCANCELERS];

    for (int i = 0; i < NCANCELERS; i++) {
        ck_assert_int_eq(
                pthread_create(&threads[i], NULL, canceler_main, NULL), 0);
    }
    for (int i = 0; i < NCANCELERS; i++) {
        (void)pthread_join(threads[i], NULL);
    }

    ck_assert_int_le(atomic_load(&ncalls), NCANCELERS * NROUNDS);
}
END_TEST

static void
async_add_cancel_tests(Suite *suite)
{
    TCase *cancel = tcase_create("cancel");

    tcase_add_checked_fixture(cancel, pool_set_up, pool_tear_down);
    tcase_add_test(cancel, cancelled_call_leaves_the_queue_at_once);
    tcase_add_test(cancel, running_call_sees_that_it_is_cancelled);
    tcase_add_test(cancel, call_may_be_quicker_than_its_cancel);
    tcase_add_test(cancel, callback_may_cancel_and_outlive_its_user);
    tcase_add_test(cancel, nobody_is_cancelled_outside_of_a_call);
    tcase_add_test(cancel, cancel_races_with_the_call_from_several_threads);
    tcase_add_test(cancel, destroy_runs_what_is_queued);
    tcase_add_test(cancel, destroy_of_cancelled_work_runs_nothing);
    suite_add_tcase(suite, cancel);
}

static Suite *
async_suite(void)
{
    Suite *suite = suite_create("pool_async");
    TCase *result = tcase_create("result");
    TCase *waiting = tcase_create("waiting");

    tcase_add_checked_fixture(result, pool_set_up, pool_tear_down);
    tcase_add_test(result, result_is_told_and_destroyed_with_the_future);
    tcase_add_test(result, taken_result_is_not_destroyed);
    tcase_add_test(result, result_that_nobody_waits_for_is_destroyed);
    tcase_add_test(result, error_becomes_a_status_without_result);
    tcase_add_test(result, calls_run_oldest_first);
    tcase_add_test(result, full_queue_refuses_and_leaves_nothing);
    suite_add_tcase(suite, result);
    async_add_cancel_tests(suite);
    tcase_add_checked_fixture(waiting, pool_set_up, pool_tear_down);
    tcase_add_test(waiting, waiting_on_a_pool_thread_runs_what_is_queued);
    tcase_add_test(waiting, waiting_helps_no_more_than_it_must);
    tcase_add_test(waiting, loop_thread_may_call_but_not_wait);
    tcase_add_test(waiting, failed_allocation_is_an_error_and_leaks_nothing);
    suite_add_tcase(suite, waiting);
    return suite;
}

TEST_MAIN(async_suite)
