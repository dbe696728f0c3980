/** Tests the loop: its turn, its thread, and the door between threads. */
#include "common/alloc.h"
#include "common/clock.h"
#include "common/loop.h"
#include "common/thread.h"
#include "tests/support/fake_clock.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

static struct amdi_loop *loop;
static char trace[64]; // what ran, one letter each
static size_t ntrace;

static void
trace_add(char letter)
{
    ck_assert_uint_lt(ntrace + 1, sizeof(trace));
    trace[ntrace++] = letter;
    trace[ntrace] = '\0';
}

static void
loop_set_up(void)
{
    ck_assert_int_eq(amdi_loop_create("amd-test", &loop), AMDRPC_OK);
    ntrace = 0;
    trace[0] = '\0';
}

static void
loop_tear_down(void)
{
    amdi_loop_destroy(loop);
    loop = NULL;
}

static bool
turn_is_done(void *arg)
{
    int *nturns = arg;

    return (*nturns)-- == 0;
}

/** Makes turns; the last one waits when there is nothing to be done. */
static void
loop_make_turns(int nturns)
{
    amdi_loop_run_until(loop, turn_is_done, &nturns);
}

/* ---- tasks ---- */

struct letter_task {
    struct amdi_task task; // first
    char letter;
    int nagain;
};

static void
letter_task_run(struct amdi_task *task)
{
    struct letter_task *letter = (struct letter_task *)task;

    ck_assert(amdi_loop_is_current(loop));
    trace_add(letter->letter);
    if (letter->nagain > 0) {
        letter->nagain--;
        amdi_loop_post(loop, task);
    }
}

#define LETTER_TASK(l, n)  \
    ((struct letter_task){ \
            .task = {.run = letter_task_run}, .letter = (l), .nagain = (n)})

START_TEST(tasks_run_in_the_order_of_posting)
{
    struct letter_task a = LETTER_TASK('a', 0);
    struct letter_task b = LETTER_TASK('b', 0);
    struct letter_task c = LETTER_TASK('c', 0);

    amdi_loop_post(loop, &a.task);
    amdi_loop_push(loop, &b.task);
    amdi_loop_push(loop, &c.task);
    amdi_loop_wake(loop);
    loop_make_turns(1);

    ck_assert_str_eq(trace, "abc");
}
END_TEST

START_TEST(task_that_posts_itself_runs_in_the_next_turn)
{
    struct letter_task a = LETTER_TASK('a', 2);

    amdi_loop_post(loop, &a.task);
    loop_make_turns(1);
    ck_assert_str_eq(trace, "a");

    loop_make_turns(2);
    ck_assert_str_eq(trace, "aaa");
}
END_TEST

static void
task_free(struct amdi_task *task)
{
    trace_add('f');
    amdi_free(task);
}

START_TEST(task_may_free_itself)
{
    for (int i = 0; i < 2; i++) {
        struct amdi_task *task = amdi_zalloc(sizeof(*task));

        task->run = task_free;
        amdi_loop_post(loop, task);
    }
    loop_make_turns(1);

    ck_assert_str_eq(trace, "ff");
}
END_TEST

START_TEST(loop_is_current_only_while_it_runs)
{
    ck_assert(!amdi_loop_is_current(loop));
    loop_make_turns(0);
    ck_assert(!amdi_loop_is_current(loop));
    ck_assert(!amdi_thread_is_loop());
}
END_TEST

START_TEST(join_runs_tasks_of_a_loop_that_never_started)
{
    struct letter_task a = LETTER_TASK('a', 3);

    amdi_loop_post(loop, &a.task);
    amdi_loop_stop(loop);
    amdi_loop_join(loop);

    ck_assert_str_eq(trace, "aaaa");
}
END_TEST

/* ---- the end of a turn ---- */

struct letter_hook {
    struct amdi_hook hook; // first
    char letter;
    struct letter_hook *next; // added when this one runs
    enum amdi_turn_phase next_phase;
};

static void
letter_hook_run(struct amdi_hook *hook)
{
    struct letter_hook *letter = (struct letter_hook *)hook;

    trace_add(letter->letter);
    if (letter->next != NULL) {
        amdi_loop_at_turn_end(loop, letter->next_phase, &letter->next->hook);
    }
}

static void
letter_hook_init(struct letter_hook *hook, char letter)
{
    *hook = (struct letter_hook){.letter = letter};
    amdi_hook_init(&hook->hook, letter_hook_run);
}

