/** Tests how a server dispatches calls, as its clients see it. */
#include <amdrpc/client.h>
#include <amdrpc/server.h>

#include "amdrpc/bench/v1/bench.amdrpc-server.h"
#include "amdrpc/bench/v1/bench.amdrpc.h"
#include "server/dispatch/dispatch.h"
#include "server/dispatch/worker_pool.h"
#include "server/server.h"
#include "tests/support/deadline.h"
#include "tests/support/runner.h"

#include <check.h>

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BENCH "/amdrpc.bench.v1.Bench/"
#define WAIT_MS 20000
#define MAX_CALLS 64

enum bench_method {
    ECHO = 0,
    SLEEP = 2,
    BLOCK = 3,
};

/** Where Block's handlers wait, and who came when. */
static struct {
    pthread_mutex_t mtx;
    pthread_cond_t has_changed;
    bool is_open;
    char order[MAX_CALLS + 1]; // the first letter of each call's "who"
    size_t nentered;
} gate = {.mtx = PTHREAD_MUTEX_INITIALIZER,
        .has_changed = PTHREAD_COND_INITIALIZER};

static amdrpc_server *server;
static amdrpc_channel *channels[2];
static char target[32];
static int pipe_fds[2];
static int waited_fd;
static unsigned fd_events; // what the Sleep handler was told
static bool waits_on;      // also when it was told of a cancellation

/* ---- handlers ---- */

static void
block_on_call(amdrpc_call *call, const Amdrpc__Bench__V1__BlockRequest *request,
        void *user_data)
{
    static const Amdrpc__Bench__V1__BlockResponse done =
            AMDRPC__BENCH__V1__BLOCK_RESPONSE__INIT;
    const amdrpc_metadata_field *who =
            amdrpc_metadata_get(amdrpc_call_get_metadata(call), "who");

    (void)request;
    (void)user_data;
    pthread_mutex_lock(&gate.mtx);
    gate.order[gate.nentered++] = who == NULL ? '?' : who->value[0];
    pthread_cond_broadcast(&gate.has_changed);
    while (!gate.is_open) {
        pthread_cond_wait(&gate.has_changed, &gate.mtx);
    }
    pthread_mutex_unlock(&gate.mtx);
    amdrpc_bench_v1_bench_block_reply(call, &done);
}

static void
echo_on_call(amdrpc_call *call, const Amdrpc__Bench__V1__EchoRequest *request,
        void *user_data)
{
    Amdrpc__Bench__V1__EchoResponse response =
            AMDRPC__BENCH__V1__ECHO_RESPONSE__INIT;

    (void)user_data;
    response.payload = request->payload;
    amdrpc_bench_v1_bench_echo_reply(call, &response);
}

static void
sleep_on_fd(amdrpc_call *call, unsigned events, void *arg)
{
    static const Amdrpc__Bench__V1__SleepResponse done =
            AMDRPC__BENCH__V1__SLEEP_RESPONSE__INIT;

    pthread_mutex_lock(&gate.mtx);
    fd_events |= events;
    pthread_cond_broadcast(&gate.has_changed);
    pthread_mutex_unlock(&gate.mtx);
    if (events == AMDRPC_FD_CANCELLED && waits_on &&
            amdrpc_call_wait_fd(call, waited_fd, AMDRPC_FD_READ, -1,
                    sleep_on_fd, arg) == AMDRPC_OK) {
        return;
    }
    amdrpc_bench_v1_bench_sleep_reply(call, &done);
}

/** Waits for the pipe instead of a time; `ms` is the timeout, 0 for none. */
static void
sleep_on_call(amdrpc_call *call, const Amdrpc__Bench__V1__SleepRequest *request,
        void *user_data)
{
    amdrpc_err err = AMDRPC_OK;

    (void)user_data;
    amdrpc_call_defer(call);
    err = amdrpc_call_wait_fd(call, waited_fd, AMDRPC_FD_READ,
            request->ms == 0 ? -1 : (int64_t)request->ms, sleep_on_fd, NULL);
    if (err != AMDRPC_OK) {
        amdrpc_call_finish(call, amdrpc_status_from_err(err), NULL);
    }
}

