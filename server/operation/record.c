/** What an operation's handler shall see beside the request. */
#include "server/operation/record.h"

#include "amdrpc/v1/operation_record.pb-c.h"
#include "common/wire.h"
#include "server/unpack.h"

// Far more than any header block that was let in can become.
#define MAX_UNPACKED_BYTES ((size_t)16 << 20)

/* ---- packing ---- */

static Amdrpc__V1__Priority
priority_to_wire(enum amdi_op_priority priority)
{
    switch (priority) {
    case AMDI_OP_HIGH:
        return AMDRPC__V1__PRIORITY__PRIORITY_HIGH;
    case AMDI_OP_NORMAL:
        break;
    case AMDI_OP_LOW:
        return AMDRPC__V1__PRIORITY__PRIORITY_LOW;
    }
    return AMDRPC__V1__PRIORITY__PRIORITY_NORMAL;
}

/** Lets @record show the fields; they stay where they are. */
static bool
record_show_fields(Amdrpc__V1__OperationRecord *record,
        const struct amdrpc_metadata *metadata, struct amdi_arena *arena)
{
    size_t n = metadata == NULL ? 0 : metadata->nfields;
    Amdrpc__V1__MetadataField *fields = NULL;

    if (n == 0) {
        return true;
    }
    fields = amdi_arena_alloc(arena, n * sizeof(*fields));
    record->metadata = amdi_arena_alloc(arena, n * sizeof(*record->metadata));
    if (fields == NULL || record->metadata == NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const amdrpc_metadata_field *from = &metadata->fields[i];

        amdrpc__v1__metadata_field__init(&fields[i]);
        fields[i].name = (char *)from->name;
        fields[i].value.data = (uint8_t *)from->value;
        fields[i].value.len = from->value_len;
        record->metadata[i] = &fields[i];
    }
    record->n_metadata = n;
    return true;
}

amdrpc_err
amdi_op_record_pack(const struct amdi_submission *submission,
        struct amdi_arena *arena, struct amdi_bytes *out)
{
    Amdrpc__V1__OperationRecord record = AMDRPC__V1__OPERATION_RECORD__INIT;
    uint8_t *packed = NULL;
    size_t len = 0;

    if (!record_show_fields(&record, submission->metadata, arena)) {
        return AMDRPC_ENOMEM;
    }
    record.peer = (char *)submission->peer;
    record.priority = priority_to_wire(submission->priority);
    len = amdrpc__v1__operation_record__get_packed_size(&record);
    packed = amdi_arena_alloc(arena, len);
    if (packed == NULL) {
        return AMDRPC_ENOMEM;
    }
    (void)amdrpc__v1__operation_record__pack(&record, packed); // as measured
    *out = (struct amdi_bytes){packed, len};
    return AMDRPC_OK;
}

/* ---- unpacking ---- */

static enum amdi_op_priority
priority_from_wire(Amdrpc__V1__Priority priority)
{
    if (priority == AMDRPC__V1__PRIORITY__PRIORITY_HIGH) {
        return AMDI_OP_HIGH;
    }
    return priority == AMDRPC__V1__PRIORITY__PRIORITY_LOW ? AMDI_OP_LOW
                                                          : AMDI_OP_NORMAL;
}

amdrpc_err
amdi_op_record_unpack(struct amdi_bytes bytes, struct amdi_arena *arena,
        struct amdi_op_record *out)
{
    static const struct amdi_unpack_limits limits = {
            .max_bytes = MAX_UNPACKED_BYTES,
            .max_nesting = AMDI_WIRE_MAX_DEPTH};
    const Amdrpc__V1__OperationRecord *record = NULL;
    ProtobufCMessage *msg = NULL;
    char why[AMDI_UNPACK_WHY_BYTES];
    amdrpc_err err = amdi_unpack(&amdrpc__v1__operation_record__descriptor,
            bytes.data, bytes.len, arena, &limits, &msg, why);

    if (err != AMDRPC_OK) {
        return err == AMDRPC_ELIMIT ? AMDRPC_ENOMEM : err;
    }
    record = (const Amdrpc__V1__OperationRecord *)msg;
    amdi_metadata_init(&out->metadata, arena);
    for (size_t i = 0; i < record->n_metadata; i++) {
        const Amdrpc__V1__MetadataField *field = record->metadata[i];

        err = amdi_metadata_add_own(&out->metadata, field->name,
                field->value.data, field->value.len);
        if (err != AMDRPC_OK) {
            return err;
        }
    }
    out->peer = record->peer;
    out->priority = priority_from_wire(record->priority);
    return AMDRPC_OK;
}
