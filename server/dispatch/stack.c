/** The stack of another thread. */
#include "server/dispatch/stack.h"

#include "common/clock.h"

#include <errno.h>
#include <execinfo.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#define STACK_SIGNAL SIGURG
#define WAIT_MS 200u

static struct {
    atomic_bool is_wanted;
    bool has_handler; // set once
    sem_t is_there;
    void *frames[AMDI_STACK_FRAMES];
    atomic_int nframes; // tells that the frames are there
} stack;

static void
stack_on_signal(int signo)
{
    int saved = errno;

    (void)signo;
    if (atomic_exchange(&stack.is_wanted, false)) {
        // Safe here because amdi_stack_init has loaded what it needs.
        atomic_store(
                &stack.nframes, backtrace(stack.frames, AMDI_STACK_FRAMES));
        (void)sem_post(&stack.is_there);
    }
    errno = saved;
}

static void
stack_set_handler(void)
{
    struct sigaction present;
    struct sigaction action;
    void *frame = NULL;

    (void)backtrace(&frame, 1);
    (void)sem_init(&stack.is_there, 0, 0);
    memset(&action, 0, sizeof(action));
    action.sa_handler = stack_on_signal;
    action.sa_flags = SA_RESTART;
    (void)sigemptyset(&action.sa_mask);
    stack.has_handler = sigaction(STACK_SIGNAL, NULL, &present) == 0 &&
            present.sa_handler == SIG_DFL &&
            sigaction(STACK_SIGNAL, &action, NULL) == 0;
}

void
amdi_stack_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, stack_set_handler);
}

bool
amdi_stack_ask(pthread_t thread)
{
    if (!stack.has_handler) {
        return false;
    }
    atomic_store(&stack.is_wanted, true);
    if (pthread_kill(thread, STACK_SIGNAL) != 0) {
        atomic_store(&stack.is_wanted, false);
        return false;
    }
    return true;
}

/** Waits for the semaphore; false when nothing came in time. */
static bool
stack_wait(void)
{
    const struct timespec at = amdi_clock_deadline(WAIT_MS);
    int rv = 0;

    do {
        rv = sem_clockwait(&stack.is_there, CLOCK_MONOTONIC, &at);
    } while (rv != 0 && errno == EINTR);
    return rv == 0;
}

size_t
amdi_stack_await(void *frames[AMDI_STACK_FRAMES])
{
    size_t nframes = 0;

    if (!stack_wait()) {
        if (atomic_exchange(&stack.is_wanted, false)) {
            return 0;
        }
        // The thread has begun to answer.
        while (sem_wait(&stack.is_there) != 0) {
        }
    }
    nframes = (size_t)atomic_load(&stack.nframes);
    memcpy(frames, stack.frames, nframes * sizeof(*frames));
    return nframes;
}
