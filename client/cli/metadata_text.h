/** Metadata as people write and read it: NAME=VALUE, -bin as base64. */
#ifndef AMDI_METADATA_TEXT_H
#define AMDI_METADATA_TEXT_H

#include <amdrpc/metadata.h>

#include <stdio.h>

/**
 * Adds a "name=value".
 *
 * Errors:  AMDRPC_EINVAL  no '=', a name or value gRPC does not allow, or what
 *                         stands for a -bin value is no base64
 *          AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_metadata_add_pair(
        amdrpc_metadata *metadata, const char *pair);

/** Prints a line "TITLE: name=value" for each. @metadata may be NULL. */
void amdi_metadata_print(
        const amdrpc_metadata *metadata, const char *title, FILE *file);

#endif
