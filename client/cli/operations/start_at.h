/** Points in time as people write them. */
#ifndef AMDI_START_AT_H
#define AMDI_START_AT_H

#include <stdbool.h>
#include <stdint.h>

/**
 * Reads "2030-01-31T08:00:00Z" (with or without a fraction, with "+01:00" in
 * place of the Z), or "+10m": from now.
 *
 * @out_ms  since 1970; positive
 */
bool amdi_start_at_parse(const char *text, int64_t *out_ms);

#endif
