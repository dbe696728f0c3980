/** A request's header fields, and what they mean for a gRPC call. */
#include "server/request.h"

#include "common/metadata.h"
#include "common/timeout.h"
#include "server/service.h"

#include <stdio.h>
#include <string.h>

// RFC 9113, section 6.5.2: what a field counts beside its text.
#define FIELD_OVERHEAD_BYTES 32u

void
amdi_request_begin(struct amdi_request *request,
        const struct amdi_service_table *services,
        const struct amdi_request_limits *limits,
        struct amdrpc_metadata *metadata)
{
    *request = (struct amdi_request){
            .services = services, .limits = limits, .metadata = metadata};
}

/** Keeps the first thing that is wrong. */
static void
request_set_bad(
        struct amdi_request *request, amdrpc_status_code code, const char *what)
{
    if (request->bad == AMDRPC_STATUS_OK) {
        request->bad = code;
        request->bad_what = what;
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
request_set_path(
        struct amdi_request *request, const struct amdi_h2_field *field)
{
    size_t len = field->value_len;

    if (request->has_path || len == 0) {
        return false;
    }
    request->has_path = true;
    request->method =
            amdi_service_table_find(request->services, field->value, len);
    if (request->method == NULL) {
        request->has_service = amdi_service_table_has_service(
                request->services, field->value, len);
        len = len < sizeof(request->path) ? len : sizeof(request->path) - 1;
        memcpy(request->path, field->value, len);
        request->path[len] = '\0';
    }
    return true;
}

static bool
request_set_verb(
        struct amdi_request *request, const struct amdi_h2_field *field)
{
    if (request->verb != AMDI_VERB_NONE) {
        return false;
    }
    if (value_is(field, "POST")) {
        request->verb = AMDI_VERB_POST;
    } else {
        request->verb =
                value_is(field, "GET") ? AMDI_VERB_GET : AMDI_VERB_OTHER;
    }
    return true;
}

static bool
request_pseudo_field(
        struct amdi_request *request, const struct amdi_h2_field *field)
{
    if (FIELD_IS(field, ":path")) {
        return request_set_path(request, field);
    }
    if (FIELD_IS(field, ":method")) {
        return request_set_verb(request, field);
    }
    // Any scheme and authority will do (PROTOCOL-HTTP2, "Requests").
    return FIELD_IS(field, ":scheme") || FIELD_IS(field, ":authority");
}

static void
request_set_timeout(
        struct amdi_request *request, const struct amdi_h2_field *field)
{
    if (amdi_timeout_parse(field->value, field->value_len,
                &request->timeout_ns) != AMDRPC_OK) {
        request_set_bad(request, AMDRPC_STATUS_INTERNAL,
                "grpc-timeout is not 1 to 8 digits and a unit");
    } else if (request->timeout_ns == 0) {
        request->timeout_ns = 1;
    }
}

static void
request_set_encoding(
        struct amdi_request *request, const struct amdi_h2_field *field)
{
    if (!value_is(field, "identity")) {
        request_set_bad(request, AMDRPC_STATUS_UNIMPLEMENTED,
                "grpc-encoding names a codec that is not supported");
    }
}

/** Fields of the gRPC protocol itself; false: it is metadata. */
static bool
request_grpc_field(
        struct amdi_request *request, const struct amdi_h2_field *field)
{
    static const char prefix[] = "application/grpc";

    if (FIELD_IS(field, "content-type")) {
        request->has_grpc_content_type =
                field->value_len >= sizeof(prefix) - 1 &&
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
        request_set_timeout(request, field);
    } else if (FIELD_IS(field, "grpc-encoding")) {
        request_set_encoding(request, field);
    } else {
        // Trace contexts and statistics are metadata; the rest is ours.
        return !FIELD_IS(field, "grpc-trace-bin") &&
                !FIELD_IS(field, "grpc-tags-bin");
    }
    return true;
}

static void
request_add_metadata(
        struct amdi_request *request, const struct amdi_h2_field *field)
{
    amdrpc_err err = amdi_metadata_add_wire(request->metadata, field->name,
            field->name_len, field->value, field->value_len);

    if (err == AMDRPC_EINVAL) {
        request_set_bad(request, AMDRPC_STATUS_INTERNAL,
                "a -bin metadata value is not base64");
    } else if (err != AMDRPC_OK) {
        request_set_bad(request, amdrpc_status_from_err(err),
                "no memory for the metadata");
    }
}

bool
amdi_request_field(
        struct amdi_request *request, const struct amdi_h2_field *field)
{
    request->nfields++;
    request->list_bytes +=
            field->name_len + field->value_len + FIELD_OVERHEAD_BYTES;
    if (field->name[0] == ':') {
        return request_pseudo_field(request, field);
    }
    if (request->nfields > request->limits->max_fields) {
        request_set_bad(request, AMDRPC_STATUS_RESOURCE_EXHAUSTED,
                "the request has too many header fields");
    } else if (request->list_bytes > request->limits->max_list_bytes) {
        request_set_bad(request, AMDRPC_STATUS_RESOURCE_EXHAUSTED,
                "the request's header list is too large");
    } else if (!request_grpc_field(request, field)) {
        request_add_metadata(request, field);
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
        const struct amdi_request *request)
{
    verdict->kind = AMDI_REQUEST_STATUS;
    verdict->code = AMDRPC_STATUS_UNIMPLEMENTED;
    (void)snprintf(verdict->message, sizeof(verdict->message), "%s %s",
            request->has_service || request->method != NULL
                    ? "unknown method"
                    : "unknown service of method",
            request->method != NULL ? request->method->desc->path
                                    : request->path);
}

void
amdi_request_end(
        const struct amdi_request *request, struct amdi_request_verdict *out)
{
    out->kind = AMDI_REQUEST_SERVE;
    if (!request->has_path || request->verb == AMDI_VERB_NONE) {
        out->kind = AMDI_REQUEST_MALFORMED;
    } else if (!request->has_grpc_content_type) {
        if (request->verb == AMDI_VERB_GET && request->method == NULL &&
                strcmp(request->path, "/") == 0) {
            verdict_set_http(out, "200", "This is an amdrpc gRPC server.\n");
        } else {
            verdict_set_http(
                    out, "415", "The content-type must be application/grpc.\n");
        }
    } else if (request->verb != AMDI_VERB_POST) {
        verdict_set_http(out, "405", "gRPC requests are POST requests.\n");
    } else if (request->bad != AMDRPC_STATUS_OK) {
        verdict_set_status(out, request->bad, request->bad_what);
    } else if (request->method == NULL || request->method->invoke == NULL) {
        verdict_set_unimplemented(out, request);
    }
}
