/** The codec of messages: gzip, by zlib. */
#include "common/compress.h"

#include "common/alloc.h"
#include "common/frame.h"

#include <string.h>
#include <zlib.h>

// zlib's way to ask for gzip's header and trailer.
#define GZIP_WINDOW_BITS (MAX_WBITS + 16)
#define GZIP_MEM_LEVEL 8

// What comes out of a message is guessed at first, then doubled.
#define INFLATE_GUESS 4u
#define INFLATE_FIRST_BYTES 1024u

/* ---- the list of codecs ---- */

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool
amdi_gzip_is_listed(const char *value, size_t len)
{
    static const char gzip[] = AMDI_ENCODING_GZIP;
    const char *end = value + len;

    while (value < end) {
        const char *comma = memchr(value, ',', (size_t)(end - value));
        const char *stop = comma == NULL ? end : comma;
        const char *next = comma == NULL ? end : comma + 1;

        while (value < stop && is_blank(*value)) {
            value++;
        }
        while (value < stop && is_blank(stop[-1])) {
            stop--;
        }
        if ((size_t)(stop - value) == sizeof(gzip) - 1 &&
                memcmp(value, gzip, sizeof(gzip) - 1) == 0) {
            return true;
        }
        value = next;
    }
    return false;
}

/* ---- memory ---- */

static void *
zlib_alloc(void *opaque, uInt count, uInt size)
{
    (void)opaque;
    return amdi_calloc(count, size);
}

static void
zlib_free(void *opaque, void *ptr)
{
    (void)opaque;
    amdi_free(ptr);
}

/* ---- compressing ---- */

/** Compresses into at most @room bytes. False: it takes more. */
static bool
deflate_into(z_stream *zlib, const uint8_t *data, uint32_t len,
        struct amdi_message *out, uint32_t room)
{
    // zlib does not write there; its type says so only with ZLIB_CONST.
    zlib->next_in = (Bytef *)(uintptr_t)data;
    zlib->avail_in = len;
    zlib->next_out = out->data;
    zlib->avail_out = room;
    if (deflate(zlib, Z_FINISH) != Z_STREAM_END) {
        return false;
    }
    out->len = room - zlib->avail_out;
    out->is_compressed = true;
    return true;
}

amdrpc_err
amdi_gzip_deflate(const uint8_t *data, uint32_t len, struct amdi_message **out)
{
    z_stream zlib = {.zalloc = zlib_alloc, .zfree = zlib_free};
    struct amdi_message *message = NULL;

    *out = NULL;
    if (len == 0) {
        return AMDRPC_OK;
    }
    if (deflateInit2(&zlib, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS,
                GZIP_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        return AMDRPC_ENOMEM;
    }
    message = amdi_message_create(len - 1);
    if (message != NULL && deflate_into(&zlib, data, len, message, len - 1)) {
        *out = message;
    } else {
        amdi_message_free(message);
    }
    (void)deflateEnd(&zlib); // complains about what was not finished
    return message == NULL ? AMDRPC_ENOMEM : AMDRPC_OK;
}

amdrpc_err
amdi_gzip_pack(
        const ProtobufCMessage *msg, size_t len, struct amdi_message **out)
{
    uint8_t *packed = NULL;
    amdrpc_err err;

    if (len > UINT32_MAX) {
        return AMDRPC_ELIMIT;
    }
    packed = amdi_alloc(len + 1); // of an empty message too
    if (packed == NULL) {
        return AMDRPC_ENOMEM;
    }
    (void)protobuf_c_message_pack(msg, packed); // as long as it was measured
    err = amdi_gzip_deflate(packed, (uint32_t)len, out);
    amdi_free(packed);
    return err;
}

/* ---- decompressing ---- */

/** A message coming out of zlib. */
struct inflating {
    z_stream zlib;
    struct amdi_message *message; // owned
    uint32_t room;                // of the message
    uint32_t max_bytes;
};

static uint32_t
inflate_first_room(uint32_t len, uint32_t max_bytes)
{
    uint64_t room = (uint64_t)len * INFLATE_GUESS;

    if (room < INFLATE_FIRST_BYTES) {
        room = INFLATE_FIRST_BYTES;
    }
    return room < max_bytes ? (uint32_t)room : max_bytes;
}

/** Doubles the room, up to the limit. */
static amdrpc_err
inflate_grow(struct inflating *in)
{
    uint64_t room = (uint64_t)in->room * 2;
    struct amdi_message *message;

    room = room < in->max_bytes ? room : in->max_bytes;
    message = amdi_message_grow(in->message, in->room, (size_t)room);
    if (message == NULL) {
        return AMDRPC_ENOMEM;
    }
    in->message = message;
    in->zlib.next_out = message->data + in->room;
    in->zlib.avail_out = (uInt)(room - in->room);
    in->room = (uint32_t)room;
    return AMDRPC_OK;
}

/** Tells whether what is left of a full message is only its end. */
static amdrpc_err
inflate_past_limit(struct inflating *in)
{
    uint8_t more;
    int result;

    in->zlib.next_out = &more;
    in->zlib.avail_out = 1;
    result = inflate(&in->zlib, Z_NO_FLUSH);
    if (in->zlib.avail_out == 0) {
        return AMDRPC_ELIMIT;
    }
    in->zlib.avail_out = 0; // of the message there is none
    return result == Z_STREAM_END ? AMDRPC_OK : AMDRPC_EPROTO;
}

static amdrpc_err
inflate_all(struct inflating *in)
{
    for (;;) {
        int result = inflate(&in->zlib, Z_NO_FLUSH);
        amdrpc_err err;

        if (result == Z_STREAM_END) {
            return AMDRPC_OK;
        }
        if (result == Z_MEM_ERROR) {
            return AMDRPC_ENOMEM;
        }
        // With room left it wants bytes that do not come.
        if ((result != Z_OK && result != Z_BUF_ERROR) ||
                in->zlib.avail_out > 0) {
            return AMDRPC_EPROTO;
        }
        if (in->room == in->max_bytes) {
            return inflate_past_limit(in);
        }
        err = inflate_grow(in);
        if (err != AMDRPC_OK) {
            return err;
        }
    }
}

static amdrpc_err
inflate_message(struct inflating *in)
{
    amdrpc_err err = inflate_all(in);

    if (err == AMDRPC_OK && in->zlib.avail_in > 0) {
        return AMDRPC_EPROTO; // something follows
    }
    in->message->len = in->room - in->zlib.avail_out;
    return err;
}

amdrpc_err
amdi_gzip_inflate(struct amdi_message **message, uint32_t max_bytes)
{
    struct inflating in = {.max_bytes = max_bytes,
            .zlib = {.zalloc = zlib_alloc,
                    .zfree = zlib_free,
                    .next_in = (*message)->data,
                    .avail_in = (*message)->len}};
    amdrpc_err err = AMDRPC_ENOMEM;

    if (inflateInit2(&in.zlib, GZIP_WINDOW_BITS) != Z_OK) {
        return AMDRPC_ENOMEM;
    }
    in.room = inflate_first_room((*message)->len, max_bytes);
    in.message = amdi_message_create(in.room);
    if (in.message != NULL) {
        in.zlib.next_out = in.message->data;
        in.zlib.avail_out = in.room;
        err = inflate_message(&in);
    }
    (void)inflateEnd(&in.zlib); // its state is in order
    if (err != AMDRPC_OK) {
        amdi_message_free(in.message);
        return err;
    }
    in.message->next = (*message)->next;
    amdi_message_free(*message);
    *message = in.message;
    return AMDRPC_OK;
}
