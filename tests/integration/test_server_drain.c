/** Tests the server's life: start, listen, drain, stop. */
#include "tests/integration/server.h"
#include "tests/support/runner.h"

#include <check.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- drain ---- */

START_TEST(drain_finishes_calls_and_tells_twice)
{
    struct test_rpc *held = NULL;

    test_server_start(_i);
    held = test_call_how(test_conn, TEST_HOW(HOLD));
    test_server_await(TEST_NHELD, 1);

    amdrpc_server_drain(test_server);
    amdrpc_server_drain(test_server); // harmless
    test_rpc_await_goaways(test_conn, 2);
    ck_assert_int_eq(test_conn->goaway_last_id, held->id);
    ck_assert_int_eq(test_conn->goaway_code, AMDI_H2_NO_ERROR);
    ck_assert(!held->has_ended);
    amdrpc_call_finish(test_server_take_held(), AMDRPC_STATUS_OK, NULL);

    test_rpc_expect(held, AMDRPC_STATUS_OK);
    test_rpc_await_lost(test_conn);
    test_rpc_close(test_conn);
    test_conn = NULL;
    ck_assert_int_eq(amdrpc_server_wait(test_server), AMDRPC_OK);
}
END_TEST

static void *
drain_main(void *server)
{
    amdrpc_server_drain(server);
    return NULL;
}

/** Every call that the server looked at is answered. */
START_TEST(drain_under_load_loses_no_call)
{
    pthread_t thread;
    size_t nanswered = 0;
    size_t nrefused = 0;

    test_server_start(_i);
    for (int i = 0; i < 100; i++) {
        (void)test_call_how(test_conn, TEST_HOW(REPLY));
    }
    test_server_await(TEST_NSTARTED, 50);
    ck_assert_int_eq(pthread_create(&thread, NULL, drain_main, test_server), 0);
    for (int i = 0; i < 20 && test_conn->ngoaways == 0; i++) {
        (void)test_call_how(test_conn, TEST_HOW(REPLY));
    }
    test_rpc_await_all(test_conn);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);

    for (struct test_rpc *rpc = test_conn->calls; rpc != NULL;
            rpc = rpc->next) {
        nanswered += rpc->status == AMDRPC_STATUS_OK ? 1 : 0;
        nrefused +=
                rpc->is_reset && rpc->reset == AMDI_H2_REFUSED_STREAM ? 1 : 0;
    }
    ck_assert_uint_eq(nanswered + nrefused, test_conn->ncalls);
    ck_assert_uint_eq(nanswered, test_server_get(TEST_NSTARTED));
    // What was sent before the first GOAWAY came is before the PING's answer.
    ck_assert_uint_ge(nanswered, 100);
    test_rpc_close(test_conn);
    test_conn = NULL;
    ck_assert_int_eq(amdrpc_server_wait(test_server), AMDRPC_OK);
}
END_TEST

START_TEST(drain_that_takes_too_long_cancels_with_unavailable)
{
    const amdrpc_server_options options = {
            .workers = 1, .max_workers = 1, .drain_timeout_ms = 50};
    struct test_rpc *held = NULL;
    struct test_rpc *running = NULL;
    struct test_rpc *queued = NULL;

    test_server_start_with(&options, NULL);
    held = test_call_how(test_conn, TEST_HOW(HOLD));
    test_server_await(TEST_NHELD, 1);
    running = test_call_how(test_conn, TEST_HOW(BLOCK));
    test_server_await(TEST_NSTARTED, 2);
    queued = test_call_how(test_conn, TEST_HOW(REPLY));

    amdrpc_server_drain(test_server);

    test_rpc_expect(held, AMDRPC_STATUS_UNAVAILABLE);
    test_rpc_expect(running, AMDRPC_STATUS_UNAVAILABLE);
    test_rpc_expect(queued, AMDRPC_STATUS_UNAVAILABLE);
    test_server_await(TEST_NCANCELS, 2);
    amdrpc_call_finish(test_server_take_held(), AMDRPC_STATUS_OK, NULL);
    ck_assert_int_eq(amdrpc_server_wait(test_server), AMDRPC_OK);
    ck_assert_uint_eq(test_server_get(TEST_NSTARTED), 2);
}
END_TEST

START_TEST(idle_connections_do_not_hold_a_drain_up)
{
    test_server_start(TEST_ON_POOL);
    test_expect_service(test_conn);

    amdrpc_server_drain(test_server);
    test_rpc_await_lost(test_conn);
    ck_assert_uint_eq(test_conn->ngoaways, 2);
    test_rpc_close(test_conn);
    test_conn = NULL;

    ck_assert_int_eq(amdrpc_server_wait(test_server), AMDRPC_OK);
}
END_TEST

static const amdrpc_server_options silence_options[] = {
        // However long it may take to begin, and calls may go on.
        {.handshake_timeout_ms = 3600000, .drain_timeout_ms = 3600000},
        // It ends with the drain's own time.
        {.drain_timeout_ms = 50},
};

