/** amdrpc-bench: loads a gRPC server, and shows what dispatch does to it. */
#include "client/bench/load.h"
#include "client/bench/options.h"
#include "client/bench/report.h"
#include "client/bench/request.h"
#include "client/bench/scenario.h"
#include "client/bench/submit.h"
#include "client/program/program.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} scenarios[] = {
        {"fairness", amdi_scenario_fairness},
        {"overload", amdi_scenario_overload},
        {"starvation", amdi_scenario_starvation},
};

static int
write_json(const char *path, const struct amdi_report *report)
{
    FILE *file = stdout;
    amdrpc_err err;

    if (strcmp(path, "-") != 0) {
        file = fopen(path, "we");
        if (file == NULL) {
            amdi_program_error("cannot open %s: %s", path, strerror(errno));
            return AMDI_EXIT_FAILED;
        }
    }
    err = amdi_report_write_json(report, file);
    if (file != stdout && fclose(file) != 0 && err == AMDRPC_OK) {
        err = AMDRPC_EIO;
    }
    if (err != AMDRPC_OK) {
        amdi_program_error("cannot write %s: %s", path, amdrpc_err_text(err));
        return AMDI_EXIT_FAILED;
    }
    return AMDI_EXIT_OK;
}

static int
print_report(
        const struct amdi_bench_options *options, struct amdi_report *report)
{
    const uint64_t *calls = report->result->calls;
    int exit_status = AMDI_EXIT_OK;

    // With the JSON on standard output, nothing else is to stand there.
    if (options->json == NULL || strcmp(options->json, "-") != 0) {
        amdi_report_print(report, stdout);
    }
    if (options->json != NULL) {
        exit_status = write_json(options->json, report);
    }
    if (exit_status == AMDI_EXIT_OK && calls[AMDRPC_STATUS_OK] == 0) {
        amdi_program_error("no call ended OK");
        exit_status = AMDI_EXIT_CONNECT;
    }
    return exit_status;
}

// What a process used between two looks; false when it cannot be looked at.
static bool
usage_read(uint64_t pid, struct amdi_process_usage *out)
{
    return pid != 0 && amdi_process_usage_read((pid_t)pid, out) == AMDRPC_OK;
}

static void
measure(struct amdi_load *load, const struct amdi_bench_options *options,
        struct amdi_report *report)
{
    struct amdi_process_usage server[2] = {{.cpu_us = 0}};
    struct amdi_process_usage client[2] = {{.cpu_us = 0}};

    amdi_load_run(load, options->warmup_ms);
    (void)usage_read(options->server_pid, &server[0]);
    (void)usage_read((uint64_t)getpid(), &client[0]);
    amdi_load_measure(load, true);
    amdi_load_run(load, options->duration_ms);
    amdi_load_measure(load, false);
    (void)usage_read((uint64_t)getpid(), &client[1]);
    report->has_server = usage_read(options->server_pid, &server[1]);
    report->server_cpu_us = server[1].cpu_us - server[0].cpu_us;
    report->server_rss_bytes = server[1].rss_bytes;
    report->client_cpu_us = client[1].cpu_us - client[0].cpu_us;
}

/** What a load of operations needs beside the request. */
struct operations {
    struct amdi_bench_submit submit;
    amdrpc_metadata *metadata; // owned
};

/**
 * Lets the plan make operations: by submissions, or, when it waits for them,
 * by calls that are kept as operations.
 */
static amdrpc_err
operations_plan(struct operations *operations,
        const struct amdi_bench_options *options, struct amdi_load_plan *plan)
{
    if (options->wait) {
        amdrpc_err err = amdrpc_metadata_create(&operations->metadata);

        plan->metadata = operations->metadata;
        return err == AMDRPC_OK ? amdrpc_metadata_add_text(operations->metadata,
                                          "amdrpc-detach", "on-disconnect")
                                : err;
    }
    if (options->submit) {
        operations->submit = (struct amdi_bench_submit){
                .path = plan->method->path,
                .request = plan->request,
                .request_len = plan->request_len,
                .has_random_ids = options->request_id != NULL &&
                        strcmp(options->request_id, "random") == 0,
        };
        plan->method = amdi_bench_submit_method();
        plan->send = amdi_bench_submit_send;
        plan->send_arg = &operations->submit;
    }
    return AMDRPC_OK;
}

static int
run_plan(const struct amdi_bench_options *options, struct amdi_load_plan *plan)
{
    static struct amdi_load_result result; // too large for a stack
    struct amdi_report report = {.plan = plan, .result = &result};
    struct operations operations = {.metadata = NULL};
    struct amdi_load *load = NULL;
    amdrpc_err err = operations_plan(&operations, options, plan);

    if (err == AMDRPC_OK) {
        err = amdi_load_create(plan, &load);
    }
    if (err == AMDRPC_OK) {
        measure(load, options, &report);
        amdi_load_stop(load, &result);
        amdi_load_destroy(load);
    }
    amdrpc_metadata_destroy(operations.metadata);
    if (err == AMDRPC_EINVAL) {
        amdi_program_error("'%s' is not a server: HOST:PORT", options->target);
        return AMDI_EXIT_USAGE;
    }
    if (err != AMDRPC_OK) {
        amdi_program_error("cannot start: %s", amdrpc_err_text(err));
        return AMDI_EXIT_FAILED;
    }
    return print_report(options, &report);
}

static int
run_load(const struct amdi_bench_options *options,
        const struct amdi_bench_request *request)
{
    struct amdi_load_plan plan = {
            .target = options->target,
            .threads = (uint32_t)options->threads,
            .connections = (uint32_t)options->connections,
            .inflight = (uint32_t)options->inflight,
            .timeout_ms = options->timeout_ms,
            .method = &request->method,
            .request = amdi_buf_peek(&request->bytes),
            .request_len = amdi_buf_len(&request->bytes),
    };

    return run_plan(options, &plan);
}

static int
run(int argc, char **argv)
{
    struct amdi_bench_options options;
    struct amdi_bench_request request;
    struct amdi_process_usage usage;
    int exit_status = AMDI_EXIT_OK;

    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        if (argc > 1 && strcmp(argv[1], scenarios[i].name) == 0) {
            return scenarios[i].run(argc - 1, argv + 1);
        }
    }
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        (void)puts("amdrpc-bench " AMDI_VERSION);
        return AMDI_EXIT_OK;
    }
    if (!amdi_bench_options_parse(argc, argv, &options, &exit_status)) {
        return exit_status;
    }
    if (options.server_pid != 0 && !usage_read(options.server_pid, &usage)) {
        amdi_program_error("--server-pid: no such process here");
        return AMDI_EXIT_USAGE;
    }
    exit_status = amdi_bench_request_init(&request, &options);
    if (exit_status == AMDI_EXIT_OK) {
        exit_status = run_load(&options, &request);
        amdi_bench_request_fini(&request);
    }
    return exit_status;
}

int
main(int argc, char **argv)
{
    amdi_program_start("amdrpc-bench");
    return amdi_program_finish(run(argc, argv));
}
