/**
 * What survives: kill -9, power cuts, disks that are full or broken.
 * Guarantees G1, G1' and G2.
 *
 * STORE_KILL_ROUNDS and STORE_POWER_ROUNDS in the environment ask for more
 * rounds than the few that are made by default; STORE_SEED for others.
 */
#include "server/store/store.h"
#include "tests/store/crash.h"
#include "tests/store/probe.h"
#include "tests/support/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_RECORDS 60000
#define MANY_OPS "100000"
#define PATH_BYTES 1024
#define TIMEOUT_S 3000

struct child {
    pid_t pid;
    int fd; // its reports
    struct crash_record *records;
    size_t nrecords;
};

static char program_dir[PATH_BYTES];
static char *dir;
static unsigned seed;

static unsigned
env_number(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);

    return text == NULL ? otherwise : (unsigned)strtoul(text, NULL, 10);
}

static void
crash_set_up(void)
{
    ssize_t len = readlink("/proc/self/exe", program_dir, PATH_BYTES - 1);

    ck_assert_int_gt(len, 0);
    program_dir[len] = '\0';
    (void)dirname(program_dir);
    seed = env_number("STORE_SEED", 1);
    dir = probe_make_dir();
}

static void
crash_tear_down(void)
{
    probe_remove_dir(dir);
}

/* ---- the child ---- */

/** In the child: environment is NULL-terminated "NAME=value"s. */
static void
child_exec(const char *const *environment, const char *round_name,
        const char *nops, const char *mode)
{
    char program[2 * PATH_BYTES];

    for (size_t i = 0; environment[i] != NULL; i++) {
        (void)putenv((char *)environment[i]);
    }
    (void)snprintf(program, sizeof(program), "%s/crash_child", program_dir);
    (void)execl(program, program, dir, round_name, nops, mode, (char *)NULL);
    _exit(EXIT_FAILURE);
}

static void
child_start(struct child *child, const char *const *environment,
        const char *round_name, const char *nops, const char *mode)
{
    int fds[2];

    *child = (struct child){
            .records = calloc(MAX_RECORDS, sizeof(*child->records))};
    ck_assert_ptr_nonnull(child->records);
    ck_assert_int_eq(pipe(fds), 0);
    child->pid = fork();
    if (child->pid == 0) {
        (void)dup2(fds[1], STDOUT_FILENO);
        (void)close(fds[0]);
        (void)close(fds[1]);
        child_exec(environment, round_name, nops, mode);
    }
    ck_assert_int_gt(child->pid, 0);
    (void)close(fds[1]);
    child->fd = fds[0];
}

/** Reads one report; false at the end. A record is written whole. */
static bool
child_read(struct child *child)
{
    struct crash_record *record = &child->records[child->nrecords];
    size_t len = 0;

    ck_assert_uint_lt(child->nrecords, MAX_RECORDS);
    while (len < sizeof(*record)) {
        ssize_t n =
                read(child->fd, (char *)record + len, sizeof(*record) - len);

        if (n <= 0) {
            return false;
        }
        len += (size_t)n;
    }
    child->nrecords++;
    return true;
}

/** Reads what it has to say and waits for its end; returns its status. */
static int
child_join(struct child *child)
{
    int status;

    while (child_read(child)) {
    }
    (void)close(child->fd);
    ck_assert_int_eq(waitpid(child->pid, &status, 0), child->pid);
    return status;
}

/* ---- what is there afterwards ---- */

static void
reopen(const char *where)
{
    char uri[2 * PATH_BYTES];

    (void)snprintf(uri, sizeof(uri), "sqlite:%s", where);
    ck_assert_int_eq(probe_open(uri, NULL, NULL), AMDRPC_OK);
}

static bool
record_survived(const struct crash_record *record, const char *round_name)
{
    char text[CRASH_REQUEST_ID_BYTES];
    const struct amdi_op *op = &probe.ops[0];

    if (probe_get(record->id) != AMDI_STORE_OK) {
        return false;
    }
    (void)snprintf(text, sizeof(text), "%s-%llu", round_name,
            (unsigned long long)record->n);
    if (!probe_is_text(op->request_id, text)) {
        return false;
    }
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)record->n);
    return record->kind == CRASH_SUBMITTED ||
            (op->state == AMDI_OP_DONE && op->last_seq == 3 &&
                    probe_is_text(op->result, text));
}

/** Counts the acknowledgements that were in vain. */
static size_t
count_lost(const struct child *child, const char *round_name)
{
    size_t nlost = 0;

    for (size_t i = 0; i < child->nrecords; i++) {
        const struct crash_record *record = &child->records[i];

        if ((record->kind == CRASH_SUBMITTED ||
                    record->kind == CRASH_FINISHED) &&
                !record_survived(record, round_name)) {
            nlost++;
        }
    }
    return nlost;
}

static int
compare_texts(const void *a, const void *b)
{
    return strcmp((const char *)a, (const char *)b);
}

