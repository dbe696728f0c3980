/**
 * One event_base and its thread.
 *
 * Sleep and wake-up. A wake-up must not be lost, and must cost no system call
 * while the loop is awake. So `asleep` is changed by atomic exchanges only,
 * by both sides, which puts all of them in one order:
 *
 *     loop                                  waker
 *     asleep := true          (L1)          push the task      (W1)
 *     look into the queue     (L2)          asleep := false    (W2)
 *     wait if it is empty                   write the eventfd if it was true
 *
 * When W2 comes after L1 it finds true, or another waker did, and the eventfd
 * ends the wait. When W2 comes before L1, L1 reads from W2 (or from an
 * exchange that continues its release sequence), so W1 happens before L2 and
 * L2 finds the task. Who pushes to a queue that is not empty needs no W2: the
 * thread that pushed the first task is about to do it.
 *
 * The eventfd and the timerfd are edge-triggered and therefore never read.
 *
 * Lifetimes: tasks, hooks and timers lie in their owners' objects; each is
 * unlinked before it runs, so that it may free its object or start again.
 */
#include "common/loop.h"

#include "common/alloc.h"
#include "common/assertion.h"
#include "common/clock.h"
#include "common/thread.h"
#include "common/timer.h"

#include <event2/event.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NAME_BYTES 16
#define CACHE_LINE_BYTES 64

struct amdi_loop {
    // Any thread.
    struct amdi_mpsc tasks;
    atomic_bool is_asleep;
    atomic_bool is_stopping;
    atomic_uint nposting; // threads within amdi_loop_post_outside
    // Other cores write to what is above; the rest is not for their cache line.
    char padding[CACHE_LINE_BYTES];

    // Constant after creation.
    struct event_base *base;   // owned
    struct event *wake_event;  // owned
    struct event *timer_event; // owned
    int wake_fd;
    int timer_fd;
    uint8_t *read_buffer;  // owned
    uint8_t *write_buffer; // owned
    char name[NAME_BYTES];

    // Setup, and whoever joins.
    pthread_t thread;
    bool has_thread;

    // Loop thread only.
    bool has_now; // now_ns and now_ms are of this turn
    uint64_t now_ns;
    uint64_t now_ms;
    uint64_t armed_at_ms; // when the timerfd fires; AMDI_WHEEL_NEVER: does not
    struct amdi_list phases[AMDI_TURN_NPHASES]; // of struct amdi_hook
    struct amdi_wheel wheel;
};

static _Thread_local struct amdi_loop *loop_current;

/* ---- creation ---- */

static void
loop_on_wake(evutil_socket_t fd, short what, void *arg)
{
    // Its only purpose was to end the wait.
    (void)fd;
    (void)what;
    (void)arg;
}

static void
loop_on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct amdi_loop *loop = arg;

    (void)fd;
    (void)what;
    loop->armed_at_ms = AMDI_WHEEL_NEVER;
}

static struct event_base *
loop_create_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (config == NULL) {
        return NULL;
    }
    // Locks and a clock of libevent's own would be paid for in every turn.
    if (event_config_set_flag(config,
                EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV |
                        EVENT_BASE_FLAG_NO_CACHE_TIME) == 0 &&
            event_config_require_features(config, EV_FEATURE_ET) == 0) {
        base = event_base_new_with_config(config);
    }
    event_config_free(config);
    return base;
}

static amdrpc_err
loop_watch(struct amdi_loop *loop, int fd, event_callback_fn fn,
        struct event **out)
{
    if (fd < 0) {
        return AMDRPC_EIO;
    }
    *out = event_new(loop->base, fd, EV_READ | EV_PERSIST | EV_ET, fn, loop);
    if (*out == NULL) {
        return AMDRPC_ENOMEM;
    }
    return event_add(*out, NULL) == 0 ? AMDRPC_OK : AMDRPC_EIO;
}

