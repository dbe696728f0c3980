/** Tests pools: what they admit and refuse, and how many workers they have. */
#include "common/cache.h"
#include "common/clock.h"
#include "server/call.h"
#include "server/dispatch/admission.h"
#include "server/dispatch/worker_pool.h"
#include "server/service.h"
#include "tests/support/deadline.h"
#include "tests/support/fake_clock.h"
#include "tests/support/runner.h"

#include <check.h>

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#define MS UINT64_C(1000000)
#define NCALLS 64

/** Where handlers wait, so that a test says when they end. */
static struct {
    pthread_mutex_t mtx;
    pthread_cond_t has_changed;
    bool is_open;
    size_t nentered;
    size_t nfinished;
} gate = {.mtx = PTHREAD_MUTEX_INITIALIZER,
        .has_changed = PTHREAD_COND_INITIALIZER};

static struct amdrpc_call calls[NCALLS];
static struct amdi_method method;
static struct amdi_worker_pool *pool;
static struct amdi_list refused;

/* ---- a sink without a client ---- */

static void
sink_on_finish(amdrpc_call *call)
{
    (void)call;
    pthread_mutex_lock(&gate.mtx);
    gate.nfinished++;
    pthread_cond_broadcast(&gate.has_changed);
    pthread_mutex_unlock(&gate.mtx);
}

static const struct amdi_sink_ops sink = {.finish = sink_on_finish};

static void
handler_wait(const void *handlers, amdrpc_call *call,
        const ProtobufCMessage *request, void *user_data)
{
    (void)handlers;
    (void)request;
    (void)user_data;
    pthread_mutex_lock(&gate.mtx);
    gate.nentered++;
    pthread_cond_broadcast(&gate.has_changed);
    while (!gate.is_open) {
        pthread_cond_wait(&gate.has_changed, &gate.mtx);
    }
    pthread_mutex_unlock(&gate.mtx);
    amdrpc_call_finish(call, AMDRPC_STATUS_OK, NULL);
}

static void
gate_open(void)
{
    pthread_mutex_lock(&gate.mtx);
    gate.is_open = true;
    pthread_cond_broadcast(&gate.has_changed);
    pthread_mutex_unlock(&gate.mtx);
}

static void
gate_await(const size_t *counter, size_t n)
{
    const struct timespec at = test_deadline_ms(20000);

    pthread_mutex_lock(&gate.mtx);
    while (*counter < n) {
        ck_assert_int_eq(
                pthread_cond_timedwait(&gate.has_changed, &gate.mtx, &at), 0);
    }
    pthread_mutex_unlock(&gate.mtx);
}

/* ---- set-up ---- */

// A request stream is not unpacked before the handler runs.
static const amdrpc_method_desc desc = {.name = "Wait",
        .path = "/test.Test/Wait",
        .kind = AMDRPC_BIDI_STREAMING};

static void
set_up(void)
{
    test_clock_start();
    gate.is_open = false;
    gate.nentered = gate.nfinished = 0;
    amdi_list_init(&refused);
    ck_assert_int_eq(
            amdi_worker_pool_create("test", 1, 3, 0, &pool), AMDRPC_OK);
    memset(&method, 0, sizeof(method));
    amdi_lane_init(&method.lane);
    method.desc = &desc;
    method.invoke = handler_wait;
    method.pool = pool;
    method.service_ns = AMDI_QUICK_NS;
    for (size_t i = 0; i < NCALLS; i++) {
        amdi_call_init(&calls[i], &sink);
        calls[i].method = &method;
        calls[i].caller = 1;
        calls[i].deadline_at_ms = amdi_clock_now_ms() + 60000;
    }
}

static void
tear_down(void)
{
    gate_open();
    amdi_worker_pool_stop(pool);
    amdi_worker_pool_destroy(pool);
    for (size_t i = 0; i < NCALLS; i++) {
        amdi_call_fini(&calls[i]);
    }
    test_clock_stop();
}

static void
submit(size_t first, size_t n)
{
    struct amdi_list list;

    amdi_list_init(&list);
    for (size_t i = first; i < first + n; i++) {
        amdi_list_push(&list, &calls[i].queue.node);
    }
    amdi_worker_pool_submit(pool, &list, &refused);
    ck_assert(amdi_list_is_empty(&list));
}

