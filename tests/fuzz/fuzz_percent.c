/** Fuzzes the percent-encoding of grpc-message, and the check for UTF-8. */
#include "common/encoding.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void
decode_anything(const char *text, size_t len)
{
    char *out = malloc(len + 1);
    size_t n = 0;

    fuzz_check(out != NULL);
    n = amdi_percent_decode(text, len, out);
    fuzz_check(n <= len);
    free(out);
}

static void
encode_and_decode(const char *text, size_t len)
{
    char *out = malloc(AMDI_PERCENT_BYTES(len));
    size_t n = 0;

    fuzz_check(out != NULL);
    n = amdi_percent_encode(text, len, out);
    fuzz_check(n < AMDI_PERCENT_BYTES(len));
    for (size_t i = 0; i < n; i++) {
        fuzz_check(out[i] >= ' ' && out[i] <= '~');
    }
    fuzz_check(amdi_percent_decode(out, n, out) == len);
    fuzz_check(len == 0 || memcmp(out, text, len) == 0);
    free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    (void)amdi_utf8_is_valid(data, len); // either is right
    decode_anything((const char *)data, len);
    encode_and_decode((const char *)data, len);
    return 0;
}
