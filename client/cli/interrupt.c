/** Ctrl-C: a signal becomes the cancellation of what goes on. */
#include "client/cli/interrupt.h"

#include "client/program/program.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void
interrupt_take(struct amdi_interrupt *interrupt, int signal)
{
    (void)pthread_mutex_lock(&interrupt->mtx);
    if (interrupt->signal != 0 || interrupt->cancel == NULL) {
        // There is nothing to cancel, or the user does not want to wait for
        // its end.
        _exit(AMDI_EXIT_SIGNAL + signal);
    }
    interrupt->signal = signal;
    interrupt->cancel(interrupt->arg);
    (void)pthread_mutex_unlock(&interrupt->mtx);
}

static void *
interrupt_run(void *arg)
{
    struct amdi_interrupt *interrupt = arg;
    struct pollfd fds[] = {
            {.fd = interrupt->signal_fd, .events = POLLIN},
            {.fd = interrupt->stop_fd, .events = POLLIN},
    };

    (void)pthread_setname_np(pthread_self(), "amd-signal");
    for (;;) {
        struct signalfd_siginfo info;

        if (poll(fds, 2, -1) < 0 && errno != EINTR) {
            return NULL;
        }
        if (fds[1].revents != 0) {
            return NULL;
        }
        if (read(interrupt->signal_fd, &info, sizeof(info)) ==
                (ssize_t)sizeof(info)) {
            interrupt_take(interrupt, (int)info.ssi_signo);
        }
    }
}

static void
interrupt_close(struct amdi_interrupt *interrupt)
{
    if (interrupt->signal_fd >= 0) {
        (void)close(interrupt->signal_fd);
    }
    if (interrupt->stop_fd >= 0) {
        (void)close(interrupt->stop_fd);
    }
    (void)pthread_mutex_destroy(&interrupt->mtx);
}

amdrpc_err
amdi_interrupt_start(struct amdi_interrupt *interrupt)
{
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    *interrupt = (struct amdi_interrupt){.signal = 0};
    (void)pthread_mutex_init(&interrupt->mtx, NULL);
    interrupt->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    interrupt->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (interrupt->signal_fd < 0 || interrupt->stop_fd < 0 ||
            pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0 ||
            pthread_create(
                    &interrupt->thread, NULL, interrupt_run, interrupt) != 0) {
        interrupt_close(interrupt);
        return AMDRPC_EIO;
    }
    return AMDRPC_OK;
}

void
amdi_interrupt_stop(struct amdi_interrupt *interrupt)
{
    uint64_t one = 1;

    amdi_interrupt_watch(interrupt, NULL, NULL);
    // An eventfd that nobody else writes to takes a 1.
    (void)!write(interrupt->stop_fd, &one, sizeof(one));
    (void)pthread_join(interrupt->thread, NULL);
    interrupt_close(interrupt);
}

void
amdi_interrupt_watch(
        struct amdi_interrupt *interrupt, amdi_interrupt_fn *cancel, void *arg)
{
    (void)pthread_mutex_lock(&interrupt->mtx);
    interrupt->cancel = cancel;
    interrupt->arg = arg;
    if (interrupt->signal != 0 && cancel != NULL) {
        cancel(arg);
    }
    (void)pthread_mutex_unlock(&interrupt->mtx);
}

int
amdi_interrupt_get_signal(struct amdi_interrupt *interrupt)
{
    int signal;

    (void)pthread_mutex_lock(&interrupt->mtx);
    signal = interrupt->signal;
    (void)pthread_mutex_unlock(&interrupt->mtx);
    return signal;
}
