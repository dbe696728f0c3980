/**
 * The standard interop client: runs cases against any server that has
 * grpc.testing.TestService, and prints a line about each.
 */
#include "client/program/program.h"
#include "tests/interop/client.h"

#include <stdio.h>
#include <string.h>

#define TARGET_BYTES 300

struct client_options {
    const char *server_host;
    uint64_t server_port;
    struct amdi_texts test_cases;
    const char *ca_file;
    const char *server_host_override;
    bool use_tls;
};

static const struct amdi_option options[] = {
        {.name = "server_host",
                .kind = AMDI_OPTION_TEXT,
                .offset = offsetof(struct client_options, server_host),
                .value_name = "HOST",
                .help = "the server (default: 127.0.0.1)"},
        {.name = "server_port",
                .kind = AMDI_OPTION_NUMBER,
                .offset = offsetof(struct client_options, server_port),
                .value_name = "PORT",
                .min = 1,
                .max = 65535,
                .help = "its port (default: 50051)"},
        {.name = "use_tls",
                .kind = AMDI_OPTION_FLAG,
                .offset = offsetof(struct client_options, use_tls),
                .help = "connect over TLS"},
        {.name = "ca_file",
                .kind = AMDI_OPTION_TEXT,
                .offset = offsetof(struct client_options, ca_file),
                .value_name = "FILE",
                .help = "whom to trust (default: as the system does)"},
        {.name = "server_host_override",
                .kind = AMDI_OPTION_TEXT,
                .offset = offsetof(struct client_options, server_host_override),
                .value_name = "NAME",
                .help = "the name in the server's certificate"},
        {.name = "test_case",
                .kind = AMDI_OPTION_TEXTS,
                .offset = offsetof(struct client_options, test_cases),
                .value_name = "NAME",
                .help = "a case; may be repeated (default: all usual ones)"},
};

static const struct amdi_command_line command_line = {
        .usage = "interop_client [OPTION...]",
        .summary = "Runs the standard interop cases against a server.",
        .options = options,
        .noptions = sizeof(options) / sizeof(options[0]),
};

static const struct interop_case *const case_lists[] = {
        interop_unary_cases,
        interop_stream_cases,
        interop_status_cases,
        interop_load_cases,
        interop_negative_cases,
};
#define NCASE_LISTS (sizeof(case_lists) / sizeof(case_lists[0]))
// The last list wants a server that plays its cases: only when asked for.
#define NUSUAL_CASE_LISTS (NCASE_LISTS - 1)

static const struct interop_case *
find_case(const char *name)
{
    for (size_t i = 0; i < NCASE_LISTS; i++) {
        for (const struct interop_case *at = case_lists[i]; at->name != NULL;
                at++) {
            if (strcmp(at->name, name) == 0) {
                return at;
            }
        }
    }
    return NULL;
}

static bool
run_case(struct interop *in, const struct interop_case *chosen)
{
    in->why[0] = '\0';
    if (chosen->run(in)) {
        (void)printf("%s: passed\n", chosen->name);
        return true;
    }
    (void)printf("%s: failed: %s\n", chosen->name, in->why);
    return false;
}

static bool
run_all(struct interop *in)
{
    bool all_passed = true;

    for (size_t i = 0; i < NUSUAL_CASE_LISTS; i++) {
        for (const struct interop_case *at = case_lists[i]; at->name != NULL;
                at++) {
            all_passed = run_case(in, at) && all_passed;
        }
    }
    return all_passed;
}

/** Runs the cases asked for; each name is known. */
static bool
run_chosen(struct interop *in, const struct amdi_texts *names)
{
    bool all_passed = true;

    for (size_t i = 0; i < names->count; i++) {
        all_passed = run_case(in, find_case(names->items[i])) && all_passed;
    }
    return names->count == 0 ? run_all(in) : all_passed;
}

static bool
check_names(const struct amdi_texts *names)
{
    for (size_t i = 0; i < names->count; i++) {
        if (find_case(names->items[i]) == NULL) {
            amdi_program_error("%s: no such test case", names->items[i]);
            return false;
        }
    }
    return true;
}

static int
run_on_channel(const struct client_options *values,
        const amdrpc_channel_options *channel_options)
{
    char target[TARGET_BYTES];
    struct interop in = {.target = target, .channel_options = channel_options};
    amdrpc_err err;
    bool all_passed;

    (void)snprintf(target, sizeof(target), "%s:%u", values->server_host,
            (unsigned)values->server_port); // too long a name has no address
    err = amdrpc_channel_create(target, channel_options, &in.channel);
    if (err != AMDRPC_OK) {
        amdi_program_error("%s: %s", target, amdrpc_err_text(err));
        return AMDI_EXIT_USAGE;
    }
    all_passed = run_chosen(&in, &values->test_cases);
    amdrpc_channel_unref(in.channel);
    return amdi_program_finish(all_passed ? AMDI_EXIT_OK : AMDI_EXIT_FAILED);
}

static int
run_client(const struct client_options *values)
{
    const amdrpc_tls_options tls_options = {
            .role = AMDRPC_TLS_CLIENT, .ca_file = values->ca_file};
    amdrpc_channel_options channel_options = {
            .authority = values->server_host_override};
    char reason[AMDRPC_REASON_BYTES];
    int status;

    if (values->use_tls &&
            amdrpc_tls_create(&tls_options, reason, sizeof(reason),
                    &channel_options.tls) != AMDRPC_OK) {
        amdi_program_error("%s", reason);
        return AMDI_EXIT_USAGE;
    }
    status = run_on_channel(values, &channel_options);
    amdrpc_tls_unref(channel_options.tls);
    return status;
}

int
main(int argc, char **argv)
{
    struct client_options values = {
            .server_host = "127.0.0.1", .server_port = 50051};
    struct amdi_operands operands;
    int status = AMDI_EXIT_OK;

    amdi_program_start("interop_client");
    // Who reads this shall know how far it came, should it hang.
    (void)setvbuf(stdout, NULL, _IOLBF, 0); // else at the end
    if (!amdi_program_parse(
                &command_line, argc, argv, &values, &operands, &status)) {
        return status;
    }
    return check_names(&values.test_cases) ? run_client(&values)
                                           : AMDI_EXIT_USAGE;
}
