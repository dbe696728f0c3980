/** Fuzzes the joining of gRPC's length-prefixed messages. */
#include "common/frame.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/split.h"

#include <stdbool.h>

#define MAX_BYTES 1000u

struct joined {
    struct amdi_frame_reader reader;
    bool has_failed;
};

static void
take_message(struct amdi_message *message)
{
    volatile uint8_t last = 0;

    fuzz_check(message->len <= MAX_BYTES);
    if (message->len > 0) {
        last = message->data[message->len - 1]; // it is all there
    }
    (void)last;
    amdi_message_free(message);
}

static void
take_piece(void *arg, const uint8_t *data, size_t len)
{
    struct joined *joined = arg;

    while (len > 0 && !joined->has_failed) {
        struct amdi_message *message = NULL;
        size_t taken = 0;

        if (amdi_frame_reader_push(&joined->reader, data, len, &taken,
                    &message) != AMDRPC_OK) {
            joined->has_failed = true;
            return;
        }
        fuzz_check(taken > 0 && taken <= len);
        data += taken;
        len -= taken;
        if (message != NULL) {
            take_message(message);
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    unsigned seed = fuzz_take(&data, &len);
    struct joined joined = {.has_failed = false};

    amdi_frame_reader_init(&joined.reader, MAX_BYTES);
    test_split_stream(seed, data, len, take_piece, &joined);
    amdi_frame_reader_fini(&joined.reader);
    return 0;
}
