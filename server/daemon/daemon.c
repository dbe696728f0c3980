/**
 * A running amdrpcd: everything it owns, from start to exit.
 *
 * The main thread sets up, then waits for signals, which every other thread
 * has blocked. The first SIGTERM or SIGINT begins a drain, whose end a thread
 * of its own waits for, so that a second signal is still heard.
 *
 * Teardown: the metrics' listener and the server first, which may use all the
 * rest until it has gone; then health and reflection; then the modules, whose
 * code and static data the server borrowed.
 */
#include "server/daemon/daemon.h"

#include <amdrpc/auth.h>
#include <amdrpc/channelz.h>
#include <amdrpc/describe.h>
#include <amdrpc/health.h>
#include <amdrpc/operations.h>
#include <amdrpc/reflection.h>
#include <amdrpc/server.h>

#include "common/alloc.h"
#include "common/log.h"
#include "server/daemon/config.h"
#include "server/daemon/log_json.h"
#include "server/daemon/metrics_http.h"
#include "server/daemon/module_host.h"
#include "server/daemon/notify.h"
#include "server/daemon/policies.h"
#include "server/daemon/port_file.h"
#include "server/daemon/security.h"
#include "server/daemon/trim.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

struct daemon {
    struct amdi_config *config; // borrowed
    amdrpc_server *server;
    amdrpc_health *health;
    amdrpc_reflection *reflection;
    struct amdi_modules modules;
    struct amdi_metrics_http *metrics;
    uint16_t *ports; // one for each listen address
    int signal_fd;
    int drained_fd;       // readable once the drain has ended
    pthread_t drainer;    // waits for that
    amdrpc_err drain_err; // the drainer's, until it has ended
    bool is_draining;     // the drainer runs
    bool has_port_file;   // to be removed
};

/* ---- setting up ---- */

static void
set_log(const struct amdi_config *config)
{
    amdrpc_log_set(config->log_format == AMDI_LOG_JSON ? amdi_log_json
                                                       : amdrpc_log_stderr,
            NULL, (amdrpc_log_level)config->log_level);
}

/* Connections are file descriptors, and the usual soft limit is only 1024. */
static void
raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); // best effort
    }
}

/* Signals arrive as readable bytes; threads made later inherit the mask. */
static amdrpc_err
daemon_open_signals(struct daemon *daemon)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    (void)signal(SIGPIPE, SIG_IGN); // fails only for bad numbers
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) == 0) {
        daemon->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    }
    daemon->drained_fd = eventfd(0, EFD_CLOEXEC);
    if (daemon->signal_fd < 0 || daemon->drained_fd < 0) {
        (void)amdi_config_fail(daemon->config, "signals: %s", strerror(errno));
        return AMDRPC_EIO;
    }
    return AMDRPC_OK;
}

static amdrpc_err
daemon_check_data_dir(struct daemon *daemon)
{
    const char *dir = daemon->config->data_dir;
    struct stat info;

    if (dir == NULL) {
        return AMDRPC_OK;
    }
    if (mkdir(dir, S_IRWXU) != 0 && errno != EEXIST) {
        return amdi_config_fail(daemon->config,
                "data-dir %s: %s: it cannot be made here", dir,
                strerror(errno));
    }
    if (stat(dir, &info) == 0 && !S_ISDIR(info.st_mode)) {
        return amdi_config_fail(
                daemon->config, "data-dir %s: not a directory", dir);
    }
    if (access(dir, R_OK | W_OK | X_OK) != 0) {
        return amdi_config_fail(daemon->config,
                "data-dir %s: %s: the server must be able to write there", dir,
                strerror(errno));
    }
    return AMDRPC_OK;
}

static amdrpc_err
daemon_fail(struct daemon *daemon, const char *what, amdrpc_err err)
{
    (void)amdi_config_fail(
            daemon->config, "%s: %s", what, amdrpc_err_text(err));
    return err;
}

static amdrpc_err
daemon_create_server(struct daemon *daemon)
{
    amdrpc_server_options options = daemon->config->server;
    amdrpc_err err;

    options.dispatch = (amdrpc_dispatch)daemon->config->dispatch;
    options.logs_calls = daemon->config->access_log;
    options.compress = daemon->config->compress;
    if (options.max_connections_per_address == 0) { // was asked for: it is off
        options.max_connections_per_address = AMDRPC_NO_LIMIT;
    }
    if (options.max_workers != 0 && options.max_workers < options.workers) {
        return amdi_config_fail(daemon->config,
                "max-workers: %" PRIu32 " is less than workers: %" PRIu32,
                options.max_workers, options.workers);
    }
    err = amdrpc_server_create(&options, &daemon->server);
    return err == AMDRPC_OK ? err : daemon_fail(daemon, "server", err);
}

