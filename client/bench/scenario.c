/** What the scenarios share. */
#include "client/bench/scenario.h"

#include "client/program/program.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define SHARED_ARGS 8

int
amdi_scenario_start_server(const struct amdi_scenario_options *options,
        const char *const *args, struct amdi_server_child *child)
{
    const char *all[AMDI_CHILD_ARGS_MAX + 1] = {"--module",
            options->module == NULL ? "bench" : options->module, "--log-level",
            "warn", "--max-concurrent-streams", "200000",
            "--max-connections-per-address", "2000", NULL};

    for (size_t i = 0; args[i] != NULL && SHARED_ARGS + i < AMDI_CHILD_ARGS_MAX;
            i++) {
        all[SHARED_ARGS + i] = args[i];
    }
    return amdi_server_child_start(child, options->server, all);
}

amdrpc_err
amdi_scenario_load_start(struct amdi_scenario_load *load,
        const struct amdi_bench_options *what, struct amdi_load_plan *plan)
{
    amdrpc_err err;

    if (amdi_bench_request_init(&load->request, what) != AMDI_EXIT_OK) {
        return AMDRPC_ENOMEM;
    }
    plan->method = &load->request.method;
    plan->request = amdi_buf_peek(&load->request.bytes);
    plan->request_len = amdi_buf_len(&load->request.bytes);
    err = amdi_load_create(plan, &load->load);
    if (err != AMDRPC_OK) {
        amdi_bench_request_fini(&load->request);
        return err;
    }
    amdi_load_measure(load->load, true);
    return AMDRPC_OK;
}

void
amdi_scenario_load_stop(
        struct amdi_scenario_load *load, struct amdi_load_result *out)
{
    amdi_load_measure(load->load, false);
    amdi_load_stop(load->load, out);
    amdi_load_destroy(load->load);
    amdi_bench_request_fini(&load->request);
}

void
amdi_scenario_print(
        const struct amdi_scenario_options *options, const char *format, ...)
{
    va_list args;

    if (options->json != NULL && strcmp(options->json, "-") == 0) {
        return;
    }
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)amdi_program_flush(); // the next line may take long
}

static int
scenario_write_json(const char *path, const json_t *root)
{
    bool is_stdout = strcmp(path, "-") == 0;
    FILE *file = is_stdout ? stdout : fopen(path, "we");
    bool is_written;

    if (file == NULL) {
        amdi_program_error("cannot open %s: %s", path, strerror(errno));
        return AMDI_EXIT_FAILED;
    }
    is_written = root != NULL &&
            json_dumpf(root, file, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) ==
                    0 &&
            fputc('\n', file) != EOF;
    if (!is_stdout && fclose(file) != 0) {
        is_written = false;
    }
    if (!is_written) {
        amdi_program_error("cannot write %s", path);
        return AMDI_EXIT_FAILED;
    }
    return AMDI_EXIT_OK;
}

int
amdi_scenario_finish(const struct amdi_scenario_options *options,
        const char *name, json_t *rows, const char *missed)
{
    // Without memory for its parts, a NULL comes back, and is told below.
    json_t *root = json_pack("{s:s, s:b, s:o}", "scenario", name, "is_met",
            missed == NULL, "rows", rows);
    int exit_status = AMDI_EXIT_OK;

    if (options->json != NULL) {
        exit_status = scenario_write_json(options->json, root);
    }
    json_decref(root);
    if (exit_status == AMDI_EXIT_OK && missed != NULL) {
        amdi_program_error("missed: %s", missed);
        exit_status = AMDI_EXIT_FAILED;
    }
    return exit_status;
}

double
amdi_scenario_percentile_ms(
        const struct amdi_histogram *latency_ns, double percent)
{
    return (double)amdi_histogram_percentile(latency_ns, percent) / 1e6;
}
