/** The server's methods, and how a path finds one. */
#include "server/service.h"

#include "common/alloc.h"
#include "server/auth/allow.h"

#include <string.h>

struct service {
    const amdrpc_service_desc *desc;
    struct amdi_method *methods; // owned
};

void
amdi_service_table_init(struct amdi_service_table *table)
{
    memset(table, 0, sizeof(*table));
}

void
amdi_service_table_fini(struct amdi_service_table *table)
{
    for (size_t i = 0; i < table->nservices; i++) {
        amdi_free(table->services[i].methods);
    }
    amdi_free(table->services);
    amdi_free(table->slots);
    amdi_free(table->detached);
    amdi_service_table_init(table);
}

/** FNV-1a: short paths, once for each call. */
static size_t
path_hash(const char *path, size_t len)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (uint8_t)path[i]) * 0x100000001b3u;
    }
    return (size_t)(hash ^ (hash >> 29));
}

static void
slots_insert(struct amdi_method **slots, size_t nslots, struct amdi_method *m)
{
    size_t i = path_hash(m->desc->path, m->path_len) & (nslots - 1);

    while (slots[i] != NULL) {
        i = (i + 1) & (nslots - 1);
    }
    slots[i] = m;
}

/** Builds the hash table anew, at most half full. */
static amdrpc_err
table_rehash(struct amdi_service_table *table)
{
    size_t nslots = 16;
    struct amdi_method **slots = NULL;

    while (nslots < 2 * table->nmethods) {
        nslots *= 2;
    }
    slots = amdi_calloc(nslots, sizeof(struct amdi_method *));
    if (slots == NULL) {
        return AMDRPC_ENOMEM;
    }
    for (size_t i = 0; i < table->nservices; i++) {
        for (size_t k = 0; k < table->services[i].desc->nmethods; k++) {
            slots_insert(slots, nslots, &table->services[i].methods[k]);
        }
    }
    amdi_free(table->slots);
    table->slots = slots;
    table->nslots = nslots;
    return AMDRPC_OK;
}

static void
method_init(struct amdi_method *method, const amdrpc_method_desc *desc,
        amdrpc_invoke_fn invoke, const void *handlers, void *user_data,
        const amdrpc_policy *policy)
{
    method->desc = desc;
    method->path_len = strlen(desc->path);
    method->invoke = invoke;
    method->handlers = handlers;
    method->user_data = user_data;
    amdi_policy_fill(&method->policy, &method->texts, policy, policy);
    method->service_ns = AMDI_QUICK_NS;
    amdi_lane_init(&method->lane);
}

amdrpc_err
amdi_service_table_add(struct amdi_service_table *table,
        const amdrpc_service_desc *desc, const amdrpc_invoke_fn *invoke,
        const void *handlers, void *user_data, const amdrpc_policy *policy)
{
    struct service *services = NULL;
    struct amdi_method *methods = NULL;

    for (size_t i = 0; i < table->nservices; i++) {
        if (strcmp(table->services[i].desc->name, desc->name) == 0) {
            return AMDRPC_EEXIST;
        }
    }
    services = amdi_realloc(
            table->services, (table->nservices + 1) * sizeof(*services));
    if (services == NULL) {
        return AMDRPC_ENOMEM;
    }
    table->services = services;
    // One more than needed: a service without methods is no lack of memory.
    methods = amdi_calloc(desc->nmethods + 1, sizeof(*methods));
    if (methods == NULL) {
        return AMDRPC_ENOMEM;
    }
    for (size_t i = 0; i < desc->nmethods; i++) {
        method_init(&methods[i], &desc->methods[i], invoke[i], handlers,
                user_data, policy);
        methods[i].index = table->nmethods + i;
    }
    services[table->nservices++] =
            (struct service){.desc = desc, .methods = methods};
    table->nmethods += desc->nmethods;
    if (table_rehash(table) != AMDRPC_OK) {
        table->nservices--;
        table->nmethods -= desc->nmethods;
        amdi_free(methods);
        return AMDRPC_ENOMEM;
    }
    return AMDRPC_OK;
}

struct amdi_method *
amdi_service_table_find(
        const struct amdi_service_table *table, const char *path, size_t len)
{
    size_t i = 0;

    if (table->nslots == 0) {
        return NULL;
    }
    i = path_hash(path, len) & (table->nslots - 1);
    while (table->slots[i] != NULL) {
        struct amdi_method *method = table->slots[i];

        if (method->path_len == len &&
                memcmp(method->desc->path, path, len) == 0) {
            return method;
        }
        i = (i + 1) & (table->nslots - 1);
    }
    return NULL;
}

struct amdi_method *
amdi_service_table_method(const struct amdi_service_table *table, size_t index)
{
    for (size_t i = 0; i < table->nservices; i++) {
        const struct service *service = &table->services[i];

        if (index < service->desc->nmethods) {
            return &service->methods[index];
        }
        index -= service->desc->nmethods;
    }
    return NULL;
}