static const amdrpc_bench_v1_bench_handlers handlers = {
        .echo = echo_on_call, .sleep = sleep_on_call, .block = block_on_call};

/* ---- set-up ---- */

static void
gate_open(void)
{
    pthread_mutex_lock(&gate.mtx);
    gate.is_open = true;
    pthread_cond_broadcast(&gate.has_changed);
    pthread_mutex_unlock(&gate.mtx);
}

static void
gate_await(size_t n)
{
    const struct timespec at = test_deadline_ms(WAIT_MS);

    pthread_mutex_lock(&gate.mtx);
    while (gate.nentered < n) {
        ck_assert_int_eq(
                pthread_cond_timedwait(&gate.has_changed, &gate.mtx, &at), 0);
    }
    pthread_mutex_unlock(&gate.mtx);
}

static void
set_policy(const char *path, const amdrpc_policy *policy)
{
    ck_assert_int_eq(amdrpc_server_set_policy(server, path, policy), AMDRPC_OK);
}

static void
make_server(uint32_t workers)
{
    const amdrpc_server_options options = {.loops = 1, .workers = workers};

    ck_assert_int_eq(amdrpc_server_create(&options, &server), AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_bench_v1_bench_register(server, &handlers, NULL), AMDRPC_OK);
}

static void
start_server(void)
{
    uint16_t port = 0;

    ck_assert_int_eq(
            amdrpc_server_listen(server, "127.0.0.1:0", &port), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_server_start(server), AMDRPC_OK);
    (void)snprintf(target, sizeof(target), "127.0.0.1:%u", (unsigned)port);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(
                amdrpc_channel_create(target, NULL, &channels[i]), AMDRPC_OK);
    }
}

static void
set_up(void)
{
    gate.is_open = false;
    gate.nentered = 0;
    memset(gate.order, 0, sizeof(gate.order));
    fd_events = 0;
    waits_on = false;
    ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
    waited_fd = pipe_fds[0];
}

static void
tear_down(void)
{
    gate_open();
    for (size_t i = 0; i < 2; i++) {
        amdrpc_channel_unref(channels[i]);
        channels[i] = NULL;
    }
    amdrpc_server_destroy(server);
    server = NULL;
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
}

/* ---- calls ---- */

/** Begins a call with one field of metadata; the request is empty, or @ms. */
static amdrpc_client_call *
begin(amdrpc_channel *channel, enum bench_method method, const char *name,
        const char *value, uint8_t ms)
{
    const uint8_t request[] = {0x08, ms};
    amdrpc_call_options options = {0};
    amdrpc_metadata *metadata = NULL;
    amdrpc_client_call *call = NULL;

    ck_assert_int_eq(amdrpc_metadata_create(&metadata), AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_metadata_add_text(metadata, name, value), AMDRPC_OK);
    options.metadata = metadata;
    ck_assert_int_eq(amdrpc_channel_start_call(channel,
                             &amdrpc_bench_v1_bench_service.methods[method],
                             &options, &call),
            AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_client_call_send_bytes(call, request, ms == 0 ? 0 : 2),
            AMDRPC_OK);
    amdrpc_metadata_destroy(metadata);
    return call;
}

/** Waits until a call has ended; returns its status. */
static amdrpc_status_code
end(amdrpc_client_call *call)
{
    const void *data = NULL;
    size_t len = 0;
    amdrpc_err err = AMDRPC_OK;

    while (err == AMDRPC_OK) {
        err = amdrpc_client_call_recv_bytes(call, WAIT_MS, &data, &len);
    }
    ck_assert_int_eq(err, AMDRPC_EEND);
    return amdrpc_client_call_get_status(call);
}

static amdrpc_status_code
end_and_unref(amdrpc_client_call *call)
{
    amdrpc_status_code code = end(call);

    amdrpc_client_call_unref(call);
    return code;
}

