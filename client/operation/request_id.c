/** Makes request ids. */
#include "client/operation/request_id.h"

#include "common/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define US_PER_MS 1000

void
amdi_request_id_format(
        int64_t at_ms, const uint8_t random[AMDI_REQUEST_ID_NRANDOM], char *out)
{
    uint8_t id[6 + AMDI_REQUEST_ID_NRANDOM];
    size_t len = 0;

    for (int i = 0; i < 6; i++) {
        id[i] = (uint8_t)((uint64_t)at_ms >> (8 * (5 - i)));
    }
    memcpy(id + 6, random, AMDI_REQUEST_ID_NRANDOM);
    id[6] = (uint8_t)(0x70 | (id[6] & 0x0f)); // version 7
    id[8] = (uint8_t)(0x80 | (id[8] & 0x3f)); // the RFC's variant
    for (size_t i = 0; i < sizeof(id); i++) {
        bool is_group = i == 4 || i == 6 || i == 8 || i == 10;

        len += (size_t)snprintf(out + len, AMDRPC_REQUEST_ID_BYTES - len,
                is_group ? "-%02x" : "%02x", id[i]);
    }
}

amdrpc_err
amdrpc_request_id_create(char *out)
{
    uint8_t random[AMDI_REQUEST_ID_NRANDOM];

    // So few bytes come whole (getrandom(2)).
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return AMDRPC_EIO;
    }
    amdi_request_id_format(amdi_clock_wall_us() / US_PER_MS, random, out);
    return AMDRPC_OK;
}
