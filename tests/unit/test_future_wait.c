/** Tests waiting for futures, from one thread and from several. */
#include "common/future.h"
#include "common/thread.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#define NFUTURES 20 // more than a wait has small links for

static amdrpc_future *futures[NFUTURES];

static void
wait_set_up(void)
{
    for (size_t i = 0; i < NFUTURES; i++) {
        ck_assert_int_eq(amdi_future_create(NULL, &futures[i]), AMDRPC_OK);
    }
}

static void
wait_tear_down(void)
{
    amdi_thread_set_is_loop(false);
    for (size_t i = 0; i < NFUTURES; i++) {
        amdrpc_future_unref(futures[i]);
    }
}

static void
complete(size_t index)
{
    static const struct amdi_future_result result = {
            .status = AMDRPC_STATUS_OK,
    };

    (void)amdi_future_complete_take(futures[index], &result);
}

START_TEST(asking_without_waiting_times_out)
{
    size_t index;

    ck_assert_int_eq(amdrpc_future_wait(futures[0], 0), AMDRPC_ETIMEDOUT);
    ck_assert_int_eq(amdrpc_future_wait(futures[0], 1), AMDRPC_ETIMEDOUT);
    ck_assert_int_eq(amdrpc_future_wait_any(futures, NFUTURES, 1, &index),
            AMDRPC_ETIMEDOUT);
    ck_assert_int_eq(
            amdrpc_future_wait_all(futures, NFUTURES, 1), AMDRPC_ETIMEDOUT);
}
END_TEST

START_TEST(complete_future_is_not_waited_for)
{
    complete(0);

    ck_assert_int_eq(amdrpc_future_wait(futures[0], 0), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_future_wait(futures[0], -1), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_future_wait(futures[0], INT64_MAX), AMDRPC_OK);
}
END_TEST

START_TEST(any_tells_the_first_complete_one)
{
    size_t index;

    complete(3);
    complete(7);
    ck_assert_int_eq(
            amdrpc_future_wait_any(futures, NFUTURES, -1, &index), AMDRPC_OK);

    ck_assert_uint_eq(index, 3);
}
END_TEST

START_TEST(waiting_for_none_of_nothing_is_invalid)
{
    size_t index;

    ck_assert_int_eq(
            amdrpc_future_wait_any(NULL, 0, -1, &index), AMDRPC_EINVAL);
    ck_assert_int_eq(amdrpc_future_wait_all(NULL, 0, -1), AMDRPC_OK);
}
END_TEST

START_TEST(all_needs_every_one)
{
    for (size_t i = 0; i < NFUTURES; i++) {
        ck_assert_int_eq(
                amdrpc_future_wait_all(futures, NFUTURES, 0), AMDRPC_ETIMEDOUT);
        complete(NFUTURES - 1 - i);
    }

    ck_assert_int_eq(amdrpc_future_wait_all(futures, NFUTURES, 0), AMDRPC_OK);
}
END_TEST

START_TEST(loop_thread_never_waits)
{
    size_t index;

    complete(0);
    amdi_thread_set_is_loop(true);

    ck_assert_int_eq(amdrpc_future_wait(futures[0], -1), AMDRPC_ESTATE);
    ck_assert_int_eq(amdrpc_future_wait(futures[1], -1), AMDRPC_ESTATE);
    ck_assert_int_eq(amdrpc_future_wait_any(futures, NFUTURES, -1, &index),
            AMDRPC_ESTATE);
    ck_assert_int_eq(
            amdrpc_future_wait_all(futures, NFUTURES, -1), AMDRPC_ESTATE);
}
END_TEST

START_TEST(same_future_may_stand_several_times)
{
    amdrpc_future *same[] = {futures[0], futures[0]};
    size_t index;

    ck_assert_int_eq(
            amdrpc_future_wait_any(same, 2, 1, &index), AMDRPC_ETIMEDOUT);
    complete(0);
    ck_assert_int_eq(amdrpc_future_wait_all(same, 2, -1), AMDRPC_OK);
}
END_TEST

static amdrpc_err
wait_for_many(void *unused)
{
    size_t index;
    amdrpc_err err = amdrpc_future_wait_any(futures, NFUTURES, 0, &index);

    (void)unused;
    return err == AMDRPC_ETIMEDOUT ? AMDRPC_OK : err;
}

START_TEST(failed_allocation_is_an_error_and_leaks_nothing)
{
    ck_assert_uint_eq(test_sweep_allocations(wait_for_many, NULL), 1);
}
END_TEST

static atomic_int nstarted;

static void *
wait_for_first(void *unused)
{
    (void)unused;
    atomic_fetch_add(&nstarted, 1);
    ck_assert_int_eq(amdrpc_future_wait(futures[0], -1), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_future_get_status(futures[0]), AMDRPC_STATUS_OK);
    return NULL;
}

static void *
wait_for_any(void *unused)
{
    size_t index;

    (void)unused;
    atomic_fetch_add(&nstarted, 1);
    ck_assert_int_eq(amdrpc_future_wait_any(futures, NFUTURES, 60000, &index),
            AMDRPC_OK);
    return NULL;
}

static void *
wait_for_all(void *unused)
{
    (void)unused;
    atomic_fetch_add(&nstarted, 1);
    ck_assert_int_eq(amdrpc_future_wait_all(futures, NFUTURES, -1), AMDRPC_OK);
    return NULL;
}