static amdrpc_err
loop_create_parts(struct amdi_loop *loop)
{
    amdrpc_err err;

    loop->read_buffer = amdi_alloc(AMDI_LOOP_BUFFER_BYTES);
    loop->write_buffer = amdi_alloc(AMDI_LOOP_BUFFER_BYTES);
    loop->base = loop_create_base();
    if (loop->read_buffer == NULL || loop->write_buffer == NULL ||
            loop->base == NULL) {
        return AMDRPC_ENOMEM;
    }
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->timer_fd =
            timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    err = loop_watch(loop, loop->wake_fd, loop_on_wake, &loop->wake_event);
    if (err != AMDRPC_OK) {
        return err;
    }
    return loop_watch(loop, loop->timer_fd, loop_on_timer, &loop->timer_event);
}

static void
loop_init(struct amdi_loop *loop, const char *name)
{
    *loop = (struct amdi_loop){
            .wake_fd = -1,
            .timer_fd = -1,
            .armed_at_ms = AMDI_WHEEL_NEVER,
    };
    amdi_mpsc_init(&loop->tasks);
    atomic_init(&loop->is_asleep, false);
    atomic_init(&loop->is_stopping, false);
    for (int i = 0; i < AMDI_TURN_NPHASES; i++) {
        amdi_list_init(&loop->phases[i]);
    }
    amdi_wheel_init(&loop->wheel, amdi_clock_now_ms());
    for (size_t i = 0; i + 1 < sizeof(loop->name) && name[i] != '\0'; i++) {
        loop->name[i] = name[i];
    }
}

amdrpc_err
amdi_loop_create(const char *name, struct amdi_loop **out)
{
    struct amdi_loop *loop = amdi_alloc(sizeof(*loop));
    amdrpc_err err;

    if (loop == NULL) {
        return AMDRPC_ENOMEM;
    }
    loop_init(loop, name);
    err = loop_create_parts(loop);
    if (err != AMDRPC_OK) {
        amdi_loop_destroy(loop);
        return err;
    }
    *out = loop;
    return AMDRPC_OK;
}

static void
loop_free_event(struct event *event)
{
    if (event != NULL) {
        event_free(event);
    }
}

static void
loop_close_fd(int fd)
{
    if (fd >= 0) {
        (void)close(fd); // holds nothing that could be lost
    }
}

void
amdi_loop_destroy(struct amdi_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    amdi_assert(!loop->has_thread);
    while (atomic_load_explicit(&loop->nposting, memory_order_acquire) > 0) {
        (void)sched_yield(); // what it posted has run; it is about to return
    }
    loop_free_event(loop->wake_event);
    loop_free_event(loop->timer_event);
    loop_close_fd(loop->wake_fd);
    loop_close_fd(loop->timer_fd);
    if (loop->base != NULL) {
        event_base_free(loop->base);
    }
    amdi_free(loop->read_buffer);
    amdi_free(loop->write_buffer);
    amdi_free(loop);
}

/* ---- one turn ---- */

uint64_t
amdi_loop_now_ms(struct amdi_loop *loop)
{
    if (!loop->has_now) {
        loop->now_ns = amdi_clock_now_ns();
        loop->now_ms = loop->now_ns / 1000000;
        loop->has_now = true;
    }
    return loop->now_ms;
}

uint64_t
amdi_loop_now_ns(struct amdi_loop *loop)
{
    (void)amdi_loop_now_ms(loop); // reads the clock if this turn has not
    return loop->now_ns;
}

static enum amdi_turn_phase
loop_first_phase(const struct amdi_loop *loop)
{
    int phase = 0;

    while (phase < AMDI_TURN_NPHASES &&
            amdi_list_is_empty(&loop->phases[phase])) {
        phase++;
    }
    return (enum amdi_turn_phase)phase;
}

