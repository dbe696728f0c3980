/**
 * amdrpc-bench overload: more than a server can do is asked of it.
 *
 * Burn's capacity is what a closed loop gets. Then calls come at a fixed rate
 * of so many times of that, whatever becomes of them. A good server does as
 * much as before, answers what it accepts soon, and tells the others when to
 * come again. The capacity is measured anew around each rate: on a machine with
 * other programs it changes, and within a rate too, so that a rate that misses
 * is tried again.
 */
#include "client/bench/pace.h"
#include "client/bench/scenario.h"
#include "client/program/program.h"
#include "common/alloc.h"

#include <inttypes.h>
#include <stddef.h>

#define WORKERS "2"
#define WORKERS_COUNT 2

// Connections of the closed loop, and calls of each: all workers are busy.
#define NCALLERS 4
#define INFLIGHT 2

// Refusing takes processor time too, here from the same processors.
#define GOODPUT_MIN 0.95

// A call of an overloaded queue runs when it has waited for twice this at most,
// or for twice its own time where that is longer; see docs/dispatch.md.
#define TARGET_MS 50.0

// The short form judges answers: only a call that hangs may come to its end.
#define TIMEOUT_MS 1000
#define SHORT_TIMEOUT_MS 60000

#define ATTEMPTS_MAX 3

#define WARMUP_MS 1000

// A busy machine may need much longer than the measured time for one call.
#define CAPACITY_MAX_MS 60000

struct overload_options {
    struct amdi_scenario_options shared;
    uint64_t duration_ms;
    uint64_t us;
};

#define FIELD(name) offsetof(struct overload_options, name)

static const struct amdi_option rows[] = {
        {"duration", AMDI_OPTION_DURATION, FIELD(duration_ms), "TIME",
                "How long to measure each rate; default 4s.", 1, 600000},
        AMDI_SCENARIO_ROW_JSON,
        AMDI_SCENARIO_ROW_MODULE,
        AMDI_SCENARIO_ROW_SERVER,
        AMDI_SCENARIO_ROW_SHORT,
        {"us", AMDI_OPTION_NUMBER, FIELD(us), "N",
                "Microseconds of processor time of each call; default 10000.",
                100, 1000000},
};

static const struct amdi_command_line line = {
        .usage = "amdrpc-bench overload [OPTION...]",
        .summary =
                "Offers 1 to 5 times as many calls of Burn as the server can "
                "do.",
        .notes = "Exit status: 0 when goodput stays at 95 % of the capacity, "
                 "accepted calls are\nanswered soon, and refusals say when to "
                 "try again; 4 when not.\n",
        .options = rows,
        .noptions = sizeof(rows) / sizeof(rows[0]),
        .max_operands = 0,
};

static uint64_t
overload_timeout_ms(const struct overload_options *options)
{
    return options->shared.is_short ? SHORT_TIMEOUT_MS : TIMEOUT_MS;
}

/** What a closed loop gets. */
struct overload_capacity {
    double per_s;
    double p99_ms;
};

/** What a rate came to. */
struct overload_outcome {
    double times;
    struct overload_capacity before;
    struct overload_capacity after;
    double offered; // calls per second
    double goodput;
    uint64_t nrefused;
    uint64_t npushbacks;
    uint64_t nlate; // ended in any other way
    struct amdi_histogram latency_ns;
};

static amdrpc_err
capacity_measure_for(const struct overload_options *options, const char *target,
        uint64_t duration_ms, struct overload_capacity *out)
{
    static struct amdi_load_result result; // too large for a stack
    const struct amdi_bench_options burn = {
            .method = "burn", .us = options->us};
    struct amdi_load_plan plan = {
            .target = target,
            .threads = NCALLERS,
            .connections = NCALLERS,
            .inflight = INFLIGHT,
    };
    struct amdi_scenario_load load;
    amdrpc_err err = amdi_scenario_load_start(&load, &burn, &plan);

    if (err != AMDRPC_OK) {
        return err;
    }
    amdi_load_run(load.load, duration_ms);
    amdi_scenario_load_stop(&load, &result);
    out->per_s = (double)result.calls[AMDRPC_STATUS_OK] * 1e9 /
            (double)(result.elapsed_ns + 1);
    out->p99_ms = amdi_scenario_percentile_ms(&result.latency_ns, 99);
    return out->per_s > 0 ? AMDRPC_OK : AMDRPC_EIO;
}

