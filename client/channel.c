/**
 * A channel's beginning and its end.
 *
 * The end: the last `unref` asks the loop to stop the channel, and waits for
 * its answer. The loop cancels the calls, closes the connections, and at the
 * end of that turn looks what is left. Nothing: the waiting thread joins the
 * loop thread and frees. Something (call objects that users still hold, a
 * lookup under way): the waiting thread goes on, and the loop lives until the
 * last of it is gone; then, and when the last `unref` comes from the loop
 * thread itself, a detached thread joins and frees.
 */
#include "client/channel.h"

#include "client/client_conn.h"
#include "client/keepalive.h"
#include "client/operation/operation.h"
#include "common/alloc.h"
#include "common/log.h"

#include <sched.h>

#define DEFAULT_CONNECTIONS 1u
#define DEFAULT_CONNECT_TIMEOUT_MS 20000u
#define DEFAULT_MAX_RECV_BYTES (4u * 1024u * 1024u)
#define DEFAULT_MAX_QUEUED_BYTES (288u * 1024u)
#define DEFAULT_KEEPALIVE_TIMEOUT_MS 20000u

// More than these do not help: one loop thread serves them all.
#define MAX_CONNECTIONS 1024u

static void channel_on_stop(struct amdi_task *task);

/* ---- creation ---- */

static void
option_default(uint32_t *option, uint32_t value)
{
    if (*option == 0) {
        *option = value;
    }
}

static void
channel_set_options(
        struct amdrpc_channel *channel, const amdrpc_channel_options *options)
{
    amdrpc_channel_options *own = &channel->options;

    *own = *options;
    own->user_agent = NULL; // it is in the requests' template
    own->authority = NULL;  // as it is there
    if (own->tls != NULL) {
        (void)amdrpc_tls_ref(own->tls); // the same
    }
    option_default(&own->connections, DEFAULT_CONNECTIONS);
    option_default(&own->connect_timeout_ms, DEFAULT_CONNECT_TIMEOUT_MS);
    option_default(&own->max_recv_message_bytes, DEFAULT_MAX_RECV_BYTES);
    option_default(&own->max_send_message_bytes, UINT32_MAX);
    option_default(&own->max_queued_bytes, DEFAULT_MAX_QUEUED_BYTES);
    option_default(&own->keepalive_timeout_ms, DEFAULT_KEEPALIVE_TIMEOUT_MS);
    channel->keepalive_interval_ms = own->keepalive_interval_ms;
    amdi_retry_throttle_init(
            &channel->throttle, own->retry_max_tokens, own->retry_token_ratio);
}

static bool
options_are_valid(const amdrpc_channel_options *options)
{
    return options->connections <= MAX_CONNECTIONS &&
            (options->keepalive_interval_ms == 0 ||
                    options->keepalive_interval_ms >= AMDI_KEEPALIVE_MIN_MS) &&
            amdi_retry_is_valid(&options->retry) &&
            options->retry_max_tokens <= AMDI_RETRY_MAX_TOKENS &&
            options->retry_token_ratio >= 0.0;
}

/** What the server is asked for, and by which name it is known. */
static amdrpc_err
channel_set_authority(struct amdrpc_channel *channel, const char *authority)
{
    if (authority == NULL) {
        authority = channel->target.authority;
    } else if (!amdi_authority_is_valid(authority)) {
        return AMDRPC_EINVAL;
    }
    channel->authority = amdi_strdup(authority);
    channel->server_name = amdi_authority_get_host(authority);
    return channel->authority == NULL || channel->server_name == NULL
            ? AMDRPC_ENOMEM
            : AMDRPC_OK;
}

static amdrpc_err
channel_set_target(struct amdrpc_channel *channel, const char *target,
        const amdrpc_channel_options *options)
{
    amdrpc_err err = amdi_target_parse(target, &channel->target);

    if (err == AMDRPC_OK) {
        err = channel_set_authority(channel, options->authority);
    }
    if (err != AMDRPC_OK) {
        return err;
    }
    return amdi_request_template_init(&channel->request,
            options->tls == NULL ? "http" : "https", channel->authority,
            options->user_agent);
}

