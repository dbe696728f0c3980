/** Metadata as people write and read it: NAME=VALUE, -bin as base64. */
#include "client/cli/metadata_text.h"

#include "common/alloc.h"
#include "common/encoding.h"

#include <stdbool.h>
#include <string.h>

static bool
name_is_binary(const char *name)
{
    size_t len = strlen(name);

    return len >= 4 && strcmp(name + len - 4, "-bin") == 0;
}

static amdrpc_err
metadata_add_base64(
        amdrpc_metadata *metadata, const char *name, const char *text)
{
    size_t text_len = strlen(text);
    size_t len = 0;
    uint8_t *value = amdi_alloc(text_len / 4 * 3 + 2);
    amdrpc_err err;

    if (value == NULL) {
        return AMDRPC_ENOMEM;
    }
    err = amdi_base64_decode(text, text_len, value, &len);
    if (err == AMDRPC_OK) {
        err = amdrpc_metadata_add(metadata, name, value, len);
    }
    amdi_free(value);
    return err;
}

amdrpc_err
amdi_metadata_add_pair(amdrpc_metadata *metadata, const char *pair)
{
    const char *equals = strchr(pair, '=');
    amdrpc_err err;
    char *name;

    if (equals == NULL) {
        return AMDRPC_EINVAL;
    }
    name = amdi_strndup(pair, (size_t)(equals - pair));
    if (name == NULL) {
        return AMDRPC_ENOMEM;
    }
    err = name_is_binary(name)
            ? metadata_add_base64(metadata, name, equals + 1)
            : amdrpc_metadata_add_text(metadata, name, equals + 1);
    amdi_free(name);
    return err;
}

static void
field_print(const amdrpc_metadata_field *field, const char *title, FILE *file)
{
    char *text = NULL;

    if (name_is_binary(field->name)) {
        text = amdi_alloc(AMDI_BASE64_BYTES(field->value_len));
        if (text == NULL) {
            return; // only shown on request, and by a process out of memory
        }
        (void)amdi_base64_encode(field->value, field->value_len, text);
    }
    (void)fprintf(file, "%s: %s=%s\n", title, field->name,
            text == NULL ? field->value : text);
    amdi_free(text);
}

void
amdi_metadata_print(
        const amdrpc_metadata *metadata, const char *title, FILE *file)
{
    for (size_t i = 0; i < amdrpc_metadata_count(metadata); i++) {
        field_print(amdrpc_metadata_at(metadata, i), title, file);
    }
    (void)fflush(file);
}