static struct amdrpc_call *
pop_refused(void)
{
    struct amdi_list *node = amdi_list_pop(&refused);

    return node == NULL
            ? NULL
            : AMDI_CONTAINER_OF(node, struct amdrpc_call, queue.node);
}

/** Takes a call as a worker does, without one. */
static struct amdrpc_call *
take(struct amdi_list *shed)
{
    return amdi_worker_pool_take_locked(pool, amdi_clock_now_ns(), shed);
}

static void
give_back(struct amdrpc_call *call)
{
    amdi_queue_done(&pool->queue, call->queue.flow, amdi_clock_now_ns());
}

static void
start(void)
{
    // The clock will run faster than threads start: no call is late for that,
    // nor shed.
    method.policy.is_long = true;
    for (size_t i = 0; i < NCALLS; i++) {
        calls[i].deadline_at_ms = UINT64_MAX;
    }
    ck_assert_int_eq(amdi_worker_pool_start(pool), AMDRPC_OK);
}

/* ---- admission ---- */

/** Of three calls the last one, for that reason; the others wait. */
static void
assert_third_refused(enum amdi_refusal reason)
{
    ck_assert_ptr_eq(pop_refused(), &calls[2]);
    ck_assert_int_eq(calls[2].refusal, reason);
    ck_assert_ptr_null(pop_refused());
    ck_assert(amdi_worker_pool_cancel(pool, &calls[0]));
    ck_assert(amdi_worker_pool_cancel(pool, &calls[1]));
}

START_TEST(call_beyond_max_queued_is_refused)
{
    method.lane.max_queued = 2;

    submit(0, 3);

    assert_third_refused(AMDI_REFUSAL_FULL);
}
END_TEST

START_TEST(call_that_cannot_begin_in_time_is_refused)
{
    method.service_ns = 3000 * MS;
    calls[2].deadline_at_ms = amdi_clock_now_ms() + 2999;

    // Two before it, and one that runs, on three workers: three seconds.
    submit(0, 3);

    assert_third_refused(AMDI_REFUSAL_LATE);
}
END_TEST

START_TEST(call_that_can_begin_in_time_waits)
{
    method.service_ns = 3000 * MS;
    calls[2].deadline_at_ms = amdi_clock_now_ms() + 3001;

    submit(0, 3);

    ck_assert_ptr_null(pop_refused());
    for (size_t i = 0; i < 3; i++) {
        ck_assert(amdi_worker_pool_cancel(pool, &calls[i]));
    }
}
END_TEST

START_TEST(cancelled_call_is_not_taken)
{
    struct amdi_list shed;

    amdi_list_init(&shed);
    submit(0, 1);

    ck_assert(amdi_worker_pool_cancel(pool, &calls[0]));
    ck_assert(!amdi_worker_pool_cancel(pool, &calls[0]));
    ck_assert_ptr_null(take(&shed));
}
END_TEST

START_TEST(call_that_is_being_refused_is_not_cancelled)
{
    struct amdi_list shed;

    amdi_list_init(&shed);
    submit(0, 1);
    test_clock_advance_ms(600);
    ck_assert_ptr_null(take(&shed));
    ck_assert(!amdi_list_is_empty(&shed));

    ck_assert(!amdi_worker_pool_cancel(pool, &calls[0]));

    ck_assert(!amdi_list_is_empty(&shed));
    ck_assert_uint_eq(pool->queue.nqueued, 0);
    (void)amdi_list_pop(&shed);
}
END_TEST

START_TEST(call_that_gave_way_is_not_cancelled)
{
    method.lane.max_queued = 2;
    submit(0, 2);
    calls[2].caller = 2;
    submit(2, 1);

    ck_assert(!amdi_worker_pool_cancel(pool, &calls[1]));

    ck_assert_ptr_eq(pop_refused(), &calls[1]);
    ck_assert(amdi_worker_pool_cancel(pool, &calls[0]));
    ck_assert(amdi_worker_pool_cancel(pool, &calls[2]));
}
END_TEST

