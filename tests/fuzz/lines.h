/** Inputs that are lines of "name: value". */
#ifndef TEST_FUZZ_LINES_H
#define TEST_FUZZ_LINES_H

#include "common/h2/h2.h"

/**
 * Calls @fn with the fields that HTTP/2 lets through, each in memory of its
 * own, until it returns false. A line's name ends at its first colon that is
 * not its first character.
 */
void fuzz_each_field(const uint8_t *data, size_t len,
        bool (*fn)(void *arg, const struct amdi_h2_field *field), void *arg);

#endif
