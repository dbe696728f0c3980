/**
 * A closed loop of calls.
 *
 * A slot holds one call at a time. Once its call has begun, a slot belongs to
 * the loop thread of its channel: the call's end is told there, is counted
 * there without a lock, and the next call begins there. Only two things reach
 * in from the main thread, each by an atomic exchange: it takes the call out of
 * every slot to cancel it (stop), and it wakes slots that were parked because
 * they found no server (run).
 */
#include "client/bench/load.h"

#include "common/alloc.h"
#include "common/clock.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

// How often the main thread looks: at parked slots, and at the end of calls.
#define TICK_MS 10

// Cancelled calls end at once; this is for a client that does not.
#define STOP_TIMEOUT_MS 10000

struct worker;

struct slot {
    struct worker *worker;
    uint64_t started_at_ns;             // loop thread, once the call has begun
    _Atomic(amdrpc_client_call *) call; // whoever takes it out owns it
    atomic_bool is_parked;
};

/** One channel, its slots and what they counted. */
struct worker {
    struct amdi_load *load;
    amdrpc_channel *channel;
    struct slot *slots; // owned
    size_t nslots;
    struct amdi_load_result result; // loop thread; main once it has ended
    char padding[64];               // the next worker has another cache line
};

struct amdi_load {
    struct amdi_load_plan plan;
    struct worker *workers;     // owned
    amdrpc_client_call **taken; // owned; calls that stop took out
    uint64_t started_at_ns;
    uint64_t elapsed_ns;
    atomic_bool is_measuring;
    atomic_bool is_draining;      // no more calls
    atomic_bool is_stopping;      // and those that go on are cancelled
    atomic_uint_fast64_t nactive; // slots with a call
};

static void slot_start(struct slot *slot);

// Reads what is there. Returns whether the call has ended.
static bool
slot_read(struct slot *slot, amdrpc_client_call *call)
{
    struct amdi_load_result *result = &slot->worker->result;
    const void *data;
    size_t len;

    for (;;) {
        amdrpc_err err = amdrpc_client_call_recv_bytes(call, 0, &data, &len);

        if (err != AMDRPC_OK) {
            return err == AMDRPC_EEND;
        }
        if (atomic_load_explicit(
                    &slot->worker->load->is_measuring, memory_order_relaxed)) {
            result->messages++;
            result->bytes += len;
        }
    }
}

static void
slot_count(struct slot *slot, amdrpc_status_code status)
{
    struct amdi_load_result *result = &slot->worker->result;
    size_t index = (size_t)status < AMDI_STATUS_COUNT
            ? (size_t)status
            : (size_t)AMDRPC_STATUS_UNKNOWN;

    result->calls[index]++;
    if (status == AMDRPC_STATUS_OK) {
        amdi_histogram_add(
                &result->latency_ns, amdi_clock_now_ns() - slot->started_at_ns);
    }
}

static void
slot_park(struct slot *slot)
{
    atomic_store(&slot->is_parked, true);
    atomic_fetch_sub(&slot->worker->load->nactive, 1);
}

static void
slot_on_readable(amdrpc_client_call *call, void *arg)
{
    (void)slot_read(arg, call);
}

static void
slot_on_end(amdrpc_client_call *call, void *arg)
{
    struct slot *slot = arg;
    struct amdi_load *load = slot->worker->load;
    amdrpc_status_code status;

    (void)slot_read(slot, call);
    status = amdrpc_client_call_get_status(call);
    if (atomic_load_explicit(&load->is_measuring, memory_order_relaxed)) {
        slot_count(slot, status);
    }
    // NULL when stop took it out; then it holds the reference.
    amdrpc_client_call_unref(atomic_exchange(&slot->call, NULL));
    if (atomic_load(&load->is_draining) || atomic_load(&load->is_stopping)) {
        atomic_fetch_sub(&load->nactive, 1);
    } else if (status == AMDRPC_STATUS_UNAVAILABLE) {
        slot_park(slot); // at once again would be a busy loop
    } else {
        slot_start(slot);
    }
}

// The events of a slot's call; set last, as they may be told at once.
static void
slot_watch(struct slot *slot, amdrpc_client_call *call)
{
    static const amdrpc_client_call_events stream_events = {
            .on_readable = slot_on_readable,
            .on_end = slot_on_end,
    };
    static const amdrpc_client_call_events unary_events = {
            .on_end = slot_on_end,
    };

    amdrpc_client_call_set_events(call,
            amdrpc_method_has_response_stream(slot->worker->load->plan.method)
                    ? &stream_events
                    : &unary_events,
            slot);
}

