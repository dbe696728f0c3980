/** How runs of programs end for their clients. */
#include "server/modules/command/command_run.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define DOMAIN "amdrpc.command"

void
amdi_command_fail(amdrpc_call *call, const struct amdi_command *command,
        amdrpc_status_code code, const char *reason, const char *message)
{
    const char *const facts[] = {"command", command->name, NULL};
    const amdrpc_error_info info = {
            .reason = reason, .domain = DOMAIN, .facts = facts};

    amdrpc_call_fail(call, code, message, &info);
}

/* The program ended by itself, and not well. */
static void
run_fail(struct amdi_command_run *run, amdrpc_status_code code,
        const char *reason, const char *fact, int number, const char *message)
{
    char text[16];
    const char *const facts[] = {
            "command", run->command->name, fact, text, NULL};
    const amdrpc_error_info info = {
            .reason = reason, .domain = DOMAIN, .facts = facts};

    (void)snprintf(text, sizeof(text), "%d", number);
    amdrpc_call_fail(run->call, code, message, &info);
}

static void
run_finish_as_program(struct amdi_command_run *run)
{
    char message[160];
    int number = 0;

    if (WIFSIGNALED(run->wait_status)) {
        number = WTERMSIG(run->wait_status);
        (void)snprintf(message, sizeof(message),
                "%s was ended by signal %d (%s)", run->command->name, number,
                sigdescr_np(number));
        run_fail(run, AMDRPC_STATUS_ABORTED, "SIGNAL", "signal", number,
                message);
        return;
    }
    number = WEXITSTATUS(run->wait_status);
    if (number == 0) {
        amdrpc_call_finish(run->call, AMDRPC_STATUS_OK, NULL);
        return;
    }
    (void)snprintf(message, sizeof(message), "%s ended with exit status %d",
            run->command->name, number);
    run_fail(run, AMDRPC_STATUS_UNKNOWN, "EXIT_STATUS", "status", number,
            message);
}

static void
run_finish_broken(struct amdi_command_run *run)
{
    amdi_command_fail(run->call, run->command, amdrpc_status_from_err(run->err),
            "FAILED",
            run->err == AMDRPC_EINVAL ? "only the first message has parameters"
                                      : amdrpc_err_text(run->err));
}

void
amdi_command_run_finish(struct amdi_command_run *run)
{
    switch (run->cause) {
    case AMDI_COMMAND_CAUSE_NONE:
        run_finish_as_program(run);
        return;
    case AMDI_COMMAND_CAUSE_TIMEOUT:
        amdi_command_fail(run->call, run->command,
                AMDRPC_STATUS_DEADLINE_EXCEEDED, "TIMEOUT",
                "the program ran for longer than its timeout");
        return;
    case AMDI_COMMAND_CAUSE_MAX_OUTPUT:
        amdi_command_fail(run->call, run->command,
                AMDRPC_STATUS_RESOURCE_EXHAUSTED, "MAX_OUTPUT",
                "the program wrote more than max-output");
        return;
    case AMDI_COMMAND_CAUSE_MAX_INPUT:
        amdi_command_fail(run->call, run->command,
                AMDRPC_STATUS_RESOURCE_EXHAUSTED, "MAX_INPUT",
                "the requests have more than max-input");
        return;
    case AMDI_COMMAND_CAUSE_FAILED:
        run_finish_broken(run);
        return;
    case AMDI_COMMAND_CAUSE_CANCELLED:
        amdrpc_call_finish(run->call, AMDRPC_STATUS_CANCELLED, NULL);
        return;
    }
}
