/** What both directions of the JSON mapping share: failures and their path. */
#include "common/json/json_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static size_t path_print(const struct json_path *path, char *out, size_t size);

static size_t
path_print_step(const struct json_path *path, char *out, size_t size)
{
    int len;

    if (path->name == NULL) {
        len = snprintf(out, size, "[%zu]", path->index);
    } else if (path->is_key) {
        len = snprintf(out, size, "[\"%s\"]", path->name);
    } else {
        len = snprintf(
                out, size, "%s%s", path->up != NULL ? "." : "", path->name);
    }
    return len < 0 ? 0 : (size_t)len < size ? (size_t)len : size - 1;
}

/* Writes the steps from the outermost on; returns the length, cut to @size. */
static size_t
path_print(const struct json_path *path, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    if (path != NULL) {
        len = path_print(path->up, out, size);
        len += path_print_step(path, out + len, size - len);
    }
    return len;
}

void
amdi_json_fail(
        struct json_context *context, amdrpc_err err, const char *format, ...)
{
    char path[200];
    char what[sizeof(context->error->text)];
    va_list args;

    if (!amdi_json_is_good(context)) {
        return;
    }
    context->err = err;
    va_start(args, format);
    (void)vsnprintf(what, sizeof(what), format, args); // cut is allowed
    va_end(args);
    if (path_print(context->path, path, sizeof(path)) == 0) {
        (void)amdi_error_set(context->error, err, "%s", what);
    } else {
        (void)amdi_error_set(context->error, err, "%s: %s", path, what);
    }
}

void
amdi_json_check(struct json_context *context, amdrpc_err err)
{
    if (err != AMDRPC_OK && amdi_json_is_good(context)) {
        context->err =
                amdi_error_set(context->error, err, "%s", amdrpc_err_text(err));
    }
}

bool
amdi_json_enter(struct json_context *context)
{
    if (context->depth == AMDI_JSON_MAX_DEPTH) {
        amdi_json_fail(context, AMDRPC_ELIMIT,
                "more than %u messages lie in each other", AMDI_JSON_MAX_DEPTH);
    }
    if (!amdi_json_is_good(context)) {
        return false;
    }
    context->depth++;
    return true;
}

enum amdi_wire_type
amdi_json_wire_type(const struct amdi_field *field)
{
    switch (field->type) {
    case AMDI_FIELD_DOUBLE:
    case AMDI_FIELD_FIXED64:
    case AMDI_FIELD_SFIXED64:
        return AMDI_WIRE_FIXED64;
    case AMDI_FIELD_FLOAT:
    case AMDI_FIELD_FIXED32:
    case AMDI_FIELD_SFIXED32:
        return AMDI_WIRE_FIXED32;
    case AMDI_FIELD_STRING:
    case AMDI_FIELD_BYTES:
    case AMDI_FIELD_MESSAGE:
        return AMDI_WIRE_BYTES;
    case AMDI_FIELD_INT64:
    case AMDI_FIELD_UINT64:
    case AMDI_FIELD_INT32:
    case AMDI_FIELD_BOOL:
    case AMDI_FIELD_GROUP:
    case AMDI_FIELD_UINT32:
    case AMDI_FIELD_ENUM:
    case AMDI_FIELD_SINT32:
    case AMDI_FIELD_SINT64:
        break;
    }
    return AMDI_WIRE_VARINT;
}

/* What stands before the last slash says where to ask, and is not used. */
const struct amdi_message *
amdi_json_find_type(struct json_context *context, const char *url, size_t len)
{
    const char *slash = memrchr(url, '/', len);
    const struct amdi_message *message = NULL;
    char name[256];
    size_t name_len = slash != NULL ? (size_t)(url + len - slash) - 1 : 0;

    if (slash != NULL && name_len < sizeof(name)) {
        memcpy(name, slash + 1, name_len);
        name[name_len] = '\0';
        message = amdi_descriptors_find_message(context->descriptors, name);
    }
    if (message == NULL) {
        amdi_json_fail(context, AMDRPC_EINVAL,
                "the type '%.*s' is not known here", (int)len, url);
    }
    return message;
}
