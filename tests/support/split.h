/** A stream of bytes in pieces, as a network would deliver it. */
#ifndef TEST_SPLIT_H
#define TEST_SPLIT_H

#include <stddef.h>
#include <stdint.h>

/** Takes one piece; it lies alone in memory, so that a sanitizer sees more. */
typedef void (*test_piece_fn)(void *arg, const uint8_t *data, size_t len);

/** So many seeds show everything. */
#define TEST_SPLIT_SEEDS 50u

/**
 * Delivers the stream. Seed 0: in one piece; 1: byte by byte; others: in
 * pieces of random length, always the same for the same seed.
 */
void test_split_stream(unsigned seed, const void *data, size_t len,
        test_piece_fn fn, void *arg);

#endif
