/** Tests when a quiet connection is asked for a sign of life. */
#include "client/keepalive.h"
#include "tests/support/fake_clock.h"
#include "tests/support/runner.h"

#include <check.h>

#define INTERVAL_MS 30000
#define TIMEOUT_MS 20000

static struct amdi_loop *loop;
static struct amdi_keepalive keepalive;
static unsigned npings;
static unsigned ndeaths;
static bool has_calls;

static bool
keepalive_has_calls(void *ctx)
{
    (void)ctx;
    return has_calls;
}

static void
keepalive_on_ping(void *ctx)
{
    (void)ctx;
    npings++;
}

static void
keepalive_on_dead(void *ctx)
{
    (void)ctx;
    ndeaths++;
}

static const struct amdi_keepalive_events events = {
        .has_calls = keepalive_has_calls,
        .on_ping = keepalive_on_ping,
        .on_dead = keepalive_on_dead,
};

/** Something that happens on the loop. */
struct step {
    struct amdi_task task; // first
    bool is_read;
    bool is_done;
};

static void
step_run(struct amdi_task *task)
{
    struct step *step = (struct step *)task;

    if (step->is_read) {
        amdi_keepalive_on_read(&keepalive);
    }
    step->is_done = true;
}

static bool
step_is_done(void *arg)
{
    return ((const struct step *)arg)->is_done;
}

/** Lets time pass; with @is_read bytes come at its end. */
static void
pass_ms(uint64_t ms, bool is_read)
{
    struct step step = {.task.run = step_run, .is_read = is_read};

    test_clock_advance_ms(ms);
    amdi_loop_post(loop, &step.task);
    amdi_loop_run_until(loop, step_is_done, &step);
}

static void
start(uint32_t interval_ms, bool without_calls)
{
    const struct amdi_keepalive_options options = {.interval_ms = interval_ms,
            .timeout_ms = TIMEOUT_MS,
            .without_calls = without_calls};

    amdi_keepalive_start(&keepalive, loop, &options, &events, NULL);
}

static void
keepalive_setup(void)
{
    test_clock_start();
    ck_assert_int_eq(amdi_loop_create("test", &loop), AMDRPC_OK);
    pass_ms(0, false);
    npings = 0;
    ndeaths = 0;
    has_calls = true;
}

static void
keepalive_teardown(void)
{
    amdi_keepalive_stop(&keepalive);
    amdi_loop_destroy(loop);
    test_clock_stop();
}

START_TEST(quiet_connection_is_pinged_after_the_interval)
{
    start(INTERVAL_MS, false);

    pass_ms(INTERVAL_MS - 1, false);
    ck_assert_uint_eq(npings, 0);
    pass_ms(1, false);
    ck_assert_uint_eq(npings, 1);
}
END_TEST

START_TEST(interval_is_counted_from_the_last_byte)
{
    start(INTERVAL_MS, false);

    pass_ms(INTERVAL_MS - 1, true);
    pass_ms(INTERVAL_MS - 1, false);
    ck_assert_uint_eq(npings, 0);
    pass_ms(1, false);
    ck_assert_uint_eq(npings, 1);
}
END_TEST

START_TEST(silence_after_a_ping_is_death)
{
    start(INTERVAL_MS, false);
    pass_ms(INTERVAL_MS, false);

    pass_ms(TIMEOUT_MS - 1, false);
    ck_assert_uint_eq(ndeaths, 0);
    pass_ms(1, false);
    ck_assert_uint_eq(ndeaths, 1);
}
END_TEST

START_TEST(any_byte_is_a_sign_of_life)
{
    start(INTERVAL_MS, false);
    pass_ms(INTERVAL_MS, false);

    pass_ms(TIMEOUT_MS - 1, true);
    pass_ms(INTERVAL_MS - 1, false);

    ck_assert_uint_eq(ndeaths, 0);
    ck_assert_uint_eq(npings, 1);
}
END_TEST

START_TEST(without_calls_nothing_is_asked)
{
    has_calls = false;
    start(INTERVAL_MS, false);

    pass_ms(INTERVAL_MS, false);
    pass_ms(INTERVAL_MS, false);
    ck_assert_uint_eq(npings, 0);

    has_calls = true;
    pass_ms(INTERVAL_MS, false);
    ck_assert_uint_eq(npings, 1);
}
END_TEST

START_TEST(without_calls_is_asked_where_that_is_wanted)
{
    has_calls = false;
    start(INTERVAL_MS, true);

    pass_ms(INTERVAL_MS, false);

    ck_assert_uint_eq(npings, 1);
}
END_TEST

START_TEST(no_interval_means_off)
{
    start(0, true);

    pass_ms(AMDI_KEEPALIVE_MAX_MS, true);

    ck_assert_uint_eq(npings, 0);
    ck_assert_int_eq(keepalive.state, KEEPALIVE_OFF);
}
END_TEST

START_TEST(nothing_comes_after_the_stop)
{
    start(INTERVAL_MS, false);
    pass_ms(INTERVAL_MS, false);

    amdi_keepalive_stop(&keepalive);
    pass_ms(TIMEOUT_MS, true);

    ck_assert_uint_eq(ndeaths, 0);
}
END_TEST

// The clock seems to jump when a machine was asleep.
START_TEST(jump_of_the_clock_is_no_death)
{
    start(INTERVAL_MS, false);

    pass_ms(UINT64_C(1000) * AMDI_KEEPALIVE_MAX_MS, false);

    ck_assert_uint_eq(npings, 1);
    ck_assert_uint_eq(ndeaths, 0);
}
END_TEST

START_TEST(longer_interval_is_twice_as_long_up_to_a_day)
{
    ck_assert_uint_eq(amdi_keepalive_longer_ms(10000), 20000);
    ck_assert_uint_eq(amdi_keepalive_longer_ms(AMDI_KEEPALIVE_MAX_MS - 1),
            AMDI_KEEPALIVE_MAX_MS);
    ck_assert_uint_eq(
            amdi_keepalive_longer_ms(UINT32_MAX), AMDI_KEEPALIVE_MAX_MS);
}
END_TEST

static Suite *
keepalive_suite(void)
{
    Suite *suite = suite_create("keepalive");
    TCase *tcase = tcase_create("keepalive");

    tcase_add_checked_fixture(tcase, keepalive_setup, keepalive_teardown);
    tcase_add_test(tcase, quiet_connection_is_pinged_after_the_interval);
    tcase_add_test(tcase, interval_is_counted_from_the_last_byte);
    tcase_add_test(tcase, silence_after_a_ping_is_death);
    tcase_add_test(tcase, any_byte_is_a_sign_of_life);
    tcase_add_test(tcase, without_calls_nothing_is_asked);
    tcase_add_test(tcase, without_calls_is_asked_where_that_is_wanted);
    tcase_add_test(tcase, no_interval_means_off);
    tcase_add_test(tcase, nothing_comes_after_the_stop);
    tcase_add_test(tcase, jump_of_the_clock_is_no_death);
    tcase_add_test(tcase, longer_interval_is_twice_as_long_up_to_a_day);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(keepalive_suite)
