/**
 * amdrpc-bench starvation: what waiting calls do to a server.
 *
 * While calls wait, Echo is called on a connection of its own, with a deadline.
 * Three loads, each on a server of its own:
 * - Sleep, more calls than workers, each from its own caller; the same goes to
 *   a server that dispatches the classic way, where a call holds its thread
 *   until it has its answer. For it, to wait is to block: there the method is
 *   Block.
 * - Block, thousands of calls of one caller, which do hold workers: those that
 *   the method may have.
 * - Sleep, as many calls as can be, for the memory that each takes.
 */
#include "client/bench/scenario.h"
#include "client/bench/server_cpu.h"
#include "client/program/program.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

// They sleep nearly always. A channel gives its calls to the connections that
// stand already; with one connection each, all have as many.
#define THREADS_MAX 256

// Until the waiting calls have arrived.
#define SETTLE_MS 500

// A server that answers nothing is asked this often.
#define SYNC_PROBES 2

// How much longer than they wait the waiting calls may take to end.
#define DRAIN_EXTRA_MS 20000

struct starvation_options {
    struct amdi_scenario_options shared;
    uint64_t calls;
    uint64_t wait_ms;
    uint64_t probe_ms;
    uint64_t deadline_ms;
};

#define FIELD(name) offsetof(struct starvation_options, name)

static const struct amdi_option rows[] = {
        {"calls", AMDI_OPTION_NUMBER, FIELD(calls), "N",
                "Calls of the largest load; default 100000.", 100, 200000},
        {"deadline", AMDI_OPTION_DURATION, FIELD(deadline_ms), "TIME",
                "Of each Echo; default 1s.", 1, 60000},
        AMDI_SCENARIO_ROW_JSON,
        AMDI_SCENARIO_ROW_MODULE,
        {"probe-time", AMDI_OPTION_DURATION, FIELD(probe_ms), "TIME",
                "How long to call Echo; default 2s.", 1, 600000},
        AMDI_SCENARIO_ROW_SERVER,
        AMDI_SCENARIO_ROW_SHORT,
        {"wait", AMDI_OPTION_DURATION, FIELD(wait_ms), "TIME",
                "How long the calls of the largest load wait; default 10s.", 1,
                600000},
};

static const struct amdi_command_line line = {
        .usage = "amdrpc-bench starvation [OPTION...]",
        .summary = "Calls Echo while thousands of calls wait: with "
                   "asynchronous dispatch, and once\nwith synchronous "
                   "dispatch beside it.",
        .notes = "Exit status: 0 when asynchronous dispatch answered every "
                 "call, soon and with\nlittle memory; 4 when not.\n",
        .options = rows,
        .noptions = sizeof(rows) / sizeof(rows[0]),
        .max_operands = 0,
};

/** One load. */
struct starvation_case {
    const char *method; // with synchronous dispatch: block
    uint64_t calls;
    uint64_t wait_ms;
    uint32_t connections;
    const char *workers;
    const char *module_setting;
    bool has_sync;       // the same load goes to a synchronous server too
    bool ends;           // the waits are waited for
    bool measures_bytes; // what a waiting call takes
    double percent;      // of the calls of Echo …
    double max_ms;       // … are answered in this time
};

// Of a waiting call in the server.
#define BYTES_MAX 700.0

/** What one server did. */
struct starvation_outcome {
    bool is_sync;
    struct amdi_load_result waiting;
    struct amdi_load_result probe;
    uint64_t rss_before; // with one call on each connection
    uint64_t rss_during;
    uint64_t rss_after;
};

// Calls Echo for a while, one after the other.
static amdrpc_err
probe_run(const struct starvation_options *options, const char *target,
        struct starvation_outcome *outcome)
{
    const struct amdi_bench_options echo = {
            .method = "echo", .payload_bytes = 16};
    struct amdi_load_plan plan = {
            .target = target,
            .threads = 1,
            .connections = 1,
            .inflight = 1,
            .timeout_ms = options->deadline_ms,
    };
    struct amdi_scenario_load load;
    amdrpc_err err = amdi_scenario_load_start(&load, &echo, &plan);

