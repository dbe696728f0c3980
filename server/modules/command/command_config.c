/** The programs that the settings name. */
#include "server/modules/command/command_config.h"

#include "common/value.h"
#include "server/modules/command/command_args.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH "PATH=/usr/local/bin:/usr/bin:/bin"
#define DEFAULT_KILL_AFTER_MS 2000 // within the time that a stop gives calls
#define DEFAULT_OUTPUT_BYTES (UINT64_C(1) << 30)
#define DEFAULT_OPEN_FILES 256
#define DEFAULT_RUNNING 16
#define DEFAULT_QUEUED 256

// Descriptors, time and memory are far from overflows below these.
#define MAX_COUNT 1000000
#define MAX_BYTES (UINT64_C(1) << 50)
#define MAX_MS (UINT64_C(7) * 24 * 3600 * 1000)

static amdrpc_err
fail(struct amdi_error *error, const char *value, const char *what)
{
    return amdi_error_set(
            error, AMDRPC_EINVAL, "\"%s\" is not %s", value, what);
}

/* ---- the settings of a command ---- */

typedef amdrpc_err (*assign_fn)(struct amdi_commands *commands,
        struct amdi_command *command, const char *value,
        struct amdi_error *error);

static amdrpc_err
assign_argv(struct amdi_commands *commands, struct amdi_command *command,
        const char *value, struct amdi_error *error)
{
    return amdi_command_words_add(
            &command->argv, &commands->arena, value, error);
}

static amdrpc_err
assign_text(struct amdi_commands *commands, const char **field,
        const char *value, struct amdi_error *error)
{
    *field = amdi_arena_strndup(&commands->arena, value, strlen(value));
    return *field == NULL ? amdi_error_nomem(error) : AMDRPC_OK;
}

static amdrpc_err
assign_description(struct amdi_commands *commands, struct amdi_command *command,
        const char *value, struct amdi_error *error)
{
    return assign_text(commands, &command->description, value, error);
}

static amdrpc_err
assign_directory(struct amdi_commands *commands, struct amdi_command *command,
        const char *value, struct amdi_error *error)
{
    struct stat info;

    if (value[0] != '/' || stat(value, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return fail(error, value, "the absolute path of a folder");
    }
    return assign_text(commands, &command->directory, value, error);
}

static amdrpc_err
assign_stdin(struct amdi_commands *commands, struct amdi_command *command,
        const char *value, struct amdi_error *error)
{
    static const char *const names[] = {[AMDI_COMMAND_STDIN_NONE] = "none",
            [AMDI_COMMAND_STDIN_REQUEST] = "request",
            [AMDI_COMMAND_STDIN_STREAM] = "stream"};

    (void)commands;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], value) == 0) {
            command->input = (enum amdi_command_stdin)i;
            return AMDRPC_OK;
        }
    }
    return fail(error, value, "none, request or stream");
}

static amdrpc_err
assign_progress(struct amdi_commands *commands, struct amdi_command *command,
        const char *value, struct amdi_error *error)
{
    (void)commands;
    return amdi_command_pattern_init(&command->progress, value, error);
}

static amdrpc_err
assign_progress_from(struct amdi_commands *commands,
        struct amdi_command *command, const char *value,
        struct amdi_error *error)
{
    bool is_stderr = strcmp(value, "stderr") == 0;

    (void)commands;
    command->progress_from =
            is_stderr ? AMDI_COMMAND_STDERR : AMDI_COMMAND_STDOUT;
    return is_stderr || strcmp(value, "stdout") == 0
            ? AMDRPC_OK
            : fail(error, value, "stdout or stderr");
}

/* ---- numbers ---- */

struct number {
    const char *name;
    uint64_t *field;
    enum amdi_value_unit unit;
    uint64_t min;
    uint64_t max;
};

static amdrpc_err
number_assign(const struct number *number, const char *value,
        struct amdi_error *error)
{
    char min[AMDI_VALUE_TEXT_BYTES];
    char max[AMDI_VALUE_TEXT_BYTES];
    uint64_t parsed = 0;

