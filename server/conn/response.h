/** The header fields of an answer. Pure. */
#ifndef AMDI_RESPONSE_H
#define AMDI_RESPONSE_H

#include <amdrpc/metadata.h>
#include <amdrpc/status.h>

#include "common/arena.h"
#include "common/h2/h2.h"

// The fields we set and those of users; more of theirs are left out.
#define AMDI_RESPONSE_FIELDS 100u

/** The fields of one header block being made; views of others' memory. */
struct amdi_response {
    struct amdi_h2_field fields[AMDI_RESPONSE_FIELDS];
    size_t nfields;
    size_t list_bytes; // name + value + 32 for each
};

/** The first block: ":status" 200, content-type, codec, initial metadata. */
void amdi_response_begin(struct amdi_response *response, bool is_gzip_announced,
        const struct amdrpc_metadata *initial, struct amdi_arena *arena);

/** Adds the details of a status, if they fit. Arguments as those above. */
void amdi_response_add_details(struct amdi_response *response, const void *data,
        size_t len, struct amdi_arena *arena);

/** Adds the list of the codecs that a client may use. */
void amdi_response_add_codecs(struct amdi_response *response);

/** The first block of an answer that is no gRPC. */
void amdi_response_begin_http(
        struct amdi_response *response, const char *http_status);

/** Starts an empty block, for trailers. */
void amdi_response_clear(struct amdi_response *response);

/**
 * Adds status, message (percent-encoded, cut so that the block stays below
 * what common clients take) and trailing metadata.
 *
 * @arena  where encoded values lie
 */
void amdi_response_add_status(struct amdi_response *response,
        amdrpc_status_code code, const char *message,
        const struct amdrpc_metadata *trailing, struct amdi_arena *arena);

#endif
