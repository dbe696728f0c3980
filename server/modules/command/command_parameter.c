/** What a client may give a program. Pure. */
#include "server/modules/command/command_parameter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENUM_OPEN "enum("

/* ---- what the settings say ---- */

/* "enum(a,b)": names between commas, none of them empty. */
static bool
enum_is_valid(const char *text)
{
    size_t len = strlen(text);
    const char *names = text + strlen(ENUM_OPEN);

    return strncmp(text, ENUM_OPEN, strlen(ENUM_OPEN)) == 0 &&
            text[len - 1] == ')' && strcspn(names, ")") + 1 == strlen(names) &&
            names[0] != ',' && names[0] != ')' && text[len - 2] != ',' &&
            strstr(names, ",,") == NULL;
}

static bool
type_parse(const char *text, enum amdi_command_type *out)
{
    static const char *const names[] = {[AMDI_COMMAND_STRING] = "string",
            [AMDI_COMMAND_PATH] = "path",
            [AMDI_COMMAND_INT] = "int"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], text) == 0) {
            *out = (enum amdi_command_type)i;
            return true;
        }
    }
    *out = AMDI_COMMAND_ENUM;
    return enum_is_valid(text);
}

amdrpc_err
amdi_command_parameter_create(struct amdi_arena *arena, const char *name,
        const char *type, struct amdi_command_parameter **out,
        struct amdi_error *error)
{
    struct amdi_command_parameter *self =
            amdi_arena_alloc(arena, sizeof(*self));

    if (self == NULL) {
        return amdi_error_nomem(error);
    }
    *self = (struct amdi_command_parameter){
            .min = 0, .max = AMDI_COMMAND_VALUE_BYTES};
    if (!type_parse(type, &self->type)) {
        return amdi_error_set(error, AMDRPC_EINVAL,
                "\"%s\" is not string, path, int or enum(a,b)", type);
    }
    if (self->type == AMDI_COMMAND_INT) {
        self->min = INT64_MIN;
        self->max = INT64_MAX;
    }
    self->name = amdi_arena_strndup(arena, name, strlen(name));
    self->type_text = amdi_arena_strndup(arena, type, strlen(type));
    if (self->name == NULL || self->type_text == NULL) {
        return amdi_error_nomem(error);
    }
    *out = self;
    return AMDRPC_OK;
}

void
amdi_command_parameter_fini(struct amdi_command_parameter *parameter)
{
    if (parameter->pattern_text != NULL) {
        regfree(&parameter->pattern);
        parameter->pattern_text = NULL;
    }
}

/* A whole decimal number as it would be written: no "+", no "007". */
static bool
int_parse(const char *text, int64_t *out)
{
    const char *digits = text + (text[0] == '-');
    size_t len = strlen(digits);
    char *end = NULL;

    if (len == 0 || strspn(digits, "0123456789") != len ||
            (digits[0] == '0' && (len > 1 || digits != text))) {
        return false;
    }
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0;
}

static amdrpc_err
parameter_set_number(struct amdi_command_parameter *self, int64_t *field,
        const char *name, const char *value, struct amdi_error *error)
{
    int64_t number = 0;
    bool is_length = self->type != AMDI_COMMAND_INT;

    if (!int_parse(value, &number) ||
            (is_length && (number < 0 || number > AMDI_COMMAND_VALUE_BYTES))) {
        return amdi_error_set(error, AMDRPC_EINVAL, "%s: \"%s\" is not %s",
                name, value,
                is_length ? "a length from 0 to 4096" : "a whole number");
    }
    *field = number;
    return self->min <= self->max
            ? AMDRPC_OK
            : amdi_error_set(error, AMDRPC_EINVAL,
                      "%s: min is greater than max", name);
}

static amdrpc_err
parameter_set_below(struct amdi_command_parameter *self,
        struct amdi_arena *arena, const char *value, struct amdi_error *error)
{
    size_t len = strlen(value);

    if (self->type != AMDI_COMMAND_PATH || value[0] != '/') {
        return amdi_error_set(error, AMDRPC_EINVAL, "below: %s",
                self->type == AMDI_COMMAND_PATH
                        ? "the folder's path begins with \"/\""
                        : "only a path is below a folder");
    }
    while (len > 0 && value[len - 1] == '/') {
        len--;
    }
    self->below = amdi_arena_strndup(arena, value, len);
    return self->below == NULL ? amdi_error_nomem(error) : AMDRPC_OK;
}

static amdrpc_err
parameter_set_pattern(struct amdi_command_parameter *self,
        struct amdi_arena *arena, const char *value, struct amdi_error *error)
{
    size_t len = strlen(value) + sizeof("^()$");
    char *whole = amdi_arena_alloc(arena, len);
    const char *text = amdi_arena_strndup(arena, value, strlen(value));
    char why[128];
    int rv = 0;

    if (whole == NULL || text == NULL) {
        return amdi_error_nomem(error);
    }
    amdi_command_parameter_fini(self); // an earlier one
    (void)snprintf(whole, len, "^(%s)$", value);
    rv = regcomp(&self->pattern, whole, REG_EXTENDED | REG_NOSUB);
    if (rv != 0) {
        (void)regerror(rv, &self->pattern, why, sizeof(why));
        return amdi_error_set(error,
                rv == REG_ESPACE ? AMDRPC_ENOMEM : AMDRPC_EINVAL,
                "pattern \"%s\": %s", value, why);
    }
    self->pattern_text = text;
    return AMDRPC_OK;
}

