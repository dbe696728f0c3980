/** Header blocks as HPACK encodes them (RFC 7541, section 6). Pure. */
#ifndef AMDI_H2_HPACK_H
#define AMDI_H2_HPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Tells whether a block adds nothing to the table: it has only references and
 * literals that are not to be indexed, as many clients send the path. Secret
 * ones (6.2.3) do not count: they are kept nowhere.
 */
bool amdi_h2_block_keeps_table(const uint8_t *data, size_t len);

#endif
