/** Fuzzes the base64 of binary metadata. */
#include "common/encoding.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static uint8_t *
room_for_decoded(size_t len)
{
    uint8_t *out = malloc(len / 4 * 3 + 2);

    fuzz_check(out != NULL);
    return out;
}

static void
decode_anything(const char *text, size_t len)
{
    uint8_t *out = room_for_decoded(len);
    size_t n = 0;

    if (amdi_base64_decode(text, len, out, &n) == AMDRPC_OK) {
        fuzz_check(n <= len / 4 * 3 + 2);
    }
    free(out);
}

static void
encode_and_decode(const uint8_t *data, size_t len)
{
    char *text = malloc(AMDI_BASE64_BYTES(len));
    uint8_t *out = NULL;
    size_t n = 0;
    size_t nout = 0;

    fuzz_check(text != NULL);
    n = amdi_base64_encode(data, len, text);
    fuzz_check(n < AMDI_BASE64_BYTES(len) && text[n] == '\0');
    out = room_for_decoded(n);
    fuzz_check(amdi_base64_decode(text, n, out, &nout) == AMDRPC_OK);
    fuzz_check(nout == len && (len == 0 || memcmp(out, data, len) == 0));
    free(out);
    free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    decode_anything((const char *)data, len);
    encode_and_decode(data, len);
    return 0;
}