amdrpc_err
amdi_command_parameter_set(struct amdi_command_parameter *parameter,
        struct amdi_arena *arena, const char *name, const char *value,
        struct amdi_error *error)
{
    if (strcmp(name, "min") == 0) {
        return parameter_set_number(
                parameter, &parameter->min, name, value, error);
    }
    if (strcmp(name, "max") == 0) {
        return parameter_set_number(
                parameter, &parameter->max, name, value, error);
    }
    if (strcmp(name, "below") == 0) {
        return parameter_set_below(parameter, arena, value, error);
    }
    if (strcmp(name, "pattern") == 0) {
        return parameter_set_pattern(parameter, arena, value, error);
    }
    if (strcmp(name, "dash") != 0) {
        return amdi_error_set(error, AMDRPC_EINVAL,
                "a parameter has no setting \"%s\"", name);
    }
    parameter->allows_dash = strcmp(value, "allowed") == 0;
    return parameter->allows_dash || strcmp(value, "refused") == 0
            ? AMDRPC_OK
            : amdi_error_set(error, AMDRPC_EINVAL,
                      "dash: \"%s\" is not allowed or refused", value);
}

/* ---- what clients give ---- */

/* Tells whether a component of the path is "..". */
static bool
path_climbs(const char *path)
{
    while (*path != '\0') {
        size_t len = strcspn(path, "/");

        if (len == 2 && memcmp(path, "..", 2) == 0) {
            return true;
        }
        path += len + (path[len] == '/');
    }
    return false;
}

static bool
path_is_taken(const struct amdi_command_parameter *self, const char *value,
        struct amdi_error *error)
{
    size_t len = self->below == NULL ? 0 : strlen(self->below);

    if (value[0] == '\0' || path_climbs(value)) {
        (void)amdi_error_set(error, AMDRPC_EINVAL,
                "%s: a path is not empty, and no part of it is \"..\"",
                self->name);
        return false;
    }
    if (self->below != NULL &&
            (strncmp(value, self->below, len) != 0 || value[len] != '/')) {
        (void)amdi_error_set(error, AMDRPC_EINVAL,
                "%s: the path is not below %s/", self->name, self->below);
        return false;
    }
    return true;
}

static bool
int_is_taken(const struct amdi_command_parameter *self, const char *value,
        struct amdi_error *error)
{
    int64_t number = 0;

    if (!int_parse(value, &number) || number < self->min ||
            number > self->max) {
        (void)amdi_error_set(error, AMDRPC_EINVAL,
                "%s: not a whole number from %lld to %lld", self->name,
                (long long)self->min, (long long)self->max);
        return false;
    }
    return true;
}

static bool
enum_is_taken(const struct amdi_command_parameter *self, const char *value,
        struct amdi_error *error)
{
    const char *at = self->type_text + strlen(ENUM_OPEN);
    size_t len = strlen(value);

    for (;;) {
        size_t name_len = strcspn(at, ",)");

        if (name_len == len && memcmp(at, value, len) == 0) {
            return true;
        }
        if (at[name_len] != ',') {
            break;
        }
        at += name_len + 1;
    }
    (void)amdi_error_set(error, AMDRPC_EINVAL, "%s: not one of %s", self->name,
            self->type_text);
    return false;
}

/* The rules for values of any characters. */
static bool
text_is_taken(const struct amdi_command_parameter *self, const char *value,
        struct amdi_error *error)
{
    size_t len = strnlen(value, AMDI_COMMAND_VALUE_BYTES + 1);

    if ((int64_t)len < self->min || (int64_t)len > self->max) {
        (void)amdi_error_set(error, AMDRPC_EINVAL,
                "%s: not %lld to %lld bytes long", self->name,
                (long long)self->min, (long long)self->max);
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)value[i] < ' ' || value[i] == 0x7f) {
            (void)amdi_error_set(error, AMDRPC_EINVAL,
                    "%s: a control character", self->name);
            return false;
        }
    }
    if (value[0] == '-' && !self->allows_dash) {
        (void)amdi_error_set(
                error, AMDRPC_EINVAL, "%s: begins with \"-\"", self->name);
        return false;
    }
    return self->type != AMDI_COMMAND_PATH || path_is_taken(self, value, error);
}

static bool
type_takes(const struct amdi_command_parameter *self, const char *value,
        struct amdi_error *error)
{
    switch (self->type) {
    case AMDI_COMMAND_INT:
        return int_is_taken(self, value, error);
    case AMDI_COMMAND_ENUM:
        return enum_is_taken(self, value, error);
    case AMDI_COMMAND_STRING:
    case AMDI_COMMAND_PATH:
        break;
    }
    return text_is_taken(self, value, error);
}

bool
amdi_command_parameter_takes(const struct amdi_command_parameter *parameter,
        const char *value, struct amdi_error *error)
{
    if (!type_takes(parameter, value, error)) {
        return false;
    }
    if (parameter->pattern_text != NULL &&
            regexec(&parameter->pattern, value, 0, NULL, 0) != 0) {
        (void)amdi_error_set(error, AMDRPC_EINVAL,
                "%s: does not match the pattern %s", parameter->name,
                parameter->pattern_text);
        return false;
    }
    return true;
}
