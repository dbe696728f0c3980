/**
 * Starts a program with nothing of ours but what it is given.
 *
 * The process has many threads, and any of their locks may be held when it is
 * copied: between vfork and execve there are system calls only, all of them
 * async-signal-safe. vfork rather than fork, as copying the page tables of a
 * large server takes milliseconds. What went wrong in the child comes through a
 * pipe that execve closes: sanitizers make a fork of vfork. Signals are blocked
 * meanwhile: a handler of ours must not run in the child.
 */
#include "server/modules/command/command_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// The first descriptor that is not the program's.
#define FIRST_OTHER_FD 3

/* What the child does. */
enum step {
    STEP_SESSION,
    STEP_DIRECTORY,
    STEP_DESCRIPTORS,
    STEP_LIMITS,
    STEP_PROGRAM,
};

static const char *const step_texts[] = {
        [STEP_SESSION] = "session",
        [STEP_DIRECTORY] = "directory",
        [STEP_DESCRIPTORS] = "descriptors",
        [STEP_LIMITS] = "limits",
        [STEP_PROGRAM] = "program",
};

/* What the child could not do; nothing comes when it could. */
struct failure {
    enum step step;
    int error;
};

struct start {
    const struct amdi_command_spec *spec;
    pid_t parent;
    int fds[FIRST_OTHER_FD]; // to be the child's 0, 1 and 2
    int report_fd;           // the child's end of the pipe of its failure
    int failure_fd;          // ours
};

/* ---- in the child ---- */

static bool
child_set_limit(int resource, uint64_t value)
{
    const struct rlimit limit = {.rlim_cur = value, .rlim_max = value};

    return setrlimit((__rlimit_resource_t)resource, &limit) == 0;
}

static bool
child_set_limits(const struct amdi_command_spec *spec)
{
    return child_set_limit(RLIMIT_CORE, 0) &&
            (spec->memory_bytes == 0 ||
                    child_set_limit(RLIMIT_AS, spec->memory_bytes)) &&
            (spec->file_bytes == 0 ||
                    child_set_limit(RLIMIT_FSIZE, spec->file_bytes)) &&
            (spec->open_files == 0 ||
                    child_set_limit(RLIMIT_NOFILE, spec->open_files));
}

/*
 * By the system call, as what stands between (a sanitizer, say) may note the
 * new handlers in memory that is still the parent's.
 */
static void
child_reset_signals(void)
{
    // The kernel's struct sigaction, longer than on any machine: SIG_DFL is 0.
    const unsigned long defaults[16] = {0};

    for (int number = 1; number < NSIG; number++) {
        // Fails for SIGKILL and SIGSTOP only.
        (void)syscall(SYS_rt_sigaction, number, defaults, NULL, (NSIG - 1) / 8);
    }
}

/* Duplicates have no FD_CLOEXEC; the rest is closed by execve. */
static bool
child_set_fds(const int fds[FIRST_OTHER_FD])
{
    for (int i = 0; i < FIRST_OTHER_FD; i++) {
        if (dup2(fds[i], i) < 0) {
            return false;
        }
    }
    return syscall(SYS_close_range, FIRST_OTHER_FD, UINT_MAX,
                   CLOSE_RANGE_CLOEXEC) == 0;
}

/* False: errno says why @out_step failed. */
static bool
child_set_up(const struct start *start, enum step *out_step)
{
    sigset_t none;

    *out_step = STEP_SESSION;
    if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return false;
    }
    *out_step = STEP_DIRECTORY;
    if (chdir(start->spec->directory) != 0) {
        return false;
    }
    *out_step = STEP_DESCRIPTORS;
    if (!child_set_fds(start->fds)) {
        return false;
    }
    *out_step = STEP_LIMITS;
    if (!child_set_limits(start->spec)) {
        return false;
    }
    child_reset_signals();
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL); // it is a valid mask
    return true;
}

static _Noreturn void
child_main(const struct start *start)
{
    struct failure failure = {.step = STEP_SESSION};

    // Had we been killed before prctl, nobody would end the child.
    if (child_set_up(start, &failure.step) && getppid() == start->parent) {
        failure.step = STEP_PROGRAM;
        (void)execve(start->spec->argv[0], start->spec->argv,
                start->spec->environment);
    }
    failure.error = errno;
    (void)!write(start->report_fd, &failure, sizeof(failure)); // it has room
    _exit(127);
}

/* ---- descriptors ---- */

static void
fd_close(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd); // a pipe or /dev/null: nothing is lost
        *fd = -1;
    }
}

