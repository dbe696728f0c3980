/** Command lines: one table gives the parsing, the errors and the help. */
#ifndef AMDI_OPTIONS_H
#define AMDI_OPTIONS_H

#include <amdrpc/err.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

// No command of ours takes more operands.
#define AMDI_OPERANDS_MAX 4

// Only the person at the command line makes these grow.
#define AMDI_TEXTS_MAX 64

#define AMDI_OPTIONS_ERROR_BYTES 256

/** The values of an option that may stand several times; borrowed. */
struct amdi_texts {
    const char *items[AMDI_TEXTS_MAX];
    size_t count;
};

enum amdi_option_kind {
    AMDI_OPTION_FLAG,     // bool
    AMDI_OPTION_TEXT,     // const char *, borrowed from argv
    AMDI_OPTION_TEXTS,    // struct amdi_texts, borrowed from argv
    AMDI_OPTION_NUMBER,   // uint64_t from min to max
    AMDI_OPTION_DURATION, // uint64_t milliseconds from min to max
};

/** One option: a row of a command's table. Static data. */
struct amdi_option {
    const char *name; // without the dashes
    enum amdi_option_kind kind;
    size_t offset;          // of its field in the command's struct
    const char *value_name; // "FILE"; NULL for a flag
    const char *help;       // one line
    uint64_t min;
    uint64_t max;
};

/** What a command takes. Static data. */
struct amdi_command_line {
    const char *usage;   // "amdrpc list [OPTION...] HOST:PORT [SERVICE]"
    const char *summary; // a sentence
    const char *notes;   // printed after the options; NULL for none
    const struct amdi_option *options;
    size_t noptions;
    const char *operands[AMDI_OPERANDS_MAX]; // their names, in order
    size_t min_operands;
    size_t max_operands;
};

struct amdi_operands {
    const char *items[AMDI_OPERANDS_MAX];
    size_t count;
    bool wants_help; // --help stood there; nothing else was checked
};

/**
 * Reads argv[1] onwards. Options may stand anywhere before "--", values after
 * "=" or as the next argument. Durations are "250ms", "1.5s", "5m", "2h"; a
 * bare number means seconds.
 *
 * @out_values  the command's struct with the defaults in it
 * @error       AMDI_OPTIONS_ERROR_BYTES; one line without a line end
 * Errors:      AMDRPC_EINVAL  @error says why
 */
AMDRPC_NODISCARD amdrpc_err amdi_options_parse(
        const struct amdi_command_line *line, int argc, char **argv,
        void *out_values, struct amdi_operands *out_operands, char *error);

/** Reads "250ms", "1.5s", "5m", "2h", or seconds. */
bool amdi_duration_parse(const char *text, uint64_t *out_ms);

/** Prints usage, summary, every option, and the notes. */
void amdi_options_print_help(const struct amdi_command_line *line, FILE *file);

#endif
