/** Fuzzes what a request's header fields mean for a call. */
#include "server/conn/request_head.h"
#include "server/service.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/lines.h"

#include <string.h>

static const amdrpc_method_desc methods[] = {
        {.name = "Echo", .path = "/pkg.Svc/Echo"},
        {.name = "Unwritten", .path = "/pkg.Svc/Unwritten"},
};
static const amdrpc_service_desc service = {
        .name = "pkg.Svc", .methods = methods, .nmethods = 2};
static const struct amdi_request_limits limits = {
        .max_list_bytes = 1000, .max_field_bytes = 300, .max_fields = 10};

static void
invoke_nothing(const void *handlers, amdrpc_call *call,
        const ProtobufCMessage *msg, void *user_data)
{
    (void)handlers;
    (void)call;
    (void)msg;
    (void)user_data;
}

/** Made once and kept, as in a server. */
static const struct amdi_service_table *
get_services(void)
{
    static const amdrpc_invoke_fn invokes[] = {invoke_nothing, NULL};
    static const amdrpc_policy policy = {.max_queued = 1};
    static struct amdi_service_table services;
    static bool is_made;

    if (!is_made) {
        is_made = true;
        amdi_service_table_init(&services);
        fuzz_check(amdi_service_table_add(&services, &service, invokes, NULL,
                           NULL, &policy) == AMDRPC_OK);
    }
    return &services;
}

static bool
give_field(void *arg, const struct amdi_h2_field *field)
{
    return amdi_request_head_field(arg, field);
}

static void
check_verdict(const struct amdi_request_head *head,
        const struct amdi_request_verdict *verdict)
{
    switch (verdict->kind) {
    case AMDI_REQUEST_SERVE:
        fuzz_check(head->method != NULL && head->method->invoke != NULL);
        fuzz_check(head->bad == AMDRPC_STATUS_OK);
        break;
    case AMDI_REQUEST_STATUS:
        fuzz_check(verdict->code != AMDRPC_STATUS_OK);
        fuzz_check(strlen(verdict->message) < sizeof(verdict->message));
        break;
    case AMDI_REQUEST_HTTP:
        fuzz_check(strlen(verdict->http_status) == 3);
        break;
    case AMDI_REQUEST_MALFORMED:
        break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct amdi_request_head *head =
            amdi_request_head_create(get_services(), &limits);
    struct amdi_request_verdict verdict;

    fuzz_check(head != NULL);
    fuzz_each_field(data, len, give_field, head);
    amdi_request_head_judge(head, &verdict);
    check_verdict(head, &verdict);
    amdi_request_head_unref(head);
    return 0;
}