/** Returns once so many calls wait for a worker. */
static void
await_queued(size_t n)
{
    struct amdi_worker_pool *pool =
            amdi_dispatcher_find_pool(server->dispatcher, "default");
    time_t give_up_at = time(NULL) + WAIT_MS / 1000;
    size_t nqueued = 0;

    while (nqueued != n) {
        ck_assert_int_lt(time(NULL), give_up_at);
        (void)sched_yield();
        pthread_mutex_lock(&pool->mtx);
        nqueued = pool->queue.nqueued;
        pthread_mutex_unlock(&pool->mtx);
    }
}

/* ---- tests ---- */

START_TEST(refused_call_tells_when_to_try_again)
{
    const amdrpc_policy policy = {.max_queued = 1};
    amdrpc_client_call *calls[3];
    const amdrpc_metadata *trailers = NULL;
    const amdrpc_metadata_field *field = NULL;

    make_server(1);
    set_policy(BENCH "Block", &policy);
    start_server();
    calls[0] = begin(channels[0], BLOCK, "who", "a", 0);
    gate_await(1);
    calls[1] = begin(channels[0], BLOCK, "who", "a", 0);
    await_queued(1);
    calls[2] = begin(channels[0], BLOCK, "who", "a", 0);

    ck_assert_int_eq(end(calls[2]), AMDRPC_STATUS_RESOURCE_EXHAUSTED);
    trailers = amdrpc_client_call_get_trailing_metadata(calls[2]);
    field = amdrpc_metadata_get(trailers, "grpc-retry-pushback-ms");
    ck_assert_int_ge(atoi(field->value), 10);
    field = amdrpc_metadata_get(trailers, "grpc-status-details-bin");
    ck_assert_ptr_nonnull(
            memmem(field->value, field->value_len, "google.rpc.RetryInfo", 20));

    amdrpc_client_call_unref(calls[2]);
    gate_open();
    ck_assert_int_eq(end_and_unref(calls[0]), AMDRPC_STATUS_OK);
    ck_assert_int_eq(end_and_unref(calls[1]), AMDRPC_STATUS_OK);
}
END_TEST

START_TEST(full_queue_makes_room_for_another_connection)
{
    const amdrpc_policy policy = {.max_queued = 4};
    amdrpc_client_call *calls[6];

    make_server(1);
    set_policy(BENCH "Block", &policy);
    start_server();
    calls[0] = begin(channels[0], BLOCK, "who", "a", 0);
    gate_await(1);
    for (size_t i = 1; i < 5; i++) {
        calls[i] = begin(channels[0], BLOCK, "who", "a", 0);
        await_queued(i);
    }

    calls[5] = begin(channels[1], BLOCK, "who", "b", 0);

    ck_assert_int_eq(end_and_unref(calls[4]), AMDRPC_STATUS_RESOURCE_EXHAUSTED);
    gate_open();
    for (size_t i = 0; i < 6; i++) {
        if (i != 4) {
            ck_assert_int_eq(end_and_unref(calls[i]), AMDRPC_STATUS_OK);
        }
    }
}
END_TEST

START_TEST(connections_take_turns)
{
    amdrpc_client_call *calls[32];

    make_server(1);
    start_server();
    for (size_t i = 0; i < 31; i++) {
        calls[i] = begin(channels[0], BLOCK, "who", "a", 0);
    }
    gate_await(1);
    await_queued(30);
    calls[31] = begin(channels[1], BLOCK, "who", "b", 0);
    await_queued(31);

    gate_open();

    for (size_t i = 0; i < 32; i++) {
        ck_assert_int_eq(end_and_unref(calls[i]), AMDRPC_STATUS_OK);
    }
    // One runs, one of the greedy caller may go first.
    ck_assert_ptr_nonnull(memchr(gate.order, 'b', 3));
}
END_TEST

