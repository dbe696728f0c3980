/** From a request's parameters to a program's arguments. Pure. */
#include "server/modules/command/command_args.h"

#include <string.h>

// A client's name for a parameter that is not there may be of any length.
#define SHOWN_NAME_BYTES 64

struct amdi_command_parameter *
amdi_command_find_parameter(
        struct amdi_command_parameter *parameters, const char *name)
{
    while (parameters != NULL && strcmp(parameters->name, name) != 0) {
        parameters = parameters->next;
    }
    return parameters;
}

/* ---- the settings ---- */

static amdrpc_err
place_check(const struct amdi_command_piece *piece,
        struct amdi_command_parameter *parameters, struct amdi_error *error)
{
    struct amdi_command_parameter *parameter =
            amdi_command_find_parameter(parameters, piece->parameter);

    if (parameter == NULL) {
        return amdi_error_set(error, AMDRPC_EINVAL,
                "{%s}: there is no param.%s", piece->parameter,
                piece->parameter);
    }
    if (piece->fallback != NULL &&
            !amdi_command_parameter_takes(parameter, piece->fallback, error)) {
        return AMDRPC_EINVAL;
    }
    // It is required when one of its places has no fallback.
    if (!parameter->is_used || piece->fallback == NULL) {
        parameter->fallback = piece->fallback;
    }
    parameter->is_used = true;
    return AMDRPC_OK;
}

amdrpc_err
amdi_command_args_check(const struct amdi_command_words *words,
        struct amdi_command_parameter *parameters, struct amdi_error *error)
{
    for (const struct amdi_command_word *word = words->first; word != NULL;
            word = word->next) {
        for (const struct amdi_command_piece *piece = word->pieces;
                piece != NULL; piece = piece->next) {
            if (piece->parameter != NULL &&
                    place_check(piece, parameters, error) != AMDRPC_OK) {
                return AMDRPC_EINVAL;
            }
        }
    }
    for (; parameters != NULL; parameters = parameters->next) {
        if (!parameters->is_used) {
            return amdi_error_set(error, AMDRPC_EINVAL,
                    "param.%s: argv has no {%s}", parameters->name,
                    parameters->name);
        }
    }
    return AMDRPC_OK;
}

/* ---- a request ---- */

static const char *
values_find(const struct amdi_command_values *values, const char *name)
{
    for (size_t i = 0; i < values->count; i++) {
        if (strcmp(values->items[i].name, name) == 0) {
            return values->items[i].value;
        }
    }
    return NULL;
}

static amdrpc_err
values_check(const struct amdi_command_values *values,
        struct amdi_command_parameter *parameters, struct amdi_error *error)
{
    for (size_t i = 0; i < values->count; i++) {
        const struct amdi_command_value *value = &values->items[i];
        struct amdi_command_parameter *parameter =
                amdi_command_find_parameter(parameters, value->name);

        if (parameter == NULL) {
            return amdi_error_set(error, AMDRPC_EINVAL,
                    "%.*s: there is no such parameter", SHOWN_NAME_BYTES,
                    value->name);
        }
        if (values_find(values, value->name) != value->value) {
            return amdi_error_set(
                    error, AMDRPC_EINVAL, "%s: is given twice", value->name);
        }
        if (!amdi_command_parameter_takes(parameter, value->value, error)) {
            return AMDRPC_EINVAL;
        }
    }
    return AMDRPC_OK;
}

/* What stands in the place of a piece; NULL: it is missing. */
static const char *
piece_get_text(const struct amdi_command_piece *piece,
        const struct amdi_command_values *values)
{
    const char *value = NULL;

    if (piece->parameter == NULL) {
        return piece->text;
    }
    value = values_find(values, piece->parameter);
    return value != NULL ? value : piece->fallback;
}

static amdrpc_err
word_measure(const struct amdi_command_word *word,
        const struct amdi_command_values *values, size_t *out,
        struct amdi_error *error)
{
    size_t len = 0;

    for (const struct amdi_command_piece *piece = word->pieces; piece != NULL;
            piece = piece->next) {
        const char *text = piece_get_text(piece, values);

        if (text == NULL) {
            return amdi_error_set(
                    error, AMDRPC_EINVAL, "%s: is missing", piece->parameter);
        }
        len += strlen(text);
    }
    *out = len;
    return AMDRPC_OK;
}

static void
word_write(const struct amdi_command_word *word,
        const struct amdi_command_values *values, char *out)
{
    for (const struct amdi_command_piece *piece = word->pieces; piece != NULL;
            piece = piece->next) {
        out = stpcpy(out, piece_get_text(piece, values));
    }
    *out = '\0';
}

amdrpc_err
amdi_command_args_make(const struct amdi_command_words *words,
        struct amdi_command_parameter *parameters,
        const struct amdi_command_values *values,
        void *(*alloc)(void *arg, size_t size), void *alloc_arg, char ***out,
        struct amdi_error *error)
{
    amdrpc_err err = values_check(values, parameters, error);
    char **args = NULL;
    size_t n = 0;

    if (err != AMDRPC_OK) {
        return err;
    }
    args = alloc(alloc_arg, (words->count + 1) * sizeof(*args));
    if (args == NULL) {
        return amdi_error_nomem(error);
    }
    for (const struct amdi_command_word *word = words->first; word != NULL;
            word = word->next) {
        size_t len = 0;

        err = word_measure(word, values, &len, error);
        if (err != AMDRPC_OK) {
            return err;
        }
        args[n] = alloc(alloc_arg, len + 1);
        if (args[n] == NULL) {
            return amdi_error_nomem(error);
        }
        word_write(word, values, args[n++]);
    }
    args[n] = NULL;
    *out = args;
    return AMDRPC_OK;
}
