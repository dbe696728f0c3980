/** Messages packed into google.protobuf.Any, without a copy in between. */
#ifndef AMDI_ANY_H
#define AMDI_ANY_H

#include <protobuf-c/protobuf-c.h>

#include <stddef.h>
#include <stdint.h>

/** The size of @msg as an Any. */
size_t amdi_any_size(const ProtobufCMessage *msg);

/** Writes @msg as an Any; @out has room for as much as it is large. */
void amdi_any_pack(const ProtobufCMessage *msg, uint8_t *out);

#endif
