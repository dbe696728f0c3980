/**
 * Tests calls that are served from the loop thread of a channel, as a proxy
 * does: it is no loop of the server's, and must not be blocked either.
 */
#include <amdrpc/client.h>
#include <amdrpc/server.h>

#include "amdrpc/bench/v1/bench.amdrpc-client.h"
#include "amdrpc/bench/v1/bench.amdrpc-server.h"

#include <check.h>

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#define WAIT_MS 30000
#define MESSAGE_BYTES 65536u

static amdrpc_server *server;
static amdrpc_channel *channel;
static sem_t arrived; // a call waits in `call`
static amdrpc_call *call;
static amdrpc_err told; // by amdrpc_call_send at last

static void
on_echo(amdrpc_call *c, const Amdrpc__Bench__V1__EchoRequest *request, void *d)
{
    (void)request;
    (void)d;
    amdrpc_call_defer(c);
    call = c;
    (void)sem_post(&arrived);
}

static void
on_count(
        amdrpc_call *c, const Amdrpc__Bench__V1__CountRequest *request, void *d)
{
    (void)request;
    (void)d;
    amdrpc_call_defer(c);
    call = c;
    (void)sem_post(&arrived);
}

static void
set_up(void)
{
    static const amdrpc_bench_v1_bench_handlers handlers = {
            .echo = on_echo, .count = on_count};
    char address[32];
    uint16_t port = 0;

    ck_assert_int_eq(sem_init(&arrived, 0, 0), 0);
    ck_assert_int_eq(amdrpc_server_create(NULL, &server), AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_bench_v1_bench_register(server, &handlers, NULL), AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_server_listen(server, "127.0.0.1:0", &port), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_server_start(server), AMDRPC_OK);
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    ck_assert_int_eq(amdrpc_channel_create(address, NULL, &channel), AMDRPC_OK);
}

static void
tear_down(void)
{
    amdrpc_channel_unref(channel);
    amdrpc_server_destroy(server);
    (void)sem_destroy(&arrived);
}

/** The call that arrived at its handler. */
static amdrpc_call *
await_call(void)
{
    ck_assert_int_eq(sem_wait(&arrived), 0);
    return call;
}

/** Sends to the call @arg, which nobody reads, for as long as it takes. */
static void
send_all(amdrpc_future *future, void *arg)
{
    static uint8_t payload[MESSAGE_BYTES];
    Amdrpc__Bench__V1__CountResponse response =
            AMDRPC__BENCH__V1__COUNT_RESPONSE__INIT;

    (void)future;
    response.payload.data = payload;
    response.payload.len = sizeof(payload);
    do {
        told = amdrpc_bench_v1_bench_count_send(arg, &response);
    } while (told == AMDRPC_OK);
    amdrpc_call_finish(arg, AMDRPC_STATUS_ABORTED, NULL);
}

START_TEST(slow_reader_does_not_block_the_loop_of_a_channel)
{
    Amdrpc__Bench__V1__CountRequest count =
            AMDRPC__BENCH__V1__COUNT_REQUEST__INIT;
    Amdrpc__Bench__V1__EchoRequest echo = AMDRPC__BENCH__V1__ECHO_REQUEST__INIT;
    Amdrpc__Bench__V1__EchoResponse answer =
            AMDRPC__BENCH__V1__ECHO_RESPONSE__INIT;
    amdrpc_client_call *reader = NULL;
    amdrpc_call *counting = NULL;
    amdrpc_future *echoed = NULL;

    ck_assert_int_eq(
            amdrpc_bench_v1_bench_count_start(channel, &count, NULL, &reader),
            AMDRPC_OK);
    counting = await_call();
    ck_assert_int_eq(
            amdrpc_bench_v1_bench_echo_future(channel, &echo, NULL, &echoed),
            AMDRPC_OK);
    ck_assert_int_eq(amdrpc_future_then(echoed, send_all, counting), AMDRPC_OK);
    amdrpc_bench_v1_bench_echo_reply(await_call(), &answer);

    ck_assert_int_eq(amdrpc_future_wait(echoed, WAIT_MS), AMDRPC_OK);
    // On the channel's loop, hence after what was sent: nothing will read it,
    // and the server would wait for that.
    amdrpc_client_call_cancel(reader);
    amdrpc_server_destroy(server); // waits for the call that was sent to
    server = NULL;
    ck_assert_int_eq(told, AMDRPC_EAGAIN);

    amdrpc_future_unref(echoed);
    amdrpc_client_call_unref(reader);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("foreign_loop");
    TCase *tcase = tcase_create("foreign_loop");
    SRunner *runner = srunner_create(suite);
    int nfailed = 0;

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, slow_reader_does_not_block_the_loop_of_a_channel);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    nfailed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return nfailed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