/** Reads all request ids; returns how many, and the ids as an owned array. */
static size_t
list_request_ids(char (**out)[CRASH_REQUEST_ID_BYTES])
{
    static const struct amdi_store_filter everything;
    char(*ids)[CRASH_REQUEST_ID_BYTES] = calloc(MAX_RECORDS, sizeof(*ids));
    size_t nids = 0;

    ck_assert_ptr_nonnull(ids);
    probe.token = (struct amdi_bytes){0};
    do {
        ck_assert_int_eq(
                probe_list(&everything, 50, probe.token), AMDI_STORE_OK);
        for (size_t i = 0; i < probe.nops; i++) {
            ck_assert_uint_lt(nids, MAX_RECORDS);
            (void)snprintf(ids[nids++], sizeof(*ids), "%s",
                    (const char *)probe.ops[i].request_id.data);
        }
    } while (probe.token.len > 0);
    *out = ids;
    return nids;
}

static void
expect_no_doubles(void)
{
    char(*ids)[CRASH_REQUEST_ID_BYTES] = NULL;
    size_t nids = list_request_ids(&ids);

    qsort(ids, nids, sizeof(*ids), compare_texts);
    for (size_t i = 1; i < nids; i++) {
        ck_assert_str_ne(ids[i - 1], ids[i]);
    }
    free(ids);
}

/** What was not ended can be leased again, a second time, and ended. */
static void
expect_all_can_end(void)
{
    static const struct amdi_bytes nothing;

    do {
        struct amdi_fence fences[PROBE_MAX_OPS];
        size_t n;

        ck_assert_int_eq(probe_lease("n", PROBE_MAX_OPS), AMDI_STORE_OK);
        n = probe.nops;
        for (size_t i = 0; i < n; i++) {
            ck_assert_uint_ge(probe.ops[i].attempt, 2);
            fences[i] =
                    (struct amdi_fence){probe.ops[i].id, probe.ops[i].attempt};
        }
        for (size_t i = 0; i < n; i++) {
            ck_assert_int_eq(probe_finish(fences[i], 0, nothing, nothing),
                    AMDI_STORE_OK);
        }
        probe.nops = n;
    } while (probe.nops > 0);
}

static void
expect_good_store(
        const struct child *child, const char *round_name, const char *where)
{
    reopen(where);
    ck_assert_uint_eq(count_lost(child, round_name), 0);
    expect_no_doubles();
    expect_all_can_end();
    probe_close();
}

/* ---- kill -9 ---- */

START_TEST(killed_process_loses_nothing)
{
    static const char *const environment[] = {NULL};
    unsigned nrounds = env_number("STORE_KILL_ROUNDS", 5);

    for (unsigned i = 0; i < nrounds; i++) {
        unsigned nacks = 1 + (unsigned)rand_r(&seed) % 400;
        struct child child;
        char round_name[16];

        // All rounds work on the same store.
        (void)snprintf(round_name, sizeof(round_name), "r%u", i);
        child_start(&child, environment, round_name, MANY_OPS, NULL);
        while (child.nrecords < nacks && child_read(&child)) {
        }
        ck_assert_uint_eq(child.nrecords, nacks);
        ck_assert_int_eq(kill(child.pid, SIGKILL), 0);
        ck_assert(WIFSIGNALED(child_join(&child)));

        expect_good_store(&child, round_name, dir);
        free(child.records);
    }
}
END_TEST

/* ---- power cuts ---- */

struct power_cut {
    struct child child;
    char shadow[PATH_BYTES];
    char variables[6][PATH_BYTES + 32];
};

static void
remove_dir_in(const char *parent, const char *name)
{
    char *path = malloc(2 * PATH_BYTES);

    (void)snprintf(path, 2 * PATH_BYTES, "%s/%s", parent, name);
    probe_remove_dir(path);
}

/** What is in data/ without a name would not be found after a power cut. */
static void
shadow_drop_nameless(const char *shadow)
{
    static const char *const names[] = {
            "operations.db", "operations.db-wal", "operations.db-journal"};
    char path[2 * PATH_BYTES];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/names/%s", shadow, names[i]);
        if (access(path, F_OK) != 0) {
            (void)snprintf(path, sizeof(path), "%s/data/%s", shadow, names[i]);
            (void)unlink(path);
        }
    }
}

