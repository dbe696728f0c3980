/** HTTP/2 sending: header fields become blocks. */
#include "common/alloc.h"
#include "common/h2/h2_hpack.h"
#include "common/h2/h2_session.h"

#include <string.h>

// More than 8 of our own fields and what users add, which callers bound.
#define MAX_SEND_FIELDS 160u

/* ---- the same fields again ---- */

/** Where a block is kept: heads of messages and their ends take turns. */
static struct h2_sent_block *
sent_block_of(struct amdi_h2 *h2, const struct amdi_h2_frame *frame)
{
    return &h2->sent_blocks[(frame->flags & AMDI_H2_END_STREAM) != 0];
}

/** The table has changed: bytes sent before would mean other fields. */
static void
sent_blocks_forget(struct amdi_h2 *h2)
{
    h2->sent_blocks[0].len = 0;
    h2->sent_blocks[1].len = 0;
}

static bool
sent_block_is(const struct h2_sent_block *sent,
        const struct amdi_h2_field *fields, size_t nfields)
{
    const uint8_t *at = sent->fields;

    if (sent->len == 0 || sent->nfields != nfields) {
        return false;
    }
    for (size_t i = 0; i < nfields; i++) {
        const struct amdi_h2_field *field = &fields[i];

        if (at[0] != field->name_len || at[1] != field->value_len ||
                field->is_secret ||
                memcmp(at + 2, field->name, field->name_len) != 0 ||
                memcmp(at + 2 + field->name_len, field->value,
                        field->value_len) != 0) {
            return false;
        }
        at += 2 + field->name_len + field->value_len;
    }
    return true;
}

/** Writes what sent_block_is compares with; false if it is too long. */
static bool
sent_block_set_fields(struct h2_sent_block *sent,
        const struct amdi_h2_field *fields, size_t nfields)
{
    uint8_t *at = sent->fields;
    size_t room = sizeof(sent->fields);

    for (size_t i = 0; i < nfields; i++) {
        const struct amdi_h2_field *field = &fields[i];

        if (field->name_len > UINT8_MAX || field->value_len > UINT8_MAX ||
                2 + field->name_len + field->value_len > room) {
            return false;
        }
        at[0] = (uint8_t)field->name_len;
        at[1] = (uint8_t)field->value_len;
        memcpy(at + 2, field->name, field->name_len);
        memcpy(at + 2 + field->name_len, field->value, field->value_len);
        at += 2 + field->name_len + field->value_len;
        room -= 2 + field->name_len + field->value_len;
    }
    sent->nfields = (uint8_t)nfields; // none takes less than two bytes
    return true;
}

static void
sent_block_keep(struct h2_sent_block *sent, const uint8_t *block, size_t len,
        const struct amdi_h2_field *fields, size_t nfields)
{
    sent->len = 0;
    if (len <= sizeof(sent->bytes) &&
            sent_block_set_fields(sent, fields, nfields)) {
        memcpy(sent->bytes, block, len);
        sent->len = (uint8_t)len;
    }
}

/* ---- blocks to send ---- */

static size_t
fields_to_nv(
        const struct amdi_h2_field *fields, size_t nfields, nghttp2_nv *out)
{
    size_t n = nfields < MAX_SEND_FIELDS ? nfields : MAX_SEND_FIELDS;

    for (size_t i = 0; i < n; i++) {
        out[i] = (nghttp2_nv){
                .name = (uint8_t *)(uintptr_t)fields[i].name,
                .value = (uint8_t *)(uintptr_t)fields[i].value,
                .namelen = fields[i].name_len,
                .valuelen = fields[i].value_len,
                .flags = fields[i].is_secret ? NGHTTP2_NV_FLAG_NO_INDEX
                                             : NGHTTP2_NV_FLAG_NONE,
        };
    }
    return n;
}

