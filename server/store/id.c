/** The numbers and names of operations. */
#include "server/store/id.h"

#include <string.h>

#define NAME_PREFIX "operations/"
#define NAME_PREFIX_BYTES (sizeof(NAME_PREFIX) - 1)
#define NAME_DIGITS 13
#define NAME_DIGIT_BITS 5

// RFC 4648 section 7, in lower case: its letters sort as their values do.
static const char name_digits[] = "0123456789abcdefghijklmnopqrstuv";

uint64_t
amdi_id_at(int64_t at_us)
{
    int64_t ms = at_us / 1000 - AMDI_ID_EPOCH_MS;

    if (ms < 0) {
        ms = 0; // a clock that stands before the epoch
    }
    return ((uint64_t)ms << AMDI_ID_RANDOM_BITS) & INT64_MAX;
}

uint64_t
amdi_id_make(int64_t at_us, uint32_t random)
{
    uint64_t id = amdi_id_at(at_us) |
            (random & ((UINT32_C(1) << AMDI_ID_RANDOM_BITS) - 1));

    return id == 0 ? 1 : id;
}

void
amdi_op_name_format(uint64_t id, char out[AMDI_OP_NAME_BYTES])
{
    memcpy(out, NAME_PREFIX, NAME_PREFIX_BYTES);
    for (int i = NAME_DIGITS - 1; i >= 0; i--) {
        out[NAME_PREFIX_BYTES + (size_t)i] = name_digits[id & 31];
        id >>= NAME_DIGIT_BITS;
    }
    out[NAME_PREFIX_BYTES + NAME_DIGITS] = '\0';
}

amdrpc_err
amdi_op_name_parse(const char *name, size_t len, uint64_t *out)
{
    uint64_t id = 0;

    if (len != NAME_PREFIX_BYTES + NAME_DIGITS ||
            memcmp(name, NAME_PREFIX, NAME_PREFIX_BYTES) != 0) {
        return AMDRPC_EINVAL;
    }
    for (size_t i = NAME_PREFIX_BYTES; i < len; i++) {
        const char *digit =
                memchr(name_digits, name[i], sizeof(name_digits) - 1);

        if (digit == NULL || id > INT64_MAX >> NAME_DIGIT_BITS) {
            return AMDRPC_EINVAL;
        }
        id = id << NAME_DIGIT_BITS | (uint64_t)(digit - name_digits);
    }
    if (id == 0) {
        return AMDRPC_EINVAL; // nothing has that number
    }
    *out = id;
    return AMDRPC_OK;
}
