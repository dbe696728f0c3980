/** The header fields of an answer. */
#include "server/conn/response.h"

#include "common/compress.h"
#include "common/encoding.h"
#include "common/metadata.h"
#include "server/details.h"

#include <string.h>

// grpcio takes header lists up to 8 KiB; what we send stays well below.
#define MAX_LIST_BYTES 8000u
#define FIELD_OVERHEAD_BYTES 32u

/** Adds a field unless it does not fit; returns whether it did. */
static bool
response_add(struct amdi_response *response, struct amdi_h2_field field)
{
    size_t bytes = field.name_len + field.value_len + FIELD_OVERHEAD_BYTES;

    if (response->nfields == AMDI_RESPONSE_FIELDS ||
            response->list_bytes + bytes > MAX_LIST_BYTES) {
        return false;
    }
    response->fields[response->nfields++] = field;
    response->list_bytes += bytes;
    return true;
}

/** Adds what fits; metadata too large for a client is better cut than lost. */
static void
response_add_metadata(struct amdi_response *response,
        const struct amdrpc_metadata *metadata, struct amdi_arena *arena)
{
    for (size_t i = 0; i < amdrpc_metadata_count(metadata); i++) {
        const amdrpc_metadata_field *field = amdrpc_metadata_at(metadata, i);
        struct amdi_h2_field wire = {
                .name = field->name, .name_len = strlen(field->name)};

        if (amdi_metadata_wire_value(
                    field, arena, &wire.value, &wire.value_len) == AMDRPC_OK) {
            (void)response_add(response, wire);
        }
    }
}

void
amdi_response_clear(struct amdi_response *response)
{
    response->nfields = 0;
    response->list_bytes = 0;
}

void
amdi_response_add_codecs(struct amdi_response *response)
{
    (void)response_add(response,
            AMDI_H2_FIELD(AMDI_ACCEPT_ENCODING_FIELD, AMDI_ACCEPT_ENCODING));
}

void
amdi_response_begin(struct amdi_response *response, bool is_gzip_announced,
        const struct amdrpc_metadata *initial, struct amdi_arena *arena)
{
    amdi_response_clear(response);
    (void)response_add(response, AMDI_H2_FIELD(":status", "200"));
    (void)response_add(
            response, AMDI_H2_FIELD("content-type", "application/grpc"));
    if (is_gzip_announced) {
        (void)response_add(response,
                AMDI_H2_FIELD(AMDI_ENCODING_FIELD, AMDI_ENCODING_GZIP));
    }
    response_add_metadata(response, initial, arena);
}

void
amdi_response_begin_http(
        struct amdi_response *response, const char *http_status)
{
    struct amdi_h2_field status = AMDI_H2_FIELD(":status", "");

    status.value = http_status;
    status.value_len = strlen(http_status);
    amdi_response_clear(response);
    (void)response_add(response, status);
    (void)response_add(response, AMDI_H2_FIELD("content-type", "text/plain"));
}

static struct amdi_h2_field
status_field(amdrpc_status_code code)
{
    static const char digits[17][3] = {"0", "1", "2", "3", "4", "5", "6", "7",
            "8", "9", "10", "11", "12", "13", "14", "15", "16"};
    struct amdi_h2_field field = AMDI_H2_FIELD("grpc-status", "2");

    if ((size_t)code < sizeof(digits) / sizeof(digits[0])) {
        field.value = digits[code];
        field.value_len = strlen(digits[code]);
    }
    return field;
}

/** Cuts what is too long at the start of an escape or a whole character. */
static size_t
encoded_cut(const char *text, size_t len, size_t room)
{
    if (len <= room) {
        return len;
    }
    for (size_t back = 1; back <= 2 && back <= room; back++) {
        if (text[room - back] == '%') {
            return room - back;
        }
    }
    return room;
}

static void
response_add_message(struct amdi_response *response, const char *message,
        struct amdi_arena *arena)
{
    struct amdi_h2_field field = AMDI_H2_FIELD("grpc-message", "");
    size_t used = response->list_bytes + field.name_len + FIELD_OVERHEAD_BYTES;
    size_t len = strlen(message);
    char *encoded = amdi_arena_alloc(arena, AMDI_PERCENT_BYTES(len));

    if (encoded == NULL || used >= MAX_LIST_BYTES) {
        return;
    }
    field.value_len = encoded_cut(encoded,
            amdi_percent_encode(message, len, encoded), MAX_LIST_BYTES - used);
    field.value = encoded;
    (void)response_add(response, field);
}

void
amdi_response_add_status(struct amdi_response *response,
        amdrpc_status_code code, const char *message,
        const struct amdrpc_metadata *trailing, struct amdi_arena *arena)
{
    (void)response_add(response, status_field(code));
    response_add_metadata(response, trailing, arena);
    if (message != NULL && message[0] != '\0') {
        response_add_message(response, message, arena);
    }
}

void
amdi_response_add_details(struct amdi_response *response, const void *data,
        size_t len, struct amdi_arena *arena)
{
    const amdrpc_metadata_field field = {
            .name = AMDI_DETAILS_FIELD, .value = data, .value_len = len};
    struct amdi_h2_field wire = AMDI_H2_FIELD(AMDI_DETAILS_FIELD, "");

    if (amdi_metadata_wire_value(&field, arena, &wire.value, &wire.value_len) ==
            AMDRPC_OK) {
        (void)response_add(response, wire);
    }
}
