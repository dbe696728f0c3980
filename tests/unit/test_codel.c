/** Tests what is shed of a queue that does not empty, on a clock of its own. */
#include "server/dispatch/codel.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

static struct amdi_codel codel;
static uint64_t now_ns;

static void
set_up(void)
{
    codel = (struct amdi_codel){0};
    now_ns = 3600 * SECOND;
    amdi_codel_start(&codel, now_ns);
}

/* ---- one queue ---- */

/** Lets calls of 10 ms leave every 10 ms for @ms; returns how many were shed.
 */
static int
leave(uint64_t ms, uint64_t wait_ms)
{
    int nshed = 0;

    for (uint64_t i = 0; i < ms; i += 10) {
        nshed += amdi_codel_sheds(&codel, wait_ms * MS, 10 * MS, now_ns);
        now_ns += 10 * MS;
    }
    return nshed;
}

START_TEST(short_waits_shed_nothing)
{
    ck_assert_int_eq(leave(60000, 100), 0);
}
END_TEST

START_TEST(queue_that_empties_sheds_nothing)
{
    for (int i = 0; i < 20; i++) {
        amdi_codel_start(&codel, now_ns);
        ck_assert_int_eq(leave(500, 400), 0);
    }
}
END_TEST

START_TEST(queue_that_stands_sheds_after_an_interval)
{
    ck_assert_int_eq(leave(500, 200), 0);
    ck_assert_int_eq(leave(500, 200), 50);
}
END_TEST

START_TEST(overload_sheds_only_who_waited_twice_the_target)
{
    (void)leave(1000, 200);

    ck_assert_int_eq(leave(1000, 100), 0);
    ck_assert_int_eq(leave(1000, 101), 100);
}
END_TEST

START_TEST(overload_is_remembered_for_ten_intervals)
{
    (void)leave(1000, 200);
    now_ns += 4900 * MS;
    amdi_codel_start(&codel, now_ns);

    ck_assert_int_eq(leave(80, 200), 8);
}
END_TEST

START_TEST(overload_ends_after_ten_calm_intervals)
{
    (void)leave(1000, 200);
    now_ns += 5000 * MS;
    amdi_codel_start(&codel, now_ns);

    ck_assert_int_eq(leave(500, 200), 0);
}
END_TEST

START_TEST(slower_work_may_wait_longer)
{
    const uint64_t service_ns = 200 * MS;

    now_ns += 1999 * MS;
    ck_assert(!amdi_codel_sheds(&codel, 1900 * MS, service_ns, now_ns));
    now_ns += MS;
    ck_assert(!amdi_codel_sheds(&codel, 400 * MS, service_ns, now_ns));
    ck_assert(amdi_codel_sheds(&codel, 401 * MS, service_ns, now_ns));
}
END_TEST

START_TEST(long_work_is_never_shed)
{
    now_ns += 3600 * SECOND;

    ck_assert(!amdi_codel_sheds(&codel, 60 * SECOND, 500 * MS, now_ns));
    ck_assert(amdi_codel_sheds(&codel, 60 * SECOND, 499 * MS, now_ns));
}
END_TEST

START_TEST(clock_of_another_thread_may_be_ahead)
{
    amdi_codel_start(&codel, now_ns + 1);

    ck_assert(!amdi_codel_sheds(&codel, 200 * MS, MS, now_ns));
}
END_TEST

/* ---- a server with a worker, at a fixed rate of calls ---- */

#define SERVICE_NS (10 * MS)
#define MAX_CALLS 100000

static struct {
    uint64_t queued_at_ns[MAX_CALLS];
    size_t first;
    size_t end;
} queue;

/** What became of the calls. */
struct outcome {
    size_t nrun;
    uint64_t max_wait_ns;
};

/** Calls that are due come to the queue. */
static uint64_t
queue_arrive(uint64_t due_at_ns, uint64_t interval_ns, uint64_t till_ns)
{
    for (; due_at_ns <= till_ns; due_at_ns += interval_ns) {
        if (queue.first == queue.end) {
            amdi_codel_start(&codel, due_at_ns);
        }
        if (queue.end == MAX_CALLS) {
            ck_abort_msg("too many calls"); // an assertion for each takes long
        }
        queue.queued_at_ns[queue.end++] = due_at_ns;
    }
    return due_at_ns;
}