/** @_i: of the options. */
START_TEST(silent_connections_do_not_hold_a_drain_up)
{
    struct test_rpc_conn *silent = NULL;

    test_server_start_with(&silence_options[_i], NULL);
    silent = test_rpc_connect_silent(test_port);
    test_expect_service(test_conn);
    test_rpc_close(test_conn);
    test_conn = NULL;

    amdrpc_server_drain(test_server);
    test_rpc_await_lost(silent);
    test_rpc_close(silent);

    ck_assert_int_eq(amdrpc_server_wait(test_server), AMDRPC_OK);
}
END_TEST

static struct sockaddr_in
loopback(void)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
            .sin_port = htons(test_port),
            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

START_TEST(drained_server_takes_no_connections)
{
    struct sockaddr_in address;
    int fd = -1;

    test_server_start(TEST_ON_POOL);
    test_rpc_close(test_conn);
    test_conn = NULL;
    test_server_stop();
    address = loopback();
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ne(
            connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);

    ck_assert_int_eq(close(fd), 0);
}
END_TEST

#define NCOMING 40

/** Whichever loop they were handed to, and however far its drain was. */
START_TEST(connections_that_come_with_the_drain_are_closed)
{
    const amdrpc_server_options options = {.loops = 4, .drain_timeout_ms = 20};
    struct test_rpc_conn *coming[NCOMING];

    test_server_start_with(&options, NULL);
    test_rpc_close(test_conn);
    test_conn = NULL;
    for (int i = 0; i < NCOMING; i++) {
        coming[i] = test_rpc_connect_silent(test_port);
    }

    amdrpc_server_drain(test_server);
    for (int i = 0; i < NCOMING; i++) {
        test_rpc_await_lost(coming[i]);
        test_rpc_close(coming[i]);
    }

    ck_assert_int_eq(amdrpc_server_wait(test_server), AMDRPC_OK);
}
END_TEST

/**
 * Whether it waits to be accepted, is on its way to its loop, or has begun: the
 * client learns that its call was answered, or may be made elsewhere.
 */
START_TEST(calls_that_come_with_the_drain_are_not_lost)
{
    const amdrpc_server_options options = {.loops = 4};
    struct test_rpc_conn *coming[NCOMING];

    test_server_start_with(&options, NULL);
    for (int i = 0; i < NCOMING; i++) {
        coming[i] = test_rpc_connect(test_port);
        (void)test_call_how(coming[i], TEST_HOW(REPLY));
    }

    amdrpc_server_drain(test_server);
    for (int i = 0; i < NCOMING; i++) {
        struct test_rpc *call = coming[i]->calls;

        test_rpc_await_lost(coming[i]);
        ck_assert_uint_ge(coming[i]->ngoaways, 1);
        ck_assert(call->status == AMDRPC_STATUS_OK ||
                call->id > coming[i]->goaway_last_id);
        test_rpc_close(coming[i]);
    }
}
END_TEST

static void
count_hook(void *arg)
{
    int *n = arg;

    (*n)++;
}

START_TEST(drain_calls_each_hook_once)
{
    int n = 0;

    ck_assert_int_eq(amdrpc_server_create(NULL, &test_server), AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_server_on_drain(test_server, count_hook, &n), AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_server_on_drain(test_server, count_hook, &n), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_server_start(test_server), AMDRPC_OK);

    test_server_stop();
    test_server_stop();

    ck_assert_int_eq(n, 2);
}
END_TEST

/* ---- start and listen ---- */

START_TEST(server_that_never_started_is_destroyed)
{
    uint16_t port = 0;

    ck_assert_int_eq(amdrpc_server_create(NULL, &test_server), AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_server_listen(test_server, "localhost:0", &port), AMDRPC_OK);

    ck_assert_uint_ne(port, 0);
    ck_assert_int_eq(amdrpc_server_wait(test_server), AMDRPC_OK);
    amdrpc_server_drain(test_server); // harmless
    amdrpc_server_destroy(NULL);
}
END_TEST

START_TEST(server_starts_once)
{
    test_server_start(TEST_ON_POOL);

    ck_assert_int_eq(amdrpc_server_start(test_server), AMDRPC_ESTATE);
}
END_TEST

START_TEST(port_in_use_is_told)
{
    amdrpc_server *second = NULL;
    char address[32];

    test_server_start(TEST_ON_POOL);
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", test_port);
    ck_assert_int_eq(amdrpc_server_create(NULL, &second), AMDRPC_OK);

    ck_assert_int_eq(
            amdrpc_server_listen(second, address, NULL), AMDRPC_EADDRINUSE);

    amdrpc_server_destroy(second);
}
END_TEST

static const char *const bad_addresses[] = {
        "", "localhost", "localhost:http", "example.org:80", "192.0.2.1:0"};

