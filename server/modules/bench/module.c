/** The bench module: methods that take time in every way a method can. */
#include <amdrpc/module.h>

#include "amdrpc/bench/v1/bench.amdrpc-server.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BENCH_PATH "/amdrpc.bench.v1.Bench/"

// A request can ask for any size; the memory for it is one call's.
#define COUNT_MAX_SIZE_BYTES (16u * 1024 * 1024)

// How late Block may notice that nobody waits any more.
#define BLOCK_SLICE_MS 10u

// More workers than any server has.
#define BLOCK_RUNNING_MAX 4096u

// Calls that may wait for a worker.
#define MANY 1000000u

#define DAY_MS (24u * 60 * 60 * 1000)

/* ---- Echo and EchoInline ---- */

static void
bench_on_echo(amdrpc_call *call, const Amdrpc__Bench__V1__EchoRequest *request,
        void *user_data)
{
    Amdrpc__Bench__V1__EchoResponse response =
            AMDRPC__BENCH__V1__ECHO_RESPONSE__INIT;

    (void)user_data; // none
    response.payload = request->payload;
    amdrpc_bench_v1_bench_echo_reply(call, &response);
}

/* ---- Sleep ---- */

static void
sleep_on_time(amdrpc_call *call, void *arg)
{
    Amdrpc__Bench__V1__SleepResponse response =
            AMDRPC__BENCH__V1__SLEEP_RESPONSE__INIT;

    (void)arg; // none
    if (amdrpc_call_is_cancelled(call)) {
        // Of an operation, the reply would be the end that counts.
        amdrpc_call_finish(call, AMDRPC_STATUS_CANCELLED, NULL);
        return;
    }
    amdrpc_bench_v1_bench_sleep_reply(call, &response);
}

static void
bench_on_sleep(amdrpc_call *call,
        const Amdrpc__Bench__V1__SleepRequest *request, void *user_data)
{
    (void)user_data; // none
    amdrpc_call_defer(call);
    amdrpc_call_after(call, request->ms, sleep_on_time, NULL);
}

/* ---- Block ---- */

