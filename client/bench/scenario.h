/** Scenarios: runs that start the server themselves, and judge what they see.
 */
#ifndef AMDI_SCENARIO_H
#define AMDI_SCENARIO_H

#include "client/bench/load.h"
#include "client/bench/request.h"
#include "client/bench/server_child.h"
#include "client/program/options.h"

#include <jansson.h>

/** Each returns an exit status (program.h). */
int amdi_scenario_fairness(int argc, char **argv);
int amdi_scenario_overload(int argc, char **argv);
int amdi_scenario_starvation(int argc, char **argv);

/** What every scenario can be told; the first member of its options. */
struct amdi_scenario_options {
    const char *server;
    const char *module;
    const char *json;
    bool is_short;
};

/** The rows of these options, in two parts as the table is sorted. */
#define AMDI_SCENARIO_ROW_JSON                                           \
    {                                                                    \
        "json", AMDI_OPTION_TEXT,                                        \
                offsetof(struct amdi_scenario_options, json), "FILE",    \
                "Write the result as JSON; - for standard output.", 0, 0 \
    }
#define AMDI_SCENARIO_ROW_MODULE                                               \
    {                                                                          \
        "module", AMDI_OPTION_TEXT,                                            \
                offsetof(struct amdi_scenario_options, module), "NAME",        \
                "The daemon's bench module, or its path; default bench.", 0, 0 \
    }
#define AMDI_SCENARIO_ROW_SERVER                                              \
    {                                                                         \
        "server", AMDI_OPTION_TEXT,                                           \
                offsetof(struct amdi_scenario_options, server), "FILE",       \
                "The daemon; default: the amdrpcd beside this program.", 0, 0 \
    }
#define AMDI_SCENARIO_ROW_SHORT                                         \
    {                                                                   \
        "short", AMDI_OPTION_FLAG,                                      \
                offsetof(struct amdi_scenario_options, is_short), NULL, \
                "A few seconds with small numbers, for busy machines: " \
                "judges answers, not times.",                           \
                0, 0                                                    \
    }

/** Starts the daemon with the module and no limit that a load would meet. */
int amdi_scenario_start_server(const struct amdi_scenario_options *options,
        const char *const *args, struct amdi_server_child *child);

/** A closed loop and the request it sends. */
struct amdi_scenario_load {
    struct amdi_bench_request request;
    struct amdi_load *load;
};

/**
 * Starts a load of one of the Bench methods, measured from its begin.
 *
 * @what  names the method and fills its request
 * @plan  its method and request are set here
 */
AMDRPC_NODISCARD amdrpc_err amdi_scenario_load_start(
        struct amdi_scenario_load *load, const struct amdi_bench_options *what,
        struct amdi_load_plan *plan);

/** Ends what was started; @out: what came of it. */
void amdi_scenario_load_stop(
        struct amdi_scenario_load *load, struct amdi_load_result *out);

/** Prints a part of the table, unless JSON takes its place. */
AMDRPC_PRINTF(2, 3)
void amdi_scenario_print(
        const struct amdi_scenario_options *options, const char *format, ...);

/**
 * Writes the JSON that was asked for, and tells what was missed.
 *
 * @rows    taken; NULL: there was no memory
 * @missed  what the scenario's condition was; NULL when it was met
 * @return  the exit status of the program
 */
int amdi_scenario_finish(const struct amdi_scenario_options *options,
        const char *name, json_t *rows, const char *missed);

/** Milliseconds of a percentile, for tables and JSON; 0 when there is none. */
double amdi_scenario_percentile_ms(
        const struct amdi_histogram *latency_ns, double percent);

#endif