    if (err == AMDRPC_OK) {
        amdi_load_run(load.load,
                outcome->is_sync ? SYNC_PROBES * options->deadline_ms + 200
                                 : options->probe_ms);
        amdi_scenario_load_stop(&load, &outcome->probe);
    }
    return err;
}

// Starts calls that wait, @calls of them.
static amdrpc_err
wait_start(const struct starvation_case *load_case,
        const struct amdi_server_child *child, bool is_sync, uint64_t calls,
        struct amdi_scenario_load *out)
{
    const struct amdi_bench_options wait = {
            .method = is_sync ? "block" : load_case->method,
            .ms = load_case->wait_ms,
    };
    uint32_t connections = load_case->connections;
    struct amdi_load_plan plan = {
            .target = child->target,
            .connections = connections,
            .threads = connections < THREADS_MAX ? connections : THREADS_MAX,
            .inflight = (uint32_t)((calls + connections - 1) / connections),
            .once = load_case->measures_bytes,
    };

    return amdi_scenario_load_start(out, &wait, &plan);
}

static uint64_t
child_rss(const struct amdi_server_child *child)
{
    struct amdi_process_usage usage;

    return amdi_process_usage_read(child->pid, &usage) == AMDRPC_OK
            ? usage.rss_bytes
            : 0;
}

// What the server has with its connections, but few calls.
static amdrpc_err
measure_before(const struct starvation_case *load_case,
        const struct amdi_server_child *child,
        struct starvation_outcome *outcome)
{
    struct amdi_scenario_load few;
    amdrpc_err err = wait_start(
            load_case, child, outcome->is_sync, load_case->connections, &few);

    if (err == AMDRPC_OK) {
        amdi_load_run(few.load, SETTLE_MS);
        outcome->rss_before = child_rss(child);
        amdi_scenario_load_stop(&few, &outcome->waiting);
    }
    return err;
}

// Lets calls wait, and probes meanwhile.
static amdrpc_err
outcome_measure(const struct starvation_options *options,
        const struct starvation_case *load_case,
        const struct amdi_server_child *child,
        struct starvation_outcome *outcome)
{
    struct amdi_scenario_load waiting;
    amdrpc_err err = AMDRPC_OK;

    if (load_case->measures_bytes) {
        err = measure_before(load_case, child, outcome);
    }
    if (err == AMDRPC_OK) {
        err = wait_start(
                load_case, child, outcome->is_sync, load_case->calls, &waiting);
    }
    if (err != AMDRPC_OK) {
        return err;
    }
    amdi_load_run(waiting.load,
            SETTLE_MS + (load_case->measures_bytes ? options->wait_ms / 4 : 0));
    err = probe_run(options, child->target, outcome);
    outcome->rss_during = child_rss(child);
    if (!outcome->is_sync && load_case->ends) {
        amdi_load_drain(waiting.load, load_case->wait_ms + DRAIN_EXTRA_MS);
    }
    amdi_scenario_load_stop(&waiting, &outcome->waiting);
    outcome->rss_after = child_rss(child);
    return err;
}

static int
outcome_run(const struct starvation_options *options,
        const struct starvation_case *load_case,
        struct starvation_outcome *outcome)
{
    const char *args[] = {"--workers", load_case->workers, "--dispatch",
            outcome->is_sync ? "sync" : "pool", "--set",
            load_case->module_setting, NULL};
    struct amdi_server_child child;
    int exit_status;
    amdrpc_err err;

    if (load_case->module_setting == NULL) {
        args[4] = NULL;
    }
    exit_status = amdi_scenario_start_server(&options->shared, args, &child);
    if (exit_status != AMDI_EXIT_OK) {
        return exit_status;
    }
    err = outcome_measure(options, load_case, &child, outcome);
    amdi_server_child_stop(
            &child, /*is_stuck=*/outcome->is_sync || !load_case->ends);
    if (err != AMDRPC_OK) {
        amdi_program_error("cannot make calls: %s", amdrpc_err_text(err));
        return AMDI_EXIT_FAILED;
    }
    return AMDI_EXIT_OK;
}

