/** grpc-timeout: eight digits and a unit. */
#include "common/timeout.h"

#define TIMEOUT_MAX_DIGITS 8u
#define TIMEOUT_MAX_VALUE 99999999u

// From fine to coarse; each unit is a multiple of the one before.
static const struct {
    char name;
    uint64_t ns;
} timeout_units[] = {
        {'n', UINT64_C(1)},
        {'u', UINT64_C(1000)},
        {'m', UINT64_C(1000000)},
        {'S', UINT64_C(1000000000)},
        {'M', UINT64_C(60000000000)},
        {'H', UINT64_C(3600000000000)},
};

#define TIMEOUT_NUNITS (sizeof(timeout_units) / sizeof(timeout_units[0]))

/** Returns the nanoseconds of a unit, or 0 when there is no such unit. */
static uint64_t
timeout_unit_ns(char name)
{
    for (size_t i = 0; i < TIMEOUT_NUNITS; i++) {
        if (timeout_units[i].name == name) {
            return timeout_units[i].ns;
        }
    }
    return 0;
}

amdrpc_err
amdi_timeout_parse(const char *text, size_t len, uint64_t *out_ns)
{
    uint64_t value = 0;
    uint64_t unit_ns;

    if (len < 2 || len > TIMEOUT_MAX_DIGITS + 1) {
        return AMDRPC_EINVAL;
    }
    unit_ns = timeout_unit_ns(text[len - 1]);
    if (unit_ns == 0) {
        return AMDRPC_EINVAL;
    }
    for (size_t i = 0; i < len - 1; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return AMDRPC_EINVAL;
        }
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *out_ns = value > UINT64_MAX / unit_ns ? UINT64_MAX : value * unit_ns;
    return AMDRPC_OK;
}

/** Writes a value of at most eight digits; returns how many. */
static size_t
timeout_write_digits(uint64_t value, char *out)
{
    char reversed[TIMEOUT_MAX_DIGITS];
    size_t ndigits = 0;

    do {
        reversed[ndigits++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < ndigits; i++) {
        out[i] = reversed[ndigits - 1 - i];
    }
    return ndigits;
}

void
amdi_timeout_format(uint64_t ns, char out[AMDI_TIMEOUT_TEXT_BYTES])
{
    size_t unit = 0;
    uint64_t value = ns;
    size_t ndigits;

    // The finest unit that eight digits can hold; 2^64 ns are 5124096 hours.
    while (value > TIMEOUT_MAX_VALUE) {
        uint64_t unit_ns = timeout_units[++unit].ns;

        value = ns / unit_ns + (ns % unit_ns != 0);
    }
    // Coarser units are shorter while they lose nothing.
    while (value != 0 && unit + 1 < TIMEOUT_NUNITS) {
        uint64_t ratio = timeout_units[unit + 1].ns / timeout_units[unit].ns;

        if (value % ratio != 0) {
            break;
        }
        value /= ratio;
        unit++;
    }
    ndigits = timeout_write_digits(value, out);
    out[ndigits] = timeout_units[unit].name;
    out[ndigits + 1] = '\0';
}
