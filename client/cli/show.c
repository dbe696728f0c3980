/** What the commands that show a server's symbols have in common. */
#include "client/cli/show.h"

#include "client/program/program.h"

#include <stddef.h>

struct show_options {
    struct amdi_connect connect;
    uint64_t timeout_ms;
};

static const struct amdi_option show_rows[] = {
        AMDI_CONNECT_ROWS(struct show_options, connect),
        {.name = "timeout",
                .kind = AMDI_OPTION_DURATION,
                .offset = offsetof(struct show_options, timeout_ms),
                .value_name = "TIME",
                .help = "Give up after this time: 2s, 500ms.",
                .min = 1,
                .max = 86400000},
};

int
amdi_show_run(const struct amdi_show *show, int argc, char **argv)
{
    const struct amdi_command_line line = {
            .usage = show->usage,
            .summary = show->summary,
            .options = show_rows,
            .noptions = sizeof(show_rows) / sizeof(show_rows[0]),
            .operands = {"HOST:PORT", show->operand},
            .min_operands = 1,
            .max_operands = 2,
    };
    struct show_options options = {.timeout_ms = 0};
    struct amdi_operands operands;
    struct amdi_session session;
    int exit_status;

    if (!amdi_program_parse(
                &line, argc, argv, &options, &operands, &exit_status)) {
        return exit_status;
    }
    exit_status = amdi_session_open(
            &session, &options.connect, operands.items[0], options.timeout_ms);
    if (exit_status != AMDI_EXIT_OK) {
        return exit_status;
    }
    exit_status = operands.count == 1
            ? show->all(&session)
            : show->named(&session, operands.items[1]);
    amdi_session_close(&session);
    return exit_status;
}
