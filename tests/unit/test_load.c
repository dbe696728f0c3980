/** Tests the closed loop where there is nobody who answers. */
#include "client/bench/load.h"
#include "common/alloc.h"
#include "tests/support/runner.h"

#include <check.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SWEEP_MAX 5000

// Long enough for some calls to end, on a slow machine too.
#define RUN_MS 300

static const amdrpc_method_desc method = {
        .name = "Echo", .path = "/pkg.Svc/Echo", .kind = AMDRPC_UNARY};
static int fd;
static char target[32];
static struct amdi_load_plan plan;
static struct amdi_load_result result;

// A port that is ours, and refuses until it listens.
static void
setup(void)
{
    struct sockaddr_in address = {
            .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(
            target, sizeof(target), "127.0.0.1:%u", ntohs(address.sin_port));
    plan = (struct amdi_load_plan){
            .target = target,
            .threads = 2,
            .connections = 3,
            .inflight = 4,
            .method = &method,
            .request = "",
    };
}

static void
teardown(void)
{
    (void)close(fd);
}

// Connections are taken by the kernel, and nobody ever speaks.
static void
be_silent(void)
{
    ck_assert_int_eq(listen(fd, 16), 0);
}

static void
run_and_stop(uint64_t ms)
{
    struct amdi_load *load = NULL;

    ck_assert_int_eq(amdi_load_create(&plan, &load), AMDRPC_OK);
    amdi_load_measure(load, true);
    amdi_load_run(load, ms);
    amdi_load_measure(load, false);
    amdi_load_stop(load, &result);
    ck_assert_uint_eq(amdi_load_count_active(load), 0);
    amdi_load_destroy(load);
}

START_TEST(refused_calls_are_counted_and_begun_again)
{
    run_and_stop(RUN_MS);

    ck_assert_uint_gt(result.calls[AMDRPC_STATUS_UNAVAILABLE], 12);
    ck_assert_uint_eq(amdi_load_result_calls(&result),
            result.calls[AMDRPC_STATUS_UNAVAILABLE]);
    ck_assert_uint_eq(result.latency_ns.count, 0);
    ck_assert_uint_gt(result.elapsed_ns, 0);
}
END_TEST

START_TEST(deadlines_are_counted)
{
    be_silent();
    plan.timeout_ms = 20;

    run_and_stop(RUN_MS);

    ck_assert_uint_ge(result.calls[AMDRPC_STATUS_DEADLINE_EXCEEDED], 12);
}
END_TEST

START_TEST(stop_ends_calls_that_wait)
{
    be_silent();

    run_and_stop(/*ms=*/0);

    ck_assert_uint_eq(amdi_load_result_calls(&result), 0);
}
END_TEST

START_TEST(drain_lets_calls_end)
{
    struct amdi_load *load = NULL;

    be_silent();
    plan.timeout_ms = 20;
    ck_assert_int_eq(amdi_load_create(&plan, &load), AMDRPC_OK);
    amdi_load_drain(load, 10000);

    ck_assert_uint_eq(amdi_load_count_active(load), 0);
    amdi_load_stop(load, &result);
    amdi_load_destroy(load);
}
END_TEST

START_TEST(drain_gives_up_in_time)
{
    struct amdi_load *load = NULL;

    be_silent();
    ck_assert_int_eq(amdi_load_create(&plan, &load), AMDRPC_OK);
    amdi_load_drain(load, 1);

    ck_assert_uint_eq(amdi_load_count_active(load), 12);
    amdi_load_stop(load, &result);
    amdi_load_destroy(load);
}
END_TEST

START_TEST(what_is_no_target_is_refused)
{
    struct amdi_load *load = NULL;

    plan.target = "nowhere";

    ck_assert_int_eq(amdi_load_create(&plan, &load), AMDRPC_EINVAL);
    amdi_load_destroy(NULL);
}
END_TEST

START_TEST(failed_allocations_leave_nothing_behind)
{
    bool has_failed = true;

    be_silent();
    plan.threads = 1;
    plan.connections = 1;
    plan.inflight = 1;
    for (int64_t n = 0; has_failed; n++) {
        struct amdi_load *load = NULL;
        amdrpc_err err;

        ck_assert_int_lt(n, SWEEP_MAX);
        amdi_alloc_fail_at(n);
        err = amdi_load_create(&plan, &load);
        if (err == AMDRPC_OK) { // it hit a call, or the loop thread
            amdi_load_stop(load, &result);
            amdi_load_destroy(load);
        }
        has_failed = amdi_alloc_has_failed();
        amdi_alloc_fail_at(-1);
        ck_assert(err == AMDRPC_OK || err == AMDRPC_ENOMEM);
    }
}
END_TEST

static Suite *
load_suite(void)
{
    Suite *suite = suite_create("load");
    TCase *load = tcase_create("load");

    tcase_set_timeout(load, 60);
    tcase_add_checked_fixture(load, setup, teardown);
    tcase_add_test(load, refused_calls_are_counted_and_begun_again);
    tcase_add_test(load, deadlines_are_counted);
    tcase_add_test(load, stop_ends_calls_that_wait);
    tcase_add_test(load, drain_lets_calls_end);
    tcase_add_test(load, drain_gives_up_in_time);
    tcase_add_test(load, what_is_no_target_is_refused);
    tcase_add_test(load, failed_allocations_leave_nothing_behind);
    suite_add_tcase(suite, load);
    return suite;
}

TEST_MAIN(load_suite)
