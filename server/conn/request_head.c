/** A request's header fields, and what they mean for a gRPC call. */
#include "server/conn/request_head.h"

#include "common/cache.h"
#include "common/compress.h"
#include "common/metadata.h"
#include "common/timeout.h"
#include "server/service.h"

#include <stdio.h>
#include <string.h>

// RFC 9113, section 6.5.2: what a field counts beside its text.
#define FIELD_OVERHEAD_BYTES 32u

_Static_assert(sizeof(struct amdi_request_head) <= AMDI_CACHE_SMALL_BYTES,
        "a head fits a cached block");

static unsigned
head_class(void)
{
    return amdi_cache_small_class(sizeof(struct amdi_request_head));
}

struct amdi_request_head *
amdi_request_head_create(const struct amdi_service_table *services,
        const struct amdi_request_limits *limits)
{
    struct amdi_request_head *head = amdi_cache_take(head_class());

    if (head == NULL) {
        return NULL;
    }
    *head = (struct amdi_request_head){
            .nrefs = 1, .services = services, .limits = limits};
    amdi_arena_init(&head->arena, /*max_bytes=*/0);
    amdi_metadata_init(&head->metadata, &head->arena);
    return head;
}

struct amdi_request_head *
amdi_request_head_ref(struct amdi_request_head *head)
{
    head->nrefs++;
    return head;
}

void
amdi_request_head_unref(struct amdi_request_head *head)
{
    if (head != NULL && --head->nrefs == 0) {
        amdi_arena_fini(&head->arena);
        amdi_cache_give(head_class(), head);
    }
}

/** Keeps the first thing that is wrong. */
static void
head_set_bad(struct amdi_request_head *head, amdrpc_status_code code,
        const char *what)
{
    if (head->bad == AMDRPC_STATUS_OK) {
        head->bad = code;
        head->bad_what = what;
    }
}

static bool
field_is(const struct amdi_h2_field *field, const char *name, size_t len)
{
    return field->name_len == len && memcmp(field->name, name, len) == 0;
}

#define FIELD_IS(field, name) field_is(field, name, sizeof(name) - 1)

static bool
value_is(const struct amdi_h2_field *field, const char *value)
{
    size_t len = strlen(value);

    return field->value_len == len && memcmp(field->value, value, len) == 0;
}

static bool
head_set_path(struct amdi_request_head *head, const struct amdi_h2_field *field)
{
    size_t len = field->value_len;

    if (head->has_path || len == 0) {
        return false;
    }
    head->has_path = true;
    head->method = amdi_service_table_find(head->services, field->value, len);
    if (head->method == NULL) {
        head->has_service = amdi_service_table_has_service(
                head->services, field->value, len);
        len = len < AMDI_REQUEST_QUOTE_BYTES ? len : AMDI_REQUEST_QUOTE_BYTES;
        head->path = amdi_arena_strndup(&head->arena, field->value, len);
        if (head->path == NULL) {
            head->path = ""; // without memory nothing is quoted
        }
    }
    return true;
}

static bool
head_set_verb(struct amdi_request_head *head, const struct amdi_h2_field *field)
{
    if (head->verb != AMDI_VERB_NONE) {
        return false;
    }
    if (value_is(field, "POST")) {
        head->verb = AMDI_VERB_POST;
    } else {
        head->verb = value_is(field, "GET") ? AMDI_VERB_GET : AMDI_VERB_OTHER;
    }
    return true;
}

static bool
head_pseudo_field(
        struct amdi_request_head *head, const struct amdi_h2_field *field)
{
    if (FIELD_IS(field, ":path")) {
        return head_set_path(head, field);
    }
    if (FIELD_IS(field, ":method")) {
        return head_set_verb(head, field);
    }
    // Any scheme and authority will do (PROTOCOL-HTTP2, "Requests").
    return FIELD_IS(field, ":scheme") || FIELD_IS(field, ":authority");
}

static void
head_set_timeout(
        struct amdi_request_head *head, const struct amdi_h2_field *field)
{
    if (amdi_timeout_parse(field->value, field->value_len, &head->timeout_ns) !=
            AMDRPC_OK) {
        head_set_bad(head, AMDRPC_STATUS_INTERNAL,
                "grpc-timeout is not 1 to 8 digits and a unit");
    } else if (head->timeout_ns == 0) {
        head->timeout_ns = 1;
    }
}

static void
head_set_encoding(
        struct amdi_request_head *head, const struct amdi_h2_field *field)
{
    if (value_is(field, AMDI_ENCODING_GZIP)) {
        head->is_gzipped = true;
    } else if (!value_is(field, AMDI_ENCODING_IDENTITY)) {
        head->is_codec_unknown = true;
        head_set_bad(head, AMDRPC_STATUS_UNIMPLEMENTED,
                "grpc-encoding names a codec that is not supported");
    }
}

/** Fields of the gRPC protocol itself; false: it is metadata. */
static bool
head_grpc_field(
        struct amdi_request_head *head, const struct amdi_h2_field *field)
{
    static const char prefix[] = "application/grpc";

