/** What amdrpc-bench was asked to do. */
#include "client/bench/options.h"

#include "client/program/program.h"

#include <stddef.h>
#include <string.h>

#define FIELD(name) offsetof(struct amdi_bench_options, name)

// A day; also keeps sums of milliseconds far from any overflow.
#define DAY_MS 86400000

static const struct amdi_option rows[] = {
        {"body", AMDI_OPTION_TEXT, FIELD(body), "FILE",
                "The serialized request of --path; default: empty.", 0, 0},
        {"connections", AMDI_OPTION_NUMBER, FIELD(connections), "N",
                "Connections; default 1.", 1, 10000},
        {"duration", AMDI_OPTION_DURATION, FIELD(duration_ms), "TIME",
                "How long to measure; default 5s.", 1, DAY_MS},
        {"inflight", AMDI_OPTION_NUMBER, FIELD(inflight), "N",
                "Calls at a time on each connection; default 1.", 1, 100000},
        {"json", AMDI_OPTION_TEXT, FIELD(json), "FILE",
                "Write the result as JSON; - for standard output.", 0, 0},
        {"method", AMDI_OPTION_TEXT, FIELD(method), "NAME",
                "Of amdrpc.bench.v1: echo (default), echo-inline, sleep, "
                "block, burn, count.",
                0, 0},
        {"ms", AMDI_OPTION_NUMBER, FIELD(ms), "N",
                "Milliseconds of sleep and block; default 10.", 0, DAY_MS},
        {"n", AMDI_OPTION_NUMBER, FIELD(n), "N",
                "Messages of count; default 1000.", 0, UINT32_MAX},
        {"path", AMDI_OPTION_TEXT, FIELD(path), "/PKG.SVC/METHOD",
                "Call this method of any server.", 0, 0},
        {"payload", AMDI_OPTION_NUMBER, FIELD(payload_bytes), "BYTES",
                "Payload of echo; default 16.", 0, 64 * 1024 * 1024},
        {"request-id", AMDI_OPTION_TEXT, FIELD(request_id), "KIND",
                "Of --submit: ordered by time (default), or random.", 0, 0},
        {"server-pid", AMDI_OPTION_NUMBER, FIELD(server_pid), "PID",
                "Measure this process's CPU time and memory.", 1, INT32_MAX},
        {"size", AMDI_OPTION_NUMBER, FIELD(size_bytes), "BYTES",
                "Payload of each message of count; default 16.", 0,
                64 * 1024 * 1024},
        {"submit", AMDI_OPTION_FLAG, FIELD(submit), NULL,
                "Submit operations; each counts once it is acknowledged.", 0,
                0},
        {"threads", AMDI_OPTION_NUMBER, FIELD(threads), "N",
                "Client threads that share the connections; default 1.", 1,
                256},
        {"timeout", AMDI_OPTION_DURATION, FIELD(timeout_ms), "TIME",
                "Deadline of each call; default: none.", 1, DAY_MS},
        {"us", AMDI_OPTION_NUMBER, FIELD(us), "N",
                "Microseconds of burn; default 100.", 0, DAY_MS},
        {"wait", AMDI_OPTION_FLAG, FIELD(wait), NULL,
                "With --submit: each counts once it is done, and so waits "
                "for those submitted before.",
                0, 0},
        {"warmup", AMDI_OPTION_DURATION, FIELD(warmup_ms), "TIME",
                "How long to run before measuring; default 1s.", 0, DAY_MS},
};

static const struct amdi_command_line line = {
        .usage = "amdrpc-bench [OPTION...] HOST:PORT\n"
                 "       amdrpc-bench SCENARIO [OPTION...]",
        .summary = "Loads a gRPC server in a closed loop: when a call ends, "
                   "the next one begins.",
        .notes = "Scenarios start the server themselves; each has its own "
                 "--help:\n"
                 "  fairness    nine callers beside one that sends 100 times "
                 "more\n"
                 "  overload    more calls than the server can do\n"
                 "  starvation  thousands of waiting calls, beside "
                 "synchronous dispatch\n",
        .options = rows,
        .noptions = sizeof(rows) / sizeof(rows[0]),
        .operands = {"HOST:PORT"},
        .min_operands = 1,
        .max_operands = 1,
};

static const char *
options_find_wrong(const struct amdi_bench_options *options)
{
    const char *id = options->request_id;

    if (options->body != NULL && options->path == NULL) {
        return "--body is only for --path";
    }
    if (!options->submit && (options->wait || id != NULL)) {
        return "--wait and --request-id are only for --submit";
    }
    if (options->wait && id != NULL) {
        return "--request-id does not go with --wait";
    }
    if (id != NULL && strcmp(id, "random") != 0 && strcmp(id, "ordered") != 0) {
        return "--request-id is neither random nor ordered";
    }
    return NULL;
}

bool
amdi_bench_options_parse(
        int argc, char **argv, struct amdi_bench_options *out, int *out_exit)
{
    struct amdi_operands operands;

    *out = (struct amdi_bench_options){
            .connections = 1,
            .inflight = 1,
            .threads = 1,
            .duration_ms = 5000,
            .warmup_ms = 1000,
            .method = "echo",
            .payload_bytes = 16,
            .ms = 10,
            .us = 100,
            .n = 1000,
            .size_bytes = 16,
    };
    if (!amdi_program_parse(&line, argc, argv, out, &operands, out_exit)) {
        return false;
    }
    out->target = operands.items[0];
    const char *wrong = options_find_wrong(out);
    if (wrong != NULL) {
        amdi_program_error("%s (try --help)", wrong);
        *out_exit = AMDI_EXIT_USAGE;
        return false;
    }
    if (out->connections > out->threads * AMDI_BENCH_CONNECTIONS_MAX) {
        amdi_program_error("--connections: more than %d for each of --threads",
                AMDI_BENCH_CONNECTIONS_MAX);
        *out_exit = AMDI_EXIT_USAGE;
        return false;
    }
    if (out->connections * out->inflight > AMDI_BENCH_CALLS_MAX) {
        amdi_program_error("--connections times --inflight is more than %d",
                AMDI_BENCH_CALLS_MAX);
        *out_exit = AMDI_EXIT_USAGE;
        return false;
    }
    return true;
}