static amdrpc_err
plan_send(const struct amdi_load_plan *plan, amdrpc_client_call *call)
{
    return plan->send != NULL ? plan->send(call, plan->send_arg)
                              : amdrpc_client_call_send_bytes(
                                        call, plan->request, plan->request_len);
}

// Loop thread, or the main thread before the slot's first call or while it is
// parked. The slot counts as active.
static void
slot_start(struct slot *slot)
{
    struct worker *worker = slot->worker;
    const struct amdi_load_plan *plan = &worker->load->plan;
    amdrpc_call_options options = {.timeout_ms = (int64_t)plan->timeout_ms,
            .metadata = plan->metadata};
    amdrpc_client_call *call = NULL;

    slot->started_at_ns = amdi_clock_now_ns();
    if (amdrpc_channel_start_call(
                worker->channel, plan->method, &options, &call) != AMDRPC_OK) {
        slot_park(slot);
        return;
    }
    // What cannot be sent ends the call, with a status that is counted.
    if (plan_send(plan, call) != AMDRPC_OK) {
        amdrpc_client_call_cancel(call);
    }
    atomic_store(&slot->call, amdrpc_client_call_ref(call));
    slot_watch(slot, call);
    // Stop may have looked at this slot before the call was in it.
    if (atomic_load(&worker->load->is_stopping)) {
        amdrpc_client_call_cancel(call);
    }
    amdrpc_client_call_unref(call);
}

static amdrpc_err
worker_init(struct worker *worker, struct amdi_load *load, uint32_t connections)
{
    amdrpc_channel_options options = {.connections = connections};

    amdi_histogram_init(&worker->result.latency_ns);
    worker->load = load;
    worker->nslots = (size_t)connections * load->plan.inflight;
    worker->slots = amdi_calloc(worker->nslots, sizeof(struct slot));
    if (worker->slots == NULL) {
        return AMDRPC_ENOMEM;
    }
    for (size_t i = 0; i < worker->nslots; i++) {
        worker->slots[i].worker = worker;
    }
    return amdrpc_channel_create(load->plan.target, &options, &worker->channel);
}

static amdrpc_err
load_init(struct amdi_load *load)
{
    const struct amdi_load_plan *plan = &load->plan;
    uint32_t each = plan->connections / plan->threads;
    uint32_t rest = plan->connections % plan->threads;

    load->workers = amdi_calloc(plan->threads, sizeof(struct worker));
    load->taken = amdi_calloc((size_t)plan->connections * plan->inflight,
            sizeof(amdrpc_client_call *));
    if (load->workers == NULL || load->taken == NULL) {
        return AMDRPC_ENOMEM;
    }
    for (uint32_t i = 0; i < plan->threads; i++) {
        amdrpc_err err =
                worker_init(&load->workers[i], load, each + (i < rest ? 1 : 0));

        if (err != AMDRPC_OK) {
            return err;
        }
    }
    return AMDRPC_OK;
}

static void
load_start_slots(struct amdi_load *load)
{
    for (uint32_t i = 0; i < load->plan.threads; i++) {
        struct worker *worker = &load->workers[i];

        atomic_fetch_add(&load->nactive, worker->nslots);
        for (size_t j = 0; j < worker->nslots; j++) {
            slot_start(&worker->slots[j]);
        }
    }
}

amdrpc_err
amdi_load_create(const struct amdi_load_plan *plan, struct amdi_load **out)
{
    struct amdi_load *load = amdi_zalloc(sizeof(*load));
    amdrpc_err err;

    if (load == NULL) {
        return AMDRPC_ENOMEM;
    }
    load->plan = *plan;
    atomic_init(&load->is_draining, plan->once);
    // A thread without a connection would have nothing to do.
    if (load->plan.threads > load->plan.connections) {
        load->plan.threads = load->plan.connections;
    }
    err = load_init(load);
    if (err != AMDRPC_OK) {
        amdi_load_destroy(load);
        return err;
    }
    load_start_slots(load);
    *out = load;
    return AMDRPC_OK;
}

static void
load_restart_parked(struct amdi_load *load)
{
    for (uint32_t i = 0; i < load->plan.threads; i++) {
        struct worker *worker = &load->workers[i];

        for (size_t j = 0; j < worker->nslots; j++) {
            if (atomic_exchange(&worker->slots[j].is_parked, false)) {
                atomic_fetch_add(&load->nactive, 1);
                slot_start(&worker->slots[j]);
            }
        }
    }
}

