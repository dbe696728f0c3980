/** Ctrl-C: a signal becomes the cancellation of what goes on. */
#ifndef AMDI_INTERRUPT_H
#define AMDI_INTERRUPT_H

#include <amdrpc/err.h>

#include <pthread.h>

/** Asks what goes on to end; must not wait. */
typedef void amdi_interrupt_fn(void *arg);

/**
 * A thread that waits for SIGINT and SIGTERM. Without anything to cancel, and
 * when a second one comes, the process ends at once.
 */
struct amdi_interrupt {
    pthread_t thread;
    int signal_fd;
    int stop_fd;

    pthread_mutex_t mtx;
    amdi_interrupt_fn *cancel; // under mtx; NULL when nothing goes on
    void *arg;                 // under mtx
    int signal;                // under mtx; 0 until one came
};

/**
 * Begins to wait. Must come before any other thread is made, as those inherit
 * the blocked signals.
 *
 * Thread:  setup
 * Errors:  AMDRPC_EIO
 */
AMDRPC_NODISCARD amdrpc_err amdi_interrupt_start(
        struct amdi_interrupt *interrupt);

/** Ends the thread. The signals stay blocked: the program is about to end. */
void amdi_interrupt_stop(struct amdi_interrupt *interrupt);

/**
 * Names what a signal cancels, by @cancel; at once if there was one already.
 * NULL when nothing goes on: once this returns, the one before is not called.
 *
 * @arg  borrowed until then
 */
void amdi_interrupt_watch(
        struct amdi_interrupt *interrupt, amdi_interrupt_fn *cancel, void *arg);

/** The signal that came, or 0. */
int amdi_interrupt_get_signal(struct amdi_interrupt *interrupt);

#endif
