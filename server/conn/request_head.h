/**
 * A request's header block, and what it means for a gRPC call. Pure.
 *
 * Shared: a connection that sends the same block again (and most do) shares
 * one head among all its calls. Counted on the loop's thread only.
 */
#ifndef AMDI_REQUEST_HEAD_H
#define AMDI_REQUEST_HEAD_H

#include <amdrpc/metadata.h>
#include <amdrpc/status.h>

#include "common/arena.h"
#include "common/h2/h2.h"
#include "common/metadata.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct amdi_method;
struct amdi_service_table;

// Most of an unknown path that an error message quotes.
#define AMDI_REQUEST_QUOTE_BYTES 128u

/** Bounds of a header list; a client makes it grow. */
struct amdi_request_limits {
    size_t max_list_bytes;  // name + value + 32 for each field (RFC 9113)
    size_t max_field_bytes; // name + value
    size_t max_fields;
};

enum amdi_request_verb {
    AMDI_VERB_NONE,
    AMDI_VERB_POST,
    AMDI_VERB_GET,
    AMDI_VERB_OTHER,
};

/** Filled in field by field, then constant. */
struct amdi_request_head {
    size_t nrefs;
    const struct amdi_service_table *services; // borrowed
    const struct amdi_request_limits *limits;  // borrowed
    struct amdi_arena arena;
    struct amdrpc_metadata metadata; // in the arena

    enum amdi_request_verb verb;
    struct amdi_method *method; // NULL: no such method
    const char *path; // as far as it is quoted, when no method; in the arena
    bool has_path;
    bool has_service; // of the path, when no method
    bool has_grpc_content_type;
    uint64_t timeout_ns;   // 0: none
    bool is_gzipped;       // grpc-encoding: messages may be compressed
    bool accepts_gzip;     // grpc-accept-encoding: so may ours
    bool is_codec_unknown; // grpc-encoding names what we have not

    size_t nfields;
    size_t list_bytes;
    unsigned auth_generation; // of token_name; 0: not looked up yet
    const char *token_name;   // see auth.c

    amdrpc_status_code bad; // OK, or what a field brought about …
    const char *bad_what;   // … and a static sentence about it
};

/** Makes an empty head; NULL without memory. */
struct amdi_request_head *amdi_request_head_create(
        const struct amdi_service_table *services,
        const struct amdi_request_limits *limits);

struct amdi_request_head *amdi_request_head_ref(struct amdi_request_head *head);

/** NULL is accepted. */
void amdi_request_head_unref(struct amdi_request_head *head);

/**
 * Takes one field. False: the request is malformed (RFC 9113, section 8.3.1).
 */
bool amdi_request_head_field(
        struct amdi_request_head *head, const struct amdi_h2_field *field);

/** What becomes of a request once its header block is complete. */
struct amdi_request_verdict {
    enum {
        AMDI_REQUEST_SERVE,     // go on: a call of `method`
        AMDI_REQUEST_STATUS,    // end it with `code` and `message`
        AMDI_REQUEST_HTTP,      // answer with `http_status` and `message`
        AMDI_REQUEST_MALFORMED, // reset it
    } kind;
    amdrpc_status_code code;
    const char *http_status;
    char message[AMDI_REQUEST_QUOTE_BYTES + 64];
};

void amdi_request_head_judge(
        const struct amdi_request_head *head, struct amdi_request_verdict *out);

#endif
