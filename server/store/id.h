/** The numbers and names of operations. */
#ifndef AMDI_STORE_ID_H
#define AMDI_STORE_ID_H

#include <amdrpc/err.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// 41 bits of milliseconds since 2020 and 22 random bits: 63 bits, positive in
// every database, in the order of time until 2089.
#define AMDI_ID_RANDOM_BITS 22
#define AMDI_ID_EPOCH_MS INT64_C(1577836800000)

/** Returns the id that @random (its low bits) gives at this time; never 0. */
uint64_t amdi_id_make(int64_t at_us, uint32_t random);

/** Returns the smallest id of that time's millisecond. */
uint64_t amdi_id_at(int64_t at_us);

/** "operations/", 13 letters and a NUL. */
#define AMDI_OP_NAME_BYTES 25u

/** Writes the operation's name; it sorts as the id does. */
void amdi_op_name_format(uint64_t id, char out[AMDI_OP_NAME_BYTES]);

/** Reads a name. Errors: AMDRPC_EINVAL. */
AMDRPC_NODISCARD amdrpc_err amdi_op_name_parse(
        const char *name, size_t len, uint64_t *out);

#endif
