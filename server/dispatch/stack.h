/**
 * The stack of another thread, for the log.
 *
 * The thread is interrupted by SIGURG, which nobody notices otherwise: its
 * handler only notes return addresses, and the asking thread names them. A
 * process that has a handler of its own for SIGURG keeps it, and gets no
 * stacks. A system call that the signal interrupts is restarted, or returns
 * EINTR where the system cannot restart it (sleeping, polling).
 */
#ifndef AMDI_STACK_H
#define AMDI_STACK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define AMDI_STACK_FRAMES 32u

/** Sets the signal's handler up, once for the process. */
void amdi_stack_init(void);

/** Asks @thread, which must not have been joined, for its stack. */
bool amdi_stack_ask(pthread_t thread);

/**
 * Waits for the answer, for a fifth of a second. Returns how many addresses
 * are in @frames; 0 when none came. Only one thread of the process may ask at
 * a time.
 */
size_t amdi_stack_await(void *frames[AMDI_STACK_FRAMES]);

#endif
