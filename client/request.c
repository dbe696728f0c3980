/** Builds the header fields of requests. */
#include "client/request.h"

#include "common/alloc.h"
#include "common/compress.h"
#include "common/metadata.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define REQUEST_USER_AGENT "amdrpc-c/0.1.0"

enum request_field {
    REQUEST_METHOD,
    REQUEST_SCHEME,
    REQUEST_PATH,
    REQUEST_AUTHORITY,
    REQUEST_TE,
    REQUEST_CONTENT_TYPE,
    REQUEST_AGENT,
    REQUEST_ACCEPT_ENCODING,
    REQUEST_TIMEOUT,
};

static void
field_set_value(struct amdi_h2_field *field, const char *value)
{
    field->value = value;
    field->value_len = strlen(value);
}

amdrpc_err
amdi_request_template_init(struct amdi_request_template *request_template,
        const char *scheme, const char *authority, const char *user_agent)
{
    struct amdi_h2_field *fields = request_template->fields;
    const char *prefix = user_agent == NULL ? "" : user_agent;
    size_t size = strlen(prefix) + 1 + sizeof(REQUEST_USER_AGENT);
    char *agent = amdi_alloc(size);

    if (agent == NULL) {
        return AMDRPC_ENOMEM;
    }
    (void)snprintf(agent, size, "%s%s" REQUEST_USER_AGENT, prefix,
            *prefix == '\0' ? "" : " "); // it fits
    request_template->user_agent = agent;
    fields[REQUEST_METHOD] = AMDI_H2_FIELD(":method", "POST");
    fields[REQUEST_SCHEME] = AMDI_H2_FIELD(":scheme", "");
    field_set_value(&fields[REQUEST_SCHEME], scheme);
    fields[REQUEST_PATH] = AMDI_H2_FIELD(":path", "");
    fields[REQUEST_AUTHORITY] = AMDI_H2_FIELD(":authority", "");
    field_set_value(&fields[REQUEST_AUTHORITY], authority);
    fields[REQUEST_TE] = AMDI_H2_FIELD("te", "trailers");
    fields[REQUEST_CONTENT_TYPE] =
            AMDI_H2_FIELD("content-type", "application/grpc");
    fields[REQUEST_AGENT] = AMDI_H2_FIELD("user-agent", "");
    field_set_value(&fields[REQUEST_AGENT], agent);
    fields[REQUEST_ACCEPT_ENCODING] =
            AMDI_H2_FIELD(AMDI_ACCEPT_ENCODING_FIELD, AMDI_ACCEPT_ENCODING);
    fields[REQUEST_TIMEOUT] = AMDI_H2_FIELD("grpc-timeout", "");
    // Every value is another one: it would only push others out of the tables.
    fields[REQUEST_TIMEOUT].is_secret = true;
    return AMDRPC_OK;
}

void
amdi_request_template_fini(struct amdi_request_template *request_template)
{
    amdi_free(request_template->user_agent);
    request_template->user_agent = NULL;
}

static bool
name_is_secret(const char *name)
{
    return strcmp(name, "authorization") == 0 || strcmp(name, "cookie") == 0;
}

/** Copies one field of the user's into the arena. */
static amdrpc_err
request_add(struct amdi_request *request, const amdrpc_metadata_field *field,
        struct amdi_arena *arena, size_t *nbytes)
{
    struct amdi_h2_field *out = &request->metadata[request->nmetadata];
    const char *value = NULL;
    size_t value_len = 0;
    amdrpc_err err = amdi_metadata_wire_value(field, arena, &value, &value_len);

    if (err != AMDRPC_OK) {
        return err;
    }
    out->name_len = strlen(field->name);
    *nbytes += out->name_len + value_len;
    if (*nbytes > AMDI_REQUEST_METADATA_BYTES) {
        return AMDRPC_EINVAL;
    }
    out->name = amdi_arena_strndup(arena, field->name, out->name_len);
    // The wire form of a text is the user's own memory.
    out->value = value == field->value
            ? amdi_arena_strndup(arena, value, value_len)
            : value;
    out->value_len = value_len;
    out->is_secret = name_is_secret(field->name);
    if (out->name == NULL || out->value == NULL) {
        return AMDRPC_ENOMEM;
    }
    request->nmetadata++;
    return AMDRPC_OK;
}

amdrpc_err
amdi_request_prepare(struct amdi_request *request,
        const amdrpc_metadata *metadata, struct amdi_arena *arena)
{
    size_t count = amdrpc_metadata_count(metadata);
    size_t nbytes = 0;

    if (count == 0) {
        return AMDRPC_OK;
    }
    if (count > AMDI_REQUEST_METADATA_FIELDS) {
        return AMDRPC_EINVAL;
    }
    request->metadata =
            amdi_arena_alloc(arena, count * sizeof(*request->metadata));
    if (request->metadata == NULL) {
        return AMDRPC_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        amdrpc_err err = request_add(
                request, amdrpc_metadata_at(metadata, i), arena, &nbytes);

        if (err != AMDRPC_OK) {
            return err;
        }
    }
    return AMDRPC_OK;
}

void
amdi_request_fill(const struct amdi_request *request,
        const struct amdi_request_template *request_template, const char *path,
        uint64_t timeout_ns, struct amdi_request_fields *out)
{
    memcpy(out->at, request_template->fields, sizeof(request_template->fields));
    field_set_value(&out->at[REQUEST_PATH], path);
    out->count = AMDI_REQUEST_TEMPLATE_FIELDS;
    if (timeout_ns > 0) {
        amdi_timeout_format(timeout_ns, out->timeout);
        field_set_value(&out->at[REQUEST_TIMEOUT], out->timeout);
    } else {
        out->count--; // it is the last of our own
    }
    if (request->is_gzipped) {
        out->at[out->count++] =
                AMDI_H2_FIELD(AMDI_ENCODING_FIELD, AMDI_ENCODING_GZIP);
    }
    if (request->nattempts > 0) {
        struct amdi_h2_field *field = &out->at[out->count++];

        out->attempts = (char)('0' + request->nattempts);
        *field = AMDI_H2_FIELD("grpc-previous-rpc-attempts", "");
        field->value = &out->attempts;
        field->value_len = 1;
    }
    if (request->nmetadata > 0) {
        memcpy(&out->at[out->count], request->metadata,
                request->nmetadata * sizeof(*request->metadata));
        out->count += request->nmetadata;
    }
}
