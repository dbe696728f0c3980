/**
 * The server: set up, started, drained, destroyed.
 *
 * Teardown: listeners stop, connections are told and finish their calls, the
 * workers end, the loops end, and only then is memory freed: what a loop or
 * a worker may still touch outlives its thread.
 */
#include "server/server.h"

#include "common/alloc.h"
#include "common/clock.h"
#include "common/log.h"
#include "server/conn/h2_limits.h"
#include "server/conn/listener.h"
#include "server/dispatch/caller.h"
#include "server/dispatch/dispatch.h"
#include "server/options.h"
#include "server/server_loop.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_MAX_QUEUED 1024u
#define DEFAULT_DEADLINE_MS (10u * 60 * 1000)

// A caller with a higher weight would not let others have their turns.
#define MAX_WEIGHT 1000u

// How long cancelled calls may take before a drain is given up.
#define CANCEL_GRACE_MS 5000u

struct amdi_drain_hook {
    struct amdi_drain_hook *next;
    void (*fn)(void *arg);
    void *arg;
};

static void
server_set_limits(struct amdrpc_server *server)
{
    const amdrpc_server_options *o = &server->options;

    server->request_limits = (struct amdi_request_limits){
            .max_list_bytes = o->max_header_list_bytes,
            .max_field_bytes = o->max_header_field_bytes,
            .max_fields = o->max_header_fields};
    amdi_h2_limits_take(o, &server->h2_limits);
    server->default_policy =
            (amdrpc_policy){.dispatch = o->dispatch == AMDRPC_DISPATCH_DEFAULT
                            ? AMDRPC_DISPATCH_POOL
                            : o->dispatch,
                    .priority = AMDRPC_PRIORITY_NORMAL,
                    .max_queued = DEFAULT_MAX_QUEUED,
                    .default_deadline_ms = DEFAULT_DEADLINE_MS};
}

static amdrpc_err
server_create_threads(struct amdrpc_server *server)
{
    amdrpc_err err = amdi_dispatcher_create(&server->dispatcher);

    if (err == AMDRPC_OK) {
        err = amdi_dispatcher_add_pool(server->dispatcher, AMDI_DEFAULT_POOL,
                server->options.workers, server->options.max_workers);
    }
    if (err != AMDRPC_OK) {
        return err;
    }
    server->loops = amdi_calloc(server->options.loops, sizeof(*server->loops));
    if (server->loops == NULL) {
        return AMDRPC_ENOMEM;
    }
    for (uint32_t i = 0; i < server->options.loops; i++) {
        err = amdi_server_loop_init(&server->loops[i], server, i);
        if (err != AMDRPC_OK) {
            return err;
        }
    }
    return AMDRPC_OK;
}

static void
cond_init_monotonic(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    // None of these can fail with these arguments.
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(cond, &attr);
    (void)pthread_condattr_destroy(&attr);
}

amdrpc_err
amdrpc_server_create(const amdrpc_server_options *options, amdrpc_server **out)
{
    amdrpc_server_options complete;
    struct amdrpc_server *server = NULL;
    amdrpc_err err = amdi_options_complete(options, &complete);

    if (err != AMDRPC_OK) {
        return err;
    }
    server = amdi_zalloc(sizeof(*server));
    if (server == NULL) {
        return AMDRPC_ENOMEM;
    }
    pthread_mutex_init(&server->mtx, NULL);
    cond_init_monotonic(&server->has_changed);
    amdi_service_table_init(&server->services);
    amdi_auth_init(&server->auth);
    amdi_address_count_init(&server->addresses);
    server->id = amdi_server_new_id(server);
    server->options = complete;
    if (options != NULL &&
            options->max_connections > complete.max_connections) {
        amdi_log_info("", "max-connections-bounded",
                "wanted=%u given=%u reason=descriptors",
                options->max_connections, complete.max_connections);
    }
    server_set_limits(server);
    err = server_create_threads(server);
    if (err != AMDRPC_OK) {
        amdrpc_server_destroy(server);
        return err;
    }
    *out = server;
    return AMDRPC_OK;
}

uint64_t
amdi_server_new_id(struct amdrpc_server *server)
{
    return atomic_fetch_add(&server->last_id, 1) + 1;
}

static enum amdi_server_state
server_get_state(struct amdrpc_server *server)
{
    enum amdi_server_state state = AMDI_SERVER_SETUP;

    pthread_mutex_lock(&server->mtx);
    state = server->state;
    pthread_mutex_unlock(&server->mtx);
    return state;
}

/** Moves to @next if the server is at @from; the only writer of its state. */
static bool
server_move_state(struct amdrpc_server *server, enum amdi_server_state from,
        enum amdi_server_state next)
{
    bool has_moved = false;

    pthread_mutex_lock(&server->mtx);
    has_moved = server->state == from;
    if (has_moved) {
        server->state = next;
        pthread_cond_broadcast(&server->has_changed);
    }
    pthread_mutex_unlock(&server->mtx);
    return has_moved;
}

