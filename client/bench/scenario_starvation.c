/**
 * amdrpc-bench starvation: what thousands of waiting calls do to a server.
 *
 * The same load goes to two servers: one dispatches asynchronously (AMD), one
 * the classic way, where a call holds its thread until it has its answer. While
 * the calls wait, Echo is called on a connection of its own, with a deadline.
 * For a synchronous server, to wait is to block: there the waiting method is
 * Block, where AMD has Sleep.
 */
#include "client/bench/load.h"
#include "client/bench/options.h"
#include "client/bench/report.h"
#include "client/bench/request.h"
#include "client/bench/scenario.h"
#include "client/bench/server_child.h"
#include "client/program/program.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

// Few enough for any server's limit of calls on one connection.
#define CALLS_PER_CONNECTION 100

// They sleep nearly always.
#define THREADS_MAX 256

// Until the waiting calls have arrived.
#define SETTLE_MS 500

// A server that answers nothing is asked this often.
#define SYNC_PROBES 2

// How much longer than they wait the waiting calls may take to end.
#define DRAIN_EXTRA_MS 10000

struct starvation_options {
    const char *server;
    const char *module;
    uint64_t calls;
    uint64_t wait_ms;
    uint64_t probe_ms;
    uint64_t deadline_ms;
};

#define FIELD(name) offsetof(struct starvation_options, name)

static const struct amdi_option rows[] = {
        {"calls", AMDI_OPTION_NUMBER, FIELD(calls), "N",
                "Calls that wait at a time; default 10000.", 1, 200000},
        {"deadline", AMDI_OPTION_DURATION, FIELD(deadline_ms), "TIME",
                "Of each Echo; default 1s.", 1, 60000},
        {"module", AMDI_OPTION_TEXT, FIELD(module), "NAME",
                "The daemon's bench module, or its path; default bench.", 0, 0},
        {"probe-time", AMDI_OPTION_DURATION, FIELD(probe_ms), "TIME",
                "How long to call Echo; default 2s.", 1, 600000},
        {"server", AMDI_OPTION_TEXT, FIELD(server), "FILE",
                "The daemon; default: the amdrpcd beside this program.", 0, 0},
        {"wait", AMDI_OPTION_DURATION, FIELD(wait_ms), "TIME",
                "How long each call waits; default 5s.", 1, 600000},
};

static const struct amdi_command_line line = {
        .usage = "amdrpc-bench starvation [OPTION...]",
        .summary = "Calls Echo while thousands of calls wait: with "
                   "asynchronous dispatch, then with\nsynchronous dispatch, "
                   "each on a server of its own.",
        .notes = "Exit status: 0 when asynchronous dispatch answered every "
                 "call; 4 when not.\n",
        .options = rows,
        .noptions = sizeof(rows) / sizeof(rows[0]),
        .max_operands = 0,
};

/** One load, put on both servers. */
struct starvation_case {
    uint64_t calls;
    uint64_t wait_ms;
    const char *workers;
    uint64_t max_connections; // that share the calls
};

/** What one server did. */
struct starvation_outcome {
    bool is_sync;
    struct amdi_load_result waiting;
    struct amdi_load_result probe;
};

static void
plan_calls(const struct starvation_case *load_case, struct amdi_load_plan *plan)
{
    uint64_t connections = (load_case->calls + CALLS_PER_CONNECTION - 1) /
            CALLS_PER_CONNECTION;

    if (connections < load_case->max_connections) {
        connections = load_case->max_connections < load_case->calls
                ? load_case->max_connections
                : load_case->calls;
    }
    plan->connections = (uint32_t)connections;
    // A channel gives its calls to the connections that stand already; with
    // one connection each, the calls are spread as the case says.
    plan->threads =
            (uint32_t)(connections < THREADS_MAX ? connections : THREADS_MAX);
    plan->inflight =
            (uint32_t)((load_case->calls + connections - 1) / connections);
}

