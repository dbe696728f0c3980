/** Fuzzes JSON to the wire: what is read can be written, and read again. */
#include "tests/fuzz/fuzz.h"
#include "tests/proto/json_fixture.h"

#include <stdlib.h>
#include <string.h>

/** Reads the text that was just written; it must be as good as the first. */
static void
read_again(void)
{
    size_t len = amdi_buf_len(&test_json.text);
    char *text = malloc(len + 1);

    fuzz_check(text != NULL);
    memcpy(text, amdi_buf_peek(&test_json.text), len);
    fuzz_check(test_json_read(text, len) == AMDRPC_OK);
    free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    amdrpc_err err = AMDRPC_OK;

    if (test_json.descriptors == NULL) {
        fuzz_check(test_json_open() == AMDRPC_OK);
    }
    test_json.options.ignore_unknown = (fuzz_take(&data, &len) & 1) != 0;
    err = test_json_read((const char *)data, len);
    if (err != AMDRPC_OK) {
        fuzz_check(err != AMDRPC_ENOMEM && test_json.error.text[0] != '\0');
        return 0;
    }
    err = test_json_write(
            amdi_buf_peek(&test_json.wire), amdi_buf_len(&test_json.wire));
    fuzz_check(err == AMDRPC_OK || err == AMDRPC_ELIMIT);
    if (err == AMDRPC_OK) {
        read_again();
    }
    return 0;
}
