/** What amdrpc-bench was asked to do. */
#ifndef AMDI_BENCH_OPTIONS_H
#define AMDI_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

// Calls at a time: some 2 KiB of memory each, here and in the server.
#define AMDI_BENCH_CALLS_MAX 1000000

// What one channel can have; more do not help its one thread.
#define AMDI_BENCH_CONNECTIONS_MAX 1024

struct amdi_bench_options {
    const char *target;
    uint64_t connections;
    uint64_t inflight;
    uint64_t threads;
    uint64_t duration_ms;
    uint64_t warmup_ms;
    uint64_t timeout_ms;
    uint64_t server_pid; // 0 for none
    const char *json;    // a file, or "-"; NULL for none

    // The method: one of ours by its short name, or any by its path.
    const char *method;
    uint64_t payload_bytes;
    uint64_t ms;
    uint64_t us;
    uint64_t n;
    uint64_t size_bytes;
    const char *path;
    const char *body;

    // Operations in place of calls.
    bool submit;
    bool wait;
    const char *request_id; // "random" or "ordered"
};

/**
 * Reads the command line of a load; prints what is wrong with it.
 *
 * @out_exit  when false: the exit status
 * @return    whether to go on
 */
bool amdi_bench_options_parse(
        int argc, char **argv, struct amdi_bench_options *out, int *out_exit);

#endif