/** Takes calls until one may run. */
static bool
queue_take(struct outcome *outcome)
{
    while (queue.first < queue.end) {
        uint64_t wait_ns = now_ns - queue.queued_at_ns[queue.first++];

        if (!amdi_codel_sheds(&codel, wait_ns, SERVICE_NS, now_ns)) {
            outcome->nrun++;
            if (wait_ns > outcome->max_wait_ns) {
                outcome->max_wait_ns = wait_ns;
            }
            return true;
        }
    }
    return false;
}

/** Offers @percent of what the worker can do. */
static struct outcome
serve(uint64_t percent, uint64_t duration_ns)
{
    uint64_t interval_ns = SERVICE_NS * 100 / percent;
    uint64_t due_at_ns = now_ns;
    uint64_t end_ns = now_ns + duration_ns;
    struct outcome outcome = {0};

    while (now_ns < end_ns) {
        due_at_ns = queue_arrive(due_at_ns, interval_ns, now_ns);
        now_ns = queue_take(&outcome) ? now_ns + SERVICE_NS : due_at_ns;
    }
    return outcome;
}

static void
set_up_server(void)
{
    set_up();
    memset(&queue, 0, sizeof(queue));
}

static const uint64_t loads[] = {
        100, 101, 105, 110, 125, 150, 175, 200, 250, 300, 400, 500, 1000};

START_TEST(no_call_waits_for_longer_than_an_interval)
{
    struct outcome outcome = serve(loads[_i], 60 * SECOND);

    ck_assert_uint_le(outcome.max_wait_ns, 500 * MS);
}
END_TEST

START_TEST(calls_of_a_lasting_overload_wait_for_twice_the_target)
{
    // Where few are too many it takes longer until a call waits at all.
    (void)serve(loads[_i], 1 * SECOND);

    ck_assert_uint_le(serve(loads[_i], 60 * SECOND).max_wait_ns, 100 * MS);
}
END_TEST

START_TEST(overloaded_worker_is_never_idle)
{
    struct outcome outcome = serve(loads[_i], 60 * SECOND);

    ck_assert_uint_ge(outcome.nrun, 60 * SECOND / SERVICE_NS - 1);
}
END_TEST

START_TEST(overload_that_comes_and_goes_is_one)
{
    (void)serve(200, 1 * SECOND);

    for (int i = 0; i < 20; i++) {
        ck_assert_uint_le(serve(50, 1 * SECOND).max_wait_ns, 100 * MS);
        ck_assert_uint_le(
                serve(loads[i % 10 + 3], 1 * SECOND).max_wait_ns, 100 * MS);
    }
}
END_TEST

START_TEST(worker_that_is_not_overloaded_runs_bursts)
{
    for (int i = 0; i < 20; i++) {
        (void)serve(300, 100 * MS);
        ck_assert_uint_ge(queue.end - queue.first, 18);
        // The burst's calls are gone before the next.
        (void)serve(10, 500 * MS);
        ck_assert_uint_eq(queue.first, queue.end);
    }
    ck_assert_uint_eq(codel.overloaded_till_ns, 0);
}
END_TEST

static Suite *
make_suite(void)
{
    const int nloads = (int)(sizeof(loads) / sizeof(loads[0]));
    Suite *suite = suite_create("codel");
    TCase *single = tcase_create("queue");
    TCase *server = tcase_create("server");

    tcase_add_checked_fixture(single, set_up, NULL);
    tcase_add_test(single, short_waits_shed_nothing);
    tcase_add_test(single, queue_that_empties_sheds_nothing);
    tcase_add_test(single, queue_that_stands_sheds_after_an_interval);
    tcase_add_test(single, overload_sheds_only_who_waited_twice_the_target);
    tcase_add_test(single, overload_is_remembered_for_ten_intervals);
    tcase_add_test(single, overload_ends_after_ten_calm_intervals);
    tcase_add_test(single, slower_work_may_wait_longer);
    tcase_add_test(single, long_work_is_never_shed);
    tcase_add_test(single, clock_of_another_thread_may_be_ahead);
    suite_add_tcase(suite, single);
    tcase_add_checked_fixture(server, set_up_server, NULL);
    tcase_add_loop_test(
            server, no_call_waits_for_longer_than_an_interval, 0, nloads);
    tcase_add_loop_test(server,
            calls_of_a_lasting_overload_wait_for_twice_the_target, 0, nloads);
    tcase_add_loop_test(server, overloaded_worker_is_never_idle, 0, nloads);
    tcase_add_test(server, overload_that_comes_and_goes_is_one);
    tcase_add_test(server, worker_that_is_not_overloaded_runs_bursts);
    suite_add_tcase(suite, server);
    return suite;
}

TEST_MAIN(make_suite)