// Calls Echo for a while, one after the other.
static amdrpc_err
probe_run(const struct starvation_options *options, const char *target,
        struct starvation_outcome *outcome)
{
    struct amdi_bench_options echo = {.method = "echo", .payload_bytes = 16};
    struct amdi_bench_request request;
    struct amdi_load_plan plan = {
            .target = target,
            .threads = 1,
            .connections = 1,
            .inflight = 1,
            .timeout_ms = options->deadline_ms,
            .method = &request.method,
    };
    struct amdi_load *load = NULL;
    amdrpc_err err;

    if (amdi_bench_request_init(&request, &echo) != AMDI_EXIT_OK) {
        return AMDRPC_ENOMEM;
    }
    plan.request = amdi_buf_peek(&request.bytes);
    plan.request_len = amdi_buf_len(&request.bytes);
    err = amdi_load_create(&plan, &load);
    if (err == AMDRPC_OK) {
        amdi_load_measure(load, true);
        amdi_load_run(load,
                outcome->is_sync ? SYNC_PROBES * options->deadline_ms + 200
                                 : options->probe_ms);
        amdi_load_measure(load, false);
        amdi_load_stop(load, &outcome->probe);
        amdi_load_destroy(load);
    }
    amdi_bench_request_fini(&request);
    return err;
}

// Lets calls wait, and probes meanwhile.
static amdrpc_err
outcome_measure(const struct starvation_options *options,
        const struct starvation_case *load_case, const char *target,
        struct starvation_outcome *outcome)
{
    struct amdi_bench_options wait = {
            .method = outcome->is_sync ? "block" : "sleep",
            .ms = load_case->wait_ms,
    };
    struct amdi_bench_request request;
    struct amdi_load_plan plan = {.target = target, .method = &request.method};
    struct amdi_load *load = NULL;
    amdrpc_err err;

    if (amdi_bench_request_init(&request, &wait) != AMDI_EXIT_OK) {
        return AMDRPC_ENOMEM;
    }
    plan.request = amdi_buf_peek(&request.bytes);
    plan.request_len = amdi_buf_len(&request.bytes);
    plan_calls(load_case, &plan);
    err = amdi_load_create(&plan, &load);
    if (err == AMDRPC_OK) {
        amdi_load_measure(load, true);
        amdi_load_run(load, SETTLE_MS);
        err = probe_run(options, target, outcome);
        if (!outcome->is_sync) {
            amdi_load_drain(load, load_case->wait_ms + DRAIN_EXTRA_MS);
        }
        amdi_load_measure(load, false);
        amdi_load_stop(load, &outcome->waiting);
        amdi_load_destroy(load);
    }
    amdi_bench_request_fini(&request);
    return err;
}

static int
outcome_run(const struct starvation_options *options,
        const struct starvation_case *load_case,
        struct starvation_outcome *outcome)
{
    const char *args[] = {"--module", options->module, "--workers",
            load_case->workers, "--log-level", "warn", "--dispatch",
            outcome->is_sync ? "sync" : "pool", NULL};
    struct amdi_server_child child;
    int exit_status = amdi_server_child_start(&child, options->server, args);
    amdrpc_err err;

    if (exit_status != AMDI_EXIT_OK) {
        return exit_status;
    }
    err = outcome_measure(options, load_case, child.target, outcome);
    amdi_server_child_stop(&child, outcome->is_sync);
    if (err != AMDRPC_OK) {
        amdi_program_error("cannot make calls: %s", amdrpc_err_text(err));
        return AMDI_EXIT_FAILED;
    }
    return AMDI_EXIT_OK;
}

static void
print_percentile(const struct amdi_load_result *result, double percent)
{
    char text[32] = "-";

    if (result->calls[AMDRPC_STATUS_OK] > 0) {
        amdi_report_format_ns(
                amdi_histogram_percentile(&result->latency_ns, percent), text,
                sizeof(text));
    }
    (void)printf(" %10s", text);
}