/** Opens the store below the data directory, or in memory. */
static amdrpc_err
daemon_add_operations(struct daemon *daemon)
{
    amdrpc_operations_options options = daemon->config->operation;
    const char *dir = daemon->config->data_dir;
    char store[PATH_MAX + sizeof("sqlite:")];
    char why[512] = "";
    amdrpc_err err = AMDRPC_OK;

    options.is_unsafe = daemon->config->store_sync == AMDI_STORE_SYNC_OFF;
    if (options.is_unsafe) {
        amdi_log_warn("", "store-sync-off",
                "why=\"a power cut may lose acknowledged operations\"");
    }
    if (dir != NULL) {
        // It fits: the directory has been opened.
        (void)snprintf(store, sizeof(store), "sqlite:%s", dir);
        options.store = store;
    }
    err = amdrpc_operations_add(daemon->server, &options, why, sizeof(why));
    if (err != AMDRPC_OK) {
        (void)amdi_config_fail(daemon->config, "operations: %s",
                why[0] == '\0' ? amdrpc_err_text(err) : why);
    }
    return err;
}

/** What is built in; last reflection, which reads all others. */
static amdrpc_err
daemon_add_own_services(struct daemon *daemon)
{
    amdrpc_err err = amdrpc_describe_add(daemon->server);

    if (err != AMDRPC_OK) {
        return daemon_fail(daemon, "describe", err);
    }
    if (daemon->config->channelz) {
        err = amdrpc_channelz_add(daemon->server);
    }
    if (err != AMDRPC_OK) {
        return daemon_fail(daemon, "channelz", err);
    }
    if (daemon->config->operations) {
        err = daemon_add_operations(daemon);
    }
    if (err != AMDRPC_OK) {
        return err;
    }
    err = amdrpc_health_create(daemon->server, &daemon->health);
    if (err != AMDRPC_OK) {
        return daemon_fail(daemon, "health", err);
    }
    err = amdrpc_reflection_create(daemon->server, &daemon->reflection);
    return err == AMDRPC_OK ? err : daemon_fail(daemon, "reflection", err);
}

static amdrpc_err
daemon_add_services(struct daemon *daemon)
{
    amdrpc_err err = amdi_policies_add_pools(daemon->config, daemon->server);

    if (err == AMDRPC_OK) {
        err = amdi_modules_load(
                &daemon->modules, daemon->config, daemon->server);
    }
    if (err == AMDRPC_OK) {
        err = daemon_add_own_services(daemon);
    }
    return err == AMDRPC_OK
            ? amdi_policies_apply(daemon->config, daemon->server)
            : err;
}

static amdrpc_err
daemon_set_callers(struct daemon *daemon)
{
    return amdi_security_set_callers(daemon->config, daemon->server);
}

static amdrpc_err
daemon_listen(struct daemon *daemon)
{
    size_t count = daemon->config->listen.count;

    daemon->ports = amdi_calloc(count, sizeof(*daemon->ports));
    if (daemon->ports == NULL) {
        return amdi_config_fail_memory(daemon->config);
    }
    return amdi_security_listen(daemon->config, daemon->server, daemon->ports);
}

static amdrpc_err
daemon_serve_metrics(struct daemon *daemon)
{
    const char *address = daemon->config->metrics_listen;
    uint16_t port = 0;
    amdrpc_err err;

    if (address == NULL) {
        return AMDRPC_OK;
    }
    err = amdi_metrics_http_start(
            daemon->server, address, &daemon->metrics, &port);
    if (err != AMDRPC_OK) {
        (void)amdi_config_fail(daemon->config, "metrics-listen %s: %s", address,
                err == AMDRPC_EINVAL ? "not a HOST:PORT of this machine"
                                     : amdrpc_err_text(err));
        return err;
    }
    amdi_log_info("", "metrics-listening", "address=%s port=%u", address,
            (unsigned)port);
    return AMDRPC_OK;
}

static amdrpc_err
daemon_write_port_file(struct daemon *daemon)
{
    const char *path = daemon->config->port_file;
    amdrpc_err err;

    if (path == NULL) {
        return AMDRPC_OK;
    }
    err = amdi_port_file_write(
            path, daemon->ports, daemon->config->listen.count);
    if (err != AMDRPC_OK) {
        (void)amdi_config_fail(
                daemon->config, "port-file %s: %s", path, strerror(errno));
        return err;
    }
    daemon->has_port_file = true;
    return AMDRPC_OK;
}

