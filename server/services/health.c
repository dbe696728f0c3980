/** The standard health service of gRPC, grpc.health.v1.Health. */
#include <amdrpc/health.h>

#include "common/alloc.h"
#include "grpc/health/v1/health.amdrpc-server.h"
#include "server/services/endless.h"

#include <string.h>

// "List over 100 services" is refused, says the health protocol.
#define HEALTH_LIST_MAX 100u

typedef Grpc__Health__V1__HealthCheckRequest check_request;
typedef Grpc__Health__V1__HealthCheckResponse check_response;
typedef Grpc__Health__V1__HealthListRequest list_request;
typedef Grpc__Health__V1__HealthListResponse list_response;
typedef Grpc__Health__V1__HealthListResponse__StatusesEntry list_entry;
typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus serving_status;

#define STATUS(name) \
    GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##name

struct amdrpc_health {
    amdrpc_server *server; // borrowed
    struct amdi_endless watches;
};

/* A Watch that goes on; in its call's memory. */
struct watch {
    struct amdi_endless_call item;
    amdrpc_call *call;
    serving_status status; // last told
};

/* ---- statuses ---- */

static bool
health_has_service(const struct amdrpc_health *health, const char *name)
{
    const amdrpc_service_desc *desc;

    if (name[0] == '\0') {
        return true; // the server as a whole
    }
    for (size_t i = 0;
            (desc = amdrpc_server_get_service(health->server, i)) != NULL;
            i++) {
        if (strcmp(desc->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static serving_status
health_get_status(struct amdrpc_health *health, const char *name)
{
    if (!health_has_service(health, name)) {
        return STATUS(SERVICE_UNKNOWN);
    }
    return amdi_endless_is_draining(&health->watches) ? STATUS(NOT_SERVING)
                                                      : STATUS(SERVING);
}

/* ---- Check ---- */

static void
health_on_check(
        amdrpc_call *call, const check_request *request, void *user_data)
{
    struct amdrpc_health *health = user_data;
    check_response response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

    response.status = health_get_status(health, request->service);
    if (response.status == STATUS(SERVICE_UNKNOWN)) {
        amdrpc_call_finishf(call, AMDRPC_STATUS_NOT_FOUND,
                "there is no service \"%s\" here", request->service);
        return;
    }
    grpc_health_v1_health_check_reply(call, &response);
}

/* ---- List ---- */

/* A row of the answer, with room for what it points at. */
struct list_row {
    list_entry entry;
    check_response response;
};

static void
list_row_init(struct list_row *row, const char *name, serving_status status)
{
    grpc__health__v1__health_list_response__statuses_entry__init(&row->entry);
    grpc__health__v1__health_check_response__init(&row->response);
    row->entry.key = (char *)name; // protobuf-c has no const; it is only read
    row->entry.value = &row->response;
    row->response.status = status;
}

static size_t
health_count_services(const struct amdrpc_health *health)
{
    size_t n = 0;

    while (amdrpc_server_get_service(health->server, n) != NULL) {
        n++;
    }
    return n;
}

static void
health_on_list(amdrpc_call *call, const list_request *request, void *user_data)
{
    struct amdrpc_health *health = user_data;
    size_t n = health_count_services(health) + 1; // and the server
    list_response response = GRPC__HEALTH__V1__HEALTH_LIST_RESPONSE__INIT;
    serving_status status = health_get_status(health, "");
    struct list_row *rows;
    list_entry **entries;

    (void)request; // it has no fields
    if (n > HEALTH_LIST_MAX) {
        amdrpc_call_finishf(call, AMDRPC_STATUS_RESOURCE_EXHAUSTED,
                "there are more than %u services", HEALTH_LIST_MAX);
        return;
    }
    rows = amdrpc_call_alloc(call, n * sizeof(*rows));
    entries = amdrpc_call_alloc(call, n * sizeof(list_entry *));
    if (rows == NULL || entries == NULL) {
        amdrpc_call_finish(
                call, AMDRPC_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        list_row_init(&rows[i],
                i == 0 ? ""
                       : amdrpc_server_get_service(health->server, i - 1)->name,
                status);
        entries[i] = &rows[i].entry;
    }
    response.n_statuses = n;
    response.statuses = entries;
    grpc_health_v1_health_list_reply(call, &response);
}

/* ---- Watch ---- */

static amdrpc_err
watch_tell(struct watch *watch, serving_status status)
{
    check_response response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

    response.status = status;
    watch->status = status;
    return grpc_health_v1_health_watch_send(watch->call, &response);
}

/* The server drains: the last word, and the way to another server. */
static void
watch_end(struct watch *watch)
{
    if (watch->status == STATUS(SERVING)) {
        // The client learns the same from the status, should this not fit.
        (void)watch_tell(watch, STATUS(NOT_SERVING));
    }
    amdrpc_call_finish(watch->call, AMDRPC_STATUS_UNAVAILABLE,
            "the server is shutting down");
}

static void
watch_on_drain(struct amdi_endless_call *item)
{
    watch_end(AMDI_CONTAINER_OF(item, struct watch, item));
}

static void
watch_on_cancel(amdrpc_call *call, void *arg)
{
    struct watch *watch = arg;

    if (amdi_endless_enter(&watch->item)) {
        amdi_endless_remove(&watch->item);
        amdrpc_call_finish(call, AMDRPC_STATUS_CANCELLED, NULL);
    }
}

static void
health_on_watch(
        amdrpc_call *call, const check_request *request, void *user_data)
{
    static const amdrpc_call_events events = {.on_cancel = watch_on_cancel};
    struct amdrpc_health *health = user_data;
    struct watch *watch = amdrpc_call_alloc(call, sizeof(*watch));
    amdrpc_err err = AMDRPC_ENOMEM;

    if (watch != NULL) {
        watch->call = call;
        err = watch_tell(watch, health_get_status(health, request->service));
    }
    if (err != AMDRPC_OK) {
        amdrpc_call_finish(
                call, amdrpc_status_from_err(err), amdrpc_err_text(err));
        return;
    }
    amdrpc_call_defer(call);
    // Events come after this turn of the loop, when the watch is in its place.
    amdrpc_call_set_events(call, &events, watch);
    if (!amdi_endless_add(&health->watches, &watch->item, watch_on_drain)) {
        watch_end(watch);
    }
}

/* ---- life ---- */

static const grpc_health_v1_health_handlers health_handlers = {
        .check = health_on_check,
        .list = health_on_list,
        .watch = health_on_watch,
};

static amdrpc_err
health_attach(struct amdrpc_health *health)
{
    static const amdrpc_policy quick = {.dispatch = AMDRPC_DISPATCH_INLINE};
    static const amdrpc_policy endless = {.dispatch = AMDRPC_DISPATCH_INLINE,
            .default_deadline_ms = UINT32_MAX};
    amdrpc_server *server = health->server;
    amdrpc_err err =
            grpc_health_v1_health_register(server, &health_handlers, health);

    if (err == AMDRPC_OK) {
        err = amdrpc_server_set_policy(
                server, "/grpc.health.v1.Health/", &quick);
    }
    if (err == AMDRPC_OK) {
        err = amdrpc_server_set_policy(
                server, "/grpc.health.v1.Health/Watch", &endless);
    }
    if (err == AMDRPC_OK) {
        err = amdi_endless_attach(&health->watches, server);
    }
    return err;
}

amdrpc_err
amdrpc_health_create(amdrpc_server *server, amdrpc_health **out)
{
    struct amdrpc_health *health = amdi_zalloc(sizeof(*health));
    amdrpc_err err;

    if (health == NULL) {
        return AMDRPC_ENOMEM;
    }
    health->server = server;
    amdi_endless_init(&health->watches);
    err = health_attach(health);
    if (err != AMDRPC_OK) {
        amdrpc_health_destroy(health);
        return err;
    }
    *out = health;
    return AMDRPC_OK;
}

void
amdrpc_health_destroy(amdrpc_health *health)
{
    if (health != NULL) {
        amdi_endless_fini(&health->watches);
        amdi_free(health);
    }
}