/** Runs a child until the power fails; the store is in shadow/data then. */
static void
power_cut_run(struct power_cut *cut, unsigned keep_percent, const char *mode)
{
    const char *environment[7] = {NULL};
    char *shadow = probe_make_dir();
    int status;

    (void)snprintf(cut->shadow, sizeof(cut->shadow), "%s", shadow);
    free(shadow);
    (void)snprintf(cut->variables[0], PATH_BYTES + 32,
            "LD_PRELOAD=%s/libpowercut.so", program_dir);
    (void)snprintf(cut->variables[1], PATH_BYTES + 32, "POWERCUT_DIR=%s", dir);
    (void)snprintf(cut->variables[2], PATH_BYTES + 32, "POWERCUT_SHADOW=%s",
            cut->shadow);
    (void)snprintf(cut->variables[3], PATH_BYTES + 32, "POWERCUT_AFTER=%u",
            200 + (unsigned)rand_r(&seed) % 20000);
    (void)snprintf(cut->variables[4], PATH_BYTES + 32, "POWERCUT_KEEP=%u",
            keep_percent);
    (void)snprintf(cut->variables[5], PATH_BYTES + 32, "POWERCUT_SEED=%u",
            (unsigned)rand_r(&seed));
    for (size_t i = 0; i < 6; i++) {
        environment[i] = cut->variables[i];
    }
    child_start(&cut->child, environment, "p", MANY_OPS, mode);
    status = child_join(&cut->child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    shadow_drop_nameless(cut->shadow);
}

static void
power_cut_end(struct power_cut *cut)
{
    free(cut->child.records);
    remove_dir_in(cut->shadow, "data");
    remove_dir_in(cut->shadow, "names");
    ck_assert_int_eq(rmdir(cut->shadow), 0);
    probe_remove_dir(dir);
    dir = probe_make_dir(); // each round begins with nothing
}

START_TEST(power_cut_loses_nothing)
{
    unsigned nrounds = env_number("STORE_POWER_ROUNDS", 3);

    for (unsigned i = 0; i < nrounds; i++) {
        struct power_cut cut;
        char where[2 * PATH_BYTES];

        power_cut_run(&cut, i % 2 == 0 ? 0 : 50, NULL);
        (void)snprintf(where, sizeof(where), "%s/data", cut.shadow);
        expect_good_store(&cut.child, "p", where);
        power_cut_end(&cut);
    }
}
END_TEST

// The proof that the test above can fail.
START_TEST(power_cut_without_fsync_loses_operations)
{
    struct power_cut cut;
    char where[2 * PATH_BYTES];

    power_cut_run(&cut, 0, "unsafe");
    ck_assert_uint_gt(cut.child.nrecords, 0);
    (void)snprintf(where, sizeof(where), "%s/data", cut.shadow);
    reopen(where);
    ck_assert_uint_gt(count_lost(&cut.child, "p"), 0);
    probe_close();
    power_cut_end(&cut);
}
END_TEST

/* ---- a disk that fails ---- */

static size_t
count_records(const struct child *child, enum crash_kind kind, int result)
{
    size_t n = 0;

    for (size_t i = 0; i < child->nrecords; i++) {
        n += child->records[i].kind == (char)kind &&
                child->records[i].result == result;
    }
    return n;
}

/** The disk fails in the n-th call; what was acknowledged must be there. */
static void
expect_failure_is_harmless(const char *call, int error_number, unsigned nth)
{
    char variables[3][PATH_BYTES + 32];
    const char *environment[4] = {
            variables[0], variables[1], variables[2], NULL};
    struct child child;
    int status;

    (void)snprintf(variables[0], PATH_BYTES + 32,
            "LD_PRELOAD=%s/libpowercut.so", program_dir);
    (void)snprintf(variables[1], PATH_BYTES + 32, "POWERCUT_DIR=%s", dir);
    (void)snprintf(variables[2], PATH_BYTES + 32, "POWERCUT_FAIL=%s:%d:%u",
            call, error_number, nth);
    child_start(&child, environment, "d", MANY_OPS, NULL);
    status = child_join(&child);

    // It goes on, says what it does not know, and still reads.
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
    ck_assert_uint_gt(
            count_records(&child, CRASH_FAILED, AMDI_STORE_UNKNOWN), 0);
    ck_assert_uint_eq(count_records(&child, CRASH_READ, AMDI_STORE_OK), 1);
    expect_good_store(&child, "d", dir);
    free(child.records);
}

START_TEST(full_disk_loses_nothing)
{
    expect_failure_is_harmless("write", ENOSPC, 600);
}
END_TEST

START_TEST(broken_disk_loses_nothing)
{
    expect_failure_is_harmless("write", EIO, 777);
}
END_TEST

START_TEST(failing_fsync_loses_nothing)
{
    expect_failure_is_harmless("sync", EIO, 40);
}
END_TEST

static Suite *
crash_suite(void)
{
    Suite *suite = suite_create("store_crash");
    TCase *process = tcase_create("process");
    TCase *power = tcase_create("power");
    TCase *disk = tcase_create("disk");

    tcase_set_timeout(process, TIMEOUT_S);
    tcase_add_checked_fixture(process, crash_set_up, crash_tear_down);
    tcase_add_test(process, killed_process_loses_nothing);
    suite_add_tcase(suite, process);

    tcase_set_timeout(power, TIMEOUT_S);
    tcase_add_checked_fixture(power, crash_set_up, crash_tear_down);
    tcase_add_test(power, power_cut_loses_nothing);
    tcase_add_test(power, power_cut_without_fsync_loses_operations);
    suite_add_tcase(suite, power);

    tcase_set_timeout(disk, TIMEOUT_S);
    tcase_add_checked_fixture(disk, crash_set_up, crash_tear_down);
    tcase_add_test(disk, full_disk_loses_nothing);
    tcase_add_test(disk, broken_disk_loses_nothing);
    tcase_add_test(disk, failing_fsync_loses_nothing);
    suite_add_tcase(suite, disk);
    return suite;
}

TEST_MAIN(crash_suite)
