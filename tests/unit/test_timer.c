/** Tests the timing wheel. */
#include "common/alloc.h"
#include "common/timer.h"
#include "tests/support/runner.h"

#include <check.h>

#include <stdlib.h>

#define START_MS UINT64_C(1000003)
#define DAY_MS UINT64_C(86400000)

struct probe {
    struct amdi_timer timer; // first
    int nruns;
    uint64_t ran_at_ms;
    struct probe *other; // what an action is about
};

static struct amdi_wheel wheel;
static uint64_t last_at_ms; // of the timer that ran last

static void
wheel_set_up(void)
{
    amdi_wheel_init(&wheel, START_MS);
    last_at_ms = 0;
}

static void
probe_on_run(struct amdi_timer *timer)
{
    struct probe *probe = (struct probe *)timer;

    ck_assert(!amdi_timer_is_running(timer));
    ck_assert_uint_ge(wheel.now_ms, timer->at_ms);
    probe->nruns++;
    probe->ran_at_ms = wheel.now_ms;
}

static void
probe_start_with(
        struct probe *probe, uint64_t at_ms, void (*run)(struct amdi_timer *))
{
    amdi_timer_stop(&probe->timer);
    probe->timer.at_ms = at_ms;
    probe->timer.run = run;
    amdi_wheel_add(&wheel, &probe->timer);
}

static void
probe_start(struct probe *probe, uint64_t at_ms)
{
    probe_start_with(probe, at_ms, probe_on_run);
}

/** Advances step by step, as a loop does, until the wheel wants no more. */
static int
wheel_follow(void)
{
    int nsteps = 0;
    uint64_t next_ms;

    while ((next_ms = amdi_wheel_next_ms(&wheel)) != AMDI_WHEEL_NEVER) {
        ck_assert_uint_ge(next_ms, wheel.now_ms);
        amdi_wheel_advance(&wheel, next_ms);
        nsteps++;
    }
    return nsteps;
}

/* ---- times ---- */

START_TEST(empty_wheel_wants_nothing)
{
    ck_assert_uint_eq(amdi_wheel_next_ms(&wheel), AMDI_WHEEL_NEVER);
    amdi_wheel_advance(&wheel, START_MS + DAY_MS);
    ck_assert_uint_eq(amdi_wheel_next_ms(&wheel), AMDI_WHEEL_NEVER);
}
END_TEST

START_TEST(time_of_the_past_is_due_at_once)
{
    struct probe probe = {.nruns = 0};

    probe_start(&probe, START_MS - 1);

    ck_assert_uint_eq(amdi_wheel_next_ms(&wheel), START_MS);
    amdi_wheel_advance(&wheel, START_MS);
    ck_assert_int_eq(probe.nruns, 1);
}
END_TEST

START_TEST(timer_does_not_run_early)
{
    struct probe probe = {.nruns = 0};

    probe_start(&probe, START_MS + 5000);
    amdi_wheel_advance(&wheel, START_MS + 4999);

    ck_assert_int_eq(probe.nruns, 0);
    ck_assert(amdi_timer_is_running(&probe.timer));
    amdi_wheel_advance(&wheel, START_MS + 5000);
    ck_assert_int_eq(probe.nruns, 1);
    ck_assert(!amdi_timer_is_running(&probe.timer));
}
END_TEST

static const uint64_t distances[] = {1, 2, 60, 61, 62, 63, 64, 65, 4095, 4096,
        4097, 262143, 262144, 600000, DAY_MS, 365 * DAY_MS, UINT64_C(1) << 42,
        UINT64_C(1) << 62};

START_TEST(timer_runs_at_its_time_after_few_steps)
{
    struct probe probe = {.nruns = 0};

    probe_start(&probe, START_MS + distances[_i]);

    ck_assert_int_le(wheel_follow(), AMDI_WHEEL_NLEVELS);
    ck_assert_int_eq(probe.nruns, 1);
    ck_assert_uint_eq(probe.ran_at_ms, START_MS + distances[_i]);
}
END_TEST

