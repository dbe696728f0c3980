/**
 * One event_base and its thread.
 *
 * A turn of the loop: wait for events; run their callbacks, the tasks that
 * were posted and the timers that are due; then the end of the turn, in
 * phases. What a turn collects (calls to hand over, bytes to write, objects
 * to free) is dealt with once, at its end, in that order.
 */
#ifndef AMDI_LOOP_H
#define AMDI_LOOP_H

#include <amdrpc/err.h>

#include "common/list.h"
#include "common/mpsc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct amdi_loop;

/** Creates a loop whose thread does not run yet. @name: copied, 15 chars. */
AMDRPC_NODISCARD amdrpc_err amdi_loop_create(
        const char *name, struct amdi_loop **out);

/** Frees it; its thread must have been joined (or never started). */
void amdi_loop_destroy(struct amdi_loop *loop);

/** Starts the thread. Errors: AMDRPC_EIO. */
AMDRPC_NODISCARD amdrpc_err amdi_loop_start(struct amdi_loop *loop);

/** Asks the thread to end after its present turn. Thread: any. */
void amdi_loop_stop(struct amdi_loop *loop);

/**
 * Waits for the thread, if it was started. Tasks posted until now are run: by
 * the loop's thread, and what comes after its end by the caller.
 *
 * Thread:  any but the loop's
 */
void amdi_loop_join(struct amdi_loop *loop);

/** Runs turns in the calling thread until @is_done says so; for tests. */
void amdi_loop_run_until(
        struct amdi_loop *loop, bool (*is_done)(void *arg), void *arg);

struct event_base *amdi_loop_base(struct amdi_loop *loop);

/** Milliseconds of amdi_clock, read once in a turn. Thread: loop. */
uint64_t amdi_loop_now_ms(struct amdi_loop *loop);

/** The same time in nanoseconds. */
uint64_t amdi_loop_now_ns(struct amdi_loop *loop);

/** Tells whether the calling thread is the loop's. */
bool amdi_loop_is_current(const struct amdi_loop *loop);

/* ---- the door between threads ---- */

/** Lies in the object it is about; may be posted again once it runs. */
struct amdi_task {
    struct amdi_mpsc_node node; // first
    void (*run)(struct amdi_task *task);
};

/** Runs @task on the loop at its next turn. Cannot fail. Thread: any. */
void amdi_loop_post(struct amdi_loop *loop, struct amdi_task *task);

/**
 * The same for threads of which the loop's owner knows nothing: the task may
 * be what ends the loop's use, and the loop is destroyed while this returns.
 */
void amdi_loop_post_outside(struct amdi_loop *loop, struct amdi_task *task);

/**
 * The two halves of amdi_loop_post, for who posts many tasks at once: push
 * them all, then wake. A wake-up costs a system call only while the loop
 * sleeps.
 */
void amdi_loop_push(struct amdi_loop *loop, struct amdi_task *task);
void amdi_loop_wake(struct amdi_loop *loop);

/* ---- the end of a turn ---- */

enum amdi_turn_phase {
    AMDI_TURN_HAND_OVER, // what was collected goes to the workers
    AMDI_TURN_FLUSH,     // connections write
    AMDI_TURN_REAP,      // what ended in this turn is freed
    AMDI_TURN_NPHASES,
};

/** Lies in the object it is about. */
struct amdi_hook {
    struct amdi_list node;
    void (*run)(struct amdi_hook *hook);
};

void amdi_hook_init(struct amdi_hook *hook, void (*run)(struct amdi_hook *));

/**
 * Runs @hook once at the end of this turn; a no-op when it is waiting already.
 * Hooks may add hooks, also to earlier phases: these run in the same turn.
 * Thread: loop.
 */
void amdi_loop_at_turn_end(struct amdi_loop *loop, enum amdi_turn_phase phase,
        struct amdi_hook *hook);

/** Takes a waiting hook back; harmless when it is not waiting. */
void amdi_hook_cancel(struct amdi_hook *hook);

/* ---- timers; thread: loop ---- */

/** Lies in the object it is about. A zeroed one is stopped. */
struct amdi_timer {
    struct amdi_list node; // next is NULL while stopped
    uint64_t at_ms;
    void (*run)(struct amdi_timer *timer);
};

/**
 * Lets @timer run once, not before @at_ms (of amdi_loop_now_ms' clock).
 * Starting it again moves it. Constant time: a timing wheel, made for many
 * timers that rarely come to run.
 */
void amdi_timer_start(struct amdi_loop *loop, struct amdi_timer *timer,
        uint64_t at_ms, void (*run)(struct amdi_timer *));

/** Harmless when it is stopped. */
void amdi_timer_stop(struct amdi_timer *timer);

bool amdi_timer_is_running(const struct amdi_timer *timer);

/* ---- shared buffers; thread: loop ---- */

#define AMDI_LOOP_BUFFER_BYTES 65536u

/** The loop's one read buffer; valid until the caller returns to the loop. */
uint8_t *amdi_loop_read_buffer(struct amdi_loop *loop);

/** The loop's one output buffer, of the same size; the same rule. */
uint8_t *amdi_loop_write_buffer(struct amdi_loop *loop);

#endif