/** Lets calls wait for 600 ms each, one after another; counts the shed. */
static size_t
overload(void)
{
    struct amdi_list shed;
    size_t nshed = 0;

    amdi_list_init(&shed);
    for (size_t i = 0; i < 10; i++) {
        struct amdrpc_call *call = NULL;

        submit(i, 1);
        test_clock_advance_ms(600);
        call = take(&shed);
        if (call != NULL) {
            give_back(call);
        }
        while (amdi_list_pop(&shed) != NULL) {
            ck_assert_int_eq(calls[i].refusal, AMDI_REFUSAL_SHED);
            nshed++;
        }
    }
    return nshed;
}

START_TEST(lasting_overload_sheds_calls)
{
    ck_assert_uint_eq(overload(), 10);
}
END_TEST

START_TEST(long_methods_shed_nothing)
{
    method.policy.is_long = true;

    ck_assert_uint_eq(overload(), 0);
}
END_TEST

START_TEST(methods_that_take_long_shed_nothing)
{
    method.service_ns = 600 * MS;

    ck_assert_uint_eq(overload(), 0);
}
END_TEST

START_TEST(refused_call_says_when_to_try_again)
{
    const amdrpc_metadata_field *field = NULL;

    calls[0].refusal = AMDI_REFUSAL_LATE;
    calls[0].wait_ms = 1500;

    amdi_call_refuse(&calls[0]);

    ck_assert_int_eq(calls[0].code, AMDRPC_STATUS_RESOURCE_EXHAUSTED);
    ck_assert_ptr_nonnull(strstr(calls[0].message, "deadline"));
    field = amdrpc_metadata_get(calls[0].trailing, "grpc-retry-pushback-ms");
    ck_assert_str_eq(field->value, "1500");
    field = amdrpc_metadata_get(calls[0].trailing, "grpc-status-details-bin");
    ck_assert_ptr_nonnull(memmem(field->value, field->value_len,
            "google.rpc.RetryInfo", strlen("google.rpc.RetryInfo")));
}
END_TEST

START_TEST(way_ahead_of_a_call_is_known)
{
    struct amdi_load load;

    submit(0, 5);

    amdi_worker_pool_get_load(pool, &calls[3], &load);
    ck_assert_uint_eq(load.nahead, 3);
    amdi_worker_pool_get_load(pool, &calls[5], &load);
    ck_assert_uint_eq(load.nahead, 5);
    ck_assert_uint_eq(load.nworkers, 3);
    for (size_t i = 0; i < 5; i++) {
        ck_assert(amdi_worker_pool_cancel(pool, &calls[i]));
    }
}
END_TEST

/* ---- workers ---- */

START_TEST(calls_run_on_workers)
{
    gate_open();
    start();

    submit(0, NCALLS);

    gate_await(&gate.nfinished, NCALLS);
    ck_assert_uint_eq(gate.nentered, NCALLS);
}
END_TEST

/** Waits for a millisecond, or until @n handlers run; tells whether they do. */
static bool
has_entered(size_t n)
{
    const struct timespec at = test_deadline_ms(1);
    bool is_so = false;
    int rv = 0;

    pthread_mutex_lock(&gate.mtx);
    while (gate.nentered < n && rv == 0) {
        rv = pthread_cond_timedwait(&gate.has_changed, &gate.mtx, &at);
    }
    is_so = gate.nentered >= n;
    pthread_mutex_unlock(&gate.mtx);
    return is_so;
}

/** Looks after the pool, as loops do, until @n handlers run. */
static void
grow_until_entered(size_t n)
{
    time_t give_up_at = time(NULL) + 20;

    do {
        uint64_t ntaken = 0;

        ck_assert_int_lt(time(NULL), give_up_at);
        test_clock_advance_ms(25);
        (void)amdi_worker_pool_look_after(pool, &ntaken);
    } while (!has_entered(n));
}

START_TEST(pool_grows_while_workers_block)
{
    start();
    submit(0, 4);

    grow_until_entered(3);

    ck_assert_uint_eq(pool->nthreads, 3);
    ck_assert_uint_eq(gate.nentered, 3);
}
END_TEST

static uint32_t
count_threads(void)
{
    uint32_t n = 0;

    pthread_mutex_lock(&pool->mtx);
    n = pool->nthreads;
    pthread_mutex_unlock(&pool->mtx);
    return n;
}

