/** Tests fork and join: each test with pools of one, two and four threads. */
#include "common/alloc.h"
#include "common/pool/pool.h"
#include "common/thread.h"
#include "tests/support/gate.h"
#include "tests/support/runner.h"

#include <check.h>

#include <pthread.h>
#include <stdlib.h>

#define NNUMBERS 1000000u

static const unsigned thread_counts[] = {1, 2, 4};
#define NTHREAD_COUNTS 3

static amdrpc_pool *pool;
static struct test_gate gate;
static atomic_int ncalls;

static void
pool_set_up(void)
{
    atomic_store(&ncalls, 0);
    test_gate_init(&gate);
    pool = NULL;
}

static void
pool_tear_down(void)
{
    amdi_alloc_fail_at(-1);
    amdi_thread_set_is_loop(false);
    amdrpc_pool_destroy(pool);
    test_gate_fini(&gate);
}

static void
pool_start(unsigned nthreads, size_t max_queued)
{
    const amdrpc_pool_options options = {
            .threads_min = nthreads,
            .threads_max = nthreads,
            .max_queued = max_queued,
    };

    ck_assert_int_eq(amdrpc_pool_create(&options, &pool), AMDRPC_OK);
}

/** Runs a function in the pool and waits for it. */
static void
pool_run(amdrpc_async_fn fn, void *arg)
{
    amdrpc_future *future;

    ck_assert_int_eq(amdrpc_async(pool, fn, arg, &future), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_future_wait(future, -1), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_future_get_status(future), AMDRPC_STATUS_OK);
    amdrpc_future_unref(future);
}

static amdrpc_err
part_count(void *unused)
{
    (void)unused;
    atomic_fetch_add(&ncalls, 1);
    return AMDRPC_OK;
}

static amdrpc_err
part_fail(void *arg)
{
    return *(amdrpc_err *)arg;
}

static amdrpc_err
part_hold(void *unused)
{
    (void)unused;
    test_gate_pass(&gate);
    return amdrpc_async_is_cancelled() ? AMDRPC_ECANCELED : AMDRPC_OK;
}

/* ---- recursion ---- */

struct fib {
    unsigned n;
    unsigned long value;
};

static amdrpc_err
fib_part(void *arg)
{
    struct fib *fib = arg;
    struct fib one = {.n = fib->n - 1};
    struct fib two = {.n = fib->n - 2};
    amdrpc_group group;
    amdrpc_err err;

    if (fib->n < 2) {
        fib->value = fib->n;
        return AMDRPC_OK;
    }
    amdrpc_group_init(&group, pool);
    amdrpc_group_spawn(&group, fib_part, &one);
    amdrpc_group_spawn(&group, fib_part, &two);
    err = amdrpc_group_sync(&group);
    fib->value = one.value + two.value;
    return err;
}

static amdrpc_err
fib_call(void *arg, void **result)
{
    *result = arg;
    return fib_part(arg);
}

START_TEST(fibonacci_from_inside)
{
    struct fib fib = {.n = 25};

    pool_start(thread_counts[_i], 0);
    pool_run(fib_call, &fib);

    ck_assert_uint_eq(fib.value, 75025);
    ck_assert_uint_eq(atomic_load(&pool->nthreads), thread_counts[_i]);
}
END_TEST

START_TEST(fibonacci_from_outside)
{
    struct fib fib = {.n = 18};

    pool_start(thread_counts[_i], 0);
    ck_assert_int_eq(fib_part(&fib), AMDRPC_OK);

    ck_assert_uint_eq(fib.value, 2584);
}
END_TEST

START_TEST(fibonacci_with_a_queue_that_is_always_full)
{
    struct fib fib = {.n = 18};

    pool_start(thread_counts[_i], 1);
    pool_run(fib_call, &fib);

    ck_assert_uint_eq(fib.value, 2584);
}
END_TEST

START_TEST(two_recursions_at_once)
{
    struct fib fib = {.n = 18};
    struct fib other = {.n = 18};
    amdrpc_future *future;

    pool_start(thread_counts[_i], 0);
    ck_assert_int_eq(amdrpc_async(pool, fib_call, &other, &future), AMDRPC_OK);
    ck_assert_int_eq(fib_part(&fib), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_future_wait(future, -1), AMDRPC_OK);

    ck_assert_uint_eq(fib.value, 2584);
    ck_assert_uint_eq(other.value, 2584);
    amdrpc_future_unref(future);
}
END_TEST

struct range {
    unsigned *first;
    unsigned *last; // included
};

static void
range_partition(const struct range *range, struct range *out_small,
        struct range *out_great)
{
    unsigned pivot = range->first[(range->last - range->first) / 2];
    unsigned *left = range->first;
    unsigned *right = range->last;