static amdrpc_err
capacity_measure(const struct overload_options *options, const char *target,
        struct overload_capacity *out)
{
    uint64_t duration_ms = options->duration_ms / 2;
    amdrpc_err err;

    do {
        err = capacity_measure_for(options, target, duration_ms, out);
        duration_ms *= 4;
    } while (err == AMDRPC_EIO && duration_ms <= CAPACITY_MAX_MS);
    return err;
}

static void
outcome_add(
        struct overload_outcome *outcome, const struct amdi_pace_result *result)
{
    for (int i = 1; i < AMDI_STATUS_COUNT; i++) {
        if (i == AMDRPC_STATUS_RESOURCE_EXHAUSTED) {
            outcome->nrefused += result->calls[i];
        } else {
            outcome->nlate += result->calls[i];
        }
    }
    outcome->offered += (double)result->noffered;
    outcome->npushbacks += result->npushbacks;
    amdi_histogram_merge(&outcome->latency_ns, &result->latency_ns);
}

static amdrpc_err
outcome_measure(const struct overload_options *options, const char *target,
        struct overload_outcome *outcome)
{
    static struct amdi_pace_result results[NCALLERS]; // large
    const struct amdi_bench_options burn = {
            .method = "burn", .us = options->us};
    struct amdi_bench_request request;
    struct amdi_pace_plan plan = {
            .target = target,
            .ncallers = NCALLERS,
            .timeout_ms = overload_timeout_ms(options),
            .method = &request.method,
            .warmup_ms = options->shared.is_short ? 0 : WARMUP_MS,
            .duration_ms = options->duration_ms,
            .counts_all = options->shared.is_short,
    };
    amdrpc_err err;

    if (amdi_bench_request_init(&request, &burn) != AMDI_EXIT_OK) {
        return AMDRPC_ENOMEM;
    }
    plan.request = amdi_buf_peek(&request.bytes);
    plan.request_len = amdi_buf_len(&request.bytes);
    for (size_t i = 0; i < NCALLERS; i++) {
        plan.rates[i] = outcome->before.per_s * outcome->times / NCALLERS;
    }
    err = amdi_pace_run(&plan, results);
    amdi_bench_request_fini(&request);
    amdi_histogram_init(&outcome->latency_ns);
    for (size_t i = 0; i < NCALLERS && err == AMDRPC_OK; i++) {
        outcome_add(outcome, &results[i]);
    }
    outcome->goodput = (double)outcome->latency_ns.count * 1e3 /
            (double)options->duration_ms;
    outcome->offered *= 1e3 / (double)options->duration_ms;
    return err;
}

/** What may be expected of it: no more than the machine did around it. */
static double
outcome_least_goodput(const struct overload_outcome *outcome)
{
    double least = outcome->before.per_s < outcome->after.per_s
            ? outcome->before.per_s
            : outcome->after.per_s;

    return GOODPUT_MIN * (least < outcome->offered ? least : outcome->offered);
}

/**
 * What an accepted call may take: the server's promise for its wait, and what
 * one takes at a full but not overloaded server, which has its share of the
 * machine's other load. As that changes, twice.
 */
static double
outcome_most_p99_ms(const struct overload_outcome *outcome)
{
    double service_ms = 2e3 / (outcome->before.per_s + outcome->after.per_s) *
            WORKERS_COUNT;
    double target_ms = service_ms > TARGET_MS ? service_ms : TARGET_MS;

    return 2 * target_ms + outcome->before.p99_ms + outcome->after.p99_ms;
}

static void
outcome_report(const struct overload_options *options,
        const struct overload_outcome *outcome, const char *missed,
        json_t *out_rows)
{
    double capacity = (outcome->before.per_s + outcome->after.per_s) / 2;
    double share = outcome->goodput / capacity;
    double p50 = amdi_scenario_percentile_ms(&outcome->latency_ns, 50);
    double p99 = amdi_scenario_percentile_ms(&outcome->latency_ns, 99);

    amdi_scenario_print(&options->shared,
            "  %3.1f x %11.0f %11.0f %9.0f (%3.0f %%) %9.1f %9.1f %9.1f"
            " %10" PRIu64 " %10" PRIu64 " %7" PRIu64 "%s\n",
            outcome->times, capacity, outcome->offered, outcome->goodput,
            share * 100, p50, p99, outcome_most_p99_ms(outcome),
            outcome->nrefused, outcome->npushbacks, outcome->nlate,
            missed == NULL ? "" : "  missed");
    (void)json_array_append_new(out_rows,
            json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I,"
                      " s:b}",
                    "times", outcome->times, "capacity_per_s", capacity,
                    "offered_per_s", outcome->offered, "goodput_per_s",
                    outcome->goodput, "share", share, "p50_ms", p50, "p99_ms",
                    p99, "p99_most_ms", outcome_most_p99_ms(outcome), "refused",
                    (json_int_t)outcome->nrefused, "with_pushback",
                    (json_int_t)outcome->npushbacks, "otherwise_ended",
                    (json_int_t)outcome->nlate, "met", missed == NULL));
}

