/** What our programs share: error lines, standard output, starting up. */
#include "client/program/program.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERROR_LINE_BYTES 2048

static const char *program_name = "amdrpc";

// Why output failed first; main thread only.
static int output_errno;

void
amdi_program_start(const char *name)
{
    program_name = name;
    // A reader that went away is an error of write, not the end of us: the
    // call has to be cancelled first.
    (void)signal(SIGPIPE, SIG_IGN);
}

// Part of it may come from a server: one line, and nothing for the terminal.
static void
text_make_plain(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            *text = ' ';
        }
    }
}

void
amdi_program_error(const char *fmt, ...)
{
    char text[ERROR_LINE_BYTES];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    text_make_plain(text);
    (void)fprintf(stderr, "%s: %s\n", program_name, text);
}

bool
amdi_program_parse(const struct amdi_command_line *line, int argc, char **argv,
        void *out_values, struct amdi_operands *out_operands, int *out_exit)
{
    char error[AMDI_OPTIONS_ERROR_BYTES];

    *out_exit = AMDI_EXIT_OK;
    if (amdi_options_parse(line, argc, argv, out_values, out_operands, error) !=
            AMDRPC_OK) {
        amdi_program_error("%s (try --help)", error);
        *out_exit = AMDI_EXIT_USAGE;
        return false;
    }
    if (out_operands->wants_help) {
        amdi_options_print_help(line, stdout);
        return false;
    }
    return true;
}

bool
amdi_program_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return true;
    }
    if (output_errno == 0) {
        output_errno = errno;
    }
    return false;
}

int
amdi_program_finish(int exit_status)
{
    if (amdi_program_flush()) {
        return exit_status;
    }
    if (output_errno == EPIPE) {
        return AMDI_EXIT_SIGNAL + SIGPIPE;
    }
    amdi_program_error("cannot write the output: %s", strerror(output_errno));
    return AMDI_EXIT_FAILED;
}