static void
start_threads(pthread_t *threads, size_t nthreads, void *(*fn)(void *))
{
    atomic_store(&nstarted, 0);
    for (size_t i = 0; i < nthreads; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, fn, NULL), 0);
    }
    while (atomic_load(&nstarted) < (int)nthreads) {
        (void)sched_yield();
    }
}

static void
join_threads(pthread_t *threads, size_t nthreads)
{
    for (size_t i = 0; i < nthreads; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
}

// Whether the threads sleep already is left to chance, and both must work.
START_TEST(several_threads_wait_for_one_future)
{
    pthread_t threads[3];

    start_threads(threads, 3, wait_for_first);
    complete(0);
    join_threads(threads, 3);
}
END_TEST

START_TEST(several_threads_wait_for_any_and_all)
{
    pthread_t any[2];
    pthread_t all[2];

    start_threads(any, 2, wait_for_any);
    start_threads(all, 2, wait_for_all);
    for (size_t i = 0; i < NFUTURES; i++) {
        complete((i * 7 + 5) % NFUTURES);
        (void)sched_yield();
    }
    join_threads(any, 2);
    join_threads(all, 2);
}
END_TEST

static atomic_int ncalls;

static void
on_done(amdrpc_future *future, void *unused)
{
    (void)unused;
    ck_assert(amdrpc_future_is_ready(future));
    atomic_fetch_add(&ncalls, 1);
}

/** Everything that may meet a completion, for each future. */
static void *
meet_completion(void *unused)
{
    (void)unused;
    atomic_fetch_add(&nstarted, 1);
    for (size_t i = 0; i < NFUTURES; i++) {
        int fd;

        ck_assert_int_eq(
                amdrpc_future_then(futures[i], on_done, NULL), AMDRPC_OK);
        ck_assert_int_eq(amdrpc_future_get_fd(futures[i], &fd), AMDRPC_OK);
        amdrpc_future_cancel(futures[i]);
        ck_assert_int_eq(amdrpc_future_wait(futures[i], -1), AMDRPC_OK);
    }
    return NULL;
}

START_TEST(threads_that_cancel_and_complete_agree)
{
    pthread_t threads[3];

    atomic_store(&ncalls, 0);
    start_threads(threads, 3, meet_completion);
    for (size_t i = 0; i < NFUTURES; i++) {
        complete(i);
    }
    join_threads(threads, 3);

    ck_assert_int_eq(atomic_load(&ncalls), 3 * NFUTURES);
}
END_TEST

static amdrpc_future *slow_future;
static atomic_int nreleases;
static atomic_bool is_canceling;

static void
slow_on_cancel(void *unused)
{
    (void)unused;
    atomic_store(&is_canceling, true);
    while (!amdrpc_future_is_ready(slow_future)) {
        (void)sched_yield();
    }
    ck_assert_int_eq(atomic_load(&nreleases), 0);
}

static void
slow_on_release(void *unused)
{
    (void)unused;
    atomic_fetch_add(&nreleases, 1);
}

static void *
cancel_slowly(void *unused)
{
    (void)unused;
    amdrpc_future_cancel(slow_future);
    ck_assert_int_eq(atomic_load(&nreleases), 1);
    return NULL;
}

START_TEST(completion_during_a_cancel_keeps_the_work_until_it_returns)
{
    static const struct amdi_future_result result = {
            .status = AMDRPC_STATUS_OK,
    };
    struct amdi_future_work hooks = {
            .cancel = slow_on_cancel,
            .release = slow_on_release,
    };
    pthread_t thread;

    atomic_store(&nreleases, 0);
    atomic_store(&is_canceling, false);
    ck_assert_int_eq(amdi_future_create(&hooks, &slow_future), AMDRPC_OK);
    ck_assert_int_eq(pthread_create(&thread, NULL, cancel_slowly, NULL), 0);
    while (!atomic_load(&is_canceling)) {
        (void)sched_yield();
    }
    ck_assert(amdi_future_complete_take(slow_future, &result));
    ck_assert_int_eq(pthread_join(thread, NULL), 0);

    ck_assert_int_eq(atomic_load(&nreleases), 1);
    amdrpc_future_unref(slow_future);
}
END_TEST

static Suite *
future_wait_suite(void)
{
    Suite *suite = suite_create("future_wait");
    TCase *alone = tcase_create("alone");
    TCase *threads = tcase_create("threads");

    tcase_add_checked_fixture(alone, wait_set_up, wait_tear_down);
    tcase_add_test(alone, asking_without_waiting_times_out);
    tcase_add_test(alone, complete_future_is_not_waited_for);
    tcase_add_test(alone, any_tells_the_first_complete_one);
    tcase_add_test(alone, waiting_for_none_of_nothing_is_invalid);
    tcase_add_test(alone, all_needs_every_one);
    tcase_add_test(alone, loop_thread_never_waits);
    tcase_add_test(alone, same_future_may_stand_several_times);
    tcase_add_test(alone, failed_allocation_is_an_error_and_leaks_nothing);
    suite_add_tcase(suite, alone);
    tcase_add_checked_fixture(threads, wait_set_up, wait_tear_down);
    tcase_add_test(threads, several_threads_wait_for_one_future);
    tcase_add_test(threads, several_threads_wait_for_any_and_all);
    tcase_add_test(threads, threads_that_cancel_and_complete_agree);
    tcase_add_test(threads,
            completion_during_a_cancel_keeps_the_work_until_it_returns);
    suite_add_tcase(suite, threads);
    return suite;
}

TEST_MAIN(future_wait_suite)