    if (FIELD_IS(field, "content-type")) {
        head->has_grpc_content_type = field->value_len >= sizeof(prefix) - 1 &&
                memcmp(field->value, prefix, sizeof(prefix) - 1) == 0;
        return true;
    }
    if (FIELD_IS(field, "te")) {
        return true;
    }
    if (field->name_len < 5 || memcmp(field->name, "grpc-", 5) != 0) {
        return false;
    }
    if (FIELD_IS(field, "grpc-timeout")) {
        head_set_timeout(head, field);
    } else if (FIELD_IS(field, AMDI_ENCODING_FIELD)) {
        head_set_encoding(head, field);
    } else if (FIELD_IS(field, AMDI_ACCEPT_ENCODING_FIELD)) {
        head->accepts_gzip =
                amdi_gzip_is_listed(field->value, field->value_len);
    } else {
        // Trace contexts and statistics are metadata; the rest is ours.
        return !FIELD_IS(field, "grpc-trace-bin") &&
                !FIELD_IS(field, "grpc-tags-bin");
    }
    return true;
}

/** The client wants its call to be an operation; see docs/operations.md. */
static void
head_set_detached(
        struct amdi_request_head *head, const struct amdi_h2_field *field)
{
    if (!value_is(field, "now") && !value_is(field, "on-disconnect")) {
        head_set_bad(head, AMDRPC_STATUS_INVALID_ARGUMENT,
                "amdrpc-detach is neither \"now\" nor \"on-disconnect\"");
    } else if (head->services->detached_invoke == NULL) {
        head_set_bad(head, AMDRPC_STATUS_FAILED_PRECONDITION,
                "amdrpc-detach: this server keeps no operations");
    } else if (head->method != NULL && head->method->detached == NULL) {
        head_set_bad(head, AMDRPC_STATUS_INVALID_ARGUMENT,
                "amdrpc-detach: calls of this method cannot be detached");
    } else if (head->method != NULL) {
        head->method = head->method->detached;
    }
}

static void
head_add_metadata(
        struct amdi_request_head *head, const struct amdi_h2_field *field)
{
    amdrpc_err err = amdi_metadata_add_wire(&head->metadata, field->name,
            field->name_len, field->value, field->value_len);

    if (FIELD_IS(field, "amdrpc-detach")) {
        head_set_detached(head, field);
    }
    if (err == AMDRPC_EINVAL) {
        head_set_bad(head, AMDRPC_STATUS_INTERNAL,
                "a -bin metadata value is not base64");
    } else if (err != AMDRPC_OK) {
        head_set_bad(head, amdrpc_status_from_err(err),
                "no memory for the metadata");
    }
}

bool
amdi_request_head_field(
        struct amdi_request_head *head, const struct amdi_h2_field *field)
{
    head->nfields++;
    head->list_bytes +=
            field->name_len + field->value_len + FIELD_OVERHEAD_BYTES;
    if (field->name[0] == ':') {
        return head_pseudo_field(head, field);
    }
    if (head->nfields > head->limits->max_fields) {
        head_set_bad(head, AMDRPC_STATUS_RESOURCE_EXHAUSTED,
                "the request has too many header fields");
    } else if (field->name_len + field->value_len >
            head->limits->max_field_bytes) {
        head_set_bad(head, AMDRPC_STATUS_RESOURCE_EXHAUSTED,
                "a header field of the request is too large");
    } else if (head->list_bytes > head->limits->max_list_bytes) {
        head_set_bad(head, AMDRPC_STATUS_RESOURCE_EXHAUSTED,
                "the request's header list is too large");
    } else if (!head_grpc_field(head, field)) {
        head_add_metadata(head, field);
    }
    return true;
}

static void
verdict_set_http(struct amdi_request_verdict *verdict, const char *http_status,
        const char *message)
{
    verdict->kind = AMDI_REQUEST_HTTP;
    verdict->http_status = http_status;
    (void)snprintf(verdict->message, sizeof(verdict->message), "%s", message);
}

static void
verdict_set_status(struct amdi_request_verdict *verdict,
        amdrpc_status_code code, const char *message)
{
    verdict->kind = AMDI_REQUEST_STATUS;
    verdict->code = code;
    (void)snprintf(verdict->message, sizeof(verdict->message), "%s", message);
}

static void
verdict_set_unimplemented(struct amdi_request_verdict *verdict,
        const struct amdi_request_head *head)
{
    verdict->kind = AMDI_REQUEST_STATUS;
    verdict->code = AMDRPC_STATUS_UNIMPLEMENTED;
    (void)snprintf(verdict->message, sizeof(verdict->message), "%s %s",
            head->has_service || head->method != NULL
                    ? "unknown method"
                    : "unknown service of method",
            head->method != NULL ? head->method->desc->path : head->path);
}

void
amdi_request_head_judge(
        const struct amdi_request_head *head, struct amdi_request_verdict *out)
{
    out->kind = AMDI_REQUEST_SERVE;
    if (!head->has_path || head->verb == AMDI_VERB_NONE) {
        out->kind = AMDI_REQUEST_MALFORMED;
    } else if (!head->has_grpc_content_type) {
        if (head->verb == AMDI_VERB_GET && head->method == NULL &&
                strcmp(head->path, "/") == 0) {
            verdict_set_http(out, "200", "This is an amdrpc gRPC server.\n");
        } else {
            verdict_set_http(
                    out, "415", "The content-type must be application/grpc.\n");
        }
    } else if (head->verb != AMDI_VERB_POST) {
        verdict_set_http(out, "405", "gRPC requests are POST requests.\n");
    } else if (head->bad != AMDRPC_STATUS_OK) {
        verdict_set_status(out, head->bad, head->bad_what);
    } else if (head->method == NULL || head->method->invoke == NULL) {
        verdict_set_unimplemented(out, head);
    }
}