    if (amdi_value_parse(number->unit, value, &parsed) &&
            parsed >= number->min && parsed <= number->max) {
        *number->field = parsed;
        return AMDRPC_OK;
    }
    amdi_value_format(number->unit, number->min, min);
    amdi_value_format(number->unit, number->max, max);
    return amdi_error_set(error, AMDRPC_EINVAL, "\"%s\" is not from %s to %s",
            value, min, max);
}

/* AMDRPC_ENOTFOUND: it is no number's name. */
static amdrpc_err
command_set_number(struct amdi_command *command, const char *name,
        const char *value, struct amdi_error *error)
{
    struct amdi_command_limits *limits = &command->limits;
    const struct number numbers[] = {
            {"timeout", &limits->time_ms, AMDI_VALUE_MS, 1, MAX_MS},
            {"kill-after", &limits->kill_after_ms, AMDI_VALUE_MS, 1, MAX_MS},
            {"max-memory", &limits->memory_bytes, AMDI_VALUE_BYTES, 1 << 20,
                    MAX_BYTES},
            {"max-file", &limits->file_bytes, AMDI_VALUE_BYTES, 1, MAX_BYTES},
            {"max-input", &limits->input_bytes, AMDI_VALUE_BYTES, 1, MAX_BYTES},
            {"max-output", &limits->output_bytes, AMDI_VALUE_BYTES, 1,
                    MAX_BYTES},
            {"max-open-files", &limits->open_files, AMDI_VALUE_COUNT, 4,
                    MAX_COUNT},
            {"max-running", &limits->max_running, AMDI_VALUE_COUNT, 1,
                    MAX_COUNT},
            {"max-queued", &limits->max_queued, AMDI_VALUE_COUNT, 0, MAX_COUNT},
            {"progress-total", &command->progress.total, AMDI_VALUE_COUNT, 1,
                    UINT64_MAX}};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strcmp(numbers[i].name, name) == 0) {
            return number_assign(&numbers[i], value, error);
        }
    }
    return AMDRPC_ENOTFOUND;
}

/* ---- param.NAME, param.NAME.KEY, env.NAME ---- */

static amdrpc_err
command_add_parameter(struct amdi_commands *commands,
        struct amdi_command *command, const char *name, const char *type,
        struct amdi_error *error)
{
    struct amdi_command_parameter **end = &command->parameters;
    amdrpc_err err = AMDRPC_OK;

    if (!amdi_command_name_is_valid(name)) {
        return fail(error, name, "a name of letters, digits and \"_\"");
    }
    if (amdi_command_find_parameter(command->parameters, name) != NULL) {
        return amdi_error_set(
                error, AMDRPC_EINVAL, "the parameter is there already");
    }
    while (*end != NULL) {
        end = &(*end)->next;
    }
    err = amdi_command_parameter_create(
            &commands->arena, name, type, end, error);
    return err;
}

/* @name is what follows "param.". */
static amdrpc_err
command_set_parameter(struct amdi_commands *commands,
        struct amdi_command *command, const char *name, const char *value,
        struct amdi_error *error)
{
    const char *dot = strchr(name, '.');
    struct amdi_command_parameter *parameter = NULL;
    char *own = NULL;

    if (dot == NULL) {
        return command_add_parameter(commands, command, name, value, error);
    }
    own = amdi_arena_strndup(&commands->arena, name, (size_t)(dot - name));
    if (own == NULL) {
        return amdi_error_nomem(error);
    }
    parameter = amdi_command_find_parameter(command->parameters, own);
    if (parameter == NULL) {
        return amdi_error_set(
                error, AMDRPC_EINVAL, "param.%s has to stand before it", own);
    }
    return amdi_command_parameter_set(
            parameter, &commands->arena, dot + 1, value, error);
}

