/**
 * Everything that can end a call, at once and in random order: the same for
 * the same seed as far as the client goes. Under TSan it is what looks at the
 * threads.
 *
 * The calls come in rounds. Each has a server of its own, which is drained
 * while calls are going on and others come.
 */
#include "tests/integration/server.h"
#include "tests/support/h2_raw.h"
#include "tests/support/runner.h"

#include <check.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#define NCONNS 4
#define DEFAULT_NCALLS 8000
#define ROUND_NCALLS 2000
// After the server has been told to drain.
#define MAX_LATE_CALLS 50
// Below the server's streams, so that none is refused.
#define MAX_OPEN 60

static unsigned random_state;

/** A number below @n; xorshift. */
static unsigned
random_below(unsigned n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % n;
}

/** AMDRPC_STRESS_CALLS asks for more calls than usual. */
static int
nrounds_wanted(void)
{
    const char *text = getenv("AMDRPC_STRESS_CALLS");
    unsigned long n = text == NULL ? 0 : strtoul(text, NULL, 10);

    if (n < DEFAULT_NCALLS || n > 100000000) {
        n = DEFAULT_NCALLS;
    }
    return (int)((n + ROUND_NCALLS - 1) / ROUND_NCALLS);
}

/* ---- who finishes calls that are held ---- */

struct finisher {
    pthread_t thread;
    atomic_bool is_stopping;
};

static void *
finisher_main(void *arg)
{
    struct finisher *self = arg;
    test_response response = AMDRPC__TEST_CALLS__V1__RESPONSE__INIT;
    unsigned n = 0;

    for (;;) {
        bool is_stopping = atomic_load(&self->is_stopping);
        amdrpc_call *call = test_server_take_held();

        if (call == NULL) {
            if (is_stopping) {
                return NULL;
            }
            (void)sched_yield();
        } else if (n++ % 2 == 0) {
            amdrpc_call_reply(call, &response.base);
        } else {
            amdrpc_call_finish(call, AMDRPC_STATUS_ABORTED, "no");
        }
    }
}

/* ---- the client ---- */

static struct test_rpc *
begin_random(struct test_rpc_conn *conn)
{
    static const char *const paths[] = {TEST_UNARY, TEST_UNARY, TEST_UNARY,
            TEST_DOWNLOAD, TEST_UPLOAD, TEST_CHAT};
    static const Amdrpc__TestCalls__V1__How hows[] = {TEST_HOW(REPLY),
            TEST_HOW(HOLD), TEST_HOW(LATER), TEST_HOW(FORGET), TEST_HOW(FAIL)};
    static const struct amdi_h2_field timeouts[] = {
            TEST_RAW_FIELD("grpc-timeout", "100u"),
            TEST_RAW_FIELD("grpc-timeout", "2m"),
            TEST_RAW_FIELD("grpc-timeout", "20m")};
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    const char *path = paths[random_below(6)];
    struct test_rpc *rpc = test_rpc_begin(
            conn, path, &timeouts[random_below(3)], random_below(4) == 0);

    request.how = hows[random_below(5)];
    request.count = random_below(20);
    request.size = random_below(5000);
    for (unsigned n = 1 + (random_below(4) == 0); n > 0; n--) {
        test_rpc_send(rpc, &request.base);
    }
    if (random_below(10) != 0) {
        test_rpc_end(rpc);
    }
    return rpc;
}

/** Ends calls of the client's, the newest first, until few are open. */
static void
cancel_some(struct test_rpc_conn *conn, size_t nleft)
{
    for (struct test_rpc *rpc = conn->calls; rpc != NULL && conn->nopen > nleft;
            rpc = rpc->next) {
        if (!rpc->is_closed) {
            amdi_h2_reset(conn->h2, rpc->id, AMDI_H2_CANCEL);
        }
    }
    test_rpc_flush(conn);
}

