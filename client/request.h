/** The header fields of a request (PROTOCOL-HTTP2, "Requests"). */
#ifndef AMDI_REQUEST_H
#define AMDI_REQUEST_H

#include <amdrpc/metadata.h>

#include "common/arena.h"
#include "common/h2/h2.h"
#include "common/timeout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The eight fields of every request, and grpc-timeout.
#define AMDI_REQUEST_TEMPLATE_FIELDS 9u
// All fields but the user's: these, grpc-encoding, and
// grpc-previous-rpc-attempts.
#define AMDI_REQUEST_OWN_FIELDS (AMDI_REQUEST_TEMPLATE_FIELDS + 2)

// Servers refuse more fields than these.
#define AMDI_REQUEST_METADATA_FIELDS 100u
// Most servers refuse less already; beyond this even HTTP/2 framing has its
// limits.
#define AMDI_REQUEST_METADATA_BYTES (32u * 1024u)

/** What all requests of a channel have in common. */
struct amdi_request_template {
    struct amdi_h2_field fields[AMDI_REQUEST_TEMPLATE_FIELDS];
    char *user_agent; // owned
};

/** @scheme: static. @authority: borrowed. @user_agent: put before our own; NULL
 * for none. */
AMDRPC_NODISCARD amdrpc_err amdi_request_template_init(
        struct amdi_request_template *request_template, const char *scheme,
        const char *authority, const char *user_agent);
void amdi_request_template_fini(struct amdi_request_template *request_template);

/** What a call adds; zero bytes: nothing. */
struct amdi_request {
    struct amdi_h2_field *metadata; // the user's, in their order
    size_t nmetadata;
    bool is_gzipped;    // the messages may be compressed
    unsigned nattempts; // that the server has seen before; less than 10
};

/** Room for all fields of a request. */
struct amdi_request_fields {
    struct amdi_h2_field
            at[AMDI_REQUEST_OWN_FIELDS + AMDI_REQUEST_METADATA_FIELDS];
    size_t count;
    char timeout[AMDI_TIMEOUT_TEXT_BYTES];
    char attempts; // one digit
};

/**
 * Copies @metadata into @arena, "-bin" values in their wire form.
 *
 * Errors:  AMDRPC_EINVAL  more fields or bytes than the limits above
 *          AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_request_prepare(struct amdi_request *request,
        const amdrpc_metadata *metadata, struct amdi_arena *arena);

/**
 * Writes the fields of one attempt.
 *
 * @timeout_ns  what is left of the deadline; 0: there is none
 * @out         borrows from all of the above
 */
void amdi_request_fill(const struct amdi_request *request,
        const struct amdi_request_template *request_template, const char *path,
        uint64_t timeout_ns, struct amdi_request_fields *out);

#endif
