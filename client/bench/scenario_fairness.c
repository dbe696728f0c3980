/**
 * amdrpc-bench fairness: what one greedy caller takes from the others.
 *
 * Callers send at a fixed rate, each on a connection of its own. Together they
 * want about half of what the server can do; the greedy one alone wants a
 * multiple of it. The method is Block, which costs workers and no processor, so
 * that what is shared out is known: --workers over the time of a call.
 */
#include "client/bench/pace.h"
#include "client/bench/scenario.h"
#include "client/program/program.h"
#include "common/alloc.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#define NCALLERS 10

// With 8 workers, 1600 calls for each second.
#define WORKERS "8"
#define BLOCK_MS 5

// Of what they had alone, the others may lose this share.
#define LOSS_MAX 0.05

#define WARMUP_MS 300

// The short form judges answers: only a call that hangs may come to its end.
#define TIMEOUT_MS 2000
#define SHORT_TIMEOUT_MS 60000

struct fairness_options {
    struct amdi_scenario_options shared;
    uint64_t duration_ms;
    uint64_t rate;
    uint64_t times;
};

#define FIELD(name) offsetof(struct fairness_options, name)

static const struct amdi_option rows[] = {
        {"duration", AMDI_OPTION_DURATION, FIELD(duration_ms), "TIME",
                "How long to measure each time; default 4s.", 1, 600000},
        AMDI_SCENARIO_ROW_JSON,
        AMDI_SCENARIO_ROW_MODULE,
        {"rate", AMDI_OPTION_NUMBER, FIELD(rate), "N",
                "Calls per second of each caller; default 80.", 1, 10000},
        AMDI_SCENARIO_ROW_SERVER,
        AMDI_SCENARIO_ROW_SHORT,
        {"times", AMDI_OPTION_NUMBER, FIELD(times), "N",
                "How many times as much the greedy one sends; default 100.", 1,
                1000},
};

static const struct amdi_command_line line = {
        .usage = "amdrpc-bench fairness [OPTION...]",
        .summary = "Lets nine callers send at a fixed rate, alone and then "
                   "beside a tenth that\nsends 100 times more.",
        .notes = "Exit status: 0 when the nine lost less than 5 % of their "
                 "throughput; 4 when not.\n",
        .options = rows,
        .noptions = sizeof(rows) / sizeof(rows[0]),
        .max_operands = 0,
};

/** Runs @ncallers; the last one of all ten is the greedy one. */
static amdrpc_err
fairness_run(const struct fairness_options *options, const char *target,
        size_t ncallers, struct amdi_pace_result *results)
{
    const struct amdi_bench_options block = {.method = "block", .ms = BLOCK_MS};
    struct amdi_bench_request request;
    struct amdi_pace_plan plan = {
            .target = target,
            .ncallers = ncallers,
            .timeout_ms =
                    options->shared.is_short ? SHORT_TIMEOUT_MS : TIMEOUT_MS,
            .method = &request.method,
            .warmup_ms = WARMUP_MS,
            .duration_ms = options->duration_ms,
            .counts_all = options->shared.is_short,
    };
    amdrpc_err err;

    if (amdi_bench_request_init(&request, &block) != AMDI_EXIT_OK) {
        return AMDRPC_ENOMEM;
    }
    plan.request = amdi_buf_peek(&request.bytes);
    plan.request_len = amdi_buf_len(&request.bytes);
    for (size_t i = 0; i < ncallers; i++) {
        plan.rates[i] = (double)options->rate *
                (double)(i < NCALLERS - 1 ? 1 : options->times);
    }
    err = amdi_pace_run(&plan, results);
    amdi_bench_request_fini(&request);
    return err;
}

/** Some callers together. */
struct fairness_sum {
    uint64_t noffered;
    uint64_t nok;
    uint64_t nended;
    struct amdi_histogram latency_ns;
};

static void
sum_init(struct fairness_sum *sum, const struct amdi_pace_result *results,
        size_t nresults)
{
    *sum = (struct fairness_sum){.noffered = 0};
    amdi_histogram_init(&sum->latency_ns);
    for (size_t i = 0; i < nresults; i++) {
        sum->noffered += results[i].noffered;
        sum->nok += results[i].calls[AMDRPC_STATUS_OK];
        for (size_t j = 0; j < AMDI_STATUS_COUNT; j++) {
            sum->nended += results[i].calls[j];
        }
        amdi_histogram_merge(&sum->latency_ns, &results[i].latency_ns);
    }
}

