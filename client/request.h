/** The header fields of a request (PROTOCOL-HTTP2, "Requests"). */
#ifndef AMDI_REQUEST_H
#define AMDI_REQUEST_H

#include <amdrpc/metadata.h>

#include "common/arena.h"
#include "common/h2.h"
#include "common/timeout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// All fields but the user's: the seven of every request, and grpc-timeout.
#define AMDI_REQUEST_OWN_FIELDS 8u

// Servers refuse more fields than these.
#define AMDI_REQUEST_METADATA_FIELDS 100u
// Most servers refuse less already; beyond this even HTTP/2 framing has its
// limits.
#define AMDI_REQUEST_METADATA_BYTES (32u * 1024u)

/** What all requests of a channel have in common. */
struct amdi_request_template {
    struct amdi_h2_field fields[AMDI_REQUEST_OWN_FIELDS];
    char *user_agent; // owned
};

/** @authority: borrowed. @user_agent: put before our own; NULL for none. */
AMDRPC_NODISCARD amdrpc_err amdi_request_template_init(
        struct amdi_request_template *request_template, const char *authority,
        const char *user_agent);
void amdi_request_template_fini(struct amdi_request_template *request_template);

/** A call's own fields; zero bytes: none. */
struct amdi_request {
    struct amdi_h2_field *fields; // our own, then the user's in their order
    size_t nfields;
    char timeout[AMDI_TIMEOUT_TEXT_BYTES];
};

/**
 * Prepares the fields in @arena; @metadata is copied, "-bin" values in their
 * wire form. Without @has_timeout there will be no grpc-timeout.
 *
 * Errors:  AMDRPC_EINVAL  more fields or bytes than the limits above
 *          AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_request_prepare(struct amdi_request *request,
        const struct amdi_request_template *request_template, const char *path,
        bool has_timeout, const amdrpc_metadata *metadata,
        struct amdi_arena *arena);

/** Sets what is left of the deadline, for a request that has_timeout. */
void amdi_request_set_timeout(struct amdi_request *request, uint64_t ns);

#endif