START_TEST(bad_address_is_told)
{
    ck_assert_int_eq(amdrpc_server_create(NULL, &test_server), AMDRPC_OK);

    ck_assert_int_eq(amdrpc_server_listen(test_server, bad_addresses[_i], NULL),
            AMDRPC_EINVAL);
}
END_TEST

static const amdrpc_server_options bad_options[] = {{.loops = 1000000},
        {.workers = 1000000}, {.dispatch = (amdrpc_dispatch)99}};

START_TEST(bad_option_is_told)
{
    ck_assert_int_eq(amdrpc_server_create(&bad_options[_i], &test_server),
            AMDRPC_EINVAL);
}
END_TEST

START_TEST(connections_above_the_limit_are_closed)
{
    const amdrpc_server_options options = {.max_connections = 1};
    struct test_rpc_conn *second = NULL;

    test_server_start_with(&options, NULL);
    test_expect_service(test_conn);

    second = test_rpc_connect_silent(test_port);
    test_rpc_await_lost(second);
    test_rpc_close(second);
    test_expect_service(test_conn);
}
END_TEST

/* ---- out of descriptors ---- */

#define NSOCKETS 20

static uint64_t
cpu_used_us(void)
{
    struct rusage usage;

    ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
            (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/** Lets this process open no more descriptors; returns the limit before. */
static struct rlimit
forbid_descriptors(void)
{
    struct rlimit before;
    struct rlimit now;
    int next = dup(0);

    ck_assert_int_ge(next, 0);
    ck_assert_int_eq(close(next), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = before;
    now.rlim_cur = (rlim_t)next;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
    return before;
}

START_TEST(server_without_descriptors_recovers)
{
    struct sockaddr_in address;
    int fds[NSOCKETS];
    struct rlimit before;
    uint64_t started_us = 0;
    struct test_rpc_conn *other = NULL;

    test_server_start(TEST_ON_POOL);
    test_expect_service(test_conn);
    address = loopback();
    for (int i = 0; i < NSOCKETS; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(fds[i], 0);
    }
    before = forbid_descriptors();
    for (int i = 0; i < NSOCKETS; i++) {
        ck_assert_int_eq(connect(fds[i], (const struct sockaddr *)&address,
                                 sizeof(address)),
                0);
    }
    // They are closed, rather than left waiting for a server that spins.
    for (int i = 0; i < NSOCKETS; i++) {
        struct pollfd pfd = {.fd = fds[i], .events = POLLIN};

        ck_assert_int_eq(poll(&pfd, 1, TEST_RPC_WAIT_MS), 1);
    }
    test_expect_service(test_conn);
    started_us = cpu_used_us();
    (void)poll(NULL, 0, 100);
    ck_assert_uint_lt(cpu_used_us() - started_us, 50000);

    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    other = test_rpc_connect(test_port);
    test_expect_service(other);
    test_rpc_close(other);
    for (int i = 0; i < NSOCKETS; i++) {
        ck_assert_int_eq(close(fds[i]), 0);
    }
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("server_drain");
    TCase *drain = tcase_create("drain");
    TCase *life = tcase_create("life");
    const int n = TEST_NPLACES;

    tcase_set_timeout(drain, 60);
    tcase_add_checked_fixture(drain, test_server_setup, test_server_teardown);
    tcase_add_loop_test(drain, drain_finishes_calls_and_tells_twice, 0, n);
    tcase_add_loop_test(drain, drain_under_load_loses_no_call, 0, n);
    tcase_add_test(drain, drain_that_takes_too_long_cancels_with_unavailable);
    tcase_add_test(drain, idle_connections_do_not_hold_a_drain_up);
    tcase_add_loop_test(drain, silent_connections_do_not_hold_a_drain_up, 0,
            sizeof(silence_options) / sizeof(silence_options[0]));
    tcase_add_test(drain, drained_server_takes_no_connections);
    tcase_add_loop_test(
            drain, connections_that_come_with_the_drain_are_closed, 0, 20);
    tcase_add_loop_test(
            drain, calls_that_come_with_the_drain_are_not_lost, 0, 10);
    tcase_add_test(drain, drain_calls_each_hook_once);
    suite_add_tcase(suite, drain);

    tcase_set_timeout(life, 60);
    tcase_add_checked_fixture(life, test_server_setup, test_server_teardown);
    tcase_add_test(life, server_that_never_started_is_destroyed);
    tcase_add_test(life, server_starts_once);
    tcase_add_test(life, port_in_use_is_told);
    tcase_add_loop_test(life, bad_address_is_told, 0, 5);
    tcase_add_loop_test(life, bad_option_is_told, 0, 3);
    tcase_add_test(life, connections_above_the_limit_are_closed);
    tcase_add_test(life, server_without_descriptors_recovers);
    suite_add_tcase(suite, life);
    return suite;
}

TEST_MAIN(make_suite)