    while (left <= right) {
        while (*left < pivot) {
            left++;
        }
        while (*right > pivot) {
            right--;
        }
        if (left <= right) {
            unsigned number = *left;

            *left++ = *right;
            *right-- = number;
        }
    }
    *out_small = (struct range){range->first, right};
    *out_great = (struct range){left, range->last};
}

static amdrpc_err
range_sort(void *arg)
{
    const struct range *range = arg;
    struct range small;
    struct range great;
    amdrpc_group group;

    if (range->first >= range->last) {
        return AMDRPC_OK;
    }
    range_partition(range, &small, &great);
    amdrpc_group_init(&group, pool);
    amdrpc_group_spawn(&group, range_sort, &small);
    (void)range_sort(&great); // cannot fail
    return amdrpc_group_sync(&group);
}

/** An assertion for each number would take longer than the sorting. */
static unsigned
count_misplaced(const unsigned *numbers)
{
    unsigned nmisplaced = 0;

    for (unsigned i = 0; i < NNUMBERS; i++) {
        nmisplaced += numbers[i] != i;
    }
    return nmisplaced;
}

START_TEST(quicksort_of_a_million_down_to_single_numbers)
{
    unsigned *numbers = calloc(NNUMBERS, sizeof(*numbers));
    struct range all;

    ck_assert_ptr_nonnull(numbers);
    for (unsigned i = 0; i < NNUMBERS; i++) {
        numbers[i] = (unsigned)((uint64_t)i * 611953 % NNUMBERS); // all of them
    }
    pool_start(thread_counts[_i], 0);
    all = (struct range){numbers, &numbers[NNUMBERS - 1]};
    ck_assert_int_eq(range_sort(&all), AMDRPC_OK);

    ck_assert_uint_eq(count_misplaced(numbers), 0);
    free(numbers);
}
END_TEST

/* ---- one group ---- */

START_TEST(empty_group_is_done)
{
    amdrpc_group group;

    pool_start(1, 0);
    amdrpc_group_init(&group, pool);

    ck_assert_int_eq(amdrpc_group_sync(&group), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_group_sync(&group), AMDRPC_OK);
}
END_TEST

START_TEST(group_from_outside_runs_all_and_can_be_used_again)
{
    amdrpc_group group;

    pool_start(thread_counts[_i], 16);
    amdrpc_group_init(&group, pool);
    for (int turn = 1; turn <= 10; turn++) {
        for (int i = 0; i < 1000; i++) {
            amdrpc_group_spawn(&group, part_count, NULL);
        }
        ck_assert_int_eq(amdrpc_group_sync(&group), AMDRPC_OK);
        ck_assert_int_eq(atomic_load(&ncalls), turn * 1000);
    }
}
END_TEST

START_TEST(sync_runs_what_is_queued_when_the_threads_are_busy)
{
    amdrpc_group group;
    amdrpc_group busy;

    pool_start(1, 0);
    amdrpc_group_init(&busy, pool);
    amdrpc_group_spawn(&busy, part_hold, NULL);
    test_gate_await(&gate);
    amdrpc_group_init(&group, pool);
    amdrpc_group_spawn(&group, part_count, NULL);
    amdrpc_group_spawn(&group, part_count, NULL);
    ck_assert_int_eq(amdrpc_group_sync(&group), AMDRPC_OK);

    ck_assert_int_eq(atomic_load(&ncalls), 2);
    test_gate_open(&gate);
    ck_assert_int_eq(amdrpc_group_sync(&busy), AMDRPC_OK);
}
END_TEST

START_TEST(sync_runs_nothing_of_others)
{
    amdrpc_group group;
    amdrpc_group other;
    amdrpc_group busy;

    pool_start(1, 0);
    amdrpc_group_init(&busy, pool);
    amdrpc_group_spawn(&busy, part_hold, NULL);
    test_gate_await(&gate);
    amdrpc_group_init(&other, pool);
    amdrpc_group_init(&group, pool);
    amdrpc_group_spawn(&other, part_count, NULL);
    ck_assert_int_eq(amdrpc_group_sync(&group), AMDRPC_OK);

    ck_assert_int_eq(atomic_load(&ncalls), 0);
    test_gate_open(&gate);
    ck_assert_int_eq(amdrpc_group_sync(&other), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_group_sync(&busy), AMDRPC_OK);
}
END_TEST

/** Adds parts to the group that it is itself a part of. */
static amdrpc_err
part_spawn_more(void *arg)
{
    amdrpc_group *group = arg;

    for (int i = 0; i < 100; i++) {
        amdrpc_group_spawn(group, part_count, NULL);
    }
    return AMDRPC_OK;
}

