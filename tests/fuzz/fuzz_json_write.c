/** Fuzzes the wire to JSON: what is written can be read. */
#include "tests/fuzz/fuzz.h"
#include "tests/proto/json_fixture.h"

#include <string.h>

/** The one thing that is written and not read: jansson takes no such keys. */
static bool
has_nul_in_key(void)
{
    return strstr(test_json.error.text, "NUL byte in object key") != NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t choices = fuzz_take(&data, &len);
    amdrpc_err err = AMDRPC_OK;

    if (test_json.descriptors == NULL) {
        fuzz_check(test_json_open() == AMDRPC_OK);
    }
    test_json.options.pretty = (choices & 1) != 0;
    test_json.options.emit_defaults = (choices & 2) != 0;
    test_json.options.original_names = (choices & 4) != 0;
    err = test_json_write(data, len);
    if (err != AMDRPC_OK) {
        fuzz_check(err != AMDRPC_ENOMEM && test_json.error.text[0] != '\0');
        return 0;
    }
    err = test_json_read((const char *)amdi_buf_peek(&test_json.text),
            amdi_buf_len(&test_json.text));
    fuzz_check(err == AMDRPC_OK || err == AMDRPC_ELIMIT || has_nul_in_key());
    return 0;
}