START_TEST(phases_run_in_their_order)
{
    struct letter_hook a;
    struct letter_hook b;
    struct letter_hook c;

    letter_hook_init(&a, 'a');
    letter_hook_init(&b, 'b');
    letter_hook_init(&c, 'c');
    amdi_loop_at_turn_end(loop, AMDI_TURN_REAP, &c.hook);
    amdi_loop_at_turn_end(loop, AMDI_TURN_FLUSH, &b.hook);
    amdi_loop_at_turn_end(loop, AMDI_TURN_HAND_OVER, &a.hook);
    loop_make_turns(1);

    ck_assert_str_eq(trace, "abc");
}
END_TEST

START_TEST(hook_added_twice_runs_once)
{
    struct letter_hook a;

    letter_hook_init(&a, 'a');
    amdi_loop_at_turn_end(loop, AMDI_TURN_FLUSH, &a.hook);
    amdi_loop_at_turn_end(loop, AMDI_TURN_FLUSH, &a.hook);
    loop_make_turns(1);

    ck_assert_str_eq(trace, "a");
}
END_TEST

START_TEST(hook_of_an_earlier_phase_runs_in_the_same_turn)
{
    struct letter_hook reap;
    struct letter_hook flush;
    struct letter_hook hand_over;

    letter_hook_init(&reap, 'r');
    letter_hook_init(&flush, 'f');
    letter_hook_init(&hand_over, 'h');
    flush.next = &hand_over;
    flush.next_phase = AMDI_TURN_HAND_OVER;
    amdi_loop_at_turn_end(loop, AMDI_TURN_REAP, &reap.hook);
    amdi_loop_at_turn_end(loop, AMDI_TURN_FLUSH, &flush.hook);
    loop_make_turns(1);

    ck_assert_str_eq(trace, "fhr");
}
END_TEST

START_TEST(cancelled_hook_does_not_run)
{
    struct letter_hook a;

    letter_hook_init(&a, 'a');
    amdi_hook_cancel(&a.hook);
    amdi_loop_at_turn_end(loop, AMDI_TURN_FLUSH, &a.hook);
    amdi_hook_cancel(&a.hook);
    amdi_loop_wake(loop);
    amdi_loop_stop(loop);
    amdi_loop_join(loop);

    ck_assert_str_eq(trace, "");
}
END_TEST

START_TEST(tasks_run_before_the_end_of_the_turn)
{
    struct letter_task task = LETTER_TASK('t', 0);
    struct letter_hook hook;

    letter_hook_init(&hook, 'h');
    amdi_loop_at_turn_end(loop, AMDI_TURN_HAND_OVER, &hook.hook);
    amdi_loop_post(loop, &task.task);
    loop_make_turns(1);

    ck_assert_str_eq(trace, "th");
}
END_TEST

/* ---- time ---- */

static void
timer_on_run(struct amdi_timer *timer)
{
    (void)timer;
    trace_add('t');
}

static bool
trace_is_not_empty(void *arg)
{
    (void)arg;
    return ntrace > 0;
}

START_TEST(timer_runs_when_the_clock_says_so)
{
    struct amdi_timer timer = {.run = NULL};
    struct letter_task task = LETTER_TASK('a', 0);

    amdi_timer_start(loop, &timer, amdi_clock_now_ms() + 60000, timer_on_run);
    test_clock_advance_ms(59999);
    amdi_loop_post(loop, &task.task);
    loop_make_turns(1);
    ck_assert_str_eq(trace, "a");

    test_clock_advance_ms(1);
    loop_make_turns(1);
    ck_assert_str_eq(trace, "at");
}
END_TEST

static void
task_read_clock_twice(struct amdi_task *task)
{
    uint64_t before = amdi_loop_now_ms(loop);

    (void)task;
    test_clock_advance_ms(5);
    ck_assert_uint_eq(amdi_loop_now_ms(loop), before);
}

START_TEST(time_stands_still_within_a_turn)
{
    struct amdi_task task = {.run = task_read_clock_twice};
    uint64_t before = amdi_clock_now_ms();

    amdi_loop_post(loop, &task);
    loop_make_turns(1);
    ck_assert_uint_eq(amdi_loop_now_ms(loop), before);

    amdi_loop_post(loop, &task);
    loop_make_turns(1);
    ck_assert_uint_eq(amdi_loop_now_ms(loop), before + 5);
}
END_TEST

