/** Tests the open loop where nobody answers. */
#include "client/bench/pace.h"
#include "common/alloc.h"
#include "tests/support/runner.h"

#include <check.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define SWEEP_MAX 5000

static const amdrpc_method_desc method = {
        .name = "Echo", .path = "/pkg.Svc/Echo", .kind = AMDRPC_UNARY};
static int fd;
static char target[32];
static struct amdi_pace_plan plan;
static struct amdi_pace_result results[2];

// Connections are taken by the kernel, and nobody ever speaks.
static void
setup(void)
{
    struct sockaddr_in address = {
            .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(fd, 16), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(
            target, sizeof(target), "127.0.0.1:%u", ntohs(address.sin_port));
    plan = (struct amdi_pace_plan){
            .target = target,
            .rates = {100, 1000},
            .ncallers = 2,
            .timeout_ms = 10,
            .method = &method,
            .request = "",
            .duration_ms = 100,
    };
}

static void
teardown(void)
{
    (void)close(fd);
}

START_TEST(calls_are_offered_at_their_rate_though_none_is_answered)
{
    ck_assert_int_eq(amdi_pace_run(&plan, results), AMDRPC_OK);

    // A busy machine is late with them, and leaves none out.
    ck_assert_uint_eq(results[0].noffered, 10);
    ck_assert_uint_eq(results[1].noffered, 100);
}
END_TEST

START_TEST(calls_without_an_answer_end_at_their_deadline)
{
    plan.counts_all = true;

    ck_assert_int_eq(amdi_pace_run(&plan, results), AMDRPC_OK);

    ck_assert_uint_eq(results[1].calls[AMDRPC_STATUS_DEADLINE_EXCEEDED], 100);
    ck_assert_uint_eq(results[1].calls[AMDRPC_STATUS_OK], 0);
    ck_assert_uint_eq(results[1].latency_ns.count, 0);
    ck_assert_uint_eq(results[1].npushbacks, 0);
}
END_TEST

START_TEST(warmup_is_not_counted)
{
    plan.warmup_ms = 100;
    plan.duration_ms = 0;

    ck_assert_int_eq(amdi_pace_run(&plan, results), AMDRPC_OK);

    ck_assert_uint_eq(results[1].noffered, 0);
}
END_TEST

START_TEST(what_is_no_server_is_an_error)
{
    plan.target = "nowhere";

    ck_assert_int_eq(amdi_pace_run(&plan, results), AMDRPC_EINVAL);
}
END_TEST

START_TEST(failed_allocations_leave_nothing_behind)
{
    bool has_failed = true;

    plan.duration_ms = 5;
    for (int64_t n = 0; has_failed; n++) {
        amdrpc_err err;

        ck_assert_int_lt(n, SWEEP_MAX);
        amdi_alloc_fail_at(n);
        err = amdi_pace_run(&plan, results);
        has_failed = amdi_alloc_has_failed();
        amdi_alloc_fail_at(-1);
        // It may also have hit a call, or a loop thread.
        ck_assert(err == AMDRPC_OK || err == AMDRPC_ENOMEM);
    }
}
END_TEST

static Suite *
pace_suite(void)
{
    Suite *suite = suite_create("pace");
    TCase *pace = tcase_create("pace");

    tcase_set_timeout(pace, 60);
    tcase_add_checked_fixture(pace, setup, teardown);
    tcase_add_test(
            pace, calls_are_offered_at_their_rate_though_none_is_answered);
    tcase_add_test(pace, calls_without_an_answer_end_at_their_deadline);
    tcase_add_test(pace, warmup_is_not_counted);
    tcase_add_test(pace, what_is_no_server_is_an_error);
    tcase_add_test(pace, failed_allocations_leave_nothing_behind);
    suite_add_tcase(suite, pace);
    return suite;
}

TEST_MAIN(pace_suite)