static amdrpc_err
daemon_start(struct daemon *daemon)
{
    static amdrpc_err (*const steps[])(struct daemon *) = {
            daemon_open_signals,
            daemon_check_data_dir,
            daemon_create_server,
            daemon_add_services,
            daemon_set_callers,
            daemon_listen,
    };
    amdrpc_err err = AMDRPC_OK;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        err = steps[i](daemon);
        if (err != AMDRPC_OK) {
            return err;
        }
    }
    err = amdrpc_server_start(daemon->server);
    if (err != AMDRPC_OK) {
        return daemon_fail(daemon, "server", err);
    }
    err = daemon_serve_metrics(daemon);
    return err == AMDRPC_OK ? daemon_write_port_file(daemon) : err;
}

/* ---- serving ---- */

static void *
drainer_main(void *arg)
{
    struct daemon *daemon = arg;

    daemon->drain_err = amdrpc_server_wait(daemon->server);
    (void)eventfd_write(daemon->drained_fd, 1); // fails only when it overflows
    return NULL;
}

static void
daemon_begin_drain(struct daemon *daemon, const char *signal_name)
{
    amdi_log_info("", "draining", "signal=%s timeout_ms=%u", signal_name,
            (unsigned)daemon->config->server.drain_timeout_ms);
    amdi_notify("STOPPING=1");
    amdrpc_server_drain(daemon->server);
    if (pthread_create(&daemon->drainer, NULL, drainer_main, daemon) != 0) {
        // Without a thread the wait is here, and deaf to a second signal.
        drainer_main(daemon);
        return;
    }
    daemon->is_draining = true;
}

static void
daemon_remove_port_file(struct daemon *daemon)
{
    if (daemon->has_port_file) {
        (void)unlink(daemon->config->port_file); // best effort
    }
}

/*
 * Exits while handlers still run. The kernel closes the connections, which
 * tells clients that their calls are lost.
 */
static _Noreturn void
daemon_leave(struct daemon *daemon)
{
    daemon_remove_port_file(daemon);
    _exit(EXIT_FAILURE);
}

/* Handles one signal. */
static void
daemon_on_signal(struct daemon *daemon)
{
    struct signalfd_siginfo info;
    const char *name;

    if (read(daemon->signal_fd, &info, sizeof(info)) != sizeof(info)) {
        return;
    }
    if (info.ssi_signo == SIGHUP) {
        amdi_log_info("", "reload", "signal=SIGHUP failures=%zu",
                amdrpc_server_reload(daemon->server));
        return;
    }
    name = info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT";
    if (daemon->is_draining) {
        amdi_log_warn("", "drain-cut-short", "signal=%s", name);
        daemon_leave(daemon);
    }
    daemon_begin_drain(daemon, name);
}

static void
daemon_serve(struct daemon *daemon)
{
    struct pollfd fds[] = {
            {.fd = daemon->signal_fd, .events = POLLIN},
            {.fd = daemon->drained_fd, .events = POLLIN},
    };
    struct amdi_trim trim = {0};

    amdi_notify("READY=1");
    amdi_log_info("", "ready", "pid=%ld", (long)getpid());
    while (fds[1].revents == 0) {
        int n = poll(fds, sizeof(fds) / sizeof(fds[0]), AMDI_TRIM_PERIOD_MS);

        if (n > 0 && fds[0].revents != 0) {
            daemon_on_signal(daemon);
        } else if (n == 0) {
            amdi_trim_look(&trim);
        }
    }
    if (daemon->is_draining) {
        (void)pthread_join(daemon->drainer, NULL); // it has said its last
    }
    if (daemon->drain_err != AMDRPC_OK) {
        amdi_log_error("", "drain-failed", "reason=handlers-still-run");
        daemon_leave(daemon);
    }
    amdi_log_info("", "stopped", "reason=all-calls-have-ended");
}

/* ---- the end ---- */

static void
daemon_fini(struct daemon *daemon)
{
    amdi_metrics_http_stop(daemon->metrics);
    daemon_remove_port_file(daemon);
    amdrpc_server_destroy(daemon->server);
    amdrpc_reflection_destroy(daemon->reflection);
    amdrpc_health_destroy(daemon->health);
    amdi_modules_unload(&daemon->modules);
    amdi_free(daemon->ports);
    if (daemon->signal_fd >= 0) {
        (void)close(daemon->signal_fd); // nothing is written to it
    }
    if (daemon->drained_fd >= 0) {
        (void)close(daemon->drained_fd); // nor is anyone listening to this
    }
}

int
amdi_daemon_run(struct amdi_config *config)
{
    struct daemon daemon = {
            .config = config, .signal_fd = -1, .drained_fd = -1};
    amdrpc_err err;

    set_log(config);
    raise_file_limit();
    err = daemon_start(&daemon);
    if (err == AMDRPC_OK) {
        daemon_serve(&daemon);
    } else {
        fprintf(stderr, "amdrpcd: %s\n", config->error);
    }
    daemon_fini(&daemon);
    return err == AMDRPC_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