START_TEST(caller_of_a_key_runs_as_many_as_it_may)
{
    const amdrpc_policy policy = {.fair_by = AMDRPC_FAIR_BY_METADATA,
            .fair_key = "who",
            .max_per_key = 1};
    amdrpc_client_call *calls[4];

    make_server(4);
    set_policy(BENCH "Block", &policy);
    start_server();
    for (size_t i = 0; i < 3; i++) {
        calls[i] = begin(channels[i % 2], BLOCK, "who", "a", 0);
    }
    await_queued(2);
    calls[3] = begin(channels[0], BLOCK, "who", "b", 0);

    gate_await(2);
    // A worker is free, and runs what may run.
    ck_assert_int_eq(end_and_unref(begin(channels[0], ECHO, "who", "a", 0)),
            AMDRPC_STATUS_OK);
    ck_assert_uint_eq(gate.nentered, 2);

    gate_open();
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(end_and_unref(calls[i]), AMDRPC_STATUS_OK);
    }
    ck_assert_uint_eq(gate.nentered, 4);
}
END_TEST

START_TEST(pools_keep_methods_apart)
{
    const amdrpc_policy policy = {.pool = "slow"};
    amdrpc_client_call *calls[2];

    make_server(1);
    ck_assert_int_eq(amdrpc_server_set_policy(server, BENCH "Block", &policy),
            AMDRPC_ENOTFOUND);
    ck_assert_int_eq(amdrpc_server_add_pool(server, "slow", 1, 1), AMDRPC_OK);
    set_policy(BENCH "Block", &policy);
    start_server();
    calls[0] = begin(channels[0], BLOCK, "who", "a", 0);
    calls[1] = begin(channels[0], BLOCK, "who", "a", 0);
    gate_await(1);

    ck_assert_int_eq(end_and_unref(begin(channels[0], ECHO, "who", "a", 0)),
            AMDRPC_STATUS_OK);

    gate_open();
    ck_assert_int_eq(end_and_unref(calls[0]), AMDRPC_STATUS_OK);
    ck_assert_int_eq(end_and_unref(calls[1]), AMDRPC_STATUS_OK);
}
END_TEST

START_TEST(waiting_call_can_learn_its_position)
{
    amdrpc_client_call *calls[3];
    const amdrpc_metadata *initial = NULL;
    time_t give_up_at = time(NULL) + WAIT_MS / 1000;

    make_server(1);
    start_server();
    calls[0] = begin(channels[0], BLOCK, "who", "a", 0);
    gate_await(1);
    calls[1] = begin(channels[0], BLOCK, "who", "a", 0);
    await_queued(1);
    calls[2] = begin(channels[0], BLOCK, "amdrpc-queue-info", "1", 0);

    // It is told while the call waits: the gate is shut.
    while (initial == NULL) {
        ck_assert_int_lt(time(NULL), give_up_at);
        (void)sched_yield();
        initial = amdrpc_client_call_get_initial_metadata(calls[2]);
    }
    ck_assert_str_eq(
            amdrpc_metadata_get(initial, "amdrpc-queue-position")->value, "1");
    ck_assert_ptr_nonnull(
            amdrpc_metadata_get(initial, "amdrpc-expected-wait-ms"));

    gate_open();
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(end_and_unref(calls[i]), AMDRPC_STATUS_OK);
    }
}
END_TEST

/* ---- file descriptors ---- */

static void
start_fd_server(void)
{
    make_server(1);
    start_server();
}

START_TEST(call_waits_for_a_descriptor_without_a_worker)
{
    amdrpc_client_call *call = NULL;

    start_fd_server();
    call = begin(channels[0], SLEEP, "who", "a", 0);
    ck_assert_int_eq(end_and_unref(begin(channels[0], ECHO, "who", "a", 0)),
            AMDRPC_STATUS_OK);

    ck_assert_int_eq(write(pipe_fds[1], "x", 1), 1);

    ck_assert_int_eq(end_and_unref(call), AMDRPC_STATUS_OK);
    ck_assert_uint_eq(fd_events, AMDRPC_FD_READ);
}
END_TEST

START_TEST(wait_for_a_descriptor_ends_after_its_time)
{
    start_fd_server();

    ck_assert_int_eq(end_and_unref(begin(channels[0], SLEEP, "who", "a", 5)),
            AMDRPC_STATUS_OK);

    ck_assert_uint_eq(fd_events, AMDRPC_FD_TIMEOUT);
}
END_TEST

