/** Request ids: UUIDs of version 7 (RFC 9562, 5.7), which sort by time. */
#ifndef AMDI_REQUEST_ID_H
#define AMDI_REQUEST_ID_H

#include <amdrpc/operation.h>

#include <stdint.h>

#define AMDI_REQUEST_ID_NRANDOM 10

/**
 * Writes the id of a time, as text.
 *
 * @at_ms   since 1970
 * @out     AMDRPC_REQUEST_ID_BYTES
 */
void amdi_request_id_format(int64_t at_ms,
        const uint8_t random[AMDI_REQUEST_ID_NRANDOM], char *out);

#endif
