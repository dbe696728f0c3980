/** amdrpc operations: what a server keeps, the newest first. */
#include "amdrpc/v1/operations.pb-c.h"
#include "client/cli/command.h"
#include "client/cli/operations/operations.h"
#include "google/longrunning/operations.amdrpc.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DEFAULT_LIMIT 100
#define MAX_LIMIT 1000000

// What one answer may hold: the server's own bound is not larger.
#define PAGE_SIZE 1000

#define FILTER_BYTES 4096

#define ROW_FORMAT "%-37s %-9s %8s  %-20s  %s\n"

struct list_options {
    struct amdi_connect connect;
    const char *filter;
    bool json;
    uint64_t limit;
    const char *state;
    uint64_t timeout_ms;
    struct amdi_show show;
};

#define FIELD(name) offsetof(struct list_options, name)

static const struct amdi_option list_rows[] = {
        AMDI_CONNECT_ROWS(struct list_options, connect),
        {"compact", AMDI_OPTION_FLAG, FIELD(show.compact), NULL,
                "With --json: one line for each.", 0, 0},
        {"emit-defaults", AMDI_OPTION_FLAG, FIELD(show.emit_defaults), NULL,
                "With --json: fields that hold their default value too.", 0, 0},
        {"filter", AMDI_OPTION_TEXT, FIELD(filter), "FILTER",
                "Only such: 'state = RUNNING AND method = \"/p.S/M\"'.", 0, 0},
        {"json", AMDI_OPTION_FLAG, FIELD(json), NULL,
                "Print all that is known of each, as JSON.", 0, 0},
        {"limit", AMDI_OPTION_NUMBER, FIELD(limit), "N",
                "Print no more than so many; default 100.", 1, MAX_LIMIT},
        {"state", AMDI_OPTION_TEXT, FIELD(state), "STATE",
                "Only queued, running, succeeded, failed or cancelled.", 0, 0},
        {"timeout", AMDI_OPTION_DURATION, FIELD(timeout_ms), "TIME",
                "Give up after this time: 2s, 500ms.", 1, 86400000},
};

static const struct amdi_command_line list_line = {
        .usage = "amdrpc operations [OPTION...] HOST:PORT",
        .summary = "Lists the operations that a server keeps, the newest "
                   "first.",
        .options = list_rows,
        .noptions = sizeof(list_rows) / sizeof(list_rows[0]),
        .operands = {"HOST:PORT"},
        .min_operands = 1,
        .max_operands = 1,
};

struct list_run {
    const struct list_options *options;
    struct amdi_session session;
    char filter[FILTER_BYTES];
    char token[FILTER_BYTES]; // of the next page; "": there is none
    uint64_t nleft;
};

/* ---- what is asked for ---- */

/** Puts --state and --filter together. */
static int
list_set_filter(struct list_run *run)
{
    const struct list_options *options = run->options;
    const char *filter = options->filter == NULL ? "" : options->filter;
    char state[32] = "";
    int len;

    if (options->state != NULL) {
        (void)snprintf(state, sizeof(state), "state = %s", options->state);
        for (char *c = state + strlen("state = "); *c != '\0'; c++) {
            *c = (char)toupper((unsigned char)*c);
        }
    }
    len = snprintf(run->filter, sizeof(run->filter), "%s%s%s", state,
            state[0] != '\0' && filter[0] != '\0' ? " AND " : "", filter);
    if (len >= (int)sizeof(run->filter)) {
        amdi_program_error("--filter: it is too long");
        return AMDI_EXIT_USAGE;
    }
    return AMDI_EXIT_OK;
}

static amdrpc_err
list_ask(struct list_run *run, amdrpc_future **out)
{
    Google__Longrunning__ListOperationsRequest request =
            GOOGLE__LONGRUNNING__LIST_OPERATIONS_REQUEST__INIT;
    const amdrpc_call_options options = {.metadata = run->session.metadata,
            .timeout_ms = (int64_t)run->options->timeout_ms};

    request.filter = run->filter;
    request.page_token = run->token;
    request.page_size =
            (int32_t)(run->nleft < PAGE_SIZE ? run->nleft : PAGE_SIZE);
    return amdrpc_channel_call(run->session.channel,
            &google_longrunning_operations_service
                     .methods[GOOGLE_LONGRUNNING_OPERATIONS_LIST_OPERATIONS],
            &request.base, &options, out);
}

/* ---- what is printed ---- */

static const char *
state_name(Amdrpc__V1__OperationMetadata__State state)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(
            &amdrpc__v1__operation_metadata__state__descriptor, (int)state);

    return value == NULL ? "?" : value->name;
}