static void
loop_end_turn(struct amdi_loop *loop)
{
    enum amdi_turn_phase phase;

    while ((phase = loop_first_phase(loop)) != AMDI_TURN_NPHASES) {
        struct amdi_list *node;

        // The whole phase, before looking at what it added to earlier ones.
        while ((node = amdi_list_pop(&loop->phases[phase])) != NULL) {
            struct amdi_hook *hook =
                    AMDI_CONTAINER_OF(node, struct amdi_hook, node);

            hook->run(hook);
        }
    }
}

static void
loop_run_tasks(struct amdi_loop *loop)
{
    struct amdi_mpsc_node *node = amdi_mpsc_take_all(&loop->tasks);

    while (node != NULL) {
        struct amdi_task *task =
                AMDI_CONTAINER_OF(node, struct amdi_task, node);

        node = node->next; // the task may be posted again, or be freed
        task->run(task);
    }
}

static void
loop_arm_timer(struct amdi_loop *loop, uint64_t now_ms, uint64_t at_ms)
{
    uint64_t wait_ms = at_ms - now_ms;
    struct itimerspec spec = {
            .it_value = {.tv_sec = (time_t)(wait_ms / 1000),
                    .tv_nsec = (long)(wait_ms % 1000) * 1000000},
    };

    // Cannot fail: the descriptor and the times are right.
    (void)timerfd_settime(loop->timer_fd, 0, &spec, NULL);
    loop->armed_at_ms = at_ms;
}

/** Tells whether timers are due; else has the timerfd end the wait in time. */
static bool
loop_has_due_timer(struct amdi_loop *loop)
{
    uint64_t next_ms = amdi_wheel_next_ms(&loop->wheel);
    uint64_t now_ms;

    if (next_ms == AMDI_WHEEL_NEVER) {
        return false;
    }
    now_ms = amdi_clock_now_ms();
    if (next_ms <= now_ms) {
        return true;
    }
    // A timerfd armed too early costs a turn; so does arming it later.
    if (next_ms < loop->armed_at_ms) {
        loop_arm_timer(loop, now_ms, next_ms);
    }
    return false;
}

/** Says that the loop sleeps from now on, unless something is to be done. */
static bool
loop_may_sleep(struct amdi_loop *loop)
{
    if (loop_first_phase(loop) != AMDI_TURN_NPHASES ||
            !amdi_mpsc_is_empty(&loop->tasks) || loop_has_due_timer(loop)) {
        return false;
    }
    (void)atomic_exchange(&loop->is_asleep, true);
    return amdi_mpsc_is_empty(&loop->tasks) && !atomic_load(&loop->is_stopping);
}

static void
loop_turn(struct amdi_loop *loop)
{
    int flags = EVLOOP_ONCE;

    if (!loop_may_sleep(loop)) {
        flags |= EVLOOP_NONBLOCK;
    }
    loop->has_now = false;
    // Its errors (the backend's) leave nothing to be done here: the next turn
    // tries again, and posted tasks are still run.
    (void)event_base_loop(loop->base, flags);
    (void)atomic_exchange(&loop->is_asleep, false);

    loop_run_tasks(loop);
    amdi_wheel_advance(&loop->wheel, amdi_loop_now_ms(loop));
    loop_end_turn(loop);
}

/** Runs tasks and what they lead to, until nothing is left; no events. */
static void
loop_drain(struct amdi_loop *loop)
{
    loop_end_turn(loop);
    while (!amdi_mpsc_is_empty(&loop->tasks)) {
        loop_run_tasks(loop);
        loop_end_turn(loop);
    }
}

/* ---- the thread ---- */

/** Makes the calling thread the loop's, or nobody's. */
static void
loop_set_current(struct amdi_loop *loop)
{
    loop_current = loop;
    amdi_thread_set_is_loop(loop != NULL);
}

