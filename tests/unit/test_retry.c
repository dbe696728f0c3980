/** Tests the decision about another attempt. */
#include "client/retry.h"
#include "tests/support/runner.h"

#include <check.h>

#define MIDDLE (UINT32_MAX / 2)

static struct amdi_retry retry;
static struct amdi_retry_throttle throttle;
static uint64_t wait_ms;

static void
retry_start(const amdrpc_retry_options *options, uint32_t max_tokens)
{
    ck_assert(amdi_retry_is_valid(options));
    amdi_retry_init(&retry, options);
    amdi_retry_throttle_init(&throttle, max_tokens, 0.0);
    wait_ms = UINT64_MAX;
}

/** An attempt ends as UNAVAILABLE. */
static bool
retry_fail(const char *pushback)
{
    return amdi_retry_on_failure(&retry, &throttle, AMDRPC_STATUS_UNAVAILABLE,
            pushback, MIDDLE, &wait_ms);
}

START_TEST(unavailable_is_tried_again_by_default)
{
    const amdrpc_retry_options options = {.max_attempts = 2};

    retry_start(&options, 0);

    ck_assert(retry_fail(NULL));
}
END_TEST

START_TEST(other_statuses_are_not_tried_again_by_default)
{
    const amdrpc_retry_options options = {.max_attempts = 2};

    retry_start(&options, 0);

    for (int code = 1; code <= AMDRPC_STATUS_UNAUTHENTICATED; code++) {
        if (code != AMDRPC_STATUS_UNAVAILABLE) {
            ck_assert(!amdi_retry_on_failure(&retry, &throttle,
                    (amdrpc_status_code)code, NULL, MIDDLE, &wait_ms));
        }
    }
}
END_TEST

START_TEST(statuses_can_be_chosen)
{
    const amdrpc_retry_options options = {.max_attempts = 5,
            .retryable_statuses = 1u << AMDRPC_STATUS_ABORTED};

    retry_start(&options, 0);

    ck_assert(amdi_retry_on_failure(
            &retry, &throttle, AMDRPC_STATUS_ABORTED, NULL, MIDDLE, &wait_ms));
    ck_assert(!retry_fail(NULL));
}
END_TEST

START_TEST(first_attempt_counts)
{
    const amdrpc_retry_options options = {.max_attempts = 3};

    retry_start(&options, 0);

    ck_assert(retry_fail(NULL));
    ck_assert(retry_fail(NULL));
    ck_assert(!retry_fail(NULL));
    ck_assert_uint_eq(retry.nattempts, 3);
}
END_TEST

START_TEST(more_attempts_than_five_are_five)
{
    const amdrpc_retry_options options = {.max_attempts = 100};
    unsigned nretries = 0;

    retry_start(&options, 0);
    while (retry_fail(NULL)) {
        nretries++;
    }

    ck_assert_uint_eq(nretries, 4);
}
END_TEST

START_TEST(waits_grow_to_their_bound)
{
    const amdrpc_retry_options options = {.max_attempts = 5,
            .initial_backoff_ms = 1000,
            .max_backoff_ms = 5000,
            .backoff_multiplier = 3.0};
    const uint64_t waits[] = {1000, 3000, 5000, 5000};

    retry_start(&options, 0);

    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        ck_assert(retry_fail(NULL));
        ck_assert_uint_ge(wait_ms, waits[i] - 1);
        ck_assert_uint_le(wait_ms, waits[i] + 1);
    }
}
END_TEST

START_TEST(server_tells_the_wait)
{
    const amdrpc_retry_options options = {.max_attempts = 5};

    retry_start(&options, 0);

    ck_assert(retry_fail("0"));
    ck_assert_uint_eq(wait_ms, 0);
    ck_assert(retry_fail("2147483647"));
    ck_assert_uint_eq(wait_ms, INT32_MAX);
}
END_TEST

START_TEST(waits_begin_anew_after_the_server_told_one)
{
    const amdrpc_retry_options options = {
            .max_attempts = 5, .initial_backoff_ms = 1000};

    retry_start(&options, 0);
    ck_assert(retry_fail(NULL));
    ck_assert(retry_fail("7"));

    ck_assert(retry_fail(NULL));

    ck_assert_uint_le(wait_ms, 1001);
}
END_TEST

static const char *const forbidding[] = {"-1", "", "soon", "1.5", " 1", "1 ",
        "2147483648", "99999999999999999999"};

START_TEST(server_forbids_another_attempt)
{
    const amdrpc_retry_options options = {.max_attempts = 5};

    retry_start(&options, 0);

    ck_assert(!retry_fail(forbidding[_i]));
}
END_TEST

START_TEST(pushback_makes_no_status_retryable)
{
    const amdrpc_retry_options options = {.max_attempts = 5};

    retry_start(&options, 0);

    ck_assert(!amdi_retry_on_failure(
            &retry, &throttle, AMDRPC_STATUS_INTERNAL, "1", MIDDLE, &wait_ms));
}
END_TEST

