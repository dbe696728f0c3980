/**
 * Works on a store until it is killed, or fails, or is done, and tells what
 * was acknowledged.
 *
 *     crash_child DIRECTORY ROUND NOPERATIONS [unsafe]
 *
 * Each operation is submitted with a lease, gets two messages and ends. What
 * is acknowledged becomes a struct crash_record on the standard output.
 */
#include "common/error.h"
#include "common/loop.h"
#include "server/store/store.h"
#include "tests/store/crash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTSTANDING 64u
#define LEASE_US 60000000
#define PAYLOAD_BYTES 700

struct work {
    uint64_t n;
    struct amdi_fence fence;
    unsigned nsteps;
};

static struct amdi_loop *loop;
static struct amdi_store *store;
static const char *round_name;
static uint64_t nstarted;
static uint64_t max_ops;
static unsigned nbusy; // works
static bool has_failed;
static uint64_t first_id;
static bool is_over;
static struct work works[OUTSTANDING];
static char payload[PAYLOAD_BYTES];

static void
report(char kind, uint64_t n, uint64_t id, enum amdi_store_result result)
{
    struct crash_record record;

    memset(&record, 0, sizeof(record)); // the gaps too
    record.kind = kind;
    record.result = (int)result;
    record.n = n;
    record.id = id;
    if (write(STDOUT_FILENO, &record, sizeof(record)) !=
            (ssize_t)sizeof(record)) {
        exit(EXIT_FAILURE);
    }
}

static void work_start(struct work *work);

/** Tells whether it went well; else this work, and with it all, ends. */
static bool
work_goes_on(struct work *work, enum amdi_store_result result)
{
    if (result == AMDI_STORE_OK) {
        return true;
    }
    report(CRASH_FAILED, work->n, work->fence.id, result);
    has_failed = true;
    nbusy--;
    return false;
}

static void
work_on_finish(
        void *arg, enum amdi_store_result result, const struct amdi_op *op)
{
    struct work *work = arg;

    (void)op;
    if (work_goes_on(work, result)) {
        report(CRASH_FINISHED, work->n, work->fence.id, result);
        nbusy--;
        work_start(work);
    }
}

static void
work_on_step(void *arg, enum amdi_store_result result, const struct amdi_op *op)
{
    struct work *work = arg;
    char text[32];
    size_t len;

    (void)op;
    if (!work_goes_on(work, result)) {
        return;
    }
    len = (size_t)snprintf(
            text, sizeof(text), "%llu", (unsigned long long)work->n);
    if (work->nsteps++ < 2) {
        result = amdi_store_append(store, loop, work->fence, AMDI_EVENT_MESSAGE,
                /*number=*/0, (struct amdi_bytes){text, len}, work_on_step,
                work);
    } else {
        result = amdi_store_finish(store, loop, work->fence, 0,
                (struct amdi_bytes){text, len}, (struct amdi_bytes){0},
                work_on_finish, work);
    }
    (void)work_goes_on(work, result);
}

static void
work_on_submit(
        void *arg, enum amdi_store_result result, const struct amdi_op *op)
{
    struct work *work = arg;

    if (!work_goes_on(work, result)) {
        return;
    }
    if (first_id == 0) {
        first_id = op->id;
    }
    work->fence = (struct amdi_fence){op->id, op->attempt};
    report(CRASH_SUBMITTED, work->n, op->id, result);
    // Some stay behind, to be found and ended by the next process.
    if (work->n % 8 == 0) {
        nbusy--;
        work_start(work);
        return;
    }
    work_on_step(work, AMDI_STORE_OK, NULL);
}

static void
work_start(struct work *work)
{
    char request_id[CRASH_REQUEST_ID_BYTES];
    struct amdi_new_op new_op = {.method = {"/test/Do", 8},
            .payload = {payload, sizeof(payload)},
            .node = "child",
            .lease_us = LEASE_US};

    if (has_failed || nstarted == max_ops) {
        return;
    }
    *work = (struct work){.n = nstarted++};
    new_op.request_id.data = request_id;
    new_op.request_id.len = (size_t)snprintf(request_id, sizeof(request_id),
            "%s-%llu", round_name, (unsigned long long)work->n);
    nbusy++;
    (void)work_goes_on(work,
            amdi_store_submit(store, loop, &new_op, work_on_submit, work));
}

static bool
all_is_done(void *arg)
{
    (void)arg;
    return nbusy == 0;
}

static bool
it_is_over(void *arg)
{
    (void)arg;
    return is_over;
}

static void
on_read(void *arg, enum amdi_store_result result, const struct amdi_op *op)
{
    (void)arg;
    report(CRASH_READ, 0, op == NULL ? 0 : op->id, result);
    is_over = true;
}

static void
on_closed(void *arg)
{
    (void)arg;
    is_over = true;
}

int
main(int argc, char **argv)
{
    struct amdi_store_options options = {.is_unsafe = argc > 4};
    struct amdi_error error;
    char uri[1024];

    if (argc < 4) {
        return EXIT_FAILURE;
    }
    round_name = argv[2];
    max_ops = strtoull(argv[3], NULL, 10);
    (void)snprintf(uri, sizeof(uri), "sqlite:%s", argv[1]);
    if (amdi_loop_create("child", &loop) != AMDRPC_OK) {
        return EXIT_FAILURE;
    }
    if (amdi_store_open(uri, &options, &store, &error) != AMDRPC_OK) {
        (void)fprintf(stderr, "crash_child: %s\n", error.text);
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < OUTSTANDING; i++) {
        work_start(&works[i]);
    }
    amdi_loop_run_until(loop, all_is_done, NULL);
    if (first_id != 0 &&
            amdi_store_get(store, loop, first_id, on_read, NULL) ==
                    AMDI_STORE_OK) {
        amdi_loop_run_until(loop, it_is_over, NULL);
        is_over = false;
    }
    amdi_store_close(store, loop, on_closed, NULL);
    amdi_loop_run_until(loop, it_is_over, NULL);
    amdi_loop_destroy(loop);
    return EXIT_SUCCESS;
}