static void
server_free_lists(struct amdrpc_server *server)
{
    while (server->listeners != NULL) {
        struct amdi_listener *listener = server->listeners;

        server->listeners = amdi_listener_next(listener);
        amdi_listener_destroy(listener);
    }
    while (server->drain_hooks != NULL) {
        struct amdi_drain_hook *hook = server->drain_hooks;

        server->drain_hooks = hook->next;
        amdi_free(hook);
    }
}

static void
server_join_threads(struct amdrpc_server *server)
{
    if (server->dispatcher != NULL) {
        amdi_dispatcher_stop(server->dispatcher);
    }
    for (uint32_t i = 0; server->loops != NULL && i < server->options.loops;
            i++) {
        if (server->loops[i].loop != NULL) {
            amdi_loop_stop(server->loops[i].loop);
            amdi_loop_join(server->loops[i].loop);
        }
    }
}

void
amdi_server_add_part(
        struct amdrpc_server *server, struct amdi_server_part *part)
{
    part->next = server->parts;
    server->parts = part;
}

static amdrpc_err
server_prepare_parts(struct amdrpc_server *server)
{
    amdrpc_err err = AMDRPC_OK;

    for (struct amdi_server_part *part = server->parts;
            part != NULL && err == AMDRPC_OK; part = part->next) {
        err = part->prepare(part);
    }
    return err;
}

static void
server_start_parts(struct amdrpc_server *server)
{
    for (struct amdi_server_part *part = server->parts; part != NULL;
            part = part->next) {
        if (part->start != NULL) {
            part->start(part);
        }
    }
}

static void
server_close_parts(struct amdrpc_server *server)
{
    while (server->parts != NULL) {
        struct amdi_server_part *part = server->parts;

        server->parts = part->next;
        part->close(part);
    }
}

void
amdrpc_server_destroy(amdrpc_server *server)
{
    if (server == NULL) {
        return;
    }
    if (server_get_state(server) != AMDI_SERVER_SETUP) {
        amdrpc_server_drain(server);
        // A handler that does not end keeps us here: its memory is ours.
        while (amdrpc_server_wait(server) != AMDRPC_OK) {
            amdi_log_warn("", "server-stop-waits", "calls are still running");
        }
    }
    server_join_threads(server);
    server_close_parts(server);
    server_free_lists(server);
    for (uint32_t i = 0; server->loops != NULL && i < server->options.loops;
            i++) {
        amdi_server_loop_fini(&server->loops[i]);
    }
    amdi_free(server->loops);
    amdi_dispatcher_destroy(server->dispatcher);
    amdi_auth_fini(&server->auth);
    amdi_service_table_fini(&server->services);
    amdi_address_count_fini(&server->addresses);
    pthread_cond_destroy(&server->has_changed);
    pthread_mutex_destroy(&server->mtx);
    amdi_free(server);
}

amdrpc_err
amdrpc_server_add_service(amdrpc_server *server,
        const amdrpc_service_desc *desc, const amdrpc_invoke_fn *invoke,
        const void *handlers, void *user_data)
{
    return amdi_service_table_add(&server->services, desc, invoke, handlers,
            user_data, &server->default_policy);
}

const amdrpc_service_desc *
amdrpc_server_get_service(const amdrpc_server *server, size_t index)
{
    return amdi_service_table_at(&server->services, index);
}

amdrpc_err
amdrpc_server_set_policy(
        amdrpc_server *server, const char *path, const amdrpc_policy *policy)
{
    if (policy->pool != NULL &&
            amdi_dispatcher_find_pool(server->dispatcher, policy->pool) ==
                    NULL) {
        return AMDRPC_ENOTFOUND;
    }
    return amdi_service_table_set_policy(
            &server->services, path, policy, &server->default_policy);
}

amdrpc_err
amdrpc_server_get_policy(
        const amdrpc_server *server, const char *path, amdrpc_policy *out)
{
    const struct amdi_method *method =
            amdi_service_table_find(&server->services, path, strlen(path));

    if (method == NULL) {
        return AMDRPC_ENOTFOUND;
    }
    *out = method->policy;
    return AMDRPC_OK;
}

amdrpc_err
amdrpc_server_add_pool(amdrpc_server *server, const char *name,
        uint32_t min_workers, uint32_t max_workers)
{
    return max_workers > AMDI_MAX_THREADS
            ? AMDRPC_EINVAL
            : amdi_dispatcher_add_pool(
                      server->dispatcher, name, min_workers, max_workers);
}

amdrpc_err
amdrpc_server_set_weight(
        amdrpc_server *server, const char *caller, uint32_t weight)
{
    return weight == 0 || weight > MAX_WEIGHT
            ? AMDRPC_EINVAL
            : amdi_dispatcher_set_weight(server->dispatcher,
                      amdi_caller_of_text(caller, strlen(caller)), weight);
}

amdrpc_err
amdrpc_server_listen(
        amdrpc_server *server, const char *address, uint16_t *out_port)
{
    return amdrpc_server_listen_with(server, address, NULL, out_port);
}