/* Moves it out of the way of the child's 0, 1 and 2. */
static bool
fd_lift(int *fd)
{
    int higher = -1;

    if (*fd >= FIRST_OTHER_FD) {
        return true;
    }
    higher = fcntl(*fd, F_DUPFD_CLOEXEC, FIRST_OTHER_FD);
    fd_close(fd);
    *fd = higher;
    return higher >= 0;
}

/* A pipe, of which our end does not block. @ours: 0 to read, 1 to write. */
static bool
pipe_make(int ours, int *out_ours, int *out_theirs)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0) {
        return false;
    }
    *out_ours = fds[ours];
    *out_theirs = fds[1 - ours];
    return fd_lift(out_ours) && fd_lift(out_theirs) &&
            fcntl(*out_ours, F_SETFL, O_NONBLOCK) == 0;
}

/* ---- here ---- */

/* The child borrows the frame of this function. */
static pid_t
start_fork(const struct start *start)
{
    pid_t pid = vfork();

    if (pid == 0) {
        child_main(start);
    }
    return pid;
}

static amdrpc_err
start_fail(const struct start *start, int error_number, const char *step,
        struct amdi_error *error)
{
    bool is_ours = error_number == EAGAIN || error_number == ENOMEM ||
            error_number == EMFILE || error_number == ENFILE;

    return amdi_error_set(error, is_ours ? AMDRPC_EIO : AMDRPC_EINVAL,
            "%s cannot be started: %s: %s", start->spec->argv[0], step,
            strerrordesc_np(error_number));
}

static int
pidfd_open_cloexec(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0); // it is FD_CLOEXEC
}

static void
child_kill(pid_t pid)
{
    (void)kill(-pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

/* Waits until the child runs its program, or could not: then true. */
static bool
start_has_failed(const struct start *start, struct failure *out)
{
    ssize_t n = 0;

    do {
        n = read(start->failure_fd, out, sizeof(*out));
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(*out);
}

static amdrpc_err
start_run(struct start *start, struct amdi_command_child *out,
        struct amdi_error *error)
{
    struct failure failure;
    sigset_t all;
    sigset_t old;
    pid_t pid = -1;
    int fork_error = 0;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old); // valid masks
    pid = start_fork(start);
    fork_error = errno;
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    fd_close(&start->report_fd); // the child's alone now
    if (pid < 0) {
        return start_fail(start, fork_error, "process", error);
    }
    if (start_has_failed(start, &failure)) {
        child_kill(pid);
        return start_fail(
                start, failure.error, step_texts[failure.step], error);
    }
    out->pid = pid;
    out->pidfd = pidfd_open_cloexec(pid);
    if (out->pidfd < 0) {
        fork_error = errno;
        child_kill(pid);
        return start_fail(start, fork_error, "process", error);
    }
    return AMDRPC_OK;
}

static bool
start_open_report(struct start *start)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0) {
        return false;
    }
    start->failure_fd = fds[0];
    start->report_fd = fds[1];
    return fd_lift(&start->report_fd);
}

static bool
start_open(struct start *start, struct amdi_command_child *out)
{
    if (start->spec->has_stdin) {
        if (!pipe_make(1, &out->stdin_fd, &start->fds[0])) {
            return false;
        }
    } else {
        start->fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (start->fds[0] < 0 || !fd_lift(&start->fds[0])) {
            return false;
        }
    }
    return pipe_make(0, &out->stdout_fd, &start->fds[1]) &&
            pipe_make(0, &out->stderr_fd, &start->fds[2]) &&
            start_open_report(start);
}

amdrpc_err
amdi_command_spawn(const struct amdi_command_spec *spec,
        struct amdi_command_child *out, struct amdi_error *error)
{
    struct start start = {.spec = spec,
            .parent = getpid(),
            .fds = {-1, -1, -1},
            .report_fd = -1,
            .failure_fd = -1};
    struct amdi_command_child child = {
            .pidfd = -1, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
    amdrpc_err err = AMDRPC_OK;

    if (start_open(&start, &child)) {
        err = start_run(&start, &child, error);
    } else {
        err = start_fail(&start, errno, "pipes", error);
    }
    for (int i = 0; i < FIRST_OTHER_FD; i++) {
        fd_close(&start.fds[i]);
    }
    fd_close(&start.report_fd);
    fd_close(&start.failure_fd);
    if (err != AMDRPC_OK) {
        fd_close(&child.stdin_fd);
        fd_close(&child.stdout_fd);
        fd_close(&child.stderr_fd);
        return err;
    }
    *out = child;
    return AMDRPC_OK;
}
