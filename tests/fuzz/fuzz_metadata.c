/** Fuzzes metadata from the wire, and its way back there. */
#include "common/arena.h"
#include "common/metadata.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/lines.h"

#include <string.h>

static bool
give_field(void *arg, const struct amdi_h2_field *field)
{
    struct amdrpc_metadata *metadata = arg;
    amdrpc_err err = amdi_metadata_add_wire(metadata, field->name,
            field->name_len, field->value, field->value_len);

    fuzz_check(err == AMDRPC_OK || err == AMDRPC_EINVAL);
    return true;
}

/** What came from the wire can go back, and comes again as it was. */
static void
send_back(const amdrpc_metadata_field *field, struct amdi_arena *arena)
{
    const char *value = NULL;
    size_t len = 0;
    struct amdrpc_metadata again;

    fuzz_check(
            amdi_metadata_wire_value(field, arena, &value, &len) == AMDRPC_OK);
    amdi_metadata_init(&again, arena);
    fuzz_check(amdi_metadata_add_wire(&again, field->name, strlen(field->name),
                       value, len) == AMDRPC_OK);
    fuzz_check(amdrpc_metadata_count(&again) == 1);
    fuzz_check(again.fields[0].value_len == field->value_len);
    fuzz_check(
            memcmp(again.fields[0].value, field->value, field->value_len) == 0);
    (void)amdi_metadata_is_valid(field->name, field->value, field->value_len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct amdi_arena arena;
    struct amdrpc_metadata metadata;

    amdi_arena_init(&arena, /*max_bytes=*/0);
    amdi_metadata_init(&metadata, &arena);
    fuzz_each_field(data, len, give_field, &metadata);
    for (size_t i = 0; i < amdrpc_metadata_count(&metadata); i++) {
        const amdrpc_metadata_field *field = amdrpc_metadata_at(&metadata, i);

        fuzz_check(field->value[field->value_len] == '\0');
        fuzz_check(amdrpc_metadata_get(&metadata, field->name) != NULL);
        send_back(field, &arena);
    }
    amdi_arena_fini(&arena);
    return 0;
}
