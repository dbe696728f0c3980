/** What the tests of the server have in common. */
#include "tests/integration/server.h"

#include "server/server.h"
#include "tests/integration/calls.h"
#include "tests/support/deadline.h"

#include <check.h>

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define WAIT_S 20
#define MAX_HELD 20000

amdrpc_server *test_server;
uint16_t test_port;
struct test_rpc_conn *test_conn;
void (*test_server_prepare)(amdrpc_server *server);

static struct {
    pthread_mutex_t mtx;
    pthread_cond_t changed;
    size_t counts[TEST_NCOUNTS];
    bool is_open;   // blocked handlers go on
    bool is_ending; // nobody takes held calls any more
    amdrpc_call *held[MAX_HELD];
    size_t nheld;
    size_t nreleased;
} world = {
        .mtx = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- for the handlers ---- */

void
test_calls_count(enum test_server_count count)
{
    pthread_mutex_lock(&world.mtx);
    world.counts[count]++;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.mtx);
}

void
test_calls_hold(amdrpc_call *call)
{
    bool is_ending = false;

    pthread_mutex_lock(&world.mtx);
    is_ending = world.is_ending || world.nheld == MAX_HELD;
    if (!is_ending) {
        world.held[world.nheld++] = call;
    }
    world.counts[TEST_NHELD]++;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.mtx);
    if (is_ending) {
        amdrpc_call_finish(call, AMDRPC_STATUS_ABORTED, NULL);
    }
}

bool
test_calls_wait(uint32_t ms)
{
    const struct timespec until = test_deadline_ms(ms);
    bool is_open = false;

    pthread_mutex_lock(&world.mtx);
    if (!world.is_open) {
        (void)pthread_cond_timedwait(&world.changed, &world.mtx, &until);
    }
    is_open = world.is_open;
    pthread_mutex_unlock(&world.mtx);
    return is_open;
}

/* ---- for the tests ---- */

size_t
test_server_get(enum test_server_count count)
{
    size_t n = 0;

    pthread_mutex_lock(&world.mtx);
    n = world.counts[count];
    pthread_mutex_unlock(&world.mtx);
    return n;
}

void
test_server_await(enum test_server_count count, size_t n)
{
    const struct timespec until = test_deadline_ms(WAIT_S * 1000);
    size_t got = 0;
    int rv = 0;

    pthread_mutex_lock(&world.mtx);
    while (world.counts[count] < n && rv == 0) {
        rv = pthread_cond_timedwait(&world.changed, &world.mtx, &until);
    }
    got = world.counts[count];
    pthread_mutex_unlock(&world.mtx);
    ck_assert_uint_ge(got, n);
}

void
test_server_await_conns(unsigned n)
{
    for (int i = 0; atomic_load(&test_server->nconns) > n; i++) {
        ck_assert_int_lt(i, WAIT_S * 1000);
        (void)poll(NULL, 0, 1);
    }
}

void
test_server_let_go(void)
{
    pthread_mutex_lock(&world.mtx);
    world.is_open = true;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.mtx);
}

amdrpc_call *
test_server_take_held(void)
{
    amdrpc_call *call = NULL;

    pthread_mutex_lock(&world.mtx);
    if (world.nreleased < world.nheld) {
        call = world.held[world.nreleased++];
    }
    pthread_mutex_unlock(&world.mtx);
    return call;
}

void
test_server_start_with(
        const amdrpc_server_options *options, const amdrpc_policy *policy)
{
    amdrpc_server_options small = {0};

    if (options != NULL) {
        small = *options;
    }
    small.loops = small.loops == 0 ? 2 : small.loops;
    small.workers = small.workers == 0 ? 2 : small.workers;
    ck_assert_int_eq(amdrpc_server_create(&small, &test_server), AMDRPC_OK);
    ck_assert_int_eq(test_calls_register(test_server), AMDRPC_OK);
    if (test_server_prepare != NULL) {
        test_server_prepare(test_server);
    }
    if (policy != NULL) {
        ck_assert_int_eq(amdrpc_server_set_policy(test_server,
                                 "/amdrpc.testCalls.v1.Calls/", policy),
                AMDRPC_OK);
    }
    ck_assert_int_eq(
            amdrpc_server_listen(test_server, "127.0.0.1:0", &test_port),
            AMDRPC_OK);
    ck_assert_int_eq(amdrpc_server_start(test_server), AMDRPC_OK);
    test_conn = test_rpc_connect(test_port);
}

void
test_server_start(int place)
{
    const amdrpc_server_options options = {.dispatch = place == TEST_ON_POOL
                    ? AMDRPC_DISPATCH_POOL
                    : AMDRPC_DISPATCH_INLINE};

    test_server_start_with(&options, NULL);
}

void
test_server_setup(void)
{
    pthread_mutex_lock(&world.mtx);
    memset(world.counts, 0, sizeof(world.counts));
    world.is_open = false;
    world.is_ending = false;
    world.nheld = 0;
    world.nreleased = 0;
    pthread_mutex_unlock(&world.mtx);
}

void
test_server_stop(void)
{
    ck_assert_int_eq(amdrpc_server_stop(test_server), AMDRPC_OK);
}

void
test_server_teardown(void)
{
    amdrpc_call *call = NULL;

    pthread_mutex_lock(&world.mtx);
    world.is_ending = true;
    pthread_mutex_unlock(&world.mtx);
    test_server_let_go();
    while ((call = test_server_take_held()) != NULL) {
        amdrpc_call_finish(call, AMDRPC_STATUS_ABORTED, NULL);
    }
    test_rpc_close(test_conn);
    test_conn = NULL;
    amdrpc_server_destroy(test_server);
    test_server = NULL;
}

struct test_rpc *
test_call(struct test_rpc_conn *conn, const char *path, const test_request *msg)
{
    struct test_rpc *rpc = test_rpc_begin(conn, path, NULL, 0);

    test_rpc_send(rpc, &msg->base);
    test_rpc_end(rpc);
    test_rpc_flush(conn);
    return rpc;
}

struct test_rpc *
test_call_how(struct test_rpc_conn *conn, Amdrpc__TestCalls__V1__How how)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;

    request.how = how;
    return test_call(conn, TEST_UNARY, &request);
}

void
test_expect_service(struct test_rpc_conn *conn)
{
    test_rpc_expect(test_call_how(conn, TEST_HOW(REPLY)), AMDRPC_STATUS_OK);
}