static void
await_threads(uint32_t n)
{
    time_t give_up_at = time(NULL) + 20;

    while (count_threads() != n) {
        ck_assert_int_lt(time(NULL), give_up_at);
        (void)sched_yield();
    }
}

START_TEST(idle_pool_shrinks_to_its_minimum)
{
    pool->idle_ms = 1;
    start();
    submit(0, 3);
    grow_until_entered(3);

    gate_open();

    await_threads(1);
}
END_TEST

static size_t nkept_bytes;

/** Lets its thread keep a block; notes what it kept before. */
static void
handler_keep(const void *handlers, amdrpc_call *call,
        const ProtobufCMessage *request, void *user_data)
{
    (void)handlers;
    (void)request;
    (void)user_data;
    pthread_mutex_lock(&gate.mtx);
    nkept_bytes = amdi_cache_thread_bytes();
    pthread_mutex_unlock(&gate.mtx);
    amdi_cache_give(0, amdi_cache_take(0));
    amdrpc_call_finish(call, AMDRPC_STATUS_OK, NULL);
}

static void
await_tidy(void)
{
    time_t give_up_at = time(NULL) + 20;
    bool is_tidy = false;

    while (!is_tidy) {
        ck_assert_int_lt(time(NULL), give_up_at);
        (void)sched_yield();
        pthread_mutex_lock(&pool->mtx);
        is_tidy = pool->workers[0].is_tidy;
        pthread_mutex_unlock(&pool->mtx);
    }
}

START_TEST(idle_worker_keeps_no_memory)
{
    nkept_bytes = SIZE_MAX;
    method.invoke = handler_keep;
    pool->idle_ms = 1;
    start();
    submit(0, 1);
    gate_await(&gate.nfinished, 1);
    await_tidy();

    submit(1, 1);
    gate_await(&gate.nfinished, 2);

    ck_assert_uint_eq(nkept_bytes, 0);
}
END_TEST

START_TEST(pool_that_shrank_grows_again)
{
    pool->idle_ms = 1;
    start();
    submit(0, 3);
    grow_until_entered(3);
    gate_open();
    await_threads(1);
    gate_await(&gate.nfinished, 3);
    gate.is_open = false;

    submit(3, 3);

    grow_until_entered(6);
}
END_TEST

START_TEST(stopped_pool_ends_its_workers)
{
    start();
    submit(0, 1);
    gate_await(&gate.nentered, 1);
    gate_open();

    amdi_worker_pool_stop(pool);

    ck_assert_uint_eq(gate.nfinished, 1);
    ck_assert_uint_eq(pool->nthreads, 0);
}
END_TEST

static void
add_admission(Suite *suite)
{
    TCase *admission = tcase_create("admission");

    tcase_add_checked_fixture(admission, set_up, tear_down);
    tcase_add_test(admission, call_beyond_max_queued_is_refused);
    tcase_add_test(admission, call_that_cannot_begin_in_time_is_refused);
    tcase_add_test(admission, call_that_can_begin_in_time_waits);
    tcase_add_test(admission, cancelled_call_is_not_taken);
    tcase_add_test(admission, call_that_is_being_refused_is_not_cancelled);
    tcase_add_test(admission, call_that_gave_way_is_not_cancelled);
    tcase_add_test(admission, lasting_overload_sheds_calls);
    tcase_add_test(admission, long_methods_shed_nothing);
    tcase_add_test(admission, methods_that_take_long_shed_nothing);
    tcase_add_test(admission, refused_call_says_when_to_try_again);
    tcase_add_test(admission, way_ahead_of_a_call_is_known);
    suite_add_tcase(suite, admission);
}

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("worker_pool");
    TCase *workers = tcase_create("workers");

    add_admission(suite);
    tcase_set_timeout(workers, 60);
    tcase_add_checked_fixture(workers, set_up, tear_down);
    tcase_add_test(workers, calls_run_on_workers);
    tcase_add_test(workers, pool_grows_while_workers_block);
    tcase_add_test(workers, idle_pool_shrinks_to_its_minimum);
    tcase_add_test(workers, idle_worker_keeps_no_memory);
    tcase_add_test(workers, pool_that_shrank_grows_again);
    tcase_add_test(workers, stopped_pool_ends_its_workers);
    suite_add_tcase(suite, workers);
    return suite;
}

TEST_MAIN(make_suite)
