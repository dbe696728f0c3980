/**
 * How fast a store is. Not a test; run it by hand:
 *
 *     bench_store DIRECTORY submits [SECONDS]   durable submits, 256 at a time
 *     bench_store DIRECTORY random [SECONDS]    the same with random request
 *                                               ids; others are in order
 *     bench_store DIRECTORY cycles [SECONDS]    submit with lease, then finish
 *     bench_store DIRECTORY fill OPERATIONS     finished ones; then open, get
 *                                               and list are timed
 *
 * What it fills a store with has the request ids fill-0, fill-1 …; every 500th
 * has failed, every 1000th is of another method, every 100th is alice's.
 *
 * "memory:" is a directory too.
 */
#include <amdrpc/status.h>

#include "common/alloc.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/loop.h"
#include "server/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUTSTANDING 256u
#define PAYLOAD_BYTES 1024u
#define NS_PER_S 1000000000u

static struct amdi_loop *loop;
static struct amdi_store *store;
static char payload[PAYLOAD_BYTES];
static uint64_t nstarted;
static uint64_t nanswered; // submissions
static uint64_t nended;
static uint64_t max_ops; // 0: until the end time
static uint64_t end_at_ns;
static bool with_finish;
static bool is_random;
static bool is_filling;
static uint64_t last_id;

static void
check(enum amdi_store_result result)
{
    if (result != AMDI_STORE_OK) {
        (void)fprintf(
                stderr, "bench_store: %s\n", amdi_store_result_text(result));
        exit(EXIT_FAILURE);
    }
}

static void submit_next(void);

static void
on_finish(void *arg, enum amdi_store_result result, const struct amdi_op *op)
{
    (void)arg;
    (void)op;
    check(result);
    nended++;
    submit_next();
}

static void
on_submit(void *arg, enum amdi_store_result result, const struct amdi_op *op)
{
    check(result);
    last_id = op->id;
    if (with_finish) {
        bool has_failed = is_filling && nanswered++ % 500 == 0;

        check(amdi_store_finish(store, loop,
                (struct amdi_fence){op->id, op->attempt},
                has_failed ? AMDRPC_STATUS_INTERNAL : AMDRPC_STATUS_OK,
                (struct amdi_bytes){0}, (struct amdi_bytes){0}, on_finish,
                arg));
        return;
    }
    nended++;
    submit_next();
}

static struct amdi_bytes
text_bytes(const char *text)
{
    return (struct amdi_bytes){text, strlen(text)};
}

static void
make_request_id(char *out, size_t size)
{
    unsigned long long n = nstarted;

    if (is_filling) {
        (void)snprintf(out, size, "fill-%llu", n);
    } else if (is_random) {
        // They make the store write to a page of its index for each.
        (void)snprintf(out, size, "%016llx-%llu",
                (unsigned long long)(nstarted * UINT64_C(0x9e3779b97f4a7c15)),
                n);
    } else {
        (void)snprintf(out, size, "%016llx-%llu",
                (unsigned long long)amdi_clock_now_ns(), n);
    }
}

static void
submit_next(void)
{
    char request_id[40];
    struct amdi_new_op new_op = {.method = text_bytes("/bench.v1.Bench/Work"),
            .payload = {payload, sizeof(payload)},
            .node = with_finish ? "bench" : NULL,
            .lease_us = 15000000};

    if (max_ops > 0 ? nstarted == max_ops : amdi_clock_now_ns() >= end_at_ns) {
        return;
    }
    make_request_id(request_id, sizeof(request_id));
    new_op.request_id = text_bytes(request_id);
    if (is_filling && nstarted % 1000 == 0) {
        new_op.method = text_bytes("/bench.v1.Bench/Rare");
    }
    if (is_filling && nstarted % 100 == 99) {
        new_op.principal = text_bytes("alice");
    }
    nstarted++;
    check(amdi_store_submit(store, loop, &new_op, on_submit, NULL));
}

