/** Bytes gathered for one write: small ones copied, big ones referenced. */
#ifndef AMDI_OUT_H
#define AMDI_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define AMDI_OUT_NIOV 64

// Below this copying is cheaper than one more iovec (docs/performance.md).
#define AMDI_OUT_REFERENCE_BYTES 2048u

// Enough for one write: all that may wait of a call by default (288 KiB), so
// that its client is woken once for it (docs/performance.md).
#define AMDI_OUT_ENOUGH_BYTES 327680u

struct amdi_out {
    uint8_t *scratch; // borrowed: the loop's output buffer
    size_t room;
    size_t used;   // of scratch
    size_t nbytes; // in all, with what is referenced
    struct iovec iov[AMDI_OUT_NIOV];
    int niov;
};

void amdi_out_init(struct amdi_out *out, uint8_t *scratch, size_t room);

/**
 * Tells whether @len bytes can be copied and one more block referenced, and
 * there is not enough for one write already.
 */
bool amdi_out_has_room(const struct amdi_out *out, size_t len);

/** How many bytes can be copied, when there is room for a block at all. */
size_t amdi_out_room(const struct amdi_out *out);

/** Copies; the caller has asked for room. */
void amdi_out_copy(struct amdi_out *out, const void *data, size_t len);

/** Refers to bytes that stay as they are until the write is done. */
void amdi_out_reference(struct amdi_out *out, const void *data, size_t len);

#endif