/* @name is what follows "env.". */
static amdrpc_err
command_set_variable(struct amdi_commands *commands,
        struct amdi_command *command, const char *name, const char *value,
        struct amdi_error *error)
{
    struct amdi_command_variable *variable =
            amdi_arena_alloc(&commands->arena, sizeof(*variable));
    size_t len = strlen(name) + 1 + strlen(value) + 1;
    char *text = amdi_arena_alloc(&commands->arena, len);

    if (variable == NULL || text == NULL) {
        return amdi_error_nomem(error);
    }
    if (!amdi_command_name_is_valid(name)) {
        return fail(error, name, "a name of letters, digits and \"_\"");
    }
    (void)snprintf(text, len, "%s=%s", name, value);
    *variable = (struct amdi_command_variable){
            .next = command->variables, .text = text};
    command->variables = variable;
    return AMDRPC_OK;
}

static amdrpc_err
command_set(struct amdi_commands *commands, struct amdi_command *command,
        const char *name, const char *value, struct amdi_error *error)
{
    static const struct {
        const char *name;
        assign_fn assign;
    } rows[] = {{"argv", assign_argv}, {"description", assign_description},
            {"directory", assign_directory}, {"stdin", assign_stdin},
            {"progress", assign_progress},
            {"progress-from", assign_progress_from}};
    amdrpc_err err = AMDRPC_OK;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return rows[i].assign(commands, command, value, error);
        }
    }
    if (strncmp(name, "param.", 6) == 0) {
        return command_set_parameter(commands, command, name + 6, value, error);
    }
    if (strncmp(name, "env.", 4) == 0) {
        return command_set_variable(commands, command, name + 4, value, error);
    }
    err = command_set_number(command, name, value, error);
    return err == AMDRPC_ENOTFOUND ? amdi_error_set(error, AMDRPC_EINVAL,
                                             "a command has no such setting")
                                   : err;
}

/* ---- commands ---- */

void
amdi_commands_init(struct amdi_commands *commands)
{
    *commands = (struct amdi_commands){0};
    amdi_arena_init(&commands->arena, /*max_bytes=*/0);
}

static void
command_fini(struct amdi_command *command)
{
    for (struct amdi_command_parameter *parameter = command->parameters;
            parameter != NULL; parameter = parameter->next) {
        amdi_command_parameter_fini(parameter);
    }
    amdi_command_pattern_fini(&command->progress);
    amdi_command_slots_fini(&command->slots);
}

void
amdi_commands_fini(struct amdi_commands *commands)
{
    for (struct amdi_command *command = commands->first; command != NULL;
            command = command->next) {
        command_fini(command);
    }
    amdi_arena_fini(&commands->arena);
    *commands = (struct amdi_commands){0};
}

struct amdi_command *
amdi_commands_find(const struct amdi_commands *commands, const char *name)
{
    struct amdi_command *command = commands->first;

    while (command != NULL && strcmp(command->name, name) != 0) {
        command = command->next;
    }
    return command;
}

static amdrpc_err
commands_add(struct amdi_commands *commands, const char *name,
        struct amdi_command **out, struct amdi_error *error)
{
    struct amdi_command **end = &commands->first;
    struct amdi_command *command = NULL;

    if (!amdi_command_name_is_valid(name)) {
        return fail(
                error, name, "a command's name, of letters, digits and \"_\"");
    }
    command = amdi_arena_alloc(&commands->arena, sizeof(*command));
    if (command == NULL) {
        return amdi_error_nomem(error);
    }
    *command = (struct amdi_command){.description = "",
            .directory = "/",
            .progress_from = AMDI_COMMAND_STDERR,
            .limits = {.kill_after_ms = DEFAULT_KILL_AFTER_MS,
                    .output_bytes = DEFAULT_OUTPUT_BYTES,
                    .open_files = DEFAULT_OPEN_FILES,
                    .max_running = DEFAULT_RUNNING,
                    .max_queued = DEFAULT_QUEUED}};
    command->name = amdi_arena_strndup(&commands->arena, name, strlen(name));
    if (command->name == NULL) {
        return amdi_error_nomem(error);
    }
    amdi_command_slots_init(&command->slots);
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = command;
    commands->count++;
    *out = command;
    return AMDRPC_OK;
}

