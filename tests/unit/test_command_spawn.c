/** Tests how programs are started. */
#include "server/modules/command/command_spawn.h"
#include "tests/support/runner.h"

#include <check.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 60000

static char *const environment[] = {(char *)"A=b", NULL};
static struct amdi_command_child child;
static struct amdi_error error;
static char output[256];

static amdrpc_err
spawn(char *const *argv, bool has_stdin, const char *directory)
{
    const struct amdi_command_spec spec = {.argv = argv,
            .environment = environment,
            .directory = directory,
            .has_stdin = has_stdin};

    error.text[0] = '\0';
    return amdi_command_spawn(&spec, &child, &error);
}

static void
await(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};

    ck_assert_int_eq(poll(&wait, 1, WAIT_MS), 1);
}

/* Reads all that the program writes, waits for it, and closes everything. */
static int
finish(void)
{
    size_t len = 0;
    ssize_t n = 0;
    int status = 0;

    if (child.stdin_fd >= 0) {
        ck_assert_int_eq(close(child.stdin_fd), 0);
    }
    do {
        await(child.stdout_fd);
        n = read(child.stdout_fd, output + len, sizeof(output) - 1 - len);
        ck_assert_int_ge((int)n, 0);
        len += (size_t)n;
    } while (n > 0);
    output[len] = '\0';
    await(child.pidfd);
    ck_assert_int_eq(waitpid(child.pid, &status, 0), child.pid);
    ck_assert_int_eq(close(child.stdout_fd), 0);
    ck_assert_int_eq(close(child.stderr_fd), 0);
    ck_assert_int_eq(close(child.pidfd), 0);
    return status;
}

START_TEST(program_gets_its_arguments_and_surroundings)
{
    char *const argv[] = {(char *)"/bin/sh", (char *)"-c",
            (char *)"echo \"$1,$A,$(pwd),$PATH\"; read x || exit 3",
            (char *)"sh", (char *)"an argument", NULL};

    ck_assert_int_eq(spawn(argv, false, "/usr"), AMDRPC_OK);

    ck_assert_int_eq(child.stdin_fd, -1);
    ck_assert_int_eq(WEXITSTATUS(finish()), 3);
    ck_assert_msg(
            strncmp(output, "an argument,b,/usr,", 19) == 0, "%s", output);
}
END_TEST

START_TEST(program_reads_what_is_written)
{
    char *const argv[] = {(char *)"/bin/cat", NULL};

    ck_assert_int_eq(spawn(argv, true, "/"), AMDRPC_OK);
    ck_assert_int_eq(write(child.stdin_fd, "hello", 5), 5);

    ck_assert_int_eq(finish(), 0);
    ck_assert_str_eq(output, "hello");
}
END_TEST

START_TEST(program_leads_its_group)
{
    char *const argv[] = {(char *)"/bin/sleep", (char *)"1000", NULL};

    ck_assert_int_eq(spawn(argv, false, "/"), AMDRPC_OK);
    ck_assert_int_eq(getpgid(child.pid), child.pid);
    ck_assert_int_eq(getsid(child.pid), child.pid);

    ck_assert_int_eq(kill(-child.pid, SIGTERM), 0);

    ck_assert_int_eq(WTERMSIG(finish()), SIGTERM);
}
END_TEST

START_TEST(what_cannot_be_executed_is_told)
{
    static const struct {
        const char *program;
        const char *directory;
        const char *why;
    } cases[] = {
            {"/nonexistent", "/",
                    "/nonexistent cannot be started: program: No"},
            {"/etc/passwd", "/",
                    "/etc/passwd cannot be started: program: Perm"},
            {"/bin/sh", "/nonexistent",
                    "cannot be started: directory: No such"},
    };
    char *const argv[] = {(char *)cases[_i].program, NULL};

    ck_assert_int_eq(spawn(argv, true, cases[_i].directory), AMDRPC_EINVAL);

    ck_assert_msg(strstr(error.text, cases[_i].why) != NULL, "%s", error.text);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); // none is left
    ck_assert_int_eq(errno, ECHILD);
}
END_TEST

/** Valgrind 3.19 does not know the system call. */
static bool
has_pidfds(void)
{
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    return fd >= 0 && close(fd) == 0;
}

static Suite *
spawn_suite(void)
{
    Suite *suite = suite_create("command spawn");
    TCase *programs = tcase_create("programs");

    if (has_pidfds()) {
        tcase_add_test(programs, program_gets_its_arguments_and_surroundings);
        tcase_add_test(programs, program_reads_what_is_written);
        tcase_add_test(programs, program_leads_its_group);
    }
    tcase_add_loop_test(programs, what_cannot_be_executed_is_told, 0, 3);
    suite_add_tcase(suite, programs);
    return suite;
}

TEST_MAIN(spawn_suite)