static bool
all_ended(void *arg)
{
    (void)arg;
    return nstarted == nended &&
            (max_ops > 0 ? nstarted == max_ops
                         : amdi_clock_now_ns() >= end_at_ns);
}

static double
run(void)
{
    uint64_t start_ns = amdi_clock_now_ns();

    for (unsigned i = 0; i < OUTSTANDING; i++) {
        submit_next();
    }
    amdi_loop_run_until(loop, all_ended, NULL);
    return (double)(amdi_clock_now_ns() - start_ns) / NS_PER_S;
}

/* ---- single questions ---- */

static bool is_answered;

static bool
has_answer(void *arg)
{
    (void)arg;
    return is_answered;
}

static void
on_closed(void *arg)
{
    (void)arg;
    is_answered = true;
}

static void
on_get(void *arg, enum amdi_store_result result, const struct amdi_op *op)
{
    (void)op;
    check(result);
    on_closed(arg);
}

static void
on_list(void *arg, enum amdi_store_result result, const struct amdi_op *ops,
        size_t nops, struct amdi_bytes next_token)
{
    (void)ops;
    (void)nops;
    (void)next_token;
    check(result);
    on_closed(arg);
}

static void
await_answer(const char *what, uint64_t start_ns)
{
    amdi_loop_run_until(loop, has_answer, NULL);
    (void)printf("%s: %.2f ms\n", what,
            (double)(amdi_clock_now_ns() - start_ns) / 1e6);
    is_answered = false;
}

static void
close_store(void)
{
    amdi_store_close(store, loop, on_closed, NULL);
    await_answer("close", amdi_clock_now_ns());
}

static void
open_store(const char *dir)
{
    char uri[1024];
    struct amdi_error error;

    (void)snprintf(uri, sizeof(uri), "%s%s",
            strcmp(dir, "memory:") == 0 ? "" : "sqlite:", dir);
    if (amdi_store_open(uri, NULL, &store, &error) != AMDRPC_OK) {
        (void)fprintf(stderr, "bench_store: %s\n", error.text);
        exit(EXIT_FAILURE);
    }
}

static void
time_questions(const char *dir)
{
    static const struct amdi_store_filter everything;
    uint64_t start_ns;

    close_store();
    start_ns = amdi_clock_now_ns();
    open_store(dir);
    (void)printf(
            "open: %.2f ms\n", (double)(amdi_clock_now_ns() - start_ns) / 1e6);
    start_ns = amdi_clock_now_ns();
    check(amdi_store_get(store, loop, last_id, on_get, NULL));
    await_answer("get", start_ns);
    start_ns = amdi_clock_now_ns();
    check(amdi_store_list(store, loop, &everything, 100, (struct amdi_bytes){0},
            on_list, NULL));
    await_answer("list of 100", start_ns);
}

int
main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[2] : "";
    uint64_t number = argc > 3 ? strtoull(argv[3], NULL, 10) : 3;
    double seconds;

    is_filling = strcmp(what, "fill") == 0;
    with_finish = is_filling || strcmp(what, "cycles") == 0;
    is_random = strcmp(what, "random") == 0;
    if (!with_finish && !is_random && strcmp(what, "submits") != 0) {
        (void)fprintf(stderr,
                "usage: bench_store DIRECTORY submits|random|cycles|fill "
                "[NUMBER]\n");
        return EXIT_FAILURE;
    }
    if (amdi_loop_create("bench", &loop) != AMDRPC_OK) {
        return EXIT_FAILURE;
    }
    open_store(argv[1]);
    max_ops = is_filling ? number : 0;
    end_at_ns = amdi_clock_now_ns() + number * NS_PER_S;
    seconds = run();
    (void)printf("%llu %s in %.2f s: %.0f/s\n", (unsigned long long)nended,
            with_finish ? "cycles" : "submits", seconds,
            (double)nended / seconds);
    if (is_filling) {
        time_questions(argv[1]);
    }
    close_store();
    amdi_loop_destroy(loop);
    return EXIT_SUCCESS;
}
