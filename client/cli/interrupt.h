/** Ctrl-C: a signal becomes the cancellation of the call that goes on. */
#ifndef AMDI_INTERRUPT_H
#define AMDI_INTERRUPT_H

#include <amdrpc/client.h>

#include <pthread.h>

/**
 * A thread that waits for SIGINT and SIGTERM. Without a call to cancel, and
 * when a second one comes, the process ends at once.
 */
struct amdi_interrupt {
    pthread_t thread;
    int signal_fd;
    int stop_fd;

    pthread_mutex_t mtx;
    amdrpc_client_call *call; // under mtx; a reference, NULL when none goes on
    int signal;               // under mtx; 0 until one came
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
 * Names the call that a signal cancels; at once if there was one already.
 * NULL when no call goes on.
 */
void amdi_interrupt_watch(
        struct amdi_interrupt *interrupt, amdrpc_client_call *call);

/** The signal that came, or 0. */
int amdi_interrupt_get_signal(struct amdi_interrupt *interrupt);

#endif
