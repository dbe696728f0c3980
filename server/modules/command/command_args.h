/** From a request's parameters to a program's arguments. Pure. */
#ifndef AMDI_COMMAND_ARGS_H
#define AMDI_COMMAND_ARGS_H

#include "common/error.h"
#include "server/modules/command/command_parameter.h"
#include "server/modules/command/command_words.h"

/** A value that a client gives. Borrowed. */
struct amdi_command_value {
    const char *name;
    const char *value;
};

struct amdi_command_values {
    const struct amdi_command_value *items;
    size_t count;
};

/** Finds a parameter of a list; NULL: it is not there. */
struct amdi_command_parameter *amdi_command_find_parameter(
        struct amdi_command_parameter *parameters, const char *name);

/**
 * Tells whether the words can be made to arguments whatever clients give: each
 * place's parameter is declared, takes its fallback, and each parameter has a
 * place. Notes that in the parameters.
 *
 * Errors:  AMDRPC_EINVAL
 */
AMDRPC_NODISCARD amdrpc_err amdi_command_args_check(
        const struct amdi_command_words *words,
        struct amdi_command_parameter *parameters, struct amdi_error *error);

/**
 * Makes the arguments. Each word becomes one argument, whatever the values are.
 *
 * Thread:  any
 * @alloc   gives memory for @out and what it points to; NULL: none is left
 * @out     ends with NULL
 * Errors:  AMDRPC_EINVAL  a value that its parameter does not take, one that is
 *                         not declared or comes twice, or one that is missing;
 *                         @error names it
 *          AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_command_args_make(
        const struct amdi_command_words *words,
        struct amdi_command_parameter *parameters,
        const struct amdi_command_values *values,
        void *(*alloc)(void *arg, size_t size), void *alloc_arg, char ***out,
        struct amdi_error *error);

#endif
