/** Tests that handlers which run too long are reported. */
#include <amdrpc/log.h>

#include "common/clock.h"
#include "server/call.h"
#include "server/dispatch/stack.h"
#include "server/dispatch/watchdog.h"
#include "server/dispatch/worker_pool.h"
#include "server/service.h"
#include "tests/support/fake_clock.h"
#include "tests/support/runner.h"

#include <check.h>

#include <pthread.h>
#include <string.h>

#define LIMIT_MS 5000

static struct {
    pthread_mutex_t mtx;
    pthread_cond_t has_changed;
    bool is_entered;
    bool is_open;
} gate = {.mtx = PTHREAD_MUTEX_INITIALIZER,
        .has_changed = PTHREAD_COND_INITIALIZER};

static struct amdi_worker_pool *pool;
static struct amdi_method method;
static struct amdrpc_call call;
static char report[256]; // the last line of handler-slow
static size_t nreports;
static size_t nframes;

static void
log_on_line(void *arg, amdrpc_log_level level, const char *id, const char *text)
{
    (void)arg;
    (void)level;
    if (strcmp(id, "handler-slow") == 0) {
        (void)strncpy(report, text, sizeof(report) - 1);
        nreports++;
    } else if (strcmp(id, "handler-stack") == 0) {
        nframes++;
    }
}

static void
call_on_finish(amdrpc_call *finished)
{
    (void)finished;
}

static void
handler_wait(const void *handlers, amdrpc_call *running,
        const ProtobufCMessage *request, void *user_data)
{
    (void)handlers;
    (void)request;
    (void)user_data;
    pthread_mutex_lock(&gate.mtx);
    gate.is_entered = true;
    pthread_cond_broadcast(&gate.has_changed);
    while (!gate.is_open) {
        pthread_cond_wait(&gate.has_changed, &gate.mtx);
    }
    pthread_mutex_unlock(&gate.mtx);
    amdrpc_call_finish(running, AMDRPC_STATUS_OK, NULL);
}

/** Starts a handler that hangs. */
static void
start(uint32_t watchdog_ms)
{
    static const amdrpc_method_desc desc = {
            .path = "/test.Test/Hang", .kind = AMDRPC_BIDI_STREAMING};
    static const struct amdi_sink_ops sink = {.finish = call_on_finish};
    struct amdi_list list;
    struct amdi_list refused;

    memset(&method, 0, sizeof(method));
    amdi_lane_init(&method.lane);
    method.desc = &desc;
    method.invoke = handler_wait;
    method.pool = pool;
    method.policy.watchdog_ms = watchdog_ms;
    amdi_call_init(&call, &sink);
    call.method = &method;
    call.deadline_at_ms = UINT64_MAX;
    ck_assert_int_eq(amdi_worker_pool_start(pool), AMDRPC_OK);
    amdi_list_init(&list);
    amdi_list_init(&refused);
    amdi_list_push(&list, &call.queue.node);
    amdi_worker_pool_submit(pool, &list, &refused);
    pthread_mutex_lock(&gate.mtx);
    while (!gate.is_entered) {
        pthread_cond_wait(&gate.has_changed, &gate.mtx);
    }
    pthread_mutex_unlock(&gate.mtx);
}

static void
set_up(void)
{
    test_clock_start();
    gate.is_entered = gate.is_open = false;
    report[0] = '\0';
    nreports = nframes = 0;
    amdi_stack_init();
    amdrpc_log_set(log_on_line, NULL, AMDRPC_LOG_WARN);
    ck_assert_int_eq(
            amdi_worker_pool_create("test", 1, 1, 7, &pool), AMDRPC_OK);
}

static void
tear_down(void)
{
    pthread_mutex_lock(&gate.mtx);
    gate.is_open = true;
    pthread_cond_broadcast(&gate.has_changed);
    pthread_mutex_unlock(&gate.mtx);
    amdi_worker_pool_stop(pool);
    amdi_worker_pool_destroy(pool);
    amdi_call_fini(&call);
    amdrpc_log_set(NULL, NULL, AMDRPC_LOG_ERROR);
    test_clock_stop();
}

START_TEST(handler_in_time_is_not_reported)
{
    start(LIMIT_MS);
    test_clock_advance_ms(LIMIT_MS - 1);

    amdi_watchdog_check(pool);

    ck_assert_uint_eq(nreports, 0);
}
END_TEST

START_TEST(handler_beyond_its_limit_is_reported_once)
{
    start(LIMIT_MS);
    test_clock_advance_ms(LIMIT_MS);

    amdi_watchdog_check(pool);
    test_clock_advance_ms(LIMIT_MS);
    amdi_watchdog_check(pool);

    ck_assert_uint_eq(nreports, 1);
    ck_assert_ptr_nonnull(strstr(report, "method=/test.Test/Hang"));
    ck_assert_ptr_nonnull(strstr(report, "age_ms=5000"));
    ck_assert_ptr_nonnull(strstr(report, "worker=7"));
}
END_TEST

START_TEST(stack_of_the_handler_is_reported)
{
    start(LIMIT_MS);
    test_clock_advance_ms(LIMIT_MS);

    amdi_watchdog_check(pool);

    ck_assert_uint_ge(nframes, 3);
}
END_TEST

START_TEST(method_without_watchdog_is_not_reported)
{
    start(AMDRPC_WATCHDOG_NEVER);
    test_clock_advance_ms(UINT64_C(1) << 40);

    amdi_watchdog_check(pool);

    ck_assert_uint_eq(nreports, 0);
}
END_TEST

START_TEST(watchdog_starts_and_stops)
{
    struct amdi_watchdog *watchdog = NULL;

    ck_assert_int_eq(amdi_watchdog_start(&pool, 1, &watchdog), AMDRPC_OK);
    amdi_watchdog_stop(watchdog);
    amdi_watchdog_stop(NULL);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("watchdog");
    TCase *reports = tcase_create("reports");

    tcase_add_checked_fixture(reports, set_up, tear_down);
    tcase_add_test(reports, handler_in_time_is_not_reported);
    tcase_add_test(reports, handler_beyond_its_limit_is_reported_once);
    tcase_add_test(reports, stack_of_the_handler_is_reported);
    tcase_add_test(reports, method_without_watchdog_is_not_reported);
    tcase_add_test(reports, watchdog_starts_and_stops);
    suite_add_tcase(suite, reports);
    return suite;
}

TEST_MAIN(make_suite)
