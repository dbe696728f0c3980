/** What a load came to: a table for people, JSON for programs. */
#include "client/bench/report.h"

#include <amdrpc/status.h>

#include <inttypes.h>
#include <jansson.h>

static const struct {
    const char *name;
    double percent;
} percentiles[] = {
        {"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"max", 100}};

#define NPERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))

void
amdi_report_format_ns(uint64_t ns, char *out, size_t size)
{
    double value = (double)ns;

    if (value < 1e3) {
        (void)snprintf(out, size, "%.0f ns", value);
    } else if (value < 1e6) {
        (void)snprintf(out, size, "%.1f us", value / 1e3);
    } else if (value < 1e9) {
        (void)snprintf(out, size, "%.2f ms", value / 1e6);
    } else {
        (void)snprintf(out, size, "%.2f s", value / 1e9);
    }
}

static double
per_second(const struct amdi_report *report, uint64_t count)
{
    double seconds = (double)report->result->elapsed_ns / 1e9;

    return seconds > 0 ? (double)count / seconds : 0;
}

static double
per_call(const struct amdi_report *report, uint64_t us)
{
    uint64_t calls = amdi_load_result_calls(report->result);

    return calls > 0 ? (double)us / (double)calls : 0;
}

static void
print_latency(const struct amdi_report *report, FILE *file)
{
    (void)fprintf(file, "  latency      ");
    for (size_t i = 0; i < NPERCENTILES; i++) {
        char text[32];

        amdi_report_format_ns(
                amdi_histogram_percentile(
                        &report->result->latency_ns, percentiles[i].percent),
                text, sizeof(text));
        (void)fprintf(
                file, "%s%s %s", i == 0 ? "" : "  ", percentiles[i].name, text);
    }
    (void)fputc('\n', file);
}

static void
print_statuses(const struct amdi_report *report, FILE *file)
{
    (void)fprintf(file, "  status       ");
    for (int i = 0; i < AMDI_STATUS_COUNT; i++) {
        if (report->result->calls[i] > 0) {
            (void)fprintf(file, "%s %" PRIu64 "  ",
                    amdrpc_status_name((amdrpc_status_code)i),
                    report->result->calls[i]);
        }
    }
    (void)fputc('\n', file);
}

void
amdi_report_print(const struct amdi_report *report, FILE *file)
{
    const struct amdi_load_plan *plan = report->plan;
    const struct amdi_load_result *result = report->result;

    (void)fprintf(file,
            "%s: %" PRIu32 " connections x %" PRIu32 " in flight, %" PRIu32
            " threads, %.2f s\n",
            plan->method->path, plan->connections, plan->inflight,
            plan->threads, (double)result->elapsed_ns / 1e9);
    (void)fprintf(file, "  calls        %.0f /s\n",
            per_second(report, amdi_load_result_calls(result)));
    if (amdrpc_method_has_response_stream(plan->method)) {
        (void)fprintf(file, "  messages     %.0f /s, %.1f MB/s\n",
                per_second(report, result->messages),
                per_second(report, result->bytes) / 1e6);
    }
    print_latency(report, file);
    print_statuses(report, file);
    if (report->has_server) {
        (void)fprintf(file,
                "  server CPU   %.2f us per call, %.1f MB resident\n",
                per_call(report, report->server_cpu_us),
                (double)report->server_rss_bytes / 1e6);
    }
    (void)fprintf(file, "  client CPU   %.2f us per call\n",
            per_call(report, report->client_cpu_us));
}

static json_t *
json_latency(const struct amdi_report *report)
{
    json_t *object = json_object();

    for (size_t i = 0; i < NPERCENTILES; i++) {
        uint64_t ns = amdi_histogram_percentile(
                &report->result->latency_ns, percentiles[i].percent);

        (void)json_object_set_new(
                object, percentiles[i].name, json_integer((json_int_t)ns));
    }
    return object;
}

static json_t *
json_statuses(const struct amdi_report *report)
{
    json_t *object = json_object();

    for (int i = 0; i < AMDI_STATUS_COUNT; i++) {
        if (report->result->calls[i] > 0) {
            (void)json_object_set_new(object,
                    amdrpc_status_name((amdrpc_status_code)i),
                    json_integer((json_int_t)report->result->calls[i]));
        }
    }
    return object;
}

// NULL when memory is short: jansson's functions pass that on.
static json_t *
json_report(const struct amdi_report *report)
{
    const struct amdi_load_plan *plan = report->plan;
    const struct amdi_load_result *result = report->result;
    uint64_t calls = amdi_load_result_calls(result);
    json_t *root = json_pack(
            "{s:s, s:I, s:I, s:I, s:f, s:I, s:f, s:I, s:f, s:f, s:o, s:o, s:f}",
            "method", plan->method->path, "connections",
            (json_int_t)plan->connections, "inflight",
            (json_int_t)plan->inflight, "threads", (json_int_t)plan->threads,
            "seconds", (double)result->elapsed_ns / 1e9, "calls",
            (json_int_t)calls, "calls_per_s", per_second(report, calls),
            "messages", (json_int_t)result->messages, "messages_per_s",
            per_second(report, result->messages), "mb_per_s",
            per_second(report, result->bytes) / 1e6, "latency_ns",
            json_latency(report), "status", json_statuses(report),
            "client_cpu_us_per_call", per_call(report, report->client_cpu_us));

    if (root != NULL && report->has_server) {
        (void)json_object_set_new(root, "server_cpu_us_per_call",
                json_real(per_call(report, report->server_cpu_us)));
        (void)json_object_set_new(root, "server_rss_bytes",
                json_integer((json_int_t)report->server_rss_bytes));
    }
    return root;
}

amdrpc_err
amdi_report_write_json(const struct amdi_report *report, FILE *file)
{
    json_t *root = json_report(report);
    amdrpc_err err = AMDRPC_OK;

    if (root == NULL) {
        return AMDRPC_ENOMEM;
    }
    if (json_dumpf(root, file, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) != 0 ||
            fputc('\n', file) == EOF) {
        err = AMDRPC_EIO;
    }
    json_decref(root);
    return err;
}
