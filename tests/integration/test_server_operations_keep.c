/** Operations that are swept, and those that nobody can execute. */
#include <amdrpc/log.h>

#include "tests/integration/server_operations.h"
#include "tests/store/probe.h"
#include "tests/support/runner.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define GONE "operations-without-method"

static struct amdi_store *
store_of_server(void)
{
    return amdi_operations_store(amdi_operations_of(ops_server()));
}

/** @_i: the number of the store, here and below. */
START_TEST(what_is_too_much_is_swept_at_once)
{
    amdrpc_operations_options options = ops_options();
    ops_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;

    request.how = OPS_HOW(REPLY);
    request.text = (char *)(uintptr_t) "text";
    options.max_kept = 3;
    ops_start_with(_i, &options, NULL, NULL);
    for (int i = 0; i < 50; i++) {
        (void)ops_add(OPS_UNARY, &request);
    }

    // The next look is ten seconds away: this is by the hint.
    while (amdi_store_get_usage(store_of_server()).nunfinished > 0 ||
            amdi_store_get_usage(store_of_server()).ndone > 3) {
        (void)sched_yield();
    }
    ck_assert_uint_eq(amdi_store_get_usage(store_of_server()).ndone, 3);
}
END_TEST

/* ---- methods that are gone ---- */

static pthread_mutex_t mtx = PTHREAD_MUTEX_INITIALIZER;
static char warnings[1024]; // under mtx

static void
keep_warning(
        void *arg, amdrpc_log_level level, const char *id, const char *text)
{
    (void)arg;
    (void)level;
    (void)pthread_mutex_lock(&mtx);
    if (strcmp(id, GONE) == 0) {
        (void)snprintf(warnings + strlen(warnings),
                sizeof(warnings) - strlen(warnings), "%s\n", text);
    }
    (void)pthread_mutex_unlock(&mtx);
}

static bool
has_warned(const char *text)
{
    bool has = false;

    (void)pthread_mutex_lock(&mtx);
    has = strstr(warnings, text) != NULL;
    (void)pthread_mutex_unlock(&mtx);
    return has;
}

/** Adds operations as an earlier server would have left them. */
static void
leave(const char *method, const char *priority, int n)
{
    char queue[128];
    struct amdi_new_op new_op = {
            .method = {method, strlen(method)}, .ready_at_us = INT64_MAX / 2};

    new_op.queue.data = queue;
    new_op.queue.len =
            (size_t)snprintf(queue, sizeof(queue), "%s %s", method, priority);
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
    }
}

START_TEST(operations_without_method_are_told)
{
    amdrpc_operations_options options = ops_options();
    struct amdi_store *store = NULL;
    char *dir = probe_make_dir();
    char uri[600];

    (void)snprintf(uri, sizeof(uri), "sqlite:%s", dir);
    ck_assert_int_eq(probe_open(uri, NULL, NULL), AMDRPC_OK);
    leave("/test.v1.Gone/Do", "high", 1);
    leave("/test.v1.Gone/Do", "normal", 2);
    leave("/test.v1.Gone/DoMore", "low", 1);
    leave(OPS_UNARY, "normal", 1);
    probe_close();
    ck_assert_int_eq(amdi_store_open(uri, NULL, &store, NULL), AMDRPC_OK);
    amdrpc_log_set(keep_warning, NULL, AMDRPC_LOG_WARN);
    ops_start_over(store, &options);
    while (!has_warned("method=/test.v1.Gone/DoMore waiting=1 ")) {
        (void)sched_yield();
    }

    ops_stop();
    amdrpc_log_set(NULL, NULL, AMDRPC_LOG_ERROR);
    ck_assert(has_warned("method=/test.v1.Gone/Do waiting=3 "));
    ck_assert(!has_warned(OPS_UNARY));
    probe_remove_dir(dir);
}
END_TEST

static Suite *
create_suite(void)
{
    Suite *suite = suite_create("server_operations_keep");
    TCase *tests = tcase_create("keep");

    tcase_add_checked_fixture(tests, ops_setup, ops_teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(
            tests, what_is_too_much_is_swept_at_once, 0, OPS_NSTORES);
    tcase_add_test(tests, operations_without_method_are_told);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(create_suite)
