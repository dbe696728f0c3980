/**
 * Submits operations from many hands at once, through whatever happens to the
 * server.
 *
 *     submitters TARGET PREFIX COUNT OUTSTANDING
 *
 * Prints "REQUEST-ID NAME" for each operation that was acknowledged, and ends
 * once COUNT of them are. An id belongs to one operation: a submission that
 * fails for good ends the program.
 */
#include <amdrpc/operation.h>

#include "amdrpc/bench/v1/bench.amdrpc.h"
#include "amdrpc/bench/v1/bench.pb-c.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define PAYLOAD_BYTES 1024

static amdrpc_channel *channel;
static const char *prefix;
static atomic_uint next;  // number to submit
static unsigned count;    // of all
static atomic_uint nleft; // not acknowledged yet
static sem_t is_done;

static void submit_next(void);

static void
fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "submitters: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static void
on_acknowledged(amdrpc_future *future, void *arg)
{
    char *id = arg;

    if (amdrpc_future_get_status(future) != AMDRPC_STATUS_OK) {
        fail(id, amdrpc_future_get_status_message(future));
    }
    (void)printf("%s %s\n", id, amdrpc_future_get_operation_name(future));
    (void)fflush(stdout);
    free(id);
    amdrpc_future_unref(future);
    submit_next();
    if (atomic_fetch_sub(&nleft, 1) == 1) {
        (void)sem_post(&is_done);
    }
}

static void
submit_next(void)
{
    static uint8_t payload[PAYLOAD_BYTES];
    Amdrpc__Bench__V1__EchoRequest request =
            AMDRPC__BENCH__V1__ECHO_REQUEST__INIT;
    amdrpc_operation_options options = {
            .max_unavailable_ms = -1, .no_wait = true};
    amdrpc_future *future = NULL;
    unsigned number = atomic_fetch_add(&next, 1);
    char *id = NULL;

    if (number >= count) {
        return;
    }
    if (asprintf(&id, "%s-%u", prefix, number) < 0) {
        fail(prefix, "no memory");
    }
    options.request_id = id;
    request.payload.data = payload;
    request.payload.len = sizeof(payload);
    amdrpc_err err = amdrpc_operation_submit(channel,
            &amdrpc_bench_v1_bench_service.methods[AMDRPC_BENCH_V1_BENCH_ECHO],
            &request.base, &options, &future);
    if (err == AMDRPC_OK) {
        err = amdrpc_future_then(future, on_acknowledged, id);
    }
    if (err != AMDRPC_OK) {
        fail(id, amdrpc_err_text(err));
    }
}

int
main(int argc, char **argv)
{
    if (argc != 5) {
        fail("usage", "TARGET PREFIX COUNT OUTSTANDING");
    }
    prefix = argv[2];
    count = (unsigned)strtoul(argv[3], NULL, 10);
    unsigned outstanding = (unsigned)strtoul(argv[4], NULL, 10);
    atomic_store(&nleft, count);
    if (sem_init(&is_done, 0, 0) != 0) {
        fail("sem_init", "it failed");
    }
    amdrpc_err err = amdrpc_channel_create(argv[1], NULL, &channel);
    if (err != AMDRPC_OK) {
        fail(argv[1], amdrpc_err_text(err));
    }
    for (unsigned i = 0; i < outstanding; i++) {
        submit_next();
    }
    while (sem_wait(&is_done) != 0) {
        // A signal.
    }
    amdrpc_channel_unref(channel);
    return EXIT_SUCCESS;
}