// What it missed, or NULL.
static const char *
outcome_judge(const struct overload_options *options,
        const struct overload_outcome *outcome)
{
    if (outcome->npushbacks != outcome->nrefused) {
        return "every refusal says when to try again";
    }
    if (outcome->latency_ns.count == 0) {
        return "calls are answered";
    }
    if (options->shared.is_short) {
        return outcome->nlate == 0 ? NULL : "every call is answered or refused";
    }
    if (outcome->goodput < outcome_least_goodput(outcome)) {
        return "goodput is 95 % of the capacity";
    }
    return amdi_scenario_percentile_ms(&outcome->latency_ns, 99) <=
                    outcome_most_p99_ms(outcome)
            ? NULL
            : "accepted calls wait for twice the target at most";
}

/** Offers so many times the capacity, which is measured again afterwards. */
static amdrpc_err
overload_try(const struct overload_options *options, const char *target,
        double times, struct overload_capacity *capacity, json_t *out_rows,
        const char **out_missed)
{
    static struct overload_outcome outcome; // too large for a stack
    amdrpc_err err;

    outcome = (struct overload_outcome){.times = times, .before = *capacity};
    err = outcome_measure(options, target, &outcome);
    if (err == AMDRPC_OK) {
        err = capacity_measure(options, target, &outcome.after);
    }
    if (err == AMDRPC_OK) {
        *capacity = outcome.after;
        *out_missed = outcome_judge(options, &outcome);
        outcome_report(options, &outcome, *out_missed, out_rows);
    }
    return err;
}

static amdrpc_err
overload_measure(const struct overload_options *options, const char *target,
        json_t *out_rows, const char **out_missed)
{
    static const double times[] = {1, 1.5, 2, 3, 5};
    struct overload_capacity capacity = {0};
    amdrpc_err err = capacity_measure(options, target, &capacity);

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        const char *missed = NULL;

        for (int n = 0; n < ATTEMPTS_MAX && err == AMDRPC_OK; n++) {
            err = overload_try(
                    options, target, times[i], &capacity, out_rows, &missed);
            if (missed == NULL) {
                break;
            }
        }
        *out_missed = missed == NULL ? *out_missed : missed;
    }
    return err;
}

static int
overload_start(const struct overload_options *options)
{
    static const char *const args[] = {"--workers", WORKERS, NULL};
    const char *missed = NULL;
    struct amdi_server_child child;
    json_t *json;
    amdrpc_err err;
    int exit_status =
            amdi_scenario_start_server(&options->shared, args, &child);

    if (exit_status != AMDI_EXIT_OK) {
        return exit_status;
    }
    json = json_array();
    err = overload_measure(options, child.target, json, &missed);
    amdi_server_child_stop(&child, /*is_stuck=*/false);
    if (err != AMDRPC_OK) {
        amdi_program_error("cannot make calls: %s", amdrpc_err_text(err));
        json_decref(json);
        return AMDI_EXIT_FAILED;
    }
    return amdi_scenario_finish(&options->shared, "overload", json, missed);
}

int
amdi_scenario_overload(int argc, char **argv)
{
    struct overload_options options = {.duration_ms = 4000, .us = 10000};
    struct amdi_operands operands;
    int exit_status;

    if (!amdi_program_parse(
                &line, argc, argv, &options, &operands, &exit_status)) {
        return exit_status;
    }
    if (options.shared.is_short) {
        options.duration_ms = 600;
    }
    amdi_scenario_print(&options.shared,
            "Burn of %" PRIu64 " us on %s workers; calls have a deadline of "
            "%" PRIu64 " ms\n"
            "  %5s %11s %11s %17s %9s %9s %9s %10s %10s %7s\n",
            options.us, WORKERS, overload_timeout_ms(&options), "load",
            "capacity/s", "offered/s", "goodput/s", "p50 ms", "p99 ms",
            "at most", "refused", "pushbacks", "late");
    return overload_start(&options);
}