/* ---- the throttle ---- */

START_TEST(half_of_the_tokens_stop_retries)
{
    const amdrpc_retry_options options = {.max_attempts = 5};

    retry_start(&options, 4);

    ck_assert(retry_fail(NULL)); // 3 of 4
    ck_assert(!retry_fail(NULL));
}
END_TEST

START_TEST(successes_bring_retries_back)
{
    const amdrpc_retry_options options = {.max_attempts = 5};

    retry_start(&options, 4);
    ck_assert(retry_fail(NULL));
    ck_assert(!retry_fail(NULL));

    for (int i = 0; i < 11; i++) {
        amdi_retry_on_success(&throttle);
    }

    ck_assert(retry_fail(NULL));
}
END_TEST

START_TEST(tokens_stay_between_none_and_all)
{
    const amdrpc_retry_options options = {.max_attempts = 5};

    retry_start(&options, 2);
    for (int i = 0; i < 10; i++) {
        amdi_retry_on_success(&throttle);
    }
    ck_assert_uint_eq(throttle.milli, 2000);
    for (int i = 0; i < 10; i++) {
        (void)retry_fail(NULL);
    }
    ck_assert_uint_eq(throttle.milli, 0);
}
END_TEST

START_TEST(failure_that_is_not_retryable_costs_nothing)
{
    const amdrpc_retry_options options = {.max_attempts = 5};

    retry_start(&options, 10);

    (void)amdi_retry_on_failure(
            &retry, &throttle, AMDRPC_STATUS_NOT_FOUND, NULL, MIDDLE, &wait_ms);
    ck_assert_uint_eq(throttle.milli, 10000);

    (void)amdi_retry_on_failure(
            &retry, &throttle, AMDRPC_STATUS_NOT_FOUND, "-1", MIDDLE, &wait_ms);
    ck_assert_uint_eq(throttle.milli, 9000);
}
END_TEST

START_TEST(huge_ratio_gives_all_tokens_back)
{
    amdi_retry_throttle_init(&throttle, 1000, 1e300);
    throttle.milli = 0;

    amdi_retry_on_success(&throttle);

    ck_assert_uint_eq(throttle.milli, 1000000);
}
END_TEST

/* ---- options ---- */

static const amdrpc_retry_options bad_options[] = {
        {.max_attempts = 2, .backoff_multiplier = 0.5},
        {.max_attempts = 2, .backoff_multiplier = -1.0},
        {.max_attempts = 2, .backoff_multiplier = 1e9},
        {.max_attempts = 2, .retryable_statuses = 1u << AMDRPC_STATUS_OK},
        {.max_attempts = 2, .retryable_statuses = 1u << 17},
};

START_TEST(options_beyond_their_bounds_are_refused)
{
    ck_assert(!amdi_retry_is_valid(&bad_options[_i]));
}
END_TEST

START_TEST(one_attempt_is_no_retry)
{
    ck_assert(!amdi_retry_is_on(&(amdrpc_retry_options){0}));
    ck_assert(!amdi_retry_is_on(&(amdrpc_retry_options){.max_attempts = 1}));
    ck_assert(amdi_retry_is_on(&(amdrpc_retry_options){.max_attempts = 2}));
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static Suite *
retry_suite(void)
{
    Suite *suite = suite_create("retry");
    TCase *attempts = tcase_create("attempts");
    TCase *tokens = tcase_create("throttle");
    TCase *options = tcase_create("options");

    tcase_add_test(attempts, unavailable_is_tried_again_by_default);
    tcase_add_test(attempts, other_statuses_are_not_tried_again_by_default);
    tcase_add_test(attempts, statuses_can_be_chosen);
    tcase_add_test(attempts, first_attempt_counts);
    tcase_add_test(attempts, more_attempts_than_five_are_five);
    tcase_add_test(attempts, waits_grow_to_their_bound);
    tcase_add_test(attempts, server_tells_the_wait);
    tcase_add_test(attempts, waits_begin_anew_after_the_server_told_one);
    tcase_add_loop_test(
            attempts, server_forbids_another_attempt, 0, COUNT(forbidding));
    tcase_add_test(attempts, pushback_makes_no_status_retryable);
    suite_add_tcase(suite, attempts);
    tcase_add_test(tokens, half_of_the_tokens_stop_retries);
    tcase_add_test(tokens, successes_bring_retries_back);
    tcase_add_test(tokens, tokens_stay_between_none_and_all);
    tcase_add_test(tokens, failure_that_is_not_retryable_costs_nothing);
    tcase_add_test(tokens, huge_ratio_gives_all_tokens_back);
    suite_add_tcase(suite, tokens);
    tcase_add_loop_test(options, options_beyond_their_bounds_are_refused, 0,
            COUNT(bad_options));
    tcase_add_test(options, one_attempt_is_no_retry);
    suite_add_tcase(suite, options);
    return suite;
}

TEST_MAIN(retry_suite)
