/** Fuzzes the look before unpacking, and the unpacking. */
#include "common/wire.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "server/unpack.h"
#include "tests/fuzz/fuzz.h"
#include "tests/proto/json_types.pb-c.h"

#include <stdlib.h>
#include <string.h>

// As the server gives an arena to one message, but small.
#define MAX_ARENA_BYTES ((size_t)4 * 1024 * 1024)

static const ProtobufCMessageDescriptor *
choose(uint8_t choice)
{
    switch (choice % 3) {
    case 0:
        return &amdrpc__test__v1__all_types__descriptor;
    case 1:
        return &google__protobuf__file_descriptor_set__descriptor;
    default:
        return &google__protobuf__value__descriptor;
    }
}

/** What was unpacked can be packed, and that is good again. */
static void
pack_again(const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = malloc(len > 0 ? len : 1);
    struct amdi_wire_fault fault = {.reason = NULL};

    fuzz_check(packed != NULL);
    fuzz_check(protobuf_c_message_pack(message, packed) == len);
    fuzz_check(amdi_wire_check(message->descriptor, packed, len,
                       AMDI_WIRE_MAX_DEPTH, &fault) == AMDRPC_OK);
    free(packed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const ProtobufCMessageDescriptor *desc = choose(fuzz_take(&data, &len));
    struct amdi_arena arena;
    ProtobufCMessage *message = NULL;
    char why[AMDI_UNPACK_WHY_BYTES];
    static const struct amdi_unpack_limits limits = {
            .max_bytes = MAX_ARENA_BYTES, .max_nesting = 100};
    amdrpc_err err = AMDRPC_OK;

    amdi_arena_init(&arena, /*max_bytes=*/0);
    err = amdi_unpack(desc, data, len, &arena, &limits, &message, why);
    if (err == AMDRPC_OK) {
        pack_again(message);
    } else if (err != AMDRPC_ENOMEM) {
        fuzz_check(why[0] != '\0' && memchr(why, '\0', sizeof(why)) != NULL);
    }
    amdi_arena_fini(&arena);
    return 0;
}