START_TEST(timer_ends_the_wait)
{
    struct amdi_timer timer = {.run = NULL};

    amdi_timer_start(loop, &timer, amdi_clock_now_ms() + 3, timer_on_run);
    amdi_loop_run_until(loop, trace_is_not_empty, NULL);

    ck_assert_uint_ge(amdi_clock_now_ms(), timer.at_ms);
}
END_TEST

struct starter {
    struct amdi_task task; // first
    struct amdi_timer timer;
};

static void
starter_run(struct amdi_task *task)
{
    struct starter *starter = (struct starter *)task;

    amdi_timer_start(
            loop, &starter->timer, amdi_loop_now_ms(loop) + 2, timer_on_run);
}

START_TEST(earlier_timer_shortens_a_wait_that_was_armed)
{
    struct amdi_timer late = {.run = NULL};
    struct starter starter = {.task = {.run = starter_run}};

    // The first turn arms the late one's time; the task comes after it.
    amdi_timer_start(loop, &late, amdi_clock_now_ms() + 600000, timer_on_run);
    amdi_loop_post(loop, &starter.task);
    amdi_loop_run_until(loop, trace_is_not_empty, NULL);

    ck_assert_str_eq(trace, "t");
    ck_assert(amdi_timer_is_running(&late));
    amdi_timer_stop(&late);
}
END_TEST

/* ---- threads ---- */

struct signal_task {
    struct amdi_task task; // first
    sem_t done;
    char name[16];
    bool is_current;
    bool is_loop_thread;
};

static void
signal_task_run(struct amdi_task *task)
{
    struct signal_task *signal = (struct signal_task *)task;

    signal->is_current = amdi_loop_is_current(loop);
    signal->is_loop_thread = amdi_thread_is_loop();
    (void)pthread_getname_np(
            pthread_self(), signal->name, sizeof(signal->name));
    ck_assert_int_eq(sem_post(&signal->done), 0);
}

static void
loop_stop_and_join(void)
{
    amdi_loop_stop(loop);
    amdi_loop_join(loop);
}

START_TEST(task_runs_on_the_named_thread)
{
    struct signal_task task = {.task = {.run = signal_task_run}};

    ck_assert_int_eq(sem_init(&task.done, 0, 0), 0);
    ck_assert_int_eq(amdi_loop_start(loop), AMDRPC_OK);
    amdi_loop_post(loop, &task.task);
    ck_assert_int_eq(sem_wait(&task.done), 0);
    loop_stop_and_join();

    ck_assert(task.is_current);
    ck_assert(task.is_loop_thread);
    ck_assert_str_eq(task.name, "amd-test");
    ck_assert_int_eq(sem_destroy(&task.done), 0);
}
END_TEST

// A wake-up that is lost would show here as a test that hangs: the loop falls
// asleep between any two rounds.
START_TEST(loop_that_sleeps_is_always_woken)
{
    struct signal_task task = {.task = {.run = signal_task_run}};

    ck_assert_int_eq(sem_init(&task.done, 0, 0), 0);
    ck_assert_int_eq(amdi_loop_start(loop), AMDRPC_OK);
    for (int i = 0; i < 5000; i++) {
        amdi_loop_post(loop, &task.task);
        ck_assert_int_eq(sem_wait(&task.done), 0);
    }
    loop_stop_and_join();
    ck_assert_int_eq(sem_destroy(&task.done), 0);
}
END_TEST

#define NPRODUCERS 4
#define NPOSTS 5000

struct counter {
    struct amdi_task task; // first
    atomic_bool is_posted;
    int nruns; // loop thread only
};

static void
counter_run(struct amdi_task *task)
{
    struct counter *counter = (struct counter *)task;

    counter->nruns++;
    atomic_store(&counter->is_posted, false);
}

static void *
producer_main(void *arg)
{
    struct counter *counter = arg;

    for (int i = 0; i < NPOSTS; i++) {
        while (atomic_load(&counter->is_posted)) {
            sched_yield();
        }
        atomic_store(&counter->is_posted, true);
        amdi_loop_post(loop, &counter->task);
    }
    return NULL;
}

