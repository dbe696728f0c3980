/**
 * The programs that the settings name: sections [command "NAME"].
 *
 * Filled with _set, made usable with _finish, then only read.
 */
#ifndef AMDI_COMMAND_CONFIG_H
#define AMDI_COMMAND_CONFIG_H

#include <amdrpc/err.h>

#include "common/arena.h"
#include "common/error.h"
#include "server/modules/command/command_parameter.h"
#include "server/modules/command/command_progress.h"
#include "server/modules/command/command_slots.h"
#include "server/modules/command/command_words.h"

#include <stdint.h>

/** What the program reads. */
enum amdi_command_stdin {
    AMDI_COMMAND_STDIN_NONE,    // nothing: /dev/null
    AMDI_COMMAND_STDIN_REQUEST, // what the one request has
    AMDI_COMMAND_STDIN_STREAM,  // what each request of a stream has
};

enum amdi_command_output {
    AMDI_COMMAND_STDOUT,
    AMDI_COMMAND_STDERR,
    AMDI_COMMAND_NOUTPUTS,
};

/** 0 means no limit. */
struct amdi_command_limits {
    uint64_t time_ms;
    uint64_t kill_after_ms; // never 0
    uint64_t memory_bytes;  // of address space
    uint64_t file_bytes;    // of any file it writes
    uint64_t input_bytes;
    uint64_t output_bytes;
    uint64_t open_files;
    uint64_t max_running;
    uint64_t max_queued;
};

struct amdi_command_variable {
    struct amdi_command_variable *next;
    const char *text; // "NAME=value"
};

/** One program. Constant once the server has started, but for its slots. */
struct amdi_command {
    struct amdi_command *next;
    const char *name;
    const char *description;
    const char *directory;
    struct amdi_command_words argv;
    struct amdi_command_parameter *parameters;
    struct amdi_command_variable *variables;
    char **environment; // ends with NULL; once finished
    enum amdi_command_stdin input;
    struct amdi_command_limits limits;
    struct amdi_command_pattern progress;
    enum amdi_command_output progress_from;

    struct amdi_command_slots slots;
};

struct amdi_commands {
    struct amdi_arena arena; // everything lies here
    struct amdi_command *first;
    size_t count;
};

void amdi_commands_init(struct amdi_commands *commands);
void amdi_commands_fini(struct amdi_commands *commands);

/**
 * Sets one setting of a command, which is made when it is new.
 *
 * Errors:  AMDRPC_EINVAL, AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_commands_set(struct amdi_commands *commands,
        const char *command, const char *name, const char *value,
        struct amdi_error *error);

/**
 * Looks whether everything fits together, and whether the programs are there.
 * Errors as above; @error names the command.
 */
AMDRPC_NODISCARD amdrpc_err amdi_commands_finish(
        struct amdi_commands *commands, struct amdi_error *error);

/** Finds a command; NULL: there is none. */
struct amdi_command *amdi_commands_find(
        const struct amdi_commands *commands, const char *name);

/** The program's path: the first word. */
const char *amdi_command_get_program(const struct amdi_command *command);

#endif