/** Tells whether @path is "/SERVICE/…". */
static bool
path_is_below(const char *path, size_t len, const char *service)
{
    size_t n = strlen(service);

    return len >= n + 2 && path[0] == '/' && path[n + 1] == '/' &&
            memcmp(path + 1, service, n) == 0;
}

bool
amdi_service_table_has_service(
        const struct amdi_service_table *table, const char *path, size_t len)
{
    for (size_t i = 0; i < table->nservices; i++) {
        if (path_is_below(path, len, table->services[i].desc->name)) {
            return true;
        }
    }
    return false;
}

const amdrpc_service_desc *
amdi_service_table_at(const struct amdi_service_table *table, size_t index)
{
    return index < table->nservices ? table->services[index].desc : NULL;
}

amdrpc_err
amdi_service_table_set_policy(struct amdi_service_table *table,
        const char *path, const amdrpc_policy *policy,
        const amdrpc_policy *defaults)
{
    size_t len = strlen(path);
    bool is_service = len > 0 && path[len - 1] == '/';
    bool has_found = false;

    if (!amdi_policy_is_valid(policy)) {
        return AMDRPC_EINVAL;
    }
    for (size_t i = 0; i < table->nservices; i++) {
        struct service *service = &table->services[i];

        for (size_t k = 0; k < service->desc->nmethods; k++) {
            struct amdi_method *method = &service->methods[k];

            if (is_service ? path_is_below(path, len, service->desc->name)
                           : strcmp(method->desc->path, path) == 0) {
                amdi_policy_fill(
                        &method->policy, &method->texts, policy, defaults);
                has_found = true;
            }
        }
    }
    return has_found ? AMDRPC_OK : AMDRPC_ENOTFOUND;
}

/** Tells whether @path is the method's, its service's or everybody's. */
static bool
path_covers(const char *path, const char *service, const char *method)
{
    size_t len = strlen(path);

    if (strcmp(path, "/") == 0 || strcmp(path, method) == 0) {
        return true;
    }
    return path[len - 1] == '/' && path_is_below(path, len, service);
}

/** Tells whether @allow goes before what the method has. */
static bool
method_takes(const struct amdi_method *method, const struct amdi_allow *allow)
{
    return method->allow == NULL ||
            amdi_allow_is_closer(allow->path, method->allow->path);
}

amdrpc_err
amdi_service_table_set_allow(
        struct amdi_service_table *table, const struct amdi_allow *allow)
{
    bool has_found = false;

    for (size_t i = 0; i < table->nservices; i++) {
        struct service *service = &table->services[i];

        for (size_t k = 0; k < service->desc->nmethods; k++) {
            struct amdi_method *method = &service->methods[k];

            if (!path_covers(
                        allow->path, service->desc->name, method->desc->path)) {
                continue;
            }
            has_found = true;
            if (method_takes(method, allow)) {
                method->allow = allow;
            }
        }
    }
    return has_found ? AMDRPC_OK : AMDRPC_ENOTFOUND;
}

/* ---- detached calls ---- */

void
amdi_service_table_set_detached(struct amdi_service_table *table,
        amdrpc_invoke_fn invoke, void *user_data)
{
    table->detached_invoke = invoke;
    table->detached_data = user_data;
}

static bool
method_may_be_detached(const struct amdi_service_table *table,
        const struct amdi_method *method)
{
    return method->invoke != NULL &&
            !amdrpc_method_has_request_stream(method->desc) &&
            method->user_data != table->detached_data;
}

/** Makes a method that differs in who serves its calls. */
static void
method_init_detached(struct amdi_method *detached, struct amdi_method *method,
        const struct amdi_service_table *table)
{
    *detached = *method;
    detached->invoke = table->detached_invoke;
    detached->handlers = method;
    detached->user_data = table->detached_data;
    detached->policy.dispatch = AMDRPC_DISPATCH_INLINE;
    // Its client may wait for as long as it likes: nothing is held meanwhile.
    detached->policy.default_deadline_ms = UINT32_MAX;
    detached->detached = detached;
    amdi_lane_init(&detached->lane);
    method->detached = detached;
}

amdrpc_err
amdi_service_table_make_detached(struct amdi_service_table *table)
{
    if (table->detached_invoke == NULL) {
        return AMDRPC_OK;
    }
    table->detached = amdi_calloc(table->nmethods, sizeof(*table->detached));
    if (table->detached == NULL) {
        return AMDRPC_ENOMEM;
    }
    for (size_t i = 0; i < table->nmethods; i++) {
        struct amdi_method *method = amdi_service_table_method(table, i);

        if (method_may_be_detached(table, method)) {
            method_init_detached(&table->detached[i], method, table);
        }
    }
    return AMDRPC_OK;
}