START_TEST(cancelled_call_waits_no_longer)
{
    amdrpc_client_call *call = NULL;
    unsigned events = 0;

    start_fd_server();
    call = begin(channels[0], SLEEP, "who", "a", 0);

    amdrpc_client_call_cancel(call);

    ck_assert_int_eq(end_and_unref(call), AMDRPC_STATUS_CANCELLED);
    amdrpc_server_drain(server);
    ck_assert_int_eq(amdrpc_server_wait(server), AMDRPC_OK);
    pthread_mutex_lock(&gate.mtx);
    events = fd_events;
    pthread_mutex_unlock(&gate.mtx);
    // The handler may have begun after the cancellation, or not at all.
    ck_assert(events == AMDRPC_FD_CANCELLED || events == 0);
}
END_TEST

START_TEST(cancelled_call_may_wait_on_to_clean_up)
{
    amdrpc_client_call *call = NULL;

    start_fd_server();
    waits_on = true;
    call = begin(channels[0], SLEEP, "who", "a", 0);
    // On its worker, the handler began before this call's did.
    ck_assert_int_eq(end_and_unref(begin(channels[0], ECHO, "who", "a", 0)),
            AMDRPC_STATUS_OK);
    amdrpc_client_call_cancel(call);
    ck_assert_int_eq(end_and_unref(call), AMDRPC_STATUS_CANCELLED);
    pthread_mutex_lock(&gate.mtx);
    while (fd_events == 0) {
        pthread_cond_wait(&gate.has_changed, &gate.mtx);
    }
    ck_assert_uint_eq(fd_events, AMDRPC_FD_CANCELLED);
    pthread_mutex_unlock(&gate.mtx);

    ck_assert_int_eq(write(pipe_fds[1], "x", 1), 1);

    amdrpc_server_drain(server);
    ck_assert_int_eq(amdrpc_server_wait(server), AMDRPC_OK);
    ck_assert_uint_eq(fd_events, AMDRPC_FD_CANCELLED | AMDRPC_FD_READ);
}
END_TEST

START_TEST(descriptor_that_cannot_be_waited_for_is_told)
{
    start_fd_server();
    waited_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(waited_fd, 0);

    ck_assert_int_eq(end_and_unref(begin(channels[0], SLEEP, "who", "a", 0)),
            AMDRPC_STATUS_OK);

    ck_assert_uint_eq(fd_events, AMDRPC_FD_FAILED);
    (void)close(waited_fd);
}
END_TEST

START_TEST(bad_descriptor_is_refused)
{
    start_fd_server();
    waited_fd = -1;

    ck_assert_int_eq(end_and_unref(begin(channels[0], SLEEP, "who", "a", 0)),
            AMDRPC_STATUS_INVALID_ARGUMENT);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("dispatch");
    TCase *queues = tcase_create("queues");
    TCase *fds = tcase_create("descriptors");

    tcase_set_timeout(queues, 60);
    tcase_add_checked_fixture(queues, set_up, tear_down);
    tcase_add_test(queues, refused_call_tells_when_to_try_again);
    tcase_add_test(queues, full_queue_makes_room_for_another_connection);
    tcase_add_test(queues, connections_take_turns);
    tcase_add_test(queues, caller_of_a_key_runs_as_many_as_it_may);
    tcase_add_test(queues, pools_keep_methods_apart);
    tcase_add_test(queues, waiting_call_can_learn_its_position);
    suite_add_tcase(suite, queues);
    tcase_set_timeout(fds, 60);
    tcase_add_checked_fixture(fds, set_up, tear_down);
    tcase_add_test(fds, call_waits_for_a_descriptor_without_a_worker);
    tcase_add_test(fds, wait_for_a_descriptor_ends_after_its_time);
    tcase_add_test(fds, cancelled_call_waits_no_longer);
    tcase_add_test(fds, cancelled_call_may_wait_on_to_clean_up);
    tcase_add_test(fds, descriptor_that_cannot_be_waited_for_is_told);
    tcase_add_test(fds, bad_descriptor_is_refused);
    suite_add_tcase(suite, fds);
    return suite;
}

TEST_MAIN(make_suite)