amdrpc_err
amdrpc_server_listen_with(amdrpc_server *server, const char *address,
        const amdrpc_listen_options *options, uint16_t *out_port)
{
    static const amdrpc_listen_options none;
    struct amdi_listener *listener = NULL;
    amdrpc_err err = amdi_listener_open(server, address,
            options == NULL ? &none : options, &listener, out_port);

    if (err == AMDRPC_OK) {
        amdi_listener_link(listener, server->listeners);
        server->listeners = listener;
    }
    return err;
}

amdrpc_err
amdrpc_server_on_drain(amdrpc_server *server, void (*fn)(void *arg), void *arg)
{
    struct amdi_drain_hook *hook = amdi_alloc(sizeof(*hook));

    if (hook == NULL) {
        return AMDRPC_ENOMEM;
    }
    *hook = (struct amdi_drain_hook){
            .next = server->drain_hooks, .fn = fn, .arg = arg};
    server->drain_hooks = hook;
    return AMDRPC_OK;
}

static amdrpc_err
server_start_listeners(struct amdrpc_server *server)
{
    for (struct amdi_listener *l = server->listeners; l != NULL;
            l = amdi_listener_next(l)) {
        amdrpc_err err = amdi_listener_start(l);

        if (err != AMDRPC_OK) {
            return err;
        }
    }
    return AMDRPC_OK;
}

static amdrpc_err
server_make_stats(struct amdrpc_server *server)
{
    for (uint32_t i = 0; i < server->options.loops; i++) {
        amdrpc_err err = amdi_stats_init(
                &server->loops[i].stats, server->services.nmethods);

        if (err != AMDRPC_OK) {
            return err;
        }
    }
    return AMDRPC_OK;
}

amdrpc_err
amdi_server_prepare(struct amdrpc_server *server)
{
    amdrpc_err err = AMDRPC_OK;

    amdi_dispatcher_assign(server->dispatcher, &server->services);
    err = server_make_stats(server);
    return err == AMDRPC_OK ? server_prepare_parts(server) : err;
}

amdrpc_err
amdrpc_server_start(amdrpc_server *server)
{
    amdrpc_err err = AMDRPC_ESTATE;

    if (server_get_state(server) != AMDI_SERVER_SETUP) {
        return AMDRPC_ESTATE;
    }
    err = amdi_server_prepare(server);
    if (err == AMDRPC_OK) {
        err = server_start_listeners(server);
    }
    if (err == AMDRPC_OK) {
        err = amdi_dispatcher_start(server->dispatcher);
    }
    for (uint32_t i = 0; err == AMDRPC_OK && i < server->options.loops; i++) {
        err = amdi_loop_start(server->loops[i].loop);
    }
    if (err == AMDRPC_OK) {
        server_start_parts(server);
        (void)server_move_state(server, AMDI_SERVER_SETUP, AMDI_SERVER_RUNNING);
    }
    return err;
}

/**
 * The listeners, on this loop, have stopped: what they took came to its loop
 * before this does.
 */
static void
server_run_drain(struct amdi_task *task)
{
    struct amdrpc_server *server =
            AMDI_CONTAINER_OF(task, struct amdrpc_server, drain_task);

    for (uint32_t i = 0; i < server->options.loops; i++) {
        amdi_server_loop_drain(&server->loops[i]);
    }
}

void
amdrpc_server_drain(amdrpc_server *server)
{
    if (!server_move_state(server, AMDI_SERVER_RUNNING, AMDI_SERVER_DRAINING)) {
        return;
    }
    amdi_log_info("", "server-draining", "timeout_ms=%u",
            server->options.drain_timeout_ms);
    for (struct amdi_drain_hook *hook = server->drain_hooks; hook != NULL;
            hook = hook->next) {
        hook->fn(hook->arg);
    }
    for (struct amdi_listener *l = server->listeners; l != NULL;
            l = amdi_listener_next(l)) {
        amdi_listener_stop(l);
    }
    server->drain_task.run = server_run_drain;
    amdi_loop_post(server->loops[0].loop, &server->drain_task);
}

void
amdi_server_loop_is_idle(struct amdrpc_server *server)
{
    if (atomic_fetch_add(&server->nidle_loops, 1) + 1 ==
            server->options.loops) {
        (void)server_move_state(
                server, AMDI_SERVER_DRAINING, AMDI_SERVER_DRAINED);
    }
}

amdrpc_err
amdrpc_server_wait(amdrpc_server *server)
{
    int rv = 0;

    pthread_mutex_lock(&server->mtx);
    while (server->state == AMDI_SERVER_RUNNING) {
        pthread_cond_wait(&server->has_changed, &server->mtx);
    }
    if (server->state == AMDI_SERVER_DRAINING) {
        const struct timespec at = amdi_clock_deadline(
                server->options.drain_timeout_ms + CANCEL_GRACE_MS);

        while (server->state == AMDI_SERVER_DRAINING && rv == 0) {
            rv = pthread_cond_timedwait(
                    &server->has_changed, &server->mtx, &at);
        }
    }
    pthread_mutex_unlock(&server->mtx);
    return rv == 0 ? AMDRPC_OK : AMDRPC_ETIMEDOUT;
}

amdrpc_err
amdrpc_server_stop(amdrpc_server *server)
{
    amdrpc_server_drain(server);
    return amdrpc_server_wait(server);
}
