/** Tests that a loop may be destroyed by what another thread posts to it. */
#include "common/loop.h"
#include "tests/support/runner.h"

#include <check.h>

#include <pthread.h>
#include <stdatomic.h>

#define NROUNDS 200

static struct amdi_loop *loop;
static struct amdi_task task;
static atomic_bool has_run;

static void
on_task(struct amdi_task *posted)
{
    (void)posted;
    atomic_store(&has_run, true);
}

static bool
is_done(void *arg)
{
    (void)arg;
    return atomic_load(&has_run);
}

static void *
post(void *arg)
{
    (void)arg;
    amdi_loop_post_outside(loop, &task);
    return NULL;
}

/* A sanitizer sees what the thread reads of a loop that is gone. */
START_TEST(loop_outlives_who_posts_to_it)
{
    task.run = on_task;
    for (size_t i = 0; i < NROUNDS; i++) {
        pthread_t thread;

        atomic_store(&has_run, false);
        ck_assert_int_eq(amdi_loop_create("test", &loop), AMDRPC_OK);
        ck_assert_int_eq(pthread_create(&thread, NULL, post, NULL), 0);

        amdi_loop_run_until(loop, is_done, NULL);
        amdi_loop_destroy(loop);

        ck_assert_int_eq(pthread_join(thread, NULL), 0);
    }
}
END_TEST

static Suite *
outside_suite(void)
{
    Suite *suite = suite_create("loop outside");
    TCase *posting = tcase_create("posting");

    tcase_add_test(posting, loop_outlives_who_posts_to_it);
    suite_add_tcase(suite, posting);
    return suite;
}

TEST_MAIN(outside_suite)