amdrpc_err
amdi_commands_set(struct amdi_commands *commands, const char *command,
        const char *name, const char *value, struct amdi_error *error)
{
    struct amdi_command *found = amdi_commands_find(commands, command);
    amdrpc_err err = AMDRPC_OK;

    if (found == NULL) {
        err = commands_add(commands, command, &found, error);
    }
    return err == AMDRPC_OK ? command_set(commands, found, name, value, error)
                            : err;
}

/* ---- all together ---- */

const char *
amdi_command_get_program(const struct amdi_command *command)
{
    return command->argv.first->pieces->text;
}

/* The program is one literal, and a file that we may run. */
static amdrpc_err
command_check_program(
        const struct amdi_command *command, struct amdi_error *error)
{
    const struct amdi_command_word *word = command->argv.first;
    struct stat info;

    if (word == NULL) {
        return amdi_error_set(error, AMDRPC_EINVAL, "argv is missing");
    }
    if (word->pieces == NULL || word->pieces->next != NULL ||
            word->pieces->parameter != NULL || word->pieces->text[0] != '/') {
        return amdi_error_set(error, AMDRPC_EINVAL,
                "argv: the program is an absolute path without {…}");
    }
    if (stat(word->pieces->text, &info) != 0 || !S_ISREG(info.st_mode) ||
            access(word->pieces->text, X_OK) != 0) {
        return amdi_error_set(error, AMDRPC_EINVAL,
                "argv: %s is no program that can be run", word->pieces->text);
    }
    return AMDRPC_OK;
}

/* Makes what execve takes. A PATH is always there; ours is the last. */
static amdrpc_err
command_make_environment(
        struct amdi_commands *commands, struct amdi_command *command)
{
    static const char path[] = DEFAULT_PATH;
    size_t n = 0;
    char **environment = NULL;
    bool has_path = false;

    for (struct amdi_command_variable *variable = command->variables;
            variable != NULL; variable = variable->next) {
        n++;
    }
    environment = amdi_arena_alloc(&commands->arena, (n + 2) * sizeof(char *));
    if (environment == NULL) {
        return AMDRPC_ENOMEM;
    }
    n = 0;
    for (struct amdi_command_variable *variable = command->variables;
            variable != NULL; variable = variable->next) {
        has_path |= strncmp(variable->text, "PATH=", 5) == 0;
        environment[n++] = (char *)variable->text; // execve has no const
    }
    if (!has_path) {
        environment[n++] = (char *)path;
    }
    environment[n] = NULL;
    command->environment = environment;
    return AMDRPC_OK;
}

static amdrpc_err
command_finish(struct amdi_commands *commands, struct amdi_command *command,
        struct amdi_error *error)
{
    amdrpc_err err = command_check_program(command, error);

    if (err == AMDRPC_OK) {
        err = amdi_command_args_check(
                &command->argv, command->parameters, error);
    }
    if (err != AMDRPC_OK) {
        return err;
    }
    command->slots.max_running = command->limits.max_running;
    command->slots.max_queued = command->limits.max_queued;
    return command_make_environment(commands, command) == AMDRPC_OK
            ? AMDRPC_OK
            : amdi_error_nomem(error);
}

amdrpc_err
amdi_commands_finish(struct amdi_commands *commands, struct amdi_error *error)
{
    for (struct amdi_command *command = commands->first; command != NULL;
            command = command->next) {
        struct amdi_error why = {.text = ""};
        amdrpc_err err = command_finish(commands, command, &why);

        if (err != AMDRPC_OK) {
            return amdi_error_set(error, err, "[command \"%s\"]: %.400s",
                    command->name, why.text);
        }
    }
    return AMDRPC_OK;
}