static void
sleep_ms(uint32_t ms)
{
    struct timespec time = {
            .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    (void)nanosleep(&time, NULL); // woken early, it is called again
}

static uint64_t
now_ns(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now); // fails only for unknown clocks
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void
bench_on_block(amdrpc_call *call,
        const Amdrpc__Bench__V1__BlockRequest *request, void *user_data)
{
    Amdrpc__Bench__V1__BlockResponse response =
            AMDRPC__BENCH__V1__BLOCK_RESPONSE__INIT;
    uint64_t end_ms = now_ns(CLOCK_MONOTONIC) / 1000000 + request->ms;

    (void)user_data; // none
    for (;;) {
        uint64_t now_ms = now_ns(CLOCK_MONOTONIC) / 1000000;

        if (now_ms >= end_ms || amdrpc_call_is_cancelled(call)) {
            break;
        }
        sleep_ms(end_ms - now_ms < BLOCK_SLICE_MS ? (uint32_t)(end_ms - now_ms)
                                                  : BLOCK_SLICE_MS);
    }
    amdrpc_bench_v1_bench_block_reply(call, &response);
}

/* ---- Burn ---- */

static void
bench_on_burn(amdrpc_call *call, const Amdrpc__Bench__V1__BurnRequest *request,
        void *user_data)
{
    Amdrpc__Bench__V1__BurnResponse response =
            AMDRPC__BENCH__V1__BURN_RESPONSE__INIT;
    // CPU time of this thread, so that the cost does not hang on its rivals.
    uint64_t end_ns =
            now_ns(CLOCK_THREAD_CPUTIME_ID) + (uint64_t)request->us * 1000;

    (void)user_data; // none
    while (now_ns(CLOCK_THREAD_CPUTIME_ID) < end_ns &&
            !amdrpc_call_is_cancelled(call)) {
    }
    amdrpc_bench_v1_bench_burn_reply(call, &response);
}

/* ---- Count ---- */

/** A Count on its way; in the call's memory. */
struct count {
    Amdrpc__Bench__V1__CountResponse response;
    uint32_t n;
};

/**
 * Sends as much as may wait, and ends the call after the last message. Returns
 * false when the rest has to wait for room.
 */
static bool
count_send(amdrpc_call *call, struct count *count)
{
    amdrpc_err err = AMDRPC_OK;

    while (count->response.i < count->n && err == AMDRPC_OK) {
        err = amdrpc_bench_v1_bench_count_send(call, &count->response);
        count->response.i += err == AMDRPC_OK;
    }
    if (err == AMDRPC_EAGAIN) {
        return false;
    }
    amdrpc_call_finish(call, amdrpc_status_from_err(err),
            err == AMDRPC_OK ? NULL : amdrpc_err_text(err));
    return true;
}

static void
count_go_on(amdrpc_call *call, void *arg)
{
    (void)count_send(call, arg);
}

static struct count *
count_create(amdrpc_call *call, const Amdrpc__Bench__V1__CountRequest *request)
{
    struct count *count = amdrpc_call_alloc(call, sizeof(*count));
    uint8_t *payload = amdrpc_call_alloc(call, (size_t)request->size + 1);

    if (count == NULL || payload == NULL) {
        return NULL;
    }
    memset(payload, 0, request->size);
    amdrpc__bench__v1__count_response__init(&count->response);
    count->response.payload =
            (ProtobufCBinaryData){.data = payload, .len = request->size};
    count->n = request->n;
    return count;
}

static void
bench_on_count(amdrpc_call *call,
        const Amdrpc__Bench__V1__CountRequest *request, void *user_data)
{
    static const amdrpc_call_events events = {
            .on_writable = count_go_on, .on_cancel = count_go_on};
    struct count *count = NULL;

    (void)user_data; // none
    if (request->size > COUNT_MAX_SIZE_BYTES) {
        amdrpc_call_finishf(call, AMDRPC_STATUS_INVALID_ARGUMENT,
                "size is %u; it may be up to %u", request->size,
                COUNT_MAX_SIZE_BYTES);
        return;
    }
    count = count_create(call, request);
    if (count == NULL) {
        amdrpc_call_finish(call, AMDRPC_STATUS_RESOURCE_EXHAUSTED, "no memory");
        return;
    }
    // It runs on the loop, so that the thread that makes the messages is the
    // one that writes them; a worker, by another policy, would wait in there.
    if (!count_send(call, count)) {
        amdrpc_call_defer(call);
        amdrpc_call_set_events(call, &events, count);
    }
}

/* ---- the module ---- */

static const amdrpc_bench_v1_bench_handlers bench_handlers = {
        .echo = bench_on_echo,
        .echo_inline = bench_on_echo,
        .sleep = bench_on_sleep,
        .block = bench_on_block,
        .burn = bench_on_burn,
        .count = bench_on_count,
};

// Loads are measured by what the server does with them, so no method that costs
// nothing refuses any; what a client may have open at once bounds their number.
static const struct {
    const char *path;
    amdrpc_policy policy;
} bench_policies[] = {
        {BENCH_PATH "Echo", {.max_queued = MANY}},
        {BENCH_PATH "EchoInline",
                {.dispatch = AMDRPC_DISPATCH_INLINE, .max_queued = MANY}},
        {BENCH_PATH "Count",
                {.dispatch = AMDRPC_DISPATCH_INLINE, .max_queued = MANY}},
        {BENCH_PATH "Sleep",
                {.dispatch = AMDRPC_DISPATCH_INLINE, .max_queued = MANY}},
        {BENCH_PATH "Block",
                {.max_queued = MANY,
                        .default_deadline_ms = DAY_MS,
                        .is_long = true}},
};

// How many workers Block may hold: `bench.block-running`.
static amdrpc_err
bench_read_settings(amdrpc_module_host *host, uint32_t *out_block_running)
{
    const char *text = host->get_setting(host, "block-running", 0);
    char *end = NULL;
    unsigned long number = 0;

    if (text == NULL) {
        return AMDRPC_OK;
    }
    number = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || number == 0 ||
            number > BLOCK_RUNNING_MAX) {
        host->set_error(host, "block-running is '%s'; it may be 1 to %u", text,
                BLOCK_RUNNING_MAX);
        return AMDRPC_EINVAL;
    }
    *out_block_running = (uint32_t)number;
    return AMDRPC_OK;
}

static amdrpc_err
bench_start(amdrpc_server *server, amdrpc_module_host *host, void **state)
{
    uint32_t block_running = 0; // as many as there are
    amdrpc_err err = bench_read_settings(host, &block_running);

    (void)state; // it keeps nothing
    if (err == AMDRPC_OK) {
        err = amdrpc_bench_v1_bench_register(server, &bench_handlers, NULL);
    }
    for (size_t i = 0; i < sizeof(bench_policies) / sizeof(bench_policies[0]) &&
            err == AMDRPC_OK;
            i++) {
        amdrpc_policy policy = bench_policies[i].policy;

        policy.max_running = policy.is_long ? block_running : 0;
        err = amdrpc_server_set_policy(server, bench_policies[i].path, &policy);
    }
    return err;
}

const amdrpc_module_desc amdrpc_module = {
        .abi = AMDRPC_MODULE_ABI,
        .name = "bench",
        .start = bench_start,
};