// Of each call that waits.
static double
outcome_bytes(const struct starvation_outcome *outcome,
        const struct starvation_case *load_case)
{
    return ((double)outcome->rss_during - (double)outcome->rss_before) /
            (double)(load_case->calls - load_case->connections + 1);
}

static void
outcome_print(const struct starvation_options *options,
        const struct starvation_case *load_case,
        const struct starvation_outcome *outcome)
{
    const struct amdi_load_result *probe = &outcome->probe;
    char calls[48];

    (void)snprintf(calls, sizeof(calls), "%" PRIu64 " of %" PRIu64,
            probe->calls[AMDRPC_STATUS_OK], amdi_load_result_calls(probe));
    amdi_scenario_print(&options->shared,
            "  %-6s %18s %10.2f %10.2f %10.2f %16" PRIu64,
            outcome->is_sync ? "sync" : "AMD", calls,
            amdi_scenario_percentile_ms(&probe->latency_ns, 50),
            amdi_scenario_percentile_ms(&probe->latency_ns, 99),
            amdi_scenario_percentile_ms(&probe->latency_ns, 100),
            outcome->waiting.calls[AMDRPC_STATUS_OK]);
    for (int i = 1; i < AMDI_STATUS_COUNT; i++) {
        if (probe->calls[i] > 0) {
            amdi_scenario_print(&options->shared, "  Echo: %" PRIu64 " %s",
                    probe->calls[i], amdrpc_status_name((amdrpc_status_code)i));
        }
    }
    amdi_scenario_print(&options->shared, "\n");
    if (load_case->measures_bytes) {
        amdi_scenario_print(&options->shared,
                "  server memory: %.1f MB before, %.1f MB with the calls, "
                "%.1f MB after: %.0f B for each\n",
                (double)outcome->rss_before / 1e6,
                (double)outcome->rss_during / 1e6,
                (double)outcome->rss_after / 1e6,
                outcome_bytes(outcome, load_case));
    }
}

static json_t *
outcome_json(const struct starvation_case *load_case,
        const struct starvation_outcome *outcome)
{
    const struct amdi_load_result *probe = &outcome->probe;
    json_t *row = json_pack("{s:s, s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:I}",
            "dispatch", outcome->is_sync ? "sync" : "pool", "method",
            outcome->is_sync ? "block" : load_case->method, "calls",
            (json_int_t)load_case->calls, "echo_calls",
            (json_int_t)amdi_load_result_calls(probe), "echo_ok",
            (json_int_t)probe->calls[AMDRPC_STATUS_OK], "echo_p50_ms",
            amdi_scenario_percentile_ms(&probe->latency_ns, 50), "echo_p99_ms",
            amdi_scenario_percentile_ms(&probe->latency_ns, 99), "echo_max_ms",
            amdi_scenario_percentile_ms(&probe->latency_ns, 100), "waits_ok",
            (json_int_t)outcome->waiting.calls[AMDRPC_STATUS_OK]);

    if (row != NULL && load_case->measures_bytes) {
        (void)json_object_set_new(row, "bytes_per_waiting_call",
                json_real(outcome_bytes(outcome, load_case)));
        (void)json_object_set_new(row, "rss_after_bytes",
                json_integer((json_int_t)outcome->rss_after));
    }
    return row;
}