static void
sum_report(const struct fairness_options *options,
        const struct fairness_sum *sum, const char *who, json_t *out_rows)
{
    double seconds = (double)options->duration_ms / 1e3;
    double p50 = amdi_scenario_percentile_ms(&sum->latency_ns, 50);
    double p99 = amdi_scenario_percentile_ms(&sum->latency_ns, 99);

    amdi_scenario_print(&options->shared,
            "  %-24s %12.0f %12.0f %12" PRIu64 " %9.1f %9.1f\n", who,
            (double)sum->noffered / seconds, (double)sum->nok / seconds,
            sum->nended - sum->nok, p50, p99);
    (void)json_array_append_new(out_rows,
            json_pack("{s:s, s:f, s:f, s:I, s:f, s:f}", "callers", who,
                    "offered_per_s", (double)sum->noffered / seconds,
                    "ok_per_s", (double)sum->nok / seconds, "not_ok",
                    (json_int_t)(sum->nended - sum->nok), "p50_ms", p50,
                    "p99_ms", p99));
}

// What the others lost; also judges them.
static const char *
fairness_judge(const struct fairness_options *options,
        const struct fairness_sum *alone, const struct fairness_sum *beside)
{
    double loss =
            alone->nok == 0 ? 1 : 1 - (double)beside->nok / (double)alone->nok;

    amdi_scenario_print(&options->shared,
            "  the nine lost %.1f %% of their throughput\n", loss * 100);
    if (beside->nok == 0 || beside->nok < beside->nended) {
        return "every call of the nine is answered";
    }
    return options->shared.is_short || loss < LOSS_MAX
            ? NULL
            : "the nine lose less than 5 % of their throughput";
}

static amdrpc_err
fairness_measure(const struct fairness_options *options, const char *target,
        struct amdi_pace_result *results, json_t *out_rows,
        const char **out_missed)
{
    static struct fairness_sum sums[3]; // too large for a stack
    amdrpc_err err = fairness_run(options, target, NCALLERS - 1, results);

    if (err != AMDRPC_OK) {
        return err;
    }
    sum_init(&sums[0], results, NCALLERS - 1);
    sum_report(options, &sums[0], "the nine, alone", out_rows);
    err = fairness_run(options, target, NCALLERS, results);
    if (err != AMDRPC_OK) {
        return err;
    }
    sum_init(&sums[1], results, NCALLERS - 1);
    sum_init(&sums[2], &results[NCALLERS - 1], 1);
    sum_report(options, &sums[1], "the nine, beside it", out_rows);
    sum_report(options, &sums[2], "the greedy one", out_rows);
    *out_missed = fairness_judge(options, &sums[0], &sums[1]);
    return AMDRPC_OK;
}

static int
fairness_start(const struct fairness_options *options)
{
    static const char *const args[] = {"--workers", WORKERS, NULL};
    struct amdi_pace_result *results =
            amdi_calloc(NCALLERS, sizeof(struct amdi_pace_result));
    json_t *json = json_array();
    const char *missed = NULL;
    struct amdi_server_child child;
    amdrpc_err err = AMDRPC_ENOMEM;
    int exit_status =
            amdi_scenario_start_server(&options->shared, args, &child);

    if (exit_status == AMDI_EXIT_OK) {
        if (results != NULL) {
            err = fairness_measure(
                    options, child.target, results, json, &missed);
        }
        amdi_server_child_stop(&child, /*is_stuck=*/false);
        if (err != AMDRPC_OK) {
            amdi_program_error("cannot make calls: %s", amdrpc_err_text(err));
            exit_status = AMDI_EXIT_FAILED;
        }
    }
    amdi_free(results);
    if (exit_status != AMDI_EXIT_OK) {
        json_decref(json);
        return exit_status;
    }
    return amdi_scenario_finish(&options->shared, "fairness", json, missed);
}

int
amdi_scenario_fairness(int argc, char **argv)
{
    struct fairness_options options = {
            .duration_ms = 4000, .rate = 80, .times = 100};
    struct amdi_operands operands;
    int exit_status;

    if (!amdi_program_parse(
                &line, argc, argv, &options, &operands, &exit_status)) {
        return exit_status;
    }
    if (options.shared.is_short) {
        options.duration_ms = 1000;
        options.rate = 20;
    }
    amdi_scenario_print(&options.shared,
            "Block of %d ms on %s workers; %" PRIu64
            " calls/s of each of nine callers\n"
            "  %-24s %12s %12s %12s %9s %9s\n",
            BLOCK_MS, WORKERS, options.rate, "callers", "offered/s", "OK/s",
            "not OK", "p50 ms", "p99 ms");
    return fairness_start(&options);
}
