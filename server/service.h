/** The server's methods, and how a path finds one. */
#ifndef AMDI_SERVICE_H
#define AMDI_SERVICE_H

#include <amdrpc/server.h>

#include "server/dispatch/codel.h"
#include "server/dispatch/policy.h"
#include "server/dispatch/queue.h"

// A handler is quick when its time on the worker is, on average, below this:
// about what waking another thread costs both sides. Methods start as not
// quick.
#define AMDI_QUICK_NS 20000u

struct amdi_worker_pool;

struct amdi_allow;

/** One method that the server serves. */
struct amdi_method {
    // Constant once the server has started.
    const amdrpc_method_desc *desc;
    amdrpc_invoke_fn invoke; // NULL: not implemented
    const void *handlers;
    void *user_data;
    size_t index; // among all methods, for statistics
    size_t path_len;
    amdrpc_policy policy; // every field set, but what stands behind max_running
    struct amdi_policy_texts texts; // what policy points to
    const struct amdi_allow *allow; // borrowed; NULL: everyone may call
    struct amdi_worker_pool *pool;  // borrowed; set when the server starts
    // What serves calls whose clients ask for them to be detached; itself, if
    // this is it; NULL: they cannot be.
    struct amdi_method *detached;

    // The pool's, under its lock.
    struct amdi_lane lane;
    struct amdi_codel codel;
    uint64_t service_ns; // moving average of a handler's time on its worker
};

struct amdi_service_table {
    struct service *services; // owned
    size_t nservices;
    size_t nmethods;            // of all services
    struct amdi_method **slots; // hash table of all methods; owned
    size_t nslots;              // a power of two, or 0

    // How detached calls are served; NULL: not at all.
    amdrpc_invoke_fn detached_invoke;
    void *detached_data;
    struct amdi_method *detached; // owned; one for each such method
};

void amdi_service_table_init(struct amdi_service_table *table);
void amdi_service_table_fini(struct amdi_service_table *table);

/** Arguments and errors as amdrpc_server_add_service. */
AMDRPC_NODISCARD amdrpc_err amdi_service_table_add(
        struct amdi_service_table *table, const amdrpc_service_desc *desc,
        const amdrpc_invoke_fn *invoke, const void *handlers, void *user_data,
        const amdrpc_policy *policy);

/** Finds the method of "/package.Service/Method", or NULL. */
struct amdi_method *amdi_service_table_find(
        const struct amdi_service_table *table, const char *path, size_t len);

/** The method with that index, or NULL past the last. */
struct amdi_method *amdi_service_table_method(
        const struct amdi_service_table *table, size_t index);

/** As find, for the service of a path alone. */
bool amdi_service_table_has_service(
        const struct amdi_service_table *table, const char *path, size_t len);

/** The description of the service at @index, or NULL past the last. */
const amdrpc_service_desc *amdi_service_table_at(
        const struct amdi_service_table *table, size_t index);

/**
 * Lets @allow (borrowed) be the rule of its methods, but of those that have a
 * closer one. Errors as amdrpc_server_allow.
 */
AMDRPC_NODISCARD amdrpc_err amdi_service_table_set_allow(
        struct amdi_service_table *table, const struct amdi_allow *allow);

/**
 * Lets calls that are detached be served by @invoke, inline, whose handlers are
 * then the struct amdi_method that was called. Not for methods with a request
 * stream, nor those whose user data is @user_data.
 */
void amdi_service_table_set_detached(struct amdi_service_table *table,
        amdrpc_invoke_fn invoke, void *user_data);

/** Makes what serves them, once all else is set. Errors: AMDRPC_ENOMEM. */
AMDRPC_NODISCARD amdrpc_err amdi_service_table_make_detached(
        struct amdi_service_table *table);

/** Arguments and errors as amdrpc_server_set_policy; @defaults fills in. */
AMDRPC_NODISCARD amdrpc_err amdi_service_table_set_policy(
        struct amdi_service_table *table, const char *path,
        const amdrpc_policy *policy, const amdrpc_policy *defaults);

#endif