static void *
loop_main(void *arg)
{
    struct amdi_loop *loop = arg;

    loop_set_current(loop);
    amdi_thread_set_name(loop->name);
    while (!atomic_load(&loop->is_stopping)) {
        loop_turn(loop);
    }
    loop_drain(loop);
    loop_set_current(NULL);
    return NULL;
}

amdrpc_err
amdi_loop_start(struct amdi_loop *loop)
{
    sigset_t all;
    sigset_t before;
    int failure;

    amdi_assert(!loop->has_thread);
    // Signals are for the threads of the program that uses the library.
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failure = pthread_create(&loop->thread, NULL, loop_main, loop);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        return AMDRPC_EIO;
    }
    loop->has_thread = true;
    return AMDRPC_OK;
}

void
amdi_loop_stop(struct amdi_loop *loop)
{
    atomic_store(&loop->is_stopping, true);
    amdi_loop_wake(loop);
}

void
amdi_loop_join(struct amdi_loop *loop)
{
    struct amdi_loop *outer = loop_current;

    amdi_assert(outer != loop);
    if (loop->has_thread) {
        (void)pthread_join(loop->thread, NULL); // only fails for a wrong id
        loop->has_thread = false;
    }
    loop_set_current(loop);
    loop_drain(loop);
    loop_set_current(outer);
}

void
amdi_loop_run_until(
        struct amdi_loop *loop, bool (*is_done)(void *arg), void *arg)
{
    struct amdi_loop *outer = loop_current;

    amdi_assert(!loop->has_thread);
    loop_set_current(loop);
    while (!is_done(arg)) {
        loop_turn(loop);
    }
    loop_set_current(outer);
}

struct event_base *
amdi_loop_base(struct amdi_loop *loop)
{
    return loop->base;
}

bool
amdi_loop_is_current(const struct amdi_loop *loop)
{
    return loop_current == loop;
}

/* ---- what others do with it ---- */

void
amdi_loop_post(struct amdi_loop *loop, struct amdi_task *task)
{
    if (amdi_mpsc_push(&loop->tasks, &task->node)) {
        amdi_loop_wake(loop);
    }
}

void
amdi_loop_post_outside(struct amdi_loop *loop, struct amdi_task *task)
{
    (void)atomic_fetch_add(&loop->nposting, 1);
    amdi_loop_post(loop, task);
    (void)atomic_fetch_sub_explicit(&loop->nposting, 1, memory_order_release);
}

void
amdi_loop_push(struct amdi_loop *loop, struct amdi_task *task)
{
    (void)amdi_mpsc_push(&loop->tasks, &task->node); // amdi_loop_wake follows
}

void
amdi_loop_wake(struct amdi_loop *loop)
{
    if (atomic_exchange(&loop->is_asleep, false)) {
        // Fails only when the counter is full, and then it is readable.
        (void)eventfd_write(loop->wake_fd, 1);
    }
}

void
amdi_hook_init(struct amdi_hook *hook, void (*run)(struct amdi_hook *))
{
    amdi_list_init(&hook->node);
    hook->run = run;
}

void
amdi_loop_at_turn_end(struct amdi_loop *loop, enum amdi_turn_phase phase,
        struct amdi_hook *hook)
{
    if (!amdi_list_is_linked(&hook->node)) {
        amdi_list_push(&loop->phases[phase], &hook->node);
    }
}

void
amdi_hook_cancel(struct amdi_hook *hook)
{
    amdi_list_remove(&hook->node);
}

void
amdi_timer_start(struct amdi_loop *loop, struct amdi_timer *timer,
        uint64_t at_ms, void (*run)(struct amdi_timer *))
{
    amdi_timer_stop(timer);
    timer->at_ms = at_ms;
    timer->run = run;
    amdi_wheel_add(&loop->wheel, timer);
}

uint8_t *
amdi_loop_read_buffer(struct amdi_loop *loop)
{
    return loop->read_buffer;
}

uint8_t *
amdi_loop_write_buffer(struct amdi_loop *loop)
{
    return loop->write_buffer;
}