START_TEST(last_time_there_is_can_be_asked_for)
{
    struct probe probe = {.nruns = 0};

    probe_start(&probe, UINT64_MAX);
    amdi_wheel_advance(&wheel, UINT64_MAX - 1);
    ck_assert_int_eq(probe.nruns, 0);

    amdi_wheel_advance(&wheel, UINT64_MAX);
    ck_assert_int_eq(probe.nruns, 1);
}
END_TEST

START_TEST(clock_that_goes_back_changes_nothing)
{
    struct probe probe = {.nruns = 0};

    probe_start(&probe, START_MS + 10);
    amdi_wheel_advance(&wheel, START_MS - 500);

    ck_assert_uint_eq(wheel.now_ms, START_MS);
    amdi_wheel_advance(&wheel, START_MS + 10);
    ck_assert_int_eq(probe.nruns, 1);
}
END_TEST

/* ---- starting and stopping ---- */

START_TEST(stopped_timer_does_not_run)
{
    struct probe probe = {.nruns = 0};

    probe_start(&probe, START_MS + 100);
    amdi_timer_stop(&probe.timer);
    amdi_timer_stop(&probe.timer);

    ck_assert_uint_eq(amdi_wheel_next_ms(&wheel), AMDI_WHEEL_NEVER);
    amdi_wheel_advance(&wheel, START_MS + 200);
    ck_assert_int_eq(probe.nruns, 0);
}
END_TEST

START_TEST(zeroed_timer_is_stopped)
{
    struct amdi_timer timer = {.run = NULL};

    ck_assert(!amdi_timer_is_running(&timer));
    amdi_timer_stop(&timer);
}
END_TEST

START_TEST(timer_started_again_is_moved)
{
    struct probe probe = {.nruns = 0};

    probe_start(&probe, START_MS + 100);
    probe_start(&probe, START_MS + 9000);
    amdi_wheel_advance(&wheel, START_MS + 8999);
    ck_assert_int_eq(probe.nruns, 0);

    amdi_wheel_advance(&wheel, START_MS + 9000);
    ck_assert_int_eq(probe.nruns, 1);
}
END_TEST

/* ---- from inside a timer ---- */

static void
probe_stop_other(struct amdi_timer *timer)
{
    struct probe *probe = (struct probe *)timer;

    probe_on_run(timer);
    amdi_timer_stop(&probe->other->timer);
}

START_TEST(timer_may_stop_one_that_is_due_too)
{
    struct probe first = {.nruns = 0};
    struct probe second = {.nruns = 0};

    first.other = &second;
    probe_start_with(&first, START_MS + 7, probe_stop_other);
    probe_start(&second, START_MS + 7);
    amdi_wheel_advance(&wheel, START_MS + 7);

    ck_assert_int_eq(first.nruns, 1);
    ck_assert_int_eq(second.nruns, 0);
}
END_TEST

static void
probe_start_now(struct amdi_timer *timer)
{
    struct probe *probe = (struct probe *)timer;

    probe_on_run(timer);
    probe_start_with(probe, wheel.now_ms, probe_start_now);
}

START_TEST(timer_that_is_always_due_runs_once_in_each_advance)
{
    struct probe probe = {.nruns = 0};

    probe_start_with(&probe, START_MS, probe_start_now);
    amdi_wheel_advance(&wheel, START_MS);
    ck_assert_int_eq(probe.nruns, 1);

    amdi_wheel_advance(&wheel, START_MS);
    ck_assert_int_eq(probe.nruns, 2);
    amdi_timer_stop(&probe.timer);
}
END_TEST

static void
probe_free(struct amdi_timer *timer)
{
    struct probe *probe = (struct probe *)timer;

    amdi_timer_stop(&probe->other->timer);
    amdi_free(probe->other);
    amdi_free(probe);
}

START_TEST(timer_may_free_its_owner_and_another)
{
    struct probe *first = amdi_zalloc(sizeof(*first));
    struct probe *second = amdi_zalloc(sizeof(*second));

    first->other = second;
    probe_start_with(first, START_MS + 70, probe_free);
    probe_start(second, START_MS + 70);
    amdi_wheel_advance(&wheel, START_MS + 100);

    ck_assert_uint_eq(amdi_wheel_next_ms(&wheel), AMDI_WHEEL_NEVER);
}
END_TEST