static amdrpc_err
channel_start(struct amdrpc_channel *channel, const char *target,
        const amdrpc_channel_options *options)
{
    amdrpc_err err = channel_set_target(channel, target, options);

    if (err != AMDRPC_OK) {
        return err;
    }
    channel->links =
            amdi_calloc(channel->options.connections, sizeof(*channel->links));
    if (channel->links == NULL) {
        return AMDRPC_ENOMEM;
    }
    for (uint32_t i = 0; i < channel->options.connections; i++) {
        amdi_link_init(&channel->links[i], channel);
    }
    err = amdi_loop_create("amd-client", &channel->loop);
    if (err != AMDRPC_OK) {
        return err;
    }
    return amdi_loop_start(channel->loop);
}

/** Frees a channel whose thread has ended or never began. */
static void
channel_destroy(struct amdrpc_channel *channel)
{
    amdi_loop_destroy(channel->loop);
    amdi_free(channel->links);
    amdi_request_template_fini(&channel->request);
    amdi_target_fini(&channel->target);
    amdi_free(channel->authority);
    amdi_free(channel->server_name);
    amdrpc_tls_unref(channel->options.tls);
    (void)pthread_cond_destroy(&channel->end_cond); // nobody waits
    (void)pthread_mutex_destroy(&channel->end_mtx); // nobody holds it
    amdi_free(channel);
}

amdrpc_err
amdrpc_channel_create(const char *target, const amdrpc_channel_options *options,
        amdrpc_channel **out)
{
    static const amdrpc_channel_options defaults;

    if (options == NULL) {
        options = &defaults;
    }
    if (!options_are_valid(options)) {
        return AMDRPC_EINVAL;
    }
    struct amdrpc_channel *channel = amdi_zalloc(sizeof(*channel));

    if (channel == NULL) {
        return AMDRPC_ENOMEM;
    }
    atomic_init(&channel->nrefs, 1);
    channel->stop_task.run = channel_on_stop;
    (void)pthread_mutex_init(&channel->end_mtx, NULL); // cannot fail on Linux
    (void)pthread_cond_init(&channel->end_cond, NULL); // nor this
    channel_set_options(channel, options);
    amdi_channel_init_calls(channel);
    amdrpc_err err = channel_start(channel, target, options);
    if (err != AMDRPC_OK) {
        channel_destroy(channel);
        return err;
    }
    *out = channel;
    return AMDRPC_OK;
}

amdrpc_channel *
amdrpc_channel_ref(amdrpc_channel *channel)
{
    atomic_fetch_add_explicit(&channel->nrefs, 1, memory_order_relaxed);
    return channel;
}

/* ---- the end, on the loop thread ---- */

void
amdi_channel_hold(struct amdrpc_channel *channel)
{
    channel->nholds++;
}

void
amdi_channel_release(struct amdrpc_channel *channel)
{
    channel->nholds--;
    if (channel->state == CHANNEL_STOPPED) {
        amdi_loop_at_turn_end(
                channel->loop, AMDI_TURN_REAP, &channel->reap_hook);
    }
}

/** All that the stop brought about has happened: looks what is left. */
static void
channel_on_stopped(struct amdi_task *task)
{
    struct amdrpc_channel *channel =
            AMDI_CONTAINER_OF(task, struct amdrpc_channel, stop_task);

    channel->state = CHANNEL_STOPPED;
    amdi_loop_at_turn_end(channel->loop, AMDI_TURN_REAP, &channel->reap_hook);
}

