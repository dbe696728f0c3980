/** gRPC's length-prefixed messages (PROTOCOL-HTTP2, "Data Frames"). */
#ifndef AMDI_FRAME_H
#define AMDI_FRAME_H

#include <amdrpc/err.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AMDI_FRAME_PREFIX_BYTES 5u

// First memory for a message that has not arrived whole. A peer grows it only
// by sending: claiming 4 MiB costs us no more than this.
#define AMDI_FRAME_FIRST_BYTES (16u * 1024u)

/** Writes the five bytes before a message. */
static inline void
amdi_frame_write_prefix(
        uint8_t out[AMDI_FRAME_PREFIX_BYTES], bool compressed, uint32_t len)
{
    out[0] = compressed ? 1 : 0;
    out[1] = (uint8_t)(len >> 24);
    out[2] = (uint8_t)(len >> 16);
    out[3] = (uint8_t)(len >> 8);
    out[4] = (uint8_t)len;
}

/** One message; owned by whoever took it, freed with amdi_message_free. */
struct amdi_message {
    struct amdi_message *next; // for the owner's queue
    uint32_t len;
    bool is_compressed;
    uint8_t memory; // the cache's class of it
    uint8_t data[];
};

/** An empty message with room for @room bytes; NULL without memory. */
struct amdi_message *amdi_message_create(size_t room);

/**
 * Makes the room larger. The first @have bytes stay. Returns the message, which
 * may have moved; NULL without memory: then it is as it was.
 */
struct amdi_message *amdi_message_grow(
        struct amdi_message *message, size_t have, size_t room);

/** NULL is accepted. Thread: any. */
void amdi_message_free(struct amdi_message *message);

/**
 * Joins messages from bytes that come in any pieces. Memory for a message is
 * taken as its bytes arrive, never on the word of its prefix alone.
 */
struct amdi_frame_reader {
    uint8_t prefix[AMDI_FRAME_PREFIX_BYTES];
    uint8_t nprefix;              // bytes of the prefix seen
    bool is_compressed;           // of the message in progress
    bool refuses_compressed;      // set by the owner: no codec was named
    uint32_t max_bytes;           // refuse what claims more
    uint32_t need;                // length of the message in progress
    uint32_t have;                // bytes of it seen
    uint32_t room;                // bytes that `message` can hold
    struct amdi_message *message; // in progress; owned
};

void amdi_frame_reader_init(
        struct amdi_frame_reader *reader, uint32_t max_bytes);
void amdi_frame_reader_fini(struct amdi_frame_reader *reader);

/**
 * Takes bytes up to the end of one message.
 *
 * @out_taken  how many of @len bytes were used; call again with the rest
 * @out        the message when one is complete (returned owned), else NULL
 * Errors:     AMDRPC_ELIMIT  a prefix claims more than max_bytes
 *             AMDRPC_EPROTO  a flag byte that is neither 0 nor 1
 *             AMDRPC_EUNSUPPORTED  a compressed message where it is refused
 *             AMDRPC_ENOMEM
 * After an error only amdi_frame_reader_fini makes sense.
 */
AMDRPC_NODISCARD amdrpc_err amdi_frame_reader_push(
        struct amdi_frame_reader *reader, const uint8_t *data, size_t len,
        size_t *out_taken, struct amdi_message **out);

/** Tells whether bytes of an unfinished message are waiting. */
bool amdi_frame_reader_is_partial(const struct amdi_frame_reader *reader);

#endif
