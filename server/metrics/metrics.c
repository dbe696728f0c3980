/** What the server did and does, as Prometheus reads it. */
#include "common/clock.h"
#include "server/dispatch/dispatch.h"
#include "server/dispatch/worker_pool.h"
#include "server/operation/operations.h"
#include "server/server.h"
#include "server/server_loop.h"
#include "server/service.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

// Methods that the server does not have are one, so that clients cannot make
// the number of series grow (grpc/proposal A66).
#define OTHER_METHOD "other"

/** Of one method, summed over the loops. */
struct totals {
    uint64_t nstarted;
    uint64_t nended[AMDI_STATS_NCODES];
    uint64_t duration[AMDI_STATS_NBOUNDS + 1];
    uint64_t duration_ns;
    uint64_t waited[AMDI_STATS_NBOUNDS + 1];
    uint64_t waited_ns;
};

static uint64_t
number(const atomic_ullong *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

static void
times_sum(const struct amdi_stats_times *times,
        uint64_t counts[AMDI_STATS_NBOUNDS + 1], uint64_t *sum_ns)
{
    for (size_t i = 0; i <= AMDI_STATS_NBOUNDS; i++) {
        counts[i] += number(&times->counts[i]);
    }
    *sum_ns += number(&times->sum_ns);
}

static void
totals_of(const struct amdrpc_server *server, size_t method, struct totals *out)
{
    *out = (struct totals){0};
    for (uint32_t i = 0; i < server->options.loops; i++) {
        const struct amdi_method_stats *of =
                &server->loops[i].stats.methods[method];

        out->nstarted += number(&of->nstarted);
        for (size_t code = 0; code < AMDI_STATS_NCODES; code++) {
            out->nended[code] += number(&of->nended[code]);
        }
        times_sum(&of->duration, out->duration, &out->duration_ns);
        times_sum(&of->waited, out->waited, &out->waited_ns);
    }
}

static const char *
method_label(const struct amdrpc_server *server, size_t index)
{
    const struct amdi_method *method =
            amdi_service_table_method(&server->services, index);

    return method == NULL ? OTHER_METHOD : method->desc->path;
}

static void
write_head(FILE *file, const char *name, const char *type, const char *help)
{
    fprintf(file, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
write_started(const struct amdrpc_server *server, FILE *file)
{
    write_head(
            file, "grpc_server_call_started_total", "counter", "Calls begun.");
    for (size_t i = 0; i <= server->services.nmethods; i++) {
        struct totals totals;

        totals_of(server, i, &totals);
        fprintf(file,
                "grpc_server_call_started_total{grpc_method=\"%s\"} %" PRIu64
                "\n",
                method_label(server, i), totals.nstarted);
    }
}

static void
write_ended(const struct amdrpc_server *server, FILE *file)
{
    write_head(file, "grpc_server_call_ended_total", "counter",
            "Calls ended, by status.");
    for (size_t i = 0; i <= server->services.nmethods; i++) {
        struct totals totals;

        totals_of(server, i, &totals);
        for (size_t code = 0; code < AMDI_STATS_NCODES; code++) {
            if (totals.nended[code] > 0) {
                fprintf(file,
                        "grpc_server_call_ended_total{grpc_method=\"%s\","
                        "grpc_status=\"%s\"} %" PRIu64 "\n",
                        method_label(server, i),
                        amdrpc_status_name((amdrpc_status_code)code),
                        totals.nended[code]);
            }
        }
    }
}

static void
write_times(FILE *file, const char *name, const char *method,
        const uint64_t counts[AMDI_STATS_NBOUNDS + 1], uint64_t sum_ns)
{
    uint64_t n = 0;

    for (size_t i = 0; i < AMDI_STATS_NBOUNDS; i++) {
        n += counts[i];
        fprintf(file, "%s_bucket{grpc_method=\"%s\",le=\"%s\"} %" PRIu64 "\n",
                name, method, amdi_stats_bounds_text[i], n);
    }
    n += counts[AMDI_STATS_NBOUNDS];
    fprintf(file,
            "%s_bucket{grpc_method=\"%s\",le=\"+Inf\"} %" PRIu64 "\n"
            "%s_sum{grpc_method=\"%s\"} %.9f\n"
            "%s_count{grpc_method=\"%s\"} %" PRIu64 "\n",
            name, method, n, name, method, (double)sum_ns / 1e9, name, method,
            n);
}

/** Histograms of methods that were called; others would only be zeros. */
static void
write_histograms(const struct amdrpc_server *server, FILE *file)
{
    static const char duration[] = "grpc_server_call_duration_seconds";
    static const char waited[] = "amdrpc_queue_time_seconds";

    write_head(
            file, duration, "histogram", "From a call's request to its end.");
    for (size_t i = 0; i <= server->services.nmethods; i++) {
        struct totals totals;

        totals_of(server, i, &totals);
        if (totals.nstarted > 0) {
            write_times(file, duration, method_label(server, i),
                    totals.duration, totals.duration_ns);
        }
    }
    write_head(
            file, waited, "histogram", "How long calls waited for a worker.");
    for (size_t i = 0; i < server->services.nmethods; i++) {
        struct totals totals;

        totals_of(server, i, &totals);
        if (totals.nstarted > 0) {
            write_times(file, waited, method_label(server, i), totals.waited,
                    totals.waited_ns);
        }
    }
}

/** One gauge of every method's queue; a metric's lines stand together. */
static void
write_lane_gauge(const struct amdrpc_server *server, FILE *file,
        const char *name, const char *help,
        double (*value)(const struct amdi_lane_gauges *lane))
{
    uint64_t now_ns = amdi_clock_now_ns();

    write_head(file, name, "gauge", help);
    for (size_t i = 0; i < server->services.nmethods; i++) {
        struct amdi_method *method =
                amdi_service_table_method(&server->services, i);
        struct amdi_lane_gauges lane;

        amdi_worker_pool_get_lane(method->pool, method, now_ns, &lane);
        fprintf(file, "%s{grpc_method=\"%s\"} %.9g\n", name, method->desc->path,
                value(&lane));
    }
}

static double
lane_queued(const struct amdi_lane_gauges *lane)
{
    return lane->nqueued;
}

static double
lane_running(const struct amdi_lane_gauges *lane)
{
    return lane->nrunning;
}

static double
lane_oldest(const struct amdi_lane_gauges *lane)
{
    return (double)lane->oldest_ns / 1e9;
}

static void
write_lanes(const struct amdrpc_server *server, FILE *file)
{
    write_lane_gauge(server, file, "amdrpc_queued_calls", "Calls that wait.",
            lane_queued);
    write_lane_gauge(server, file, "amdrpc_running_calls", "Calls on workers.",
            lane_running);
    write_lane_gauge(server, file, "amdrpc_oldest_waiter_seconds",
            "How long the call that waits longest has waited.", lane_oldest);
}

/** A gauge of pools, for write_pool. */
struct pool_gauge {
    FILE *file;
    const char *name;
    uint32_t (*value)(const struct amdi_pool_gauges *pool);
};

static void
write_pool(struct amdi_worker_pool *pool, void *arg)
{
    const struct pool_gauge *gauge = arg;
    struct amdi_pool_gauges gauges;

    amdi_worker_pool_get_gauges(pool, &gauges);
    fprintf(gauge->file, "%s{pool=\"%s\"} %u\n", gauge->name, pool->name,
            gauge->value(&gauges));
}

static uint32_t
pool_threads(const struct amdi_pool_gauges *pool)
{
    return pool->nthreads;
}

static uint32_t
pool_busy(const struct amdi_pool_gauges *pool)
{
    return pool->nbusy;
}

static uint32_t
pool_blocked(const struct amdi_pool_gauges *pool)
{
    return pool->nblocked;
}

static void
write_pools(const struct amdrpc_server *server, FILE *file)
{
    struct pool_gauge threads = {file, "amdrpc_workers", pool_threads};
    struct pool_gauge busy = {file, "amdrpc_workers_busy", pool_busy};
    struct pool_gauge blocked = {file, "amdrpc_workers_blocked", pool_blocked};

    write_head(file, threads.name, "gauge", "Worker threads.");
    amdi_dispatcher_each_pool(server->dispatcher, write_pool, &threads);
    write_head(file, busy.name, "gauge", "Those with a call.");
    amdi_dispatcher_each_pool(server->dispatcher, write_pool, &busy);
    write_head(file, blocked.name, "gauge",
            "Those of them that used no CPU lately.");
    amdi_dispatcher_each_pool(server->dispatcher, write_pool, &blocked);
}

static void
write_refused(const struct amdrpc_server *server, FILE *file)
{
    static const char *const reasons[AMDI_NREFUSALS] = {
            [AMDI_REFUSAL_FULL] = "full",
            [AMDI_REFUSAL_LATE] = "late",
            [AMDI_REFUSAL_SHED] = "shed"};

    write_head(file, "amdrpc_refused_calls_total", "counter",
            "Calls refused before their handler ran.");
    for (size_t reason = AMDI_REFUSAL_FULL; reason < AMDI_NREFUSALS; reason++) {
        uint64_t n = 0;

        for (uint32_t i = 0; i < server->options.loops; i++) {
            n += number(&server->loops[i].stats.nrefused[reason]);
        }
        fprintf(file, "amdrpc_refused_calls_total{reason=\"%s\"} %" PRIu64 "\n",
                reasons[reason], n);
    }
}

static void
write_number(FILE *file, const char *name, const char *type, const char *help,
        uint64_t value)
{
    write_head(file, name, type, help);
    fprintf(file, "%s %" PRIu64 "\n", name, value);
}

static void
write_connections(const struct amdrpc_server *server, FILE *file)
{
    uint64_t nconnections = 0;
    uint64_t nread = 0;
    uint64_t nwritten = 0;

    for (uint32_t i = 0; i < server->options.loops; i++) {
        nconnections += number(&server->loops[i].stats.nconnections);
        nread += number(&server->loops[i].stats.nread);
        nwritten += number(&server->loops[i].stats.nwritten);
    }
    write_number(file, "amdrpc_connections", "gauge", "Open connections.",
            atomic_load(&server->nconns));
    write_number(file, "amdrpc_connections_total", "counter",
            "Connections accepted.", nconnections);
    write_number(file, "amdrpc_read_bytes_total", "counter",
            "Bytes read from connections.", nread);
    write_number(file, "amdrpc_written_bytes_total", "counter",
            "Bytes written to connections.", nwritten);
}

static void
write_memory(FILE *file)
{
    FILE *statm = fopen("/proc/self/statm", "re");
    unsigned long size = 0;
    unsigned long resident = 0;

    if (statm == NULL) {
        return; // no /proc, no figure
    }
    if (fscanf(statm, "%lu %lu", &size, &resident) == 2) {
        write_number(file, "process_resident_memory_bytes", "gauge",
                "Resident memory.",
                (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE));
    }
    (void)fclose(statm); // only read from
}

void
amdrpc_server_write_metrics(amdrpc_server *server, FILE *file)
{
    write_started(server, file);
    write_ended(server, file);
    write_histograms(server, file);
    write_lanes(server, file);
    write_pools(server, file);
    write_refused(server, file);
    write_connections(server, file);
    if (server->operations != NULL) {
        amdi_operations_write_metrics(server->operations, file);
    }
    write_memory(file);
}
