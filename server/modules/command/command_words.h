/**
 * A program's arguments as the settings write them: words, and in them places
 * for parameters. Pure.
 *
 * Blanks end a word, and there is no shell:
 *
 *     'x'            x as it is
 *     "x"            x, in which \" \\ \{ stand for the second character
 *     \c             c, outside quotes
 *     {name}         the parameter's value; not inside '…'
 *     {name:text}    the same, or text when there is none
 */
#ifndef AMDI_COMMAND_WORDS_H
#define AMDI_COMMAND_WORDS_H

#include <amdrpc/err.h>

#include "common/arena.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

// Names of commands and parameters; the operator writes them.
#define AMDI_COMMAND_NAME_BYTES 64u

/** A part of a word. */
struct amdi_command_piece {
    struct amdi_command_piece *next;
    const char *text;      // of a literal; NULL of a parameter's place
    const char *parameter; // its name; NULL of a literal
    const char *fallback;  // NULL: the parameter is required
};

struct amdi_command_word {
    struct amdi_command_word *next;
    struct amdi_command_piece *pieces; // NULL: an empty word
};

/** Zero bytes: none. Everything lies in the arena that is given with them. */
struct amdi_command_words {
    struct amdi_command_word *first;
    struct amdi_command_word *last;
    size_t count;
};

/**
 * Adds the words of a line.
 *
 * Errors:  AMDRPC_EINVAL  a quote or brace that is not closed, or no name
 *          AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_command_words_add(
        struct amdi_command_words *words, struct amdi_arena *arena,
        const char *line, struct amdi_error *error);

/** Tells whether it is a letter or "_", then such or digits: "input_file". */
bool amdi_command_name_is_valid(const char *name);

#endif
