/** What a load came to: a table for people, JSON for programs. */
#ifndef AMDI_REPORT_H
#define AMDI_REPORT_H

#include "client/bench/load.h"
#include "client/bench/server_cpu.h"

#include <stdbool.h>
#include <stdio.h>

struct amdi_report {
    const struct amdi_load_plan *plan;     // borrowed
    const struct amdi_load_result *result; // borrowed
    uint64_t client_cpu_us;                // of the measured time
    bool has_server;
    uint64_t server_cpu_us;
    uint64_t server_rss_bytes;
};

void amdi_report_print(const struct amdi_report *report, FILE *file);

/**
 * Writes the same as a JSON object.
 *
 * Errors:  AMDRPC_ENOMEM, AMDRPC_EIO
 */
AMDRPC_NODISCARD amdrpc_err amdi_report_write_json(
        const struct amdi_report *report, FILE *file);

/** Writes "1.23 ms": nanoseconds in the unit that suits them. */
void amdi_report_format_ns(uint64_t ns, char *out, size_t size);

#endif