/** Ends calls whose requests never end: they hold their workers. */
static void
cancel_unfinished(struct test_rpc_conn *conn)
{
    for (struct test_rpc *rpc = conn->calls; rpc != NULL; rpc = rpc->next) {
        if (!rpc->is_closed && !rpc->is_out_finished) {
            amdi_h2_reset(conn->h2, rpc->id, AMDI_H2_CANCEL);
        }
    }
    test_rpc_flush(conn);
}

static void
connect_again(struct test_rpc_conn **conn)
{
    if (!(*conn)->is_lost) {
        test_rpc_hang_up(*conn);
    }
    test_rpc_close(*conn);
    *conn = test_rpc_connect(test_port);
}

static void
client_step(struct test_rpc_conn **conn)
{
    if ((*conn)->is_lost || (*conn)->ngoaways > 0) {
        connect_again(conn); // too many resets
    }
    (void)begin_random(*conn);
    switch (random_below(60)) {
    case 0:
        connect_again(conn);
        return;
    case 1:
    case 2:
    case 3:
    case 4:
        cancel_some(*conn, (*conn)->nopen / 2);
        break;
    default:
        if (random_below(3) == 0) {
            test_rpc_flush(*conn);
        }
        break;
    }
    if ((*conn)->nopen > MAX_OPEN) {
        cancel_some(*conn, MAX_OPEN / 2);
    }
}

/** The server is asked for service. It may refuse it, but not forget it. */
static void
expect_answer(struct test_rpc_conn *const *conns)
{
    struct test_rpc *last = NULL;

    for (int i = 0; i < NCONNS; i++) {
        cancel_unfinished(conns[i]);
    }
    last = test_call_how(test_conn, TEST_HOW(REPLY));
    test_rpc_await(last);
    ck_assert_int_ge(last->status, 0);
}

/** Goes on while the server drains: on what is connected, as long as it is. */
static void
call_late(struct test_rpc_conn *const *conns)
{
    for (unsigned n = random_below(MAX_LATE_CALLS); n > 0; n--) {
        struct test_rpc_conn *conn = conns[random_below(NCONNS)];

        if (!conn->is_lost && conn->ngoaways == 0) {
            (void)begin_random(conn);
            if (random_below(3) == 0) {
                test_rpc_flush(conn);
            }
        }
    }
}

/** One server's life. */
static void
run_round(struct test_rpc_conn **conns, bool is_asked)
{
    for (int i = 0; i < NCONNS; i++) {
        conns[i] = test_rpc_connect(test_port);
    }
    for (unsigned i = 0; i < ROUND_NCALLS; i++) {
        client_step(&conns[random_below(NCONNS)]);
    }
    if (is_asked) {
        expect_answer(conns);
    }
    amdrpc_server_drain(test_server);
    call_late(conns);
    // Some are still open when their connections go.
    for (int i = 0; i < NCONNS; i++) {
        test_rpc_flush(conns[i]);
        test_rpc_close(conns[i]);
    }
    test_rpc_close(test_conn);
    test_conn = NULL;
    ck_assert_int_eq(amdrpc_server_wait(test_server), AMDRPC_OK);
}

/** @_i: the seed, and where handlers run. */
START_TEST(calls_end_in_any_order)
{
    static struct finisher finisher;
    struct test_rpc_conn *conns[NCONNS];

    random_state = 2463534242u + (unsigned)_i;
    atomic_init(&finisher.is_stopping, false);
    ck_assert_int_eq(
            pthread_create(&finisher.thread, NULL, finisher_main, &finisher),
            0);
    test_server_start(_i % TEST_NPLACES);

    run_round(conns, _i / TEST_NPLACES % 2 == 0);

    atomic_store(&finisher.is_stopping, true);
    ck_assert_int_eq(pthread_join(finisher.thread, NULL), 0);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("server_stress");
    TCase *stress = tcase_create("stress");

    tcase_set_timeout(stress, 300);
    tcase_add_checked_fixture(stress, test_server_setup, test_server_teardown);
    tcase_add_loop_test(stress, calls_end_in_any_order, 0, nrounds_wanted());
    suite_add_tcase(suite, stress);
    return suite;
}

TEST_MAIN(make_suite)