START_TEST(parts_may_add_parts)
{
    amdrpc_group group;

    pool_start(thread_counts[_i], 0);
    amdrpc_group_init(&group, pool);
    for (int i = 0; i < 100; i++) {
        amdrpc_group_spawn(&group, part_spawn_more, &group);
    }
    ck_assert_int_eq(amdrpc_group_sync(&group), AMDRPC_OK);

    ck_assert_int_eq(atomic_load(&ncalls), 10000);
}
END_TEST

START_TEST(spawn_without_memory_calls_at_once)
{
    amdrpc_group group;

    pool_start(1, 0);
    amdrpc_group_init(&group, pool);
    amdi_alloc_fail_at(0);
    amdrpc_group_spawn(&group, part_count, NULL);

    ck_assert_int_eq(atomic_load(&ncalls), 1);
    ck_assert_int_eq(amdrpc_group_sync(&group), AMDRPC_OK);
}
END_TEST

START_TEST(loop_thread_neither_runs_nor_waits)
{
    amdrpc_group group;

    pool_start(1, 0);
    amdrpc_group_init(&group, pool);
    amdi_thread_set_is_loop(true);
    amdrpc_group_spawn(&group, part_count, NULL);
    ck_assert_int_eq(amdrpc_group_sync(&group), AMDRPC_ESTATE);
    amdi_thread_set_is_loop(false);

    ck_assert_int_eq(amdrpc_group_sync(&group), AMDRPC_ESTATE);
    ck_assert_int_eq(atomic_load(&ncalls), 0);
}
END_TEST

/* ---- errors and cancel ---- */

START_TEST(first_error_is_the_group_s_and_the_others_run)
{
    amdrpc_err first = AMDRPC_EIO;
    amdrpc_err second = AMDRPC_EACCES;
    amdrpc_group group;

    pool_start(1, 1);
    amdrpc_group_init(&group, pool);
    amdrpc_group_spawn(&group, part_fail, &first);
    ck_assert_int_eq(amdrpc_group_sync(&group), AMDRPC_EIO);
    amdi_alloc_fail_at(0); // so that it runs at once
    amdrpc_group_spawn(&group, part_fail, &second);
    amdrpc_group_spawn(&group, part_fail, &first);
    amdrpc_group_spawn(&group, part_count, NULL);

    ck_assert_int_eq(amdrpc_group_sync(&group), AMDRPC_EACCES);
    ck_assert_int_eq(atomic_load(&ncalls), 1);
    ck_assert_int_eq(amdrpc_group_sync(&group), AMDRPC_OK);
}
END_TEST

START_TEST(cancelled_group_calls_nothing_more)
{
    amdrpc_group group;

    pool_start(1, 0);
    amdrpc_group_init(&group, pool);
    amdrpc_group_spawn(&group, part_hold, NULL);
    test_gate_await(&gate);
    amdrpc_group_spawn(&group, part_count, NULL);
    amdrpc_group_cancel(&group);
    amdrpc_group_cancel(&group);
    amdrpc_group_spawn(&group, part_count, NULL);
    test_gate_open(&gate);

    ck_assert_int_eq(amdrpc_group_sync(&group), AMDRPC_ECANCELED);
    ck_assert_int_eq(atomic_load(&ncalls), 0);
    amdrpc_group_spawn(&group, part_count, NULL);
    ck_assert_int_eq(amdrpc_group_sync(&group), AMDRPC_OK);
    ck_assert_int_eq(atomic_load(&ncalls), 1);
}
END_TEST

/** A group inside, whose part waits at the gate and asks. */
static amdrpc_err
part_hold_inside(void *unused)
{
    amdrpc_group group;

    (void)unused;
    amdrpc_group_init(&group, pool);
    amdrpc_group_spawn(&group, part_hold, NULL);
    return amdrpc_group_sync(&group);
}

static amdrpc_err
call_hold_inside(void *arg, void **result)
{
    (void)result;
    return part_hold_inside(arg);
}

START_TEST(groups_below_see_that_a_group_is_cancelled)
{
    amdrpc_group group;
    amdrpc_err first;

    pool_start(thread_counts[_i], 0);
    amdrpc_group_init(&group, pool);
    amdrpc_group_spawn(&group, part_hold_inside, NULL);
    test_gate_await(&gate);
    amdrpc_group_cancel(&group);
    test_gate_open(&gate);
    first = amdrpc_group_sync(&group);

    ck_assert_int_eq(first, AMDRPC_ECANCELED);
}
END_TEST

