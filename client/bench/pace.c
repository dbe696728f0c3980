/**
 * An open loop of calls.
 *
 * One thread starts the calls of every caller when they are due. A call that
 * ends is counted on the loop thread of its caller's channel, so results need
 * no lock; they are read when those threads are gone.
 */
#include "client/bench/pace.h"

#include "common/alloc.h"
#include "common/clock.h"

#include <stdatomic.h>
#include <time.h>

// Some calls are late by this, which counts as their latency.
#define TICK_NS 500000L

// Beyond the calls' deadline; for a client that does not keep it.
#define EXTRA_WAIT_NS UINT64_C(10000000000)

struct pace;

struct pace_caller {
    struct pace *pace;
    amdrpc_channel *channel;
    double interval_ns;
    uint64_t nstarted;               // the pacing thread's
    struct amdi_pace_result *result; // its loop's, but for noffered
};

struct pace {
    const struct amdi_pace_plan *plan;
    struct pace_caller callers[AMDI_PACE_CALLERS_MAX];
    uint64_t started_at_ns;
    atomic_bool is_measuring;
    atomic_uint_fast64_t nactive;
};

struct pace_call {
    struct pace_caller *caller;
    amdrpc_client_call *call;
    uint64_t due_at_ns;
};

static void
call_count(const struct pace_call *call)
{
    struct amdi_pace_result *result = call->caller->result;
    amdrpc_status_code status = amdrpc_client_call_get_status(call->call);
    const amdrpc_metadata *trailing =
            amdrpc_client_call_get_trailing_metadata(call->call);

    result->calls[(size_t)status < AMDI_STATUS_COUNT
                    ? (size_t)status
                    : (size_t)AMDRPC_STATUS_UNKNOWN]++;
    if (status == AMDRPC_STATUS_OK) {
        amdi_histogram_add(
                &result->latency_ns, amdi_clock_now_ns() - call->due_at_ns);
    } else if (status == AMDRPC_STATUS_RESOURCE_EXHAUSTED && trailing != NULL &&
            amdrpc_metadata_get(trailing, "grpc-retry-pushback-ms") != NULL) {
        result->npushbacks++;
    }
}

static void
call_on_end(amdrpc_client_call *client_call, void *arg)
{
    struct pace_call *call = arg;
    struct pace *pace = call->caller->pace;

    (void)client_call; // the same, without our reference
    if (atomic_load(&pace->is_measuring)) {
        call_count(call);
    }
    amdrpc_client_call_unref(call->call);
    amdi_free(call);
    atomic_fetch_sub(&pace->nactive, 1);
}

// What cannot be sent ends the call, with a status that is counted.
static amdrpc_err
caller_start_call(struct pace_caller *caller, uint64_t due_at_ns)
{
    static const amdrpc_client_call_events events = {.on_end = call_on_end};
    const struct amdi_pace_plan *plan = caller->pace->plan;
    const amdrpc_call_options options = {
            .timeout_ms = (int64_t)plan->timeout_ms, .wait_for_ready = true};
    struct pace_call *call = amdi_alloc(sizeof(*call));
    amdrpc_client_call *client_call = NULL;
    amdrpc_err err;

    if (call == NULL) {
        return AMDRPC_ENOMEM;
    }
    err = amdrpc_channel_start_call(
            caller->channel, plan->method, &options, &client_call);
    if (err != AMDRPC_OK) {
        amdi_free(call);
        return err;
    }
    *call = (struct pace_call){
            caller, amdrpc_client_call_ref(client_call), due_at_ns};
    if (amdrpc_client_call_send_bytes(
                client_call, plan->request, plan->request_len) != AMDRPC_OK) {
        amdrpc_client_call_cancel(client_call);
    }
    atomic_fetch_add(&caller->pace->nactive, 1);
    // Told at once, perhaps: from here on pace_call is its loop's.
    amdrpc_client_call_set_events(client_call, &events, call);
    amdrpc_client_call_unref(client_call);
    return AMDRPC_OK;
}

/** Starts what was due before @until_ns, however late that is. */
static amdrpc_err
caller_start_due(
        struct pace_caller *caller, uint64_t until_ns, uint64_t measure_at_ns)
{
    const struct pace *pace = caller->pace;

    for (;;) {
        uint64_t due_at_ns = pace->started_at_ns +
                (uint64_t)((double)caller->nstarted * caller->interval_ns);
        amdrpc_err err;

        if (due_at_ns >= until_ns) {
            return AMDRPC_OK;
        }
        caller->nstarted++;
        caller->result->noffered += due_at_ns >= measure_at_ns;
        err = caller_start_call(caller, due_at_ns);
        if (err != AMDRPC_OK) {
            return err;
        }
    }
}

static void
tick(void)
{
    struct timespec time = {.tv_nsec = TICK_NS};

    (void)nanosleep(&time, NULL); // woken early, it is called again
}

static amdrpc_err
pace_send(struct pace *pace)
{
    const struct amdi_pace_plan *plan = pace->plan;
    uint64_t measure_at_ns = pace->started_at_ns + plan->warmup_ms * 1000000;
    uint64_t end_at_ns = measure_at_ns + plan->duration_ms * 1000000;

    for (;;) {
        uint64_t now_ns = amdi_clock_now_ns();
        uint64_t until_ns = now_ns < end_at_ns ? now_ns : end_at_ns;

        atomic_store(&pace->is_measuring, now_ns >= measure_at_ns);
        for (size_t i = 0; i < plan->ncallers; i++) {
            amdrpc_err err = caller_start_due(
                    &pace->callers[i], until_ns, measure_at_ns);

            if (err != AMDRPC_OK) {
                return err;
            }
        }
        if (until_ns == end_at_ns) {
            return AMDRPC_OK;
        }
        tick();
    }
}

// Every call has a deadline, and ends.
static void
pace_wait(const struct pace *pace)
{
    uint64_t end_at_ns = amdi_clock_now_ns() +
            pace->plan->timeout_ms * 1000000 + EXTRA_WAIT_NS;

    while (atomic_load(&pace->nactive) > 0 && amdi_clock_now_ns() < end_at_ns) {
        tick();
    }
}

static amdrpc_err
pace_connect(struct pace *pace, struct amdi_pace_result *results)
{
    for (size_t i = 0; i < pace->plan->ncallers; i++) {
        struct pace_caller *caller = &pace->callers[i];
        amdrpc_err err;

        *caller = (struct pace_caller){.pace = pace,
                .result = &results[i],
                .interval_ns = 1e9 / pace->plan->rates[i]};
        results[i] = (struct amdi_pace_result){.noffered = 0};
        amdi_histogram_init(&results[i].latency_ns);
        err = amdrpc_channel_create(pace->plan->target, NULL, &caller->channel);
        if (err != AMDRPC_OK) {
            return err;
        }
    }
    return AMDRPC_OK;
}

amdrpc_err
amdi_pace_run(
        const struct amdi_pace_plan *plan, struct amdi_pace_result *results)
{
    struct pace *pace = amdi_zalloc(sizeof(*pace));
    amdrpc_err err;

    if (pace == NULL) {
        return AMDRPC_ENOMEM;
    }
    pace->plan = plan;
    err = pace_connect(pace, results);
    if (err == AMDRPC_OK) {
        pace->started_at_ns = amdi_clock_now_ns();
        err = pace_send(pace);
    }
    atomic_store(&pace->is_measuring, plan->counts_all);
    pace_wait(pace);
    for (size_t i = 0; i < plan->ncallers; i++) {
        amdrpc_channel_unref(pace->callers[i].channel);
    }
    amdi_free(pace);
    return err;
}
