/** Descriptors as the text of a .proto file. */
#ifndef AMDI_PROTO_TEXT_H
#define AMDI_PROTO_TEXT_H

#include "common/descriptor/descriptor.h"

#include <stdbool.h>
#include <stdio.h>

/**
 * Prints a service, a method, a message or an enum, as in its .proto file.
 *
 * @name    "foo.v1.Bar", "foo.v1.Bar.Echo", "foo.v1.Item"
 * @return  false when it is none of these; nothing was printed
 */
bool amdi_proto_text_print(const struct amdi_descriptors *descriptors,
        const char *name, FILE *file);

#endif
