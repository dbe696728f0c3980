/** Command lines: one table gives the parsing, the errors and the help. */
#include "client/program/options.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

// Where parsing stands.
struct parser {
    const struct amdi_command_line *line;
    int argc;
    char **argv;
    int next; // the argument to look at
    void *values;
    struct amdi_operands *operands;
    char *error;
};

AMDRPC_PRINTF(2, 3)
static amdrpc_err
parser_fail(struct parser *parser, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(parser->error, AMDI_OPTIONS_ERROR_BYTES, fmt, args);
    va_end(args);
    return AMDRPC_EINVAL;
}

static const struct amdi_option *
parser_find(const struct parser *parser, const char *name, size_t len)
{
    for (size_t i = 0; i < parser->line->noptions; i++) {
        const struct amdi_option *option = &parser->line->options[i];

        if (strlen(option->name) == len &&
                strncmp(option->name, name, len) == 0) {
            return option;
        }
    }
    return NULL;
}

static bool
number_parse(const char *text, uint64_t *out)
{
    char *end = NULL;
    unsigned long long value;

    // strtoull would take a sign, and spaces before it.
    if (!isdigit((unsigned char)text[0])) {
        return false;
    }
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0') {
        return false;
    }
    *out = value;
    return true;
}

bool
amdi_duration_parse(const char *text, uint64_t *out_ms)
{
    static const struct {
        const char *name;
        double ms;
    } units[] = {{"", 1e3}, {"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}};
    char *end = NULL;
    double value;

    if (!isdigit((unsigned char)text[0])) {
        return false;
    }
    value = strtod(text, &end);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].name) == 0) {
            double ms = value * units[i].ms;

            // Beyond 2^53 a double counts no single milliseconds.
            if (!isfinite(ms) || ms > 9e15) {
                return false;
            }
            // A wait that is asked for is never "none".
            *out_ms = (uint64_t)ceil(ms);
            return true;
        }
    }
    return false;
}

static amdrpc_err
parser_set_number(struct parser *parser, const struct amdi_option *option,
        const char *text)
{
    uint64_t *field = (uint64_t *)((char *)parser->values + option->offset);
    uint64_t value;

    if (option->kind == AMDI_OPTION_DURATION) {
        if (!amdi_duration_parse(text, &value) || value < option->min ||
                value > option->max) {
            return parser_fail(parser,
                    "--%s: '%s' is not a time from %" PRIu64 "ms to %" PRIu64
                    "s",
                    option->name, text, option->min, option->max / 1000);
        }
    } else if (!number_parse(text, &value) || value < option->min ||
            value > option->max) {
        return parser_fail(parser,
                "--%s: '%s' is not a number from %" PRIu64 " to %" PRIu64,
                option->name, text, option->min, option->max);
    }
    *field = value;
    return AMDRPC_OK;
}

static amdrpc_err
parser_set(struct parser *parser, const struct amdi_option *option,
        const char *text)
{
    void *field = (char *)parser->values + option->offset;
    struct amdi_texts *texts = field;

    switch (option->kind) {
    case AMDI_OPTION_FLAG:
        *(bool *)field = true;
        return AMDRPC_OK;
    case AMDI_OPTION_TEXT:
        *(const char **)field = text;
        return AMDRPC_OK;
    case AMDI_OPTION_TEXTS:
        if (texts->count == AMDI_TEXTS_MAX) {
            return parser_fail(parser, "more than %d times --%s",
                    AMDI_TEXTS_MAX, option->name);
        }
        texts->items[texts->count++] = text;
        return AMDRPC_OK;
    case AMDI_OPTION_NUMBER:
    case AMDI_OPTION_DURATION:
        return parser_set_number(parser, option, text);
    }
    return AMDRPC_EINVAL;
}

// Takes "--name", "--name=value" or "--name" "value".
static amdrpc_err
parser_take_option(struct parser *parser, const char *arg)
{
    const char *name = arg + 2;
    size_t len = strcspn(name, "=");
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    const struct amdi_option *option = parser_find(parser, name, len);

    if (option == NULL) {
        return parser_fail(parser, "unknown option '%.100s'", arg);
    }
    if (option->kind == AMDI_OPTION_FLAG && value != NULL) {
        return parser_fail(parser, "--%s takes no value", option->name);
    }
    if (option->kind != AMDI_OPTION_FLAG && value == NULL) {
        if (parser->next == parser->argc) {
            return parser_fail(parser, "--%s needs a value: %s", option->name,
                    option->value_name);
        }
        value = parser->argv[parser->next++];
    }
    return parser_set(parser, option, value);
}

static amdrpc_err
parser_take_operand(struct parser *parser, const char *arg)
{
    struct amdi_operands *operands = parser->operands;

    if (operands->count == parser->line->max_operands) {
        return parser_fail(parser, "unexpected argument '%.100s'", arg);
    }
    operands->items[operands->count++] = arg;
    return AMDRPC_OK;
}

static amdrpc_err
parser_take_all(struct parser *parser)
{
    bool only_operands = false;
    amdrpc_err err = AMDRPC_OK;

    while (err == AMDRPC_OK && parser->next < parser->argc) {
        const char *arg = parser->argv[parser->next++];

        if (only_operands || arg[0] != '-' || arg[1] == '\0') {
            err = parser_take_operand(parser, arg);
        } else if (strcmp(arg, "--") == 0) {
            only_operands = true;
        } else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            parser->operands->wants_help = true;
            return AMDRPC_OK;
        } else if (arg[1] == '-') {
            err = parser_take_option(parser, arg);
        } else {
            err = parser_fail(parser, "unknown option '%.100s'", arg);
        }
    }
    return err;
}

amdrpc_err
amdi_options_parse(const struct amdi_command_line *line, int argc, char **argv,
        void *out_values, struct amdi_operands *out_operands, char *error)
{
    struct parser parser = {
            .line = line,
            .argc = argc,
            .argv = argv,
            .next = 1,
            .values = out_values,
            .operands = out_operands,
            .error = error,
    };
    amdrpc_err err;

    *out_operands = (struct amdi_operands){.count = 0};
    err = parser_take_all(&parser);
    if (err == AMDRPC_OK && !out_operands->wants_help &&
            out_operands->count < line->min_operands) {
        return parser_fail(
                &parser, "%s is missing", line->operands[out_operands->count]);
    }
    return err;
}

void
amdi_options_print_help(const struct amdi_command_line *line, FILE *file)
{
    (void)fprintf(
            file, "Usage: %s\n\n%s\n\nOptions:\n", line->usage, line->summary);
    for (size_t i = 0; i < line->noptions; i++) {
        const struct amdi_option *option = &line->options[i];
        char left[64];

        (void)snprintf(left, sizeof(left), "--%s%s%s", option->name,
                option->value_name == NULL ? "" : " ",
                option->value_name == NULL ? "" : option->value_name);
        (void)fprintf(file, "  %-26s %s\n", left, option->help);
    }
    (void)fprintf(file, "  %-26s %s\n", "--help", "Print this.");
    if (line->notes != NULL) {
        (void)fprintf(file, "\n%s", line->notes);
    }
}
