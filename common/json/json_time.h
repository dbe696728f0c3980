/** Times as text: RFC 3339, and seconds with an "s". Pure. */
#ifndef AMDI_JSON_TIME_H
#define AMDI_JSON_TIME_H

#include <stdbool.h>
#include <stdint.h>

#define JSON_TIME_BYTES 96u

/** Writes "1972-01-01T10:00:20.021Z". False when out of range. */
bool amdi_json_print_timestamp(
        int64_t seconds, int64_t nanos, char out[JSON_TIME_BYTES]);

/** Writes "1.000340012s". False when out of range or of mixed signs. */
bool amdi_json_print_duration(
        int64_t seconds, int64_t nanos, char out[JSON_TIME_BYTES]);

bool amdi_json_parse_timestamp(
        const char *text, int64_t *out_seconds, int32_t *out_nanos);
bool amdi_json_parse_duration(
        const char *text, int64_t *out_seconds, int32_t *out_nanos);

#endif