START_TEST(groups_below_see_that_a_future_is_cancelled)
{
    amdrpc_future *future;

    pool_start(thread_counts[_i], 0);
    ck_assert_int_eq(
            amdrpc_async(pool, call_hold_inside, NULL, &future), AMDRPC_OK);
    test_gate_await(&gate);
    amdrpc_future_cancel(future);
    test_gate_open(&gate);
    ck_assert_int_eq(amdrpc_future_wait(future, -1), AMDRPC_OK);

    ck_assert_int_eq(amdrpc_future_get_status(future), AMDRPC_STATUS_CANCELLED);
    amdrpc_future_unref(future);
}
END_TEST

/* ---- several threads outside ---- */

static void *
outsider_main(void *arg)
{
    (void)fib_part(arg); // the value tells
    return NULL;
}

START_TEST(several_threads_from_outside)
{
    struct fib fibs[3] = {{.n = 15}, {.n = 15}, {.n = 15}};
    pthread_t threads[3];

    pool_start(thread_counts[_i], 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(
                pthread_create(&threads[i], NULL, outsider_main, &fibs[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        (void)pthread_join(threads[i], NULL);
        ck_assert_uint_eq(fibs[i].value, 610);
    }
}
END_TEST

static amdrpc_err
call_spawn_and_sync(void *arg, void **result)
{
    amdrpc_group group;

    (void)result;
    amdrpc_group_init(&group, pool);
    for (int i = 0; i < 100; i++) {
        amdrpc_group_spawn(&group, part_count, arg);
    }
    return amdrpc_group_sync(&group);
}

START_TEST(destroy_waits_for_groups_in_queued_calls)
{
    amdrpc_future *future;

    pool_start(thread_counts[_i], 0);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(amdrpc_async(pool, call_spawn_and_sync, NULL, &future),
                AMDRPC_OK);
        amdrpc_future_unref(future);
    }
    amdrpc_pool_destroy(pool);
    pool = NULL;

    ck_assert_int_eq(atomic_load(&ncalls), 1000);
}
END_TEST

static void
group_add_recursion_tests(Suite *suite)
{
    TCase *recursion = tcase_create("recursion");

    tcase_add_checked_fixture(recursion, pool_set_up, pool_tear_down);
    tcase_add_loop_test(recursion, fibonacci_from_inside, 0, NTHREAD_COUNTS);
    tcase_add_loop_test(recursion, fibonacci_from_outside, 0, NTHREAD_COUNTS);
    tcase_add_loop_test(recursion, fibonacci_with_a_queue_that_is_always_full,
            0, NTHREAD_COUNTS);
    tcase_add_loop_test(recursion, two_recursions_at_once, 0, NTHREAD_COUNTS);
    tcase_add_loop_test(recursion,
            quicksort_of_a_million_down_to_single_numbers, 0, NTHREAD_COUNTS);
    tcase_set_timeout(recursion, 50);
    suite_add_tcase(suite, recursion);
}

static void
group_add_cancel_tests(Suite *suite)
{
    TCase *cancel = tcase_create("cancel");

    tcase_add_checked_fixture(cancel, pool_set_up, pool_tear_down);
    tcase_add_test(cancel, first_error_is_the_group_s_and_the_others_run);
    tcase_add_test(cancel, cancelled_group_calls_nothing_more);
    tcase_add_loop_test(cancel, groups_below_see_that_a_group_is_cancelled, 0,
            NTHREAD_COUNTS);
    tcase_add_loop_test(cancel, groups_below_see_that_a_future_is_cancelled, 0,
            NTHREAD_COUNTS);
    suite_add_tcase(suite, cancel);
}

static Suite *
group_suite(void)
{
    Suite *suite = suite_create("pool_group");
    TCase *one = tcase_create("one");
    TCase *outside = tcase_create("outside");

    group_add_recursion_tests(suite);
    tcase_add_checked_fixture(one, pool_set_up, pool_tear_down);
    tcase_add_test(one, empty_group_is_done);
    tcase_add_loop_test(one, group_from_outside_runs_all_and_can_be_used_again,
            0, NTHREAD_COUNTS);
    tcase_add_test(one, sync_runs_what_is_queued_when_the_threads_are_busy);
    tcase_add_test(one, sync_runs_nothing_of_others);
    tcase_add_loop_test(one, parts_may_add_parts, 0, NTHREAD_COUNTS);
    tcase_add_test(one, spawn_without_memory_calls_at_once);
    tcase_add_test(one, loop_thread_neither_runs_nor_waits);
    suite_add_tcase(suite, one);
    group_add_cancel_tests(suite);
    tcase_add_checked_fixture(outside, pool_set_up, pool_tear_down);
    tcase_add_loop_test(
            outside, several_threads_from_outside, 0, NTHREAD_COUNTS);
    tcase_add_loop_test(outside, destroy_waits_for_groups_in_queued_calls, 0,
            NTHREAD_COUNTS);
    suite_add_tcase(suite, outside);
    return suite;
}

TEST_MAIN(group_suite)