static void
channel_stop(struct amdrpc_channel *channel)
{
    channel->state = CHANNEL_STOPPING;
    amdi_operation_stop_all(channel);
    amdi_channel_end_waiting(channel);
    for (uint32_t i = 0; i < channel->options.connections; i++) {
        amdi_link_stop(&channel->links[i]);
    }
    while (!amdi_list_is_empty(&channel->draining)) {
        amdi_client_conn_close(AMDI_CONTAINER_OF(
                channel->draining.next, struct amdi_client_conn, node));
    }
    // The next turn comes after all that this one tells and frees.
    channel->stop_task.run = channel_on_stopped;
    amdi_loop_post(channel->loop, &channel->stop_task);
}

static void
channel_on_stop(struct amdi_task *task)
{
    struct amdrpc_channel *channel =
            AMDI_CONTAINER_OF(task, struct amdrpc_channel, stop_task);

    channel->has_waiter = true;
    channel_stop(channel);
}

/** Ends the loop's thread and frees all. Thread: not the loop's. */
static void
channel_finish(struct amdrpc_channel *channel)
{
    amdi_loop_stop(channel->loop);
    amdi_loop_join(channel->loop);
    // A thread that dropped the last call may still be about to wake the loop,
    // or one that dropped the channel about to leave its mutex.
    while (atomic_load_explicit(&channel->nleaving, memory_order_acquire) > 0) {
        (void)sched_yield(); // always succeeds
    }
    channel_destroy(channel);
}

static void *
channel_finish_main(void *arg)
{
    channel_finish(arg);
    return NULL;
}

static void
channel_finish_elsewhere(struct amdrpc_channel *channel)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, channel_finish_main, channel) != 0) {
        // The process has no threads left; a sleeping one stays behind.
        amdi_log_error("", "channel-end-failed", "target=%s",
                channel->target.authority);
        return;
    }
    (void)pthread_detach(thread); // it was created joinable
}

/** Answers the thread that dropped the last reference. */
static void
channel_tell_end(struct amdrpc_channel *channel, enum amdi_channel_end end)
{
    channel->has_waiter = false;
    (void)pthread_mutex_lock(&channel->end_mtx);
    channel->end = end;
    (void)pthread_cond_signal(&channel->end_cond);
    (void)pthread_mutex_unlock(&channel->end_mtx);
}

void
amdi_channel_check_over(struct amdrpc_channel *channel)
{
    if (channel->state != CHANNEL_STOPPED) {
        return;
    }
    bool is_idle = channel->nholds == 0;

    if (is_idle) {
        channel->state = CHANNEL_OVER;
    }
    if (channel->has_waiter) {
        channel_tell_end(
                channel, is_idle ? CHANNEL_END_IDLE : CHANNEL_END_BUSY);
    } else if (is_idle) {
        channel_finish_elsewhere(channel);
    }
}

/* ---- the end, on any thread ---- */

static enum amdi_channel_end
channel_wait_end(struct amdrpc_channel *channel)
{
    (void)pthread_mutex_lock(&channel->end_mtx);
    while (channel->end == CHANNEL_END_UNKNOWN) {
        (void)pthread_cond_wait(&channel->end_cond, &channel->end_mtx);
    }
    enum amdi_channel_end end = channel->end;
    (void)pthread_mutex_unlock(&channel->end_mtx);
    return end;
}

void
amdrpc_channel_unref(amdrpc_channel *channel)
{
    if (channel == NULL ||
            atomic_fetch_sub_explicit(
                    &channel->nrefs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    if (amdi_loop_is_current(channel->loop)) {
        channel_stop(channel);
        return;
    }
    atomic_fetch_add_explicit(&channel->nleaving, 1, memory_order_relaxed);
    amdi_loop_post(channel->loop, &channel->stop_task);
    enum amdi_channel_end end = channel_wait_end(channel);
    atomic_fetch_sub_explicit(&channel->nleaving, 1, memory_order_release);
    if (end == CHANNEL_END_IDLE) {
        channel_finish(channel);
    }
}
