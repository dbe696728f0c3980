/** What became of operations, as Prometheus reads it. */
#include "server/operation/executor.h"
#include "server/operation/operations.h"

#include <inttypes.h>

static void
write_number(FILE *file, const char *name, const char *type, const char *help,
        uint64_t value)
{
    fprintf(file, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", name, help,
            name, type, name, value);
}

static void
write_ended(const struct amdi_op_stats *stats, FILE *file)
{
    static const char name[] = "amdrpc_operations_ended_total";

    fprintf(file, "# HELP %s Operations ended here, by status.\n", name);
    fprintf(file, "# TYPE %s counter\n", name);
    for (size_t code = 0; code < AMDI_STATS_NCODES; code++) {
        uint64_t n = atomic_load(&stats->nended[code]);

        if (n > 0) {
            fprintf(file, "%s{grpc_status=\"%s\"} %" PRIu64 "\n", name,
                    amdrpc_status_name((amdrpc_status_code)code), n);
        }
    }
}

void
amdi_operations_write_metrics(const struct amdi_operations *ops, FILE *file)
{
    const struct amdi_op_stats *stats = amdi_operations_stats(ops);
    struct amdi_store_usage usage =
            amdi_store_get_usage(amdi_operations_store(ops));

    write_number(file, "amdrpc_operations_submitted_total", "counter",
            "Operations taken in.", atomic_load(&stats->nsubmitted));
    write_number(file, "amdrpc_operations_running", "gauge",
            "Operations leased by this server.", atomic_load(&stats->nrunning));
    write_number(file, "amdrpc_operations_unfinished", "gauge",
            "Operations in the store that have not ended.", usage.nunfinished);
    write_number(file, "amdrpc_operations_kept", "gauge",
            "Operations in the store that have ended.", usage.ndone);
    write_number(file, "amdrpc_operations_store_bytes", "gauge",
            "Size of the store, but for what is free in it.", usage.nbytes);
    write_ended(stats, file);
    write_number(file, "amdrpc_operation_retries_total", "counter",
            "Attempts that failed, with another to follow.",
            atomic_load(&stats->nretried));
    write_number(file, "amdrpc_operation_releases_total", "counter",
            "Attempts given back, by a refusal or a drain.",
            atomic_load(&stats->nreleased));
    write_number(file, "amdrpc_operation_leases_lost_total", "counter",
            "Leases that somebody else took over.", atomic_load(&stats->nlost));
}
