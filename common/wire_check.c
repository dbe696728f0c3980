/**
 * The look before protobuf-c unpacks. On the way of every request, so it
 * keeps no list and allocates nothing; the depth limit bounds its own stack.
 */
#include "common/encoding.h"
#include "common/wire.h"

#include <stdio.h>

/* How deep we are, and where the fault goes. */
struct check {
    unsigned depth_left;
    struct amdi_wire_fault *fault;
};

static amdrpc_err
check_fail(const struct check *check, amdrpc_err err,
        const ProtobufCMessageDescriptor *desc,
        const ProtobufCFieldDescriptor *field, const char *reason)
{
    *check->fault = (struct amdi_wire_fault){
            .reason = reason, .message = desc, .field = field};
    return err;
}

/*
 * Writers send fields in the order of their numbers, as descriptors list
 * them, so the field is nearly always where the last one was, or behind it.
 */
static const ProtobufCFieldDescriptor *
check_find_field(
        const ProtobufCMessageDescriptor *desc, uint32_t number, unsigned *hint)
{
    const ProtobufCFieldDescriptor *field;

    for (unsigned i = *hint; i < desc->n_fields && i <= *hint + 1; i++) {
        if (desc->fields[i].id == number) {
            *hint = i;
            return &desc->fields[i];
        }
    }
    field = protobuf_c_message_descriptor_get_field(desc, number);
    if (field != NULL) {
        *hint = (unsigned)(field - desc->fields);
    }
    return field;
}

static amdrpc_err check_message(struct check *check,
        const ProtobufCMessageDescriptor *desc, struct amdi_buf_reader reader);

static amdrpc_err
check_bytes(struct check *check, const ProtobufCMessageDescriptor *desc,
        const ProtobufCFieldDescriptor *field, struct amdi_buf_reader value)
{
    amdrpc_err err;

    if (field != NULL && field->type == PROTOBUF_C_TYPE_STRING &&
            !amdi_utf8_is_valid(value.data, value.len)) {
        return check_fail(check, AMDRPC_EINVAL, desc, field, "is not UTF-8");
    }
    if (field == NULL || field->type != PROTOBUF_C_TYPE_MESSAGE) {
        return AMDRPC_OK;
    }
    if (check->depth_left == 0) {
        return check_fail(check, AMDRPC_ELIMIT, desc, field,
                "lies deeper than messages may");
    }
    check->depth_left--;
    err = check_message(check, field->descriptor, value);
    check->depth_left++;
    return err;
}

static amdrpc_err
check_message(struct check *check, const ProtobufCMessageDescriptor *desc,
        struct amdi_buf_reader reader)
{
    unsigned hint = 0;

    while (reader.len > 0) {
        const ProtobufCFieldDescriptor *field;
        struct amdi_buf_reader value = {0};
        enum amdi_wire_type type;
        amdrpc_err err;
        uint32_t number;

        if (!amdi_wire_read_tag(&reader, &number, &type)) {
            return check_fail(check, AMDRPC_EINVAL, desc, NULL,
                    "holds bytes that begin no field");
        }
        field = check_find_field(desc, number, &hint);
        if (type == AMDI_WIRE_BYTES ? !amdi_wire_read_bytes(&reader, &value)
                                    : !amdi_wire_skip(&reader, type)) {
            return check_fail(
                    check, AMDRPC_EINVAL, desc, field, "is cut short");
        }
        if (type != AMDI_WIRE_BYTES) {
            continue;
        }
        err = check_bytes(check, desc, field, value);
        if (err != AMDRPC_OK) {
            return err;
        }
    }
    return AMDRPC_OK;
}

amdrpc_err
amdi_wire_check(const ProtobufCMessageDescriptor *desc, const void *data,
        size_t len, unsigned max_depth, struct amdi_wire_fault *out_fault)
{
    struct amdi_wire_fault unused;
    struct check check = {
            .depth_left = max_depth > 0 ? max_depth - 1 : 0,
            .fault = out_fault != NULL ? out_fault : &unused,
    };

    return check_message(
            &check, desc, (struct amdi_buf_reader){.data = data, .len = len});
}

void
amdi_wire_fault_print(
        const struct amdi_wire_fault *fault, char *out, size_t size)
{
    const char *dot = fault->field != NULL ? "." : "";
    const char *field = fault->field != NULL ? fault->field->name : "";

    (void)snprintf(out, size, "%s%s%s %s", fault->message->name, dot, field,
            fault->reason); // cut is allowed
}