// What asynchronous dispatch missed, or NULL.
static const char *
outcome_judge(const struct starvation_options *options,
        const struct starvation_case *load_case,
        const struct starvation_outcome *outcome)
{
    const struct amdi_load_result *probe = &outcome->probe;
    const struct amdi_load_result *waiting = &outcome->waiting;

    if (probe->calls[AMDRPC_STATUS_OK] == 0 ||
            probe->calls[AMDRPC_STATUS_OK] != amdi_load_result_calls(probe)) {
        return "every Echo is answered";
    }
    if (load_case->ends &&
            (waiting->calls[AMDRPC_STATUS_OK] < load_case->calls ||
                    waiting->calls[AMDRPC_STATUS_OK] !=
                            amdi_load_result_calls(waiting))) {
        return "every waiting call is answered";
    }
    if (options->shared.is_short) {
        return NULL;
    }
    if (load_case->measures_bytes &&
            outcome_bytes(outcome, load_case) > BYTES_MAX) {
        return "a waiting call takes up to 700 B";
    }
    return amdi_scenario_percentile_ms(
                   &probe->latency_ns, load_case->percent) <= load_case->max_ms
            ? NULL
            : "Echo is answered soon";
}

// Puts one load on its servers.
static int
case_run(const struct starvation_options *options,
        const struct starvation_case *load_case, json_t *out_rows,
        const char **out_missed)
{
    static struct starvation_outcome outcome; // too large for a stack

    amdi_scenario_print(&options->shared,
            "%" PRIu64 " calls of %s wait %.1f s each, on %" PRIu32
            " connections; %s workers\n"
            "  %-6s %18s %10s %10s %10s %16s\n",
            load_case->calls, load_case->method,
            (double)load_case->wait_ms / 1e3, load_case->connections,
            load_case->workers, "server", "Echo answered", "p50 ms", "p99 ms",
            "max ms", "waits ended OK");
    for (int is_sync = 0; is_sync <= load_case->has_sync; is_sync++) {
        int exit_status;

        memset(&outcome, 0, sizeof(outcome));
        outcome.is_sync = is_sync != 0;
        exit_status = outcome_run(options, load_case, &outcome);
        if (exit_status != AMDI_EXIT_OK) {
            return exit_status;
        }
        outcome_print(options, load_case, &outcome);
        (void)json_array_append_new(
                out_rows, outcome_json(load_case, &outcome));
        if (!outcome.is_sync && *out_missed == NULL) {
            *out_missed = outcome_judge(options, load_case, &outcome);
        }
    }
    return AMDI_EXIT_OK;
}

static int
starvation_run(const struct starvation_options *options)
{
    const struct starvation_case cases[] = {
            {.method = "sleep",
                    .calls = 100,
                    .wait_ms = 1000,
                    .connections = 100,
                    .workers = "8",
                    .has_sync = true,
                    .ends = true,
                    .percent = 50,
                    .max_ms = 1},
            {.method = "block",
                    .calls = options->calls / 10,
                    .wait_ms = 1000,
                    .connections = 1,
                    .workers = "8",
                    .module_setting = "bench.block-running=6",
                    .percent = 99,
                    .max_ms = 50},
            {.method = "sleep",
                    .calls = options->calls,
                    .wait_ms = options->wait_ms,
                    .connections = 100,
                    .workers = "2",
                    .ends = true,
                    .measures_bytes = true,
                    .percent = 99,
                    .max_ms = 50},
    };
    json_t *json = json_array();
    const char *missed = NULL;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int exit_status = case_run(options, &cases[i], json, &missed);

        if (exit_status != AMDI_EXIT_OK) {
            json_decref(json);
            return exit_status;
        }
    }
    return amdi_scenario_finish(&options->shared, "starvation", json, missed);
}

int
amdi_scenario_starvation(int argc, char **argv)
{
    struct starvation_options options = {
            .calls = 100000,
            .wait_ms = 10000,
            .probe_ms = 2000,
            .deadline_ms = 1000,
    };
    struct amdi_operands operands;
    int exit_status;

    if (!amdi_program_parse(
                &line, argc, argv, &options, &operands, &exit_status)) {
        return exit_status;
    }
    if (options.shared.is_short) {
        options.calls = 1000;
        options.wait_ms = 1000;
        options.probe_ms = 300;
    }
    return starvation_run(&options);
}
