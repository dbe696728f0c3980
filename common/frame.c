/** Joins gRPC's length-prefixed messages from pieces of any size. */
#include "common/frame.h"

#include "common/alloc.h"
#include "common/cache.h"

#include <string.h>

/* ---- messages ---- */

struct amdi_message *
amdi_message_create(size_t room)
{
    unsigned class = AMDI_CACHE_NONE;
    struct amdi_message *message = room < SIZE_MAX - sizeof(*message)
            ? amdi_cache_alloc(sizeof(*message) + room, &class)
            : NULL;

    if (message != NULL) {
        *message = (struct amdi_message){.memory = (uint8_t) class};
    }
    return message;
}

struct amdi_message *
amdi_message_grow(struct amdi_message *message, size_t have, size_t room)
{
    struct amdi_message *grown = NULL;

    if (message->memory == AMDI_CACHE_NONE) {
        return amdi_realloc(message, sizeof(*message) + room);
    }
    grown = amdi_message_create(room);
    if (grown != NULL) {
        grown->next = message->next;
        grown->len = message->len;
        grown->is_compressed = message->is_compressed;
        memcpy(grown->data, message->data, have);
        amdi_message_free(message);
    }
    return grown;
}

void
amdi_message_free(struct amdi_message *message)
{
    if (message != NULL) {
        amdi_cache_free(message->memory, message);
    }
}

/* ---- the reader ---- */

void
amdi_frame_reader_init(struct amdi_frame_reader *reader, uint32_t max_bytes)
{
    *reader = (struct amdi_frame_reader){.max_bytes = max_bytes};
}

/** What is left of a reader between two messages. */
static struct amdi_frame_reader
frame_reader_empty(const struct amdi_frame_reader *reader)
{
    return (struct amdi_frame_reader){.max_bytes = reader->max_bytes,
            .refuses_compressed = reader->refuses_compressed};
}

void
amdi_frame_reader_fini(struct amdi_frame_reader *reader)
{
    amdi_message_free(reader->message);
    *reader = frame_reader_empty(reader);
}

bool
amdi_frame_reader_is_partial(const struct amdi_frame_reader *reader)
{
    return reader->nprefix > 0;
}

static size_t
frame_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/** Reads a whole prefix. */
static amdrpc_err
frame_reader_start_message(struct amdi_frame_reader *reader)
{
    const uint8_t *prefix = reader->prefix;

    reader->is_compressed = prefix[0] == 1;
    reader->need = (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16 |
            (uint32_t)prefix[3] << 8 | prefix[4];
    if (reader->is_compressed && reader->refuses_compressed) {
        return AMDRPC_EUNSUPPORTED;
    }
    return reader->need > reader->max_bytes ? AMDRPC_ELIMIT : AMDRPC_OK;
}

/** Takes bytes of the prefix; @out_taken of them. */
static amdrpc_err
frame_reader_push_prefix(struct amdi_frame_reader *reader, const uint8_t *data,
        size_t len, size_t *out_taken)
{
    size_t taken = frame_min(len, AMDI_FRAME_PREFIX_BYTES - reader->nprefix);

    *out_taken = taken;
    if (taken == 0) {
        return AMDRPC_OK;
    }
    memcpy(reader->prefix + reader->nprefix, data, taken);
    reader->nprefix = (uint8_t)(reader->nprefix + taken);
    if (reader->prefix[0] > 1) {
        return AMDRPC_EPROTO;
    }
    if (reader->nprefix < AMDI_FRAME_PREFIX_BYTES) {
        return AMDRPC_OK;
    }
    return frame_reader_start_message(reader);
}

/**
 * Makes room for @len more bytes of the message. A message that lies whole in
 * what was pushed gets its memory at once; else it grows with its bytes.
 */
static amdrpc_err
frame_reader_reserve(struct amdi_frame_reader *reader, size_t len)
{
    size_t room = (size_t)reader->room * 2;
    struct amdi_message *message;

    if (reader->message != NULL && len <= reader->room - reader->have) {
        return AMDRPC_OK;
    }
    if (room < AMDI_FRAME_FIRST_BYTES) {
        room = AMDI_FRAME_FIRST_BYTES;
    }
    if (room < reader->have + len) {
        room = reader->have + len;
    }
    room = frame_min(room, reader->need);
    message = reader->message == NULL
            ? amdi_message_create(room)
            : amdi_message_grow(reader->message, reader->have, room);
    if (message == NULL) {
        return AMDRPC_ENOMEM;
    }
    reader->message = message;
    reader->room = (uint32_t)room;
    return AMDRPC_OK;
}

/** Gives the whole message away and waits for the next prefix. */
static struct amdi_message *
frame_reader_finish_message(struct amdi_frame_reader *reader)
{
    struct amdi_message *message = reader->message;

    message->next = NULL;
    message->len = reader->need;
    message->is_compressed = reader->is_compressed;
    *reader = frame_reader_empty(reader);
    return message;
}

amdrpc_err
amdi_frame_reader_push(struct amdi_frame_reader *reader, const uint8_t *data,
        size_t len, size_t *out_taken, struct amdi_message **out)
{
    size_t taken = 0;
    size_t body;
    amdrpc_err err = frame_reader_push_prefix(reader, data, len, &taken);

    if (err != AMDRPC_OK) {
        return err;
    }
    body = frame_min(len - taken, reader->need - reader->have);
    if (reader->nprefix < AMDI_FRAME_PREFIX_BYTES ||
            (body == 0 && reader->have < reader->need)) {
        *out_taken = taken;
        *out = NULL;
        return AMDRPC_OK;
    }
    err = frame_reader_reserve(reader, body);
    if (err != AMDRPC_OK) {
        return err;
    }
    if (body > 0) {
        memcpy(reader->message->data + reader->have, data + taken, body);
    }
    reader->have += (uint32_t)body;
    *out_taken = taken + body;
    *out = reader->have == reader->need ? frame_reader_finish_message(reader)
                                        : NULL;
    return AMDRPC_OK;
}