static void
progress_format(const Amdrpc__V1__Progress *progress, char *out, size_t size)
{
    if (progress != NULL && progress->total > 0) {
        uint64_t done = progress->done < progress->total ? progress->done
                                                         : progress->total;

        (void)snprintf(out, size, "%.0f %%",
                (double)done * 100 / (double)progress->total);
    } else if (progress != NULL && progress->done > 0) {
        (void)snprintf(out, size, "%" PRIu64, progress->done);
    } else {
        (void)snprintf(out, size, "-");
    }
}

static void
time_format(const Google__Protobuf__Timestamp *time, char *out, size_t size)
{
    time_t seconds = time == NULL ? 0 : (time_t)time->seconds;
    struct tm parts;

    if (time == NULL || gmtime_r(&seconds, &parts) == NULL ||
            strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        (void)snprintf(out, size, "-");
    }
}

static void
row_print(const char *name, const Amdrpc__V1__OperationMetadata *metadata)
{
    char progress[32];
    char created[32];

    progress_format(metadata->progress, progress, sizeof(progress));
    time_format(metadata->create_time, created, sizeof(created));
    (void)printf(ROW_FORMAT, name, state_name(metadata->state), progress,
            created, metadata->method);
}

static int
list_print_row(const Google__Longrunning__Operation *operation)
{
    Amdrpc__V1__OperationMetadata none = AMDRPC__V1__OPERATION_METADATA__INIT;
    Amdrpc__V1__OperationMetadata *metadata = operation->metadata == NULL
            ? NULL
            : amdrpc__v1__operation_metadata__unpack(NULL,
                      operation->metadata->value.len,
                      operation->metadata->value.data);

    row_print(operation->name, metadata == NULL ? &none : metadata);
    amdrpc__v1__operation_metadata__free_unpacked(metadata, NULL);
    return AMDI_EXIT_OK;
}

static int
list_print_page(struct list_run *run,
        const Google__Longrunning__ListOperationsResponse *page)
{
    int exit_status = AMDI_EXIT_OK;

    if (!run->options->json && run->token[0] == '\0') {
        (void)printf(
                ROW_FORMAT, "NAME", "STATE", "PROGRESS", "CREATED", "METHOD");
    }
    for (size_t i = 0; i < page->n_operations && run->nleft > 0 &&
            exit_status == AMDI_EXIT_OK;
            i++) {
        run->nleft--;
        exit_status = run->options->json
                ? amdi_operations_print(&run->session, page->operations[i],
                          &run->options->show)
                : list_print_row(page->operations[i]);
    }
    if (snprintf(run->token, sizeof(run->token), "%s", page->next_page_token) >=
            (int)sizeof(run->token)) {
        amdi_program_error("the server's page token is too long");
        exit_status = AMDI_EXIT_FAILED;
    }
    return exit_status;
}

static int
list_page(struct list_run *run)
{
    amdrpc_future *future = NULL;
    amdrpc_err err = list_ask(run, &future);
    int exit_status = err == AMDRPC_OK
            ? amdi_session_await(&run->session, future)
            : amdi_session_fail(err, "cannot ask");

    if (exit_status == AMDI_EXIT_OK) {
        exit_status = list_print_page(run,
                (const Google__Longrunning__ListOperationsResponse *)
                        amdrpc_future_get_message(future));
    }
    amdrpc_future_unref(future);
    return exit_status;
}

static int
list_all(struct list_run *run)
{
    int exit_status;

    do {
        exit_status = list_page(run);
    } while (exit_status == AMDI_EXIT_OK && run->token[0] != '\0' &&
            run->nleft > 0);
    return exit_status;
}

int
amdi_command_operations(int argc, char **argv)
{
    struct list_options options = {.limit = DEFAULT_LIMIT};
    struct list_run run = {.options = &options};
    struct amdi_operands operands;
    int exit_status;

    if (!amdi_program_parse(
                &list_line, argc, argv, &options, &operands, &exit_status)) {
        return exit_status;
    }
    run.nleft = options.limit;
    exit_status = list_set_filter(&run);
    if (exit_status == AMDI_EXIT_OK) {
        exit_status = amdi_session_open(&run.session, &options.connect,
                operands.items[0], options.timeout_ms);
    }
    if (exit_status != AMDI_EXIT_OK) {
        return exit_status;
    }
    exit_status = list_all(&run);
    amdi_session_close(&run.session);
    return exit_status;
}