static void
sleep_ms(uint64_t ms)
{
    struct timespec time = {
            .tv_sec = (time_t)(ms / 1000),
            .tv_nsec = (long)(ms % 1000) * 1000000,
    };

    // A signal that ends the wait early ends the program, or is not for us.
    (void)nanosleep(&time, NULL);
}

void
amdi_load_run(struct amdi_load *load, uint64_t ms)
{
    uint64_t end_at_ms = amdi_clock_now_ms() + ms;

    for (;;) {
        uint64_t now_ms = amdi_clock_now_ms();

        if (now_ms >= end_at_ms) {
            return;
        }
        sleep_ms(end_at_ms - now_ms < TICK_MS ? end_at_ms - now_ms : TICK_MS);
        load_restart_parked(load);
    }
}

void
amdi_load_measure(struct amdi_load *load, bool is_on)
{
    uint64_t now_ns = amdi_clock_now_ns();

    if (is_on) {
        load->started_at_ns = now_ns;
    } else {
        load->elapsed_ns = now_ns - load->started_at_ns;
    }
    atomic_store(&load->is_measuring, is_on);
}

static void
load_wait(const struct amdi_load *load, uint64_t timeout_ms)
{
    uint64_t end_at_ms = amdi_clock_now_ms() + timeout_ms;

    while (amdi_load_count_active(load) > 0 &&
            amdi_clock_now_ms() < end_at_ms) {
        sleep_ms(TICK_MS);
    }
}

void
amdi_load_drain(struct amdi_load *load, uint64_t timeout_ms)
{
    atomic_store(&load->is_draining, true);
    load_wait(load, timeout_ms);
}

uint64_t
amdi_load_count_active(const struct amdi_load *load)
{
    return atomic_load(&load->nactive);
}

// Cancels every call. The references are kept: an end is only told to those
// who still hold the call.
static size_t
load_take_calls(struct amdi_load *load)
{
    size_t ntaken = 0;

    for (uint32_t i = 0; i < load->plan.threads; i++) {
        struct worker *worker = &load->workers[i];

        for (size_t j = 0; j < worker->nslots; j++) {
            amdrpc_client_call *call =
                    atomic_exchange(&worker->slots[j].call, NULL);

            if (call != NULL) {
                amdrpc_client_call_cancel(call);
                load->taken[ntaken++] = call;
            }
        }
    }
    return ntaken;
}

static void
result_merge(struct amdi_load_result *into, const struct amdi_load_result *from)
{
    amdi_histogram_merge(&into->latency_ns, &from->latency_ns);
    for (size_t i = 0; i < AMDI_STATUS_COUNT; i++) {
        into->calls[i] += from->calls[i];
    }
    into->messages += from->messages;
    into->bytes += from->bytes;
}

void
amdi_load_stop(struct amdi_load *load, struct amdi_load_result *out)
{
    size_t ntaken;

    atomic_store(&load->is_stopping, true);
    ntaken = load_take_calls(load);
    load_wait(load, STOP_TIMEOUT_MS);
    for (size_t i = 0; i < ntaken; i++) {
        amdrpc_client_call_unref(load->taken[i]);
    }
    *out = (struct amdi_load_result){.elapsed_ns = load->elapsed_ns};
    amdi_histogram_init(&out->latency_ns);
    for (uint32_t i = 0; i < load->plan.threads; i++) {
        // With its thread gone, what it counted is ours to read.
        amdrpc_channel_unref(load->workers[i].channel);
        load->workers[i].channel = NULL;
        result_merge(out, &load->workers[i].result);
    }
}

void
amdi_load_destroy(struct amdi_load *load)
{
    if (load == NULL) {
        return;
    }
    for (uint32_t i = 0; load->workers != NULL && i < load->plan.threads; i++) {
        amdrpc_channel_unref(load->workers[i].channel);
        amdi_free(load->workers[i].slots);
    }
    amdi_free(load->workers);
    amdi_free(load->taken);
    amdi_free(load);
}

uint64_t
amdi_load_result_calls(const struct amdi_load_result *result)
{
    uint64_t calls = 0;

    for (size_t i = 0; i < AMDI_STATUS_COUNT; i++) {
        calls += result->calls[i];
    }
    return calls;
}
