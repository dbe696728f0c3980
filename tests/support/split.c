/** A stream of bytes in pieces. */
#include "tests/support/split.h"

#include <stdlib.h>
#include <string.h>

/** A small generator of our own, so that a seed means the same everywhere. */
static uint32_t
split_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/** Pieces are short, long or empty, each kind often enough. */
static size_t
split_piece_len(unsigned seed, uint32_t *state, size_t left)
{
    size_t len;

    if (seed == 0) {
        return left;
    }
    if (seed == 1) {
        return 1;
    }
    len = split_random(state) % (split_random(state) % 3 == 0 ? 4096 : 8);
    return len < left ? len : left;
}

static void
split_deliver(const uint8_t *data, size_t len, test_piece_fn fn, void *arg)
{
    uint8_t *piece = malloc(len > 0 ? len : 1);

    if (piece == NULL) {
        abort(); // not by Check: fuzz targets are no tests of its
    }
    if (len > 0) {
        memcpy(piece, data, len);
    }
    fn(arg, piece, len);
    free(piece);
}

void
test_split_stream(unsigned seed, const void *data, size_t len, test_piece_fn fn,
        void *arg)
{
    const uint8_t *bytes = data;
    uint32_t state = seed;

    while (len > 0) {
        size_t piece_len = split_piece_len(seed, &state, len);

        split_deliver(bytes, piece_len, fn, arg);
        bytes += piece_len;
        len -= piece_len;
    }
}
