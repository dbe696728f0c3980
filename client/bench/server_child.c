/** A daemon that a scenario starts for itself, and ends. */
#include "client/bench/server_child.h"

#include "client/program/program.h"
#include "common/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_TIMEOUT_MS 15000
#define STOP_TIMEOUT_MS 5000
#define POLL_MS 5

static void
sleep_a_little(void)
{
    struct timespec time = {.tv_nsec = POLL_MS * 1000000L};

    (void)nanosleep(&time, NULL);
}

// The folder of our own program, or "".
static void
own_dir(char *out, size_t size)
{
    ssize_t len = readlink("/proc/self/exe", out, size - 1);
    char *slash;

    out[len < 0 ? 0 : len] = '\0';
    slash = strrchr(out, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
}

// As it lies in the build, or installed; else what $PATH has.
static void
find_program(char *out, size_t size)
{
    static const char *const places[] = {"../server/amdrpcd", "amdrpcd"};
    char dir[PATH_MAX];

    own_dir(dir, sizeof(dir));
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        int len = snprintf(out, size, "%s/%s", dir, places[i]);

        if (len > 0 && (size_t)len < size && access(out, X_OK) == 0) {
            return;
        }
    }
    (void)snprintf(out, size, "amdrpcd");
}

static void
child_port_file(const struct amdi_server_child *child, char *out, size_t size)
{
    (void)snprintf(out, size, "%s/port", child->dir);
}

static int
child_make_dir(struct amdi_server_child *child)
{
    const char *parent = getenv("TMPDIR");

    if (parent == NULL || parent[0] == '\0') {
        parent = "/tmp";
    }
    (void)snprintf(child->dir, sizeof(child->dir),
            "%.3000s/amdrpc-bench-XXXXXX", parent);
    if (mkdtemp(child->dir) == NULL) {
        amdi_program_error(
                "cannot make a folder in %s: %s", parent, strerror(errno));
        child->dir[0] = '\0';
        return AMDI_EXIT_FAILED;
    }
    return AMDI_EXIT_OK;
}

// In the child, between fork and exec.
static void
child_exec(const char *program, char **argv, pid_t parent)
{
    // Whatever ends us ends it too.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
        _exit(127);
    }
    (void)signal(SIGPIPE, SIG_DFL);
    (void)execvp(program, argv);
    _exit(127);
}

static int
child_spawn(struct amdi_server_child *child, const char *program,
        const char *const *args)
{
    char port_file[PATH_MAX];
    char *argv[AMDI_CHILD_ARGS_MAX + 8] = {"amdrpcd", "--listen", "127.0.0.1:0",
            "--port-file", port_file, NULL};
    size_t nargs = 5;
    pid_t parent = getpid();

    child_port_file(child, port_file, sizeof(port_file));
    for (size_t i = 0; args[i] != NULL && i < AMDI_CHILD_ARGS_MAX; i++) {
        argv[nargs++] = (char *)args[i];
    }
    (void)fflush(NULL); // or the child would have it to write as well
    child->pid = fork();
    if (child->pid == 0) {
        child_exec(program, argv, parent);
    }
    if (child->pid < 0) {
        child->pid = 0;
        amdi_program_error("cannot start %s: %s", program, strerror(errno));
        return AMDI_EXIT_FAILED;
    }
    return AMDI_EXIT_OK;
}

// Whether the child is gone; then it is no more ours to wait for.
static bool
child_has_ended(struct amdi_server_child *child)
{
    if (waitpid(child->pid, NULL, WNOHANG) == 0) {
        return false;
    }
    child->pid = 0;
    return true;
}

static bool
child_read_port(struct amdi_server_child *child)
{
    char path[PATH_MAX];
    unsigned port = 0;
    FILE *file;

    child_port_file(child, path, sizeof(path));
    file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    // The file is put there whole, so a port that can be read is all of it.
    if (fscanf(file, "%u", &port) != 1) {
        port = 0;
    }
    (void)fclose(file);
    (void)snprintf(child->target, sizeof(child->target), "127.0.0.1:%u", port);
    return port != 0;
}

static int
child_wait_for_port(struct amdi_server_child *child, const char *program)
{
    uint64_t end_at_ms = amdi_clock_now_ms() + START_TIMEOUT_MS;

    while (amdi_clock_now_ms() < end_at_ms) {
        if (child_read_port(child)) {
            return AMDI_EXIT_OK;
        }
        if (child_has_ended(child)) {
            amdi_program_error("%s did not start", program);
            return AMDI_EXIT_FAILED;
        }
        sleep_a_little();
    }
    amdi_program_error("%s does not listen", program);
    return AMDI_EXIT_FAILED;
}

int
amdi_server_child_start(struct amdi_server_child *child, const char *program,
        const char *const *args)
{
    char found[2 * PATH_MAX];
    int exit_status;

    *child = (struct amdi_server_child){.pid = 0};
    if (program == NULL) {
        find_program(found, sizeof(found));
        program = found;
    }
    exit_status = child_make_dir(child);
    if (exit_status == AMDI_EXIT_OK) {
        exit_status = child_spawn(child, program, args);
    }
    if (exit_status == AMDI_EXIT_OK) {
        exit_status = child_wait_for_port(child, program);
    }
    if (exit_status != AMDI_EXIT_OK) {
        amdi_server_child_stop(child, /*is_stuck=*/true);
    }
    return exit_status;
}

static void
child_end(struct amdi_server_child *child, bool is_stuck)
{
    uint64_t end_at_ms = amdi_clock_now_ms() + STOP_TIMEOUT_MS;

    if (!is_stuck) {
        (void)kill(child->pid, SIGTERM);
        while (amdi_clock_now_ms() < end_at_ms) {
            if (child_has_ended(child)) {
                return;
            }
            sleep_a_little();
        }
    }
    (void)kill(child->pid, SIGKILL);
    (void)waitpid(child->pid, NULL, 0);
    child->pid = 0;
}

void
amdi_server_child_stop(struct amdi_server_child *child, bool is_stuck)
{
    char path[PATH_MAX];

    if (child->pid != 0) {
        child_end(child, is_stuck);
    }
    if (child->dir[0] != '\0') {
        child_port_file(child, path, sizeof(path));
        (void)unlink(path);
        (void)rmdir(child->dir);
        child->dir[0] = '\0';
    }
}