/** A block over the size of a frame goes on in CONTINUATION frames. */
static amdrpc_err
push_long_block(struct amdi_h2 *h2, struct amdi_h2_frame frame,
        const uint8_t *block, size_t len)
{
    amdrpc_err err = AMDRPC_OK;

    frame.flags &= (uint8_t)~AMDI_H2_END_HEADERS;
    while (err == AMDRPC_OK && len > 0) {
        frame.len = (uint32_t)(len < AMDI_H2_MAX_FRAME_BYTES
                        ? len
                        : AMDI_H2_MAX_FRAME_BYTES);
        len -= frame.len;
        if (len == 0) {
            frame.flags |= AMDI_H2_END_HEADERS;
        }
        err = amdi_h2_push_frame(h2, &frame, block);
        block += frame.len;
        frame.type = AMDI_H2_CONTINUATION;
        frame.flags = 0;
    }
    return err;
}

/** Encodes a block too large to be sure that it fits one frame. */
static amdrpc_err
push_big_headers(struct amdi_h2 *h2, struct amdi_h2_frame frame,
        const nghttp2_nv *nv, size_t n, size_t bound)
{
    uint8_t *block = amdi_alloc(bound);
    ssize_t len = 0;
    amdrpc_err err = AMDRPC_ENOMEM;

    if (block == NULL) {
        return AMDRPC_ENOMEM;
    }
    len = nghttp2_hd_deflate_hd(h2->deflater, block, bound, nv, n);
    if (len >= 0) {
        err = push_long_block(h2, frame, block, (size_t)len);
    }
    amdi_free(block);
    sent_blocks_forget(h2);
    // The peer's table misses what our encoder believes it has.
    h2->has_failed = h2->has_failed || err != AMDRPC_OK;
    return err;
}

/** Encodes a block, and remembers it if it may be sent again. */
static amdrpc_err
push_new_headers(struct amdi_h2 *h2, struct amdi_h2_frame frame,
        const struct amdi_h2_field *fields, size_t nfields)
{
    nghttp2_nv nv[MAX_SEND_FIELDS];
    size_t n = fields_to_nv(fields, nfields, nv);
    size_t bound = nghttp2_hd_deflate_bound(h2->deflater, nv, n);
    uint8_t *out = NULL;
    uint8_t *block = NULL;
    ssize_t len = 0;

    if (bound > AMDI_H2_MAX_FRAME_BYTES) {
        return push_big_headers(h2, frame, nv, n, bound);
    }
    if (amdi_buf_reserve(&h2->control, AMDI_H2_FRAME_HEADER_BYTES + bound) !=
            AMDRPC_OK) {
        return AMDRPC_ENOMEM;
    }
    out = h2->control.data + h2->control.end;
    block = out + AMDI_H2_FRAME_HEADER_BYTES;
    len = nghttp2_hd_deflate_hd(h2->deflater, block, bound, nv, n);
    if (len < 0) {
        h2->has_failed = true; // the encoder is out of step with the peer
        return AMDRPC_ENOMEM;
    }
    frame.len = (uint32_t)len;
    amdi_h2_frame_write(out, &frame);
    h2->control.end += AMDI_H2_FRAME_HEADER_BYTES + frame.len;
    if (!amdi_h2_block_keeps_table(block, frame.len)) {
        sent_blocks_forget(h2);
    } else if (nfields == n) {
        sent_block_keep(sent_block_of(h2, &frame), block, frame.len, fields, n);
    }
    return AMDRPC_OK;
}

amdrpc_err
amdi_h2_push_headers(struct amdi_h2 *h2, int32_t stream_id,
        const struct amdi_h2_field *fields, size_t nfields, bool has_end)
{
    struct amdi_h2_frame frame = {.type = AMDI_H2_HEADERS,
            .flags = AMDI_H2_END_HEADERS,
            .stream_id = stream_id};
    const struct h2_sent_block *sent = NULL;

    frame.flags |= has_end ? AMDI_H2_END_STREAM : 0;
    sent = sent_block_of(h2, &frame);
    if (!sent_block_is(sent, fields, nfields)) {
        return push_new_headers(h2, frame, fields, nfields);
    }
    frame.len = sent->len;
    return amdi_h2_push_frame(h2, &frame, sent->bytes);
}

amdrpc_err
amdi_h2_set_send_table(struct amdi_h2 *h2, uint32_t nbytes)
{
    // The next block has to begin with the new size, and entries may be gone.
    sent_blocks_forget(h2);
    return nghttp2_hd_deflate_change_table_size(h2->deflater, nbytes) == 0
            ? AMDRPC_OK
            : AMDRPC_ENOMEM;
}
