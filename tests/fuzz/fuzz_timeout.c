/** Fuzzes grpc-timeout. */
#include "common/timeout.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char text[AMDI_TIMEOUT_TEXT_BYTES];
    uint64_t ns = 0;
    uint64_t again = 0;

    if (amdi_timeout_parse((const char *)data, len, &ns) != AMDRPC_OK) {
        return 0;
    }
    amdi_timeout_format(ns, text);
    fuzz_check(memchr(text, '\0', sizeof(text)) != NULL);
    fuzz_check(amdi_timeout_parse(text, strlen(text), &again) == AMDRPC_OK);
    fuzz_check(again >= ns); // it never gets shorter
    return 0;
}
