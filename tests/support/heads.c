/** A request head being tested. */
#include "tests/support/heads.h"

#include "common/metadata.h"

#include <check.h>

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const amdrpc_method_desc heads_methods[] = {
        {.name = "Echo", .path = "/pkg.Svc/Echo"},
        {.name = "Unwritten", .path = "/pkg.Svc/Unwritten"},
};
static const amdrpc_service_desc service = {.name = "pkg.Svc",
        .methods = heads_methods,
        .nmethods = COUNT(heads_methods)};
const struct amdi_request_limits heads_limits = {
        .max_list_bytes = 1000, .max_field_bytes = 900, .max_fields = 10};

struct amdi_service_table heads_services;
struct amdi_request_head *head;
struct amdi_request_verdict verdict;

void
heads_invoke(const void *handlers, amdrpc_call *call,
        const ProtobufCMessage *msg, void *user_data)
{
    (void)handlers;
    (void)call;
    (void)msg;
    (void)user_data;
}

void
heads_setup(void)
{
    static const amdrpc_invoke_fn invokes[] = {heads_invoke, NULL};
    static const amdrpc_policy policy = {.max_queued = 1};

    amdi_service_table_init(&heads_services);
    ck_assert_int_eq(amdi_service_table_add(&heads_services, &service, invokes,
                             NULL, NULL, &policy),
            AMDRPC_OK);
    head = amdi_request_head_create(&heads_services, &heads_limits);
    ck_assert_ptr_nonnull(head);
    memset(&verdict, 0, sizeof(verdict));
}

void
heads_teardown(void)
{
    amdi_request_head_unref(head);
    amdi_service_table_fini(&heads_services);
}

bool
field(const char *name, const char *value)
{
    const struct amdi_h2_field f = {.name = name,
            .name_len = strlen(name),
            .value = value,
            .value_len = strlen(value)};

    return amdi_request_head_field(head, &f);
}

void
fields_until_path(void)
{
    ck_assert(field(":method", "POST"));
    ck_assert(field(":scheme", "http"));
    ck_assert(field(":authority", "localhost"));
}

/** The fields of a request that is served. */
void
good_fields(void)
{
    fields_until_path();
    ck_assert(field(":path", "/pkg.Svc/Echo"));
    ck_assert(field("te", "trailers"));
    ck_assert(field("content-type", "application/grpc"));
}

void
end_gives_status(amdrpc_status_code code, const char *message)
{
    amdi_request_head_judge(head, &verdict);
    ck_assert_int_eq(verdict.kind, AMDI_REQUEST_STATUS);
    ck_assert_int_eq(verdict.code, code);
    ck_assert_str_eq(verdict.message, message);
}

void
end_gives_http(const char *http_status)
{
    amdi_request_head_judge(head, &verdict);
    ck_assert_int_eq(verdict.kind, AMDI_REQUEST_HTTP);
    ck_assert_str_eq(verdict.http_status, http_status);
    ck_assert_str_ne(verdict.message, "");
}

void
end_serves(void)
{
    amdi_request_head_judge(head, &verdict);
    ck_assert_int_eq(verdict.kind, AMDI_REQUEST_SERVE);
}
