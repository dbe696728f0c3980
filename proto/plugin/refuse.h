/** Finds in a .proto file what protobuf-c cannot do. */
#ifndef AMDGEN_REFUSE_H
#define AMDGEN_REFUSE_H

#include "proto/plugin/gen.h"

/** Makes the first such thing the run's error, naming file and place. */
void gen_refuse_unsupported(
        struct gen *gen, const Google__Protobuf__FileDescriptorProto *file);

#endif
