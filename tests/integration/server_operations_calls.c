/** The handlers of the tests of operations. */
#include "tests/integration/server_operations_calls.h"

#include "tests/integration/server_operations.h"
#include "tests/proto/calls.amdrpc-server.h"
#include "tests/support/deadline.h"

#include <check.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WAIT_S 20
#define MAX_STARTS 4096

static struct {
    pthread_mutex_t mtx;
    pthread_cond_t changed;
    bool is_open; // blocked handlers go on
    struct ops_start starts[MAX_STARTS];
    size_t nstarts;
    size_t nsent;
} world = {
        .mtx = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

void
ops_calls_reset(void)
{
    pthread_mutex_lock(&world.mtx);
    world.is_open = false;
    world.nstarts = 0;
    world.nsent = 0;
    pthread_mutex_unlock(&world.mtx);
}

/* ---- for the tests ---- */

static void
world_await(const size_t *count, size_t n)
{
    const struct timespec until = test_deadline_ms(WAIT_S * 1000);

    pthread_mutex_lock(&world.mtx);
    while (*count < n) {
        ck_assert_msg(
                pthread_cond_timedwait(&world.changed, &world.mtx, &until) == 0,
                "%zu of %zu came", *count, n);
    }
    pthread_mutex_unlock(&world.mtx);
}

void
ops_await_starts(size_t n)
{
    world_await(&world.nstarts, n);
}

void
ops_await_sent(size_t n)
{
    world_await(&world.nsent, n);
}

size_t
ops_nstarts(void)
{
    size_t n = 0;

    pthread_mutex_lock(&world.mtx);
    n = world.nstarts;
    pthread_mutex_unlock(&world.mtx);
    return n;
}

struct ops_start
ops_get_start(size_t n)
{
    struct ops_start start;

    pthread_mutex_lock(&world.mtx);
    ck_assert_uint_lt(n, world.nstarts);
    start = world.starts[n];
    pthread_mutex_unlock(&world.mtx);
    return start;
}

void
ops_let_go(void)
{
    pthread_mutex_lock(&world.mtx);
    world.is_open = true;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.mtx);
}

/* ---- handlers ---- */

static void
note_start(const amdrpc_call *call, const ops_request *request)
{
    struct ops_start start = {.attempt = amdrpc_call_get_attempt(call),
            .delivered = amdrpc_call_get_delivered(call)};

    (void)snprintf(start.text, sizeof(start.text), "%s", request->text);
    (void)snprintf(start.operation, sizeof(start.operation), "%s",
            amdrpc_call_get_operation(call));
    (void)snprintf(
            start.peer, sizeof(start.peer), "%s", amdrpc_call_get_peer(call));
    (void)snprintf(start.identity, sizeof(start.identity), "%s",
            amdrpc_call_get_identity(call));
    pthread_mutex_lock(&world.mtx);
    if (world.nstarts < MAX_STARTS) {
        world.starts[world.nstarts++] = start;
    }
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.mtx);
}

static void
note_sent(void)
{
    pthread_mutex_lock(&world.mtx);
    world.nsent++;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.mtx);
}

/** Waits a moment; tells whether the test lets go. */
static bool
world_wait(void)
{
    const struct timespec until = test_deadline_ms(2);
    bool is_open = false;

    pthread_mutex_lock(&world.mtx);
    if (!world.is_open) {
        (void)pthread_cond_timedwait(&world.changed, &world.mtx, &until);
    }
    is_open = world.is_open;
    pthread_mutex_unlock(&world.mtx);
    return is_open;
}

/** Waits until the test lets go; false: told to stop. */
static bool
block(amdrpc_call *call)
{
    while (!world_wait()) {
        if (!amdrpc_call_checkpoint(call, 1, 2)) {
            return false;
        }
    }
    return true;
}

static void
reply(amdrpc_call *call, const char *text)
{
    ops_response response = AMDRPC__TEST_CALLS__V1__RESPONSE__INIT;

    response.text = (char *)text;
    amdrpc_call_reply(call, &response.base);
}

static void
unary_fail(amdrpc_call *call, const ops_request *request)
{
    if (request->count > 0 && amdrpc_call_get_attempt(call) > request->count) {
        reply(call, request->text);
        return;
    }
    amdrpc_call_finish(call, (amdrpc_status_code)request->code, request->text);
}

static void
held_on_cancel(amdrpc_call *call, void *arg)
{
    (void)arg;
    amdrpc_call_finish(call, AMDRPC_STATUS_ABORTED, "told to stop");
}

static void
unary_hold(amdrpc_call *call)
{
    static const amdrpc_call_events events = {.on_cancel = held_on_cancel};

    amdrpc_call_defer(call);
    amdrpc_call_set_events(call, &events, NULL);
}

static void
unary_step(amdrpc_call *call, const ops_request *request)
{
    for (uint32_t i = 1; i <= request->count; i++) {
        (void)amdrpc_call_checkpoint_note(
                call, i, request->count, request->text);
    }
    reply(call, request->text);
}

static void
unary_metadata(amdrpc_call *call)
{
    const amdrpc_metadata_field *field =
            amdrpc_metadata_get(amdrpc_call_get_metadata(call), "x-test");

    reply(call, field == NULL ? "" : field->value);
}

static void
unary(amdrpc_call *call, const ops_request *request, void *user_data)
{
    (void)user_data;
    note_start(call, request);
    switch ((int)request->how) {
    case OPS_HOW(FAIL):
        unary_fail(call, request);
        break;
    case OPS_HOW(BLOCK):
        if (block(call)) {
            reply(call, request->text);
        } else {
            amdrpc_call_finish(call, AMDRPC_STATUS_ABORTED, "told to stop");
        }
        break;
    case OPS_HOW(HOLD):
        unary_hold(call);
        break;
    case OPS_HOW(LATER):
        unary_step(call, request);
        break;
    case OPS_HOW(METADATA):
        unary_metadata(call);
        break;
    default:
        reply(call, request->text);
        break;
    }
}

static void
download(amdrpc_call *call, const ops_request *request, void *user_data)
{
    ops_response response = AMDRPC__TEST_CALLS__V1__RESPONSE__INIT;
    uint32_t from = (uint32_t)amdrpc_call_get_delivered(call);
    bool is_first = amdrpc_call_get_attempt(call) == 1;

    (void)user_data;
    note_start(call, request);
    response.text = request->text;
    for (uint32_t i = from + 1; i <= request->count; i++) {
        amdrpc_err err = AMDRPC_OK;

        response.count = i;
        err = amdrpc_call_send(call, &response.base);
        if (err == AMDRPC_OK) {
            note_sent();
        }
        if (err != AMDRPC_OK ||
                (i == request->size && is_first && !block(call))) {
            amdrpc_call_finish(call, AMDRPC_STATUS_ABORTED, "told to stop");
            return;
        }
    }
    amdrpc_call_finish(call, AMDRPC_STATUS_OK, NULL);
}

amdrpc_err
ops_calls_register(amdrpc_server *server)
{
    static const amdrpc_test_calls_v1_calls_handlers handlers = {
            .unary = unary,
            .download = download,
    };

    return amdrpc_test_calls_v1_calls_register(server, &handlers, NULL);
}