static void
outcome_print(const struct starvation_outcome *outcome)
{
    const struct amdi_load_result *probe = &outcome->probe;
    char calls[48];

    (void)snprintf(calls, sizeof(calls), "%" PRIu64 " of %" PRIu64,
            probe->calls[AMDRPC_STATUS_OK], amdi_load_result_calls(probe));
    (void)printf("  %-6s %18s", outcome->is_sync ? "sync" : "AMD", calls);
    print_percentile(probe, 50);
    print_percentile(probe, 99);
    print_percentile(probe, 100);
    (void)printf(" %16" PRIu64, outcome->waiting.calls[AMDRPC_STATUS_OK]);
    for (int i = 1; i < AMDI_STATUS_COUNT; i++) {
        if (probe->calls[i] > 0) {
            (void)printf("  Echo: %" PRIu64 " %s", probe->calls[i],
                    amdrpc_status_name((amdrpc_status_code)i));
        }
    }
    (void)printf("\n");
    (void)amdi_program_flush();
}

// Every Echo and every waiting call has to be answered.
static bool
outcome_is_available(const struct starvation_outcome *outcome, uint64_t calls)
{
    const uint64_t *probe = outcome->probe.calls;
    const uint64_t *waiting = outcome->waiting.calls;

    return probe[AMDRPC_STATUS_OK] > 0 &&
            probe[AMDRPC_STATUS_OK] ==
            amdi_load_result_calls(&outcome->probe) &&
            waiting[AMDRPC_STATUS_OK] >= calls &&
            waiting[AMDRPC_STATUS_OK] ==
            amdi_load_result_calls(&outcome->waiting);
}

// Puts one load on both servers.
static int
case_run(const struct starvation_options *options,
        const struct starvation_case *load_case)
{
    static struct starvation_outcome outcome; // too large for a stack
    bool is_available = true;

    (void)printf("%" PRIu64 " calls wait %.1f s each, %s workers; Echo has a "
                 "deadline of %.1f s\n"
                 "  %-6s %18s %10s %10s %10s %16s\n",
            load_case->calls, (double)load_case->wait_ms / 1e3,
            load_case->workers, (double)options->deadline_ms / 1e3, "server",
            "Echo answered", "p50", "p99", "max", "waits ended OK");
    (void)amdi_program_flush();
    for (int is_sync = 0; is_sync < 2; is_sync++) {
        int exit_status;

        memset(&outcome, 0, sizeof(outcome));
        outcome.is_sync = is_sync != 0;
        exit_status = outcome_run(options, load_case, &outcome);
        if (exit_status != AMDI_EXIT_OK) {
            return exit_status;
        }
        outcome_print(&outcome);
        if (!outcome.is_sync) {
            is_available = outcome_is_available(&outcome, load_case->calls);
        }
    }
    if (!is_available) {
        amdi_program_error("with asynchronous dispatch not every call was "
                           "answered");
        return AMDI_EXIT_FAILED;
    }
    return AMDI_EXIT_OK;
}

int
amdi_scenario_starvation(int argc, char **argv)
{
    struct starvation_options options = {
            .module = "bench",
            .calls = 10000,
            .wait_ms = 5000,
            .probe_ms = 2000,
            .deadline_ms = 1000,
    };
    struct amdi_operands operands;
    int exit_status;

    if (!amdi_program_parse(
                &line, argc, argv, &options, &operands, &exit_status)) {
        return exit_status;
    }
    {
        // The second load is the classic one: more waits than workers, each
        // from a caller with a connection of its own.
        const struct starvation_case cases[] = {
                {options.calls, options.wait_ms, "2", 100},
                {options.calls < 100 ? options.calls : 100,
                        options.wait_ms < 1000 ? options.wait_ms : 1000, "8",
                        100},
        };

        for (size_t i = 0; i < 2 && exit_status == AMDI_EXIT_OK; i++) {
            exit_status = case_run(&options, &cases[i]);
        }
    }
    return exit_status;
}