START_TEST(no_task_of_many_threads_is_lost)
{
    static struct counter counters[NPRODUCERS];
    pthread_t threads[NPRODUCERS];

    ck_assert_int_eq(amdi_loop_start(loop), AMDRPC_OK);
    for (int i = 0; i < NPRODUCERS; i++) {
        counters[i].task.run = counter_run;
        ck_assert_int_eq(
                pthread_create(&threads[i], NULL, producer_main, &counters[i]),
                0);
    }
    for (int i = 0; i < NPRODUCERS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    loop_stop_and_join();

    for (int i = 0; i < NPRODUCERS; i++) {
        ck_assert_int_eq(counters[i].nruns, NPOSTS);
    }
}
END_TEST

START_TEST(task_posted_after_the_stop_is_run)
{
    struct letter_task a = LETTER_TASK('a', 1);

    ck_assert_int_eq(amdi_loop_start(loop), AMDRPC_OK);
    amdi_loop_stop(loop);
    amdi_loop_post(loop, &a.task);
    amdi_loop_join(loop);

    ck_assert_str_eq(trace, "aa");
}
END_TEST

/* ---- life ---- */

static amdrpc_err
loop_make(void *arg)
{
    struct amdi_loop *made = NULL;
    amdrpc_err err = amdi_loop_create("amd-with-a-very-long-name", &made);

    (void)arg;
    amdi_loop_destroy(made);
    return err;
}

START_TEST(failed_allocation_leaves_no_loop)
{
    ck_assert_uint_eq(test_sweep_allocations(loop_make, NULL), 3);
}
END_TEST

START_TEST(buffers_do_not_overlap)
{
    memset(amdi_loop_read_buffer(loop), 'r', AMDI_LOOP_BUFFER_BYTES);
    memset(amdi_loop_write_buffer(loop), 'w', AMDI_LOOP_BUFFER_BYTES);

    ck_assert_uint_eq(amdi_loop_read_buffer(loop)[0], 'r');
    ck_assert_uint_eq(
            amdi_loop_read_buffer(loop)[AMDI_LOOP_BUFFER_BYTES - 1], 'r');
}
END_TEST

static TCase *
loop_case(const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, loop_set_up, loop_tear_down);
    return tcase;
}

static void
loop_add_turn_tests(Suite *suite)
{
    TCase *tasks = loop_case("tasks");
    TCase *phases = loop_case("phases");

    tcase_add_test(tasks, tasks_run_in_the_order_of_posting);
    tcase_add_test(tasks, task_that_posts_itself_runs_in_the_next_turn);
    tcase_add_test(tasks, task_may_free_itself);
    tcase_add_test(tasks, loop_is_current_only_while_it_runs);
    tcase_add_test(tasks, join_runs_tasks_of_a_loop_that_never_started);
    suite_add_tcase(suite, tasks);
    tcase_add_test(phases, phases_run_in_their_order);
    tcase_add_test(phases, hook_added_twice_runs_once);
    tcase_add_test(phases, hook_of_an_earlier_phase_runs_in_the_same_turn);
    tcase_add_test(phases, cancelled_hook_does_not_run);
    tcase_add_test(phases, tasks_run_before_the_end_of_the_turn);
    suite_add_tcase(suite, phases);
}

static Suite *
loop_suite(void)
{
    Suite *suite = suite_create("loop");
    TCase *fake_time = tcase_create("fake time");
    TCase *real_time = loop_case("real time");
    TCase *threads = loop_case("threads");
    TCase *life = loop_case("life");

    loop_add_turn_tests(suite);
    tcase_add_checked_fixture(fake_time, test_clock_start, test_clock_stop);
    tcase_add_checked_fixture(fake_time, loop_set_up, loop_tear_down);
    tcase_add_test(fake_time, timer_runs_when_the_clock_says_so);
    tcase_add_test(fake_time, time_stands_still_within_a_turn);
    suite_add_tcase(suite, fake_time);
    tcase_add_test(real_time, timer_ends_the_wait);
    tcase_add_test(real_time, earlier_timer_shortens_a_wait_that_was_armed);
    suite_add_tcase(suite, real_time);
    tcase_add_test(threads, task_runs_on_the_named_thread);
    tcase_add_test(threads, loop_that_sleeps_is_always_woken);
    tcase_add_test(threads, no_task_of_many_threads_is_lost);
    tcase_add_test(threads, task_posted_after_the_stop_is_run);
    suite_add_tcase(suite, threads);
    tcase_add_test(life, failed_allocation_leaves_no_loop);
    tcase_add_test(life, buffers_do_not_overlap);
    suite_add_tcase(suite, life);
    return suite;
}

TEST_MAIN(loop_suite)