/* ---- many ---- */

#define NMANY 100000

static void
probe_on_ordered_run(struct amdi_timer *timer)
{
    ck_assert_uint_ge(timer->at_ms, last_at_ms);
    last_at_ms = timer->at_ms;
    probe_on_run(timer);
}

static uint64_t
random_distance(void)
{
    // All magnitudes up to some days are equally likely.
    return (uint64_t)rand() >> (rand() % 31);
}

START_TEST(many_timers_run_in_order_and_in_time)
{
    struct probe *probes = amdi_calloc(NMANY, sizeof(*probes));

    srand(7);
    for (int i = 0; i < NMANY; i++) {
        probe_start_with(
                &probes[i], START_MS + random_distance(), probe_on_ordered_run);
    }
    for (int i = 0; i < NMANY; i += 2) {
        amdi_timer_stop(&probes[i].timer);
    }
    (void)wheel_follow();

    for (int i = 0; i < NMANY; i++) {
        ck_assert_int_eq(probes[i].nruns, i % 2);
        if (i % 2 == 1 && probes[i].timer.at_ms > START_MS) {
            ck_assert_uint_eq(probes[i].ran_at_ms, probes[i].timer.at_ms);
        }
    }
    amdi_free(probes);
}
END_TEST

START_TEST(jump_of_the_clock_runs_what_is_due_and_nothing_else)
{
    struct probe *probes = amdi_calloc(1000, sizeof(*probes));
    uint64_t now_ms = START_MS;

    srand(11);
    for (int i = 0; i < 1000; i++) {
        probe_start(&probes[i], START_MS + random_distance());
    }
    for (int step = 0; step < 40; step++) {
        now_ms += random_distance();
        amdi_wheel_advance(&wheel, now_ms);
        for (int i = 0; i < 1000; i++) {
            ck_assert_int_eq(
                    probes[i].nruns, probes[i].timer.at_ms <= now_ms ? 1 : 0);
        }
    }
    for (int i = 0; i < 1000; i++) {
        amdi_timer_stop(&probes[i].timer);
    }
    amdi_free(probes);
}
END_TEST

static Suite *
timer_suite(void)
{
    Suite *suite = suite_create("timer");
    TCase *times = tcase_create("times");
    TCase *changes = tcase_create("changes");
    TCase *many = tcase_create("many");

    tcase_add_checked_fixture(times, wheel_set_up, NULL);
    tcase_add_test(times, empty_wheel_wants_nothing);
    tcase_add_test(times, time_of_the_past_is_due_at_once);
    tcase_add_test(times, timer_does_not_run_early);
    tcase_add_loop_test(times, timer_runs_at_its_time_after_few_steps, 0,
            (int)(sizeof(distances) / sizeof(distances[0])));
    tcase_add_test(times, last_time_there_is_can_be_asked_for);
    tcase_add_test(times, clock_that_goes_back_changes_nothing);
    suite_add_tcase(suite, times);
    tcase_add_checked_fixture(changes, wheel_set_up, NULL);
    tcase_add_test(changes, stopped_timer_does_not_run);
    tcase_add_test(changes, zeroed_timer_is_stopped);
    tcase_add_test(changes, timer_started_again_is_moved);
    tcase_add_test(changes, timer_may_stop_one_that_is_due_too);
    tcase_add_test(changes, timer_that_is_always_due_runs_once_in_each_advance);
    tcase_add_test(changes, timer_may_free_its_owner_and_another);
    suite_add_tcase(suite, changes);
    tcase_add_checked_fixture(many, wheel_set_up, NULL);
    tcase_add_test(many, many_timers_run_in_order_and_in_time);
    tcase_add_test(many, jump_of_the_clock_runs_what_is_due_and_nothing_else);
    suite_add_tcase(suite, many);
    return suite;
}

TEST_MAIN(timer_suite)
