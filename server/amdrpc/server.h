/** The server: listeners, loops, workers and the services they serve. */
#ifndef AMDRPC_SERVER_H
#define AMDRPC_SERVER_H

#include <amdrpc/call.h>
#include <amdrpc/err.h>
#include <amdrpc/service.h>
#include <amdrpc/tls.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A server. Its owner sets it up, starts it, lets it drain, and destroys it.
 * "Thread: setup" means: one thread, before the start or after the stop.
 */
typedef struct amdrpc_server amdrpc_server;

/** Where a method's handler runs. */
typedef enum amdrpc_dispatch {
    AMDRPC_DISPATCH_DEFAULT, // as the server's options say; there: POOL
    AMDRPC_DISPATCH_POOL,    // on a worker; may block
    AMDRPC_DISPATCH_INLINE,  // on the loop; must not block
    AMDRPC_DISPATCH_SYNC,    // on the loop although it blocks: for comparison
} amdrpc_dispatch;

/** Which calls go first when workers are scarce. */
typedef enum amdrpc_priority {
    AMDRPC_PRIORITY_DEFAULT, // NORMAL
    AMDRPC_PRIORITY_HIGH,
    AMDRPC_PRIORITY_NORMAL,
    AMDRPC_PRIORITY_LOW,
} amdrpc_priority;

/** Which calls are one caller's: callers take turns. */
typedef enum amdrpc_fair_by {
    AMDRPC_FAIR_BY_DEFAULT,  // PEER
    AMDRPC_FAIR_BY_PEER,     // each connection
    AMDRPC_FAIR_BY_HOST,     // each address, without its port
    AMDRPC_FAIR_BY_NAME,     // each authenticated name; else as PEER
    AMDRPC_FAIR_BY_METADATA, // each value of `fair_key`; without one as PEER
} amdrpc_fair_by;

/** No handler of the method is reported. */
#define AMDRPC_WATCHDOG_NEVER UINT32_MAX

/** How a method's calls are dispatched. Zero fields mean the default. */
typedef struct amdrpc_policy {
    amdrpc_dispatch dispatch;
    amdrpc_priority priority;
    uint32_t max_running;         // workers it may hold at once; default: all
    uint32_t max_queued;          // default 1024
    uint32_t default_deadline_ms; // when the client sets none; default 10 min
    amdrpc_fair_by fair_by;
    const char *fair_key;  // name of metadata, with AMDRPC_FAIR_BY_METADATA
    uint32_t max_per_key;  // of one caller at once; default: max_running
    bool is_long;          // waiting is usual: calls are not shed for it
    uint32_t watchdog_ms;  // a handler that runs longer is reported; default
                           // 1 min, or never when is_long
    const char *pool;      // of amdrpc_server_add_pool; default "default"
    uint32_t max_attempts; // of an operation; 1: never retry; default: as
                           // amdrpc_operations_options says
} amdrpc_policy;

/** For a limit in amdrpc_server_options: there shall be none. */
#define AMDRPC_NO_LIMIT UINT32_MAX

/** What a peer may do so often at once, and then so often a second. */
typedef struct amdrpc_rate {
    uint32_t burst;
    uint32_t per_second;
} amdrpc_rate;

/** Zero fields mean the default, which stands behind each. */
typedef struct amdrpc_server_options {
    uint32_t loops;       // min(4, CPUs)
    uint32_t workers;     // 2 * CPUs: those of pool "default"
    uint32_t max_workers; // 8 * CPUs, or `workers` if that is set
    // Every method not marked inline is dispatched like this.
    amdrpc_dispatch dispatch;
    // Messages are compressed for clients that take it;
    // amdrpc_call_set_compression decides otherwise for a call.
    bool compress;

    // What there may be at once.
    uint32_t max_connections; // 10000; never over 80 % of the descriptors
    uint32_t max_connections_per_address; // 256
    uint32_t max_concurrent_streams;      // 128, for each connection
    uint32_t max_calls_per_connection; // 2 * max_concurrent_streams: with those
                                       // that were reset but still run

    // Sizes in bytes.
    uint32_t max_recv_message_bytes;      // 4 MiB, after decompression
    uint32_t max_send_message_bytes;      // 16 MiB
    uint32_t max_decoded_bytes;           // 32 MiB: what a message unpacks to
    uint32_t max_queued_bytes;            // 288 KiB: a call's unsent messages
    uint32_t max_connection_queued_bytes; // 1 MiB: answers that the client does
                                          // not take; then it is not read
    uint32_t advised_header_list_bytes;   // 8 KiB: what clients are told
    uint32_t max_header_list_bytes;       // 16 KiB: name + value + 32 for each
    uint32_t max_header_field_bytes;      // 8 KiB: name + value
    uint32_t max_header_fields;           // 100
    uint32_t stream_window_bytes;         // 64 KiB
    uint32_t connection_window_bytes;     // 1 MiB
    uint32_t header_table_bytes; // 4 KiB: HPACK's, for a client to fill
    uint32_t max_nesting; // 100: messages in each other; up to 500, which fit
                          // the stacks of handlers

    // What a client may send; one that sends more is told to calm down
    // (ENHANCE_YOUR_CALM) and its connection closed.
    uint32_t max_continuations;     // 8: CONTINUATION frames of a header block
    uint32_t max_settings;          // 32: in a SETTINGS frame
    uint32_t max_empty_frames;      // 32 in a row
    uint32_t priorities_per_stream; // 100
    uint32_t window_updates_per_frame; // 10, for each DATA frame it gets
    amdrpc_rate resets;                // 500, 100: of calls, and refused calls
    uint32_t early_reset_streams; // 500: from then on, most calls must live for
                                  // a second or not be reset
    amdrpc_rate faults;           // 100, 10: for which a call is reset
    amdrpc_rate pings;            // 100, 10
    amdrpc_rate settings_frames;  // 20, 2
    amdrpc_rate stray_frames;     // 10000, 1000: that mean nothing, as unknown
                                  // ones, or those of a call that has ended
    uint32_t frames_per_turn; // 256, not counting DATA: then others go first

    // Times in milliseconds, after which a peer is given up.
    uint32_t handshake_timeout_ms; // 10 s: until its first SETTINGS
    uint32_t header_timeout_ms;    // 10 s: for a whole header block
    uint32_t body_timeout_ms;      // 30 s without bytes of a lone request
    uint32_t stall_timeout_ms;     // 60 s: it takes nothing of what waits
    uint32_t idle_timeout_ms;      // 15 min without calls
    uint32_t max_age_ms;           // none: then the connection is drained
    uint32_t max_age_grace_ms;     // none: and its calls cancelled

    // Keepalive (grpc/doc/keepalive.md).
    uint32_t keepalive_interval_ms; // 2 h without bytes: a PING is sent
    uint32_t keepalive_timeout_ms;  // 20 s for its answer
    uint32_t min_ping_interval_ms;  // 60 s between a client's PINGs
    bool allow_pings_without_calls; // false: 2 h between them then

    uint32_t drain_timeout_ms; // 30 s

    bool logs_calls; // a line at "info" for each call that ended
} amdrpc_server_options;

/**
 * Creates a server that listens nowhere yet.
 *
 * Thread:   setup
 * @options  copied; NULL for all defaults
 * @out      returned owned
 * Errors:   AMDRPC_ENOMEM, AMDRPC_EIO, AMDRPC_EINVAL (a field out of range)
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_server_create(
        const amdrpc_server_options *options, amdrpc_server **out);

/**
 * Drains the server if it runs, waits for every handler, and frees it. NULL is
 * accepted.
 *
 * Thread:  setup
 */
void amdrpc_server_destroy(amdrpc_server *server);

/**
 * Calls one handler of a service's table; written by protoc-gen-amdrpc.
 *
 * @handlers  the service's typed table
 * @request   NULL when the method has a request stream
 */
typedef void (*amdrpc_invoke_fn)(const void *handlers, amdrpc_call *call,
        const ProtobufCMessage *request, void *user_data);

/**
 * Adds a service; generated `…_register` functions call this.
 *
 * Thread:     setup
 * @desc       borrowed for the server's life (static, as generated)
 * @invoke     copied; one for each method of @desc, NULL where the method is
 *             not implemented
 * @handlers   borrowed for the server's life
 * @user_data  passed to every handler; borrowed for the server's life
 * Errors:     AMDRPC_EEXIST  a service of that name is there already
 *             AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_server_add_service(amdrpc_server *server,
        const amdrpc_service_desc *desc, const amdrpc_invoke_fn *invoke,
        const void *handlers, void *user_data);

/**
 * Adds a pool of workers, for methods whose policy names it. It begins with
 * @min_workers, grows to @max_workers while calls wait for workers that block,
 * and shrinks again once they have been idle for half a minute. The pool
 * "default" is there from the beginning.
 *
 * Thread:  setup
 * @name    copied; up to 31 characters
 * Errors:  AMDRPC_EINVAL  the name, no worker at all, or too many
 *          AMDRPC_EEXIST
 *          AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_server_add_pool(amdrpc_server *server,
        const char *name, uint32_t min_workers, uint32_t max_workers);

/**
 * Gives a caller more than one call in each turn.
 *
 * Thread:   setup, once all pools have been added
 * @caller   a host, a name or a value of metadata, as `fair_by` says
 * @weight   1 … 1000; once for a caller
 * Errors:   AMDRPC_EINVAL
 *           AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_server_set_weight(
        amdrpc_server *server, const char *caller, uint32_t weight);

/**
 * Sets a method's policy.
 *
 * Thread:  setup
 * @path    "/package.Service/Method", or "/package.Service/" for all of them
 * @policy  copied; replaces all of what an earlier one said
 * Errors:  AMDRPC_ENOTFOUND  no such method, or no such pool, was added
 *          AMDRPC_EINVAL     a field is out of its range
 *          AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_server_set_policy(
        amdrpc_server *server, const char *path, const amdrpc_policy *policy);

/**
 * Tells a method's policy, with defaults filled in; max_running may be 0, for
 * all of the pool's workers, until the server has started.
 *
 * Thread:  setup, and any once it has started
 * @path    "/package.Service/Method"
 * @out     its texts are borrowed until the policy is set again
 * Errors:  AMDRPC_ENOTFOUND
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_server_get_policy(
        const amdrpc_server *server, const char *path, amdrpc_policy *out);

/**
 * Opens a listening socket; connections are accepted once the server starts.
 *
 * Thread:        setup
 * @address       "HOST:PORT", port 0 takes a free one; or "unix:/PATH": a file
 *                that a process left behind is replaced, and removed at the end
 * @out_port      the port it listens on, 0 for a Unix socket; may be NULL
 * Errors:        AMDRPC_EINVAL      not such an address
 *                AMDRPC_EADDRINUSE  AMDRPC_EACCES  AMDRPC_EIO
 *                AMDRPC_ENOTFOUND   no folder for a Unix socket
 *                AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_server_listen(
        amdrpc_server *server, const char *address, uint16_t *out_port);

/** Zero fields mean the default. */
typedef struct amdrpc_listen_options {
    amdrpc_tls *tls;      // counted; of role SERVER; default: plaintext
    uint32_t socket_mode; // of a Unix socket's file; default: 0600
} amdrpc_listen_options;

/**
 * amdrpc_server_listen with options, which are copied; NULL for all defaults.
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_server_listen_with(amdrpc_server *server,
        const char *address, const amdrpc_listen_options *options,
        uint16_t *out_port);

/**
 * Lists the services: the one that was added at @index, or NULL past the
 * last.
 *
 * Thread:  any, once all have been added
 * @return  borrowed for the server's life
 */
const amdrpc_service_desc *amdrpc_server_get_service(
        const amdrpc_server *server, size_t index);

/**
 * Lets @fn be called when a drain begins, before clients are told: the place
 * to end calls that would otherwise never end, such as watches. The last added
 * is called first. @fn must not block.
 *
 * Thread:  setup; @fn is called on the thread that called amdrpc_server_drain
 * Errors:  AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_server_on_drain(
        amdrpc_server *server, void (*fn)(void *arg), void *arg);

/**
 * Writes what the server did and does, in Prometheus' text format.
 *
 * Thread:  any, once started; may take a millisecond for each 100 methods
 * @file    borrowed
 */
void amdrpc_server_write_metrics(amdrpc_server *server, FILE *file);

/**
 * Starts loops and workers and begins to accept. After an error the server can
 * only be destroyed.
 *
 * Thread:  setup
 * Errors:  AMDRPC_ENOMEM  AMDRPC_EIO
 *          AMDRPC_ESTATE  started before
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_server_start(amdrpc_server *server);

/**
 * Begins to drain: no new connections, clients are told to go elsewhere
 * (two GOAWAYs, RFC 9113 section 6.8), calls that were accepted are finished.
 * Calls still running after drain_timeout_ms are cancelled with UNAVAILABLE.
 * Returns at once; may be called again. A no-op on a server that does not run.
 *
 * Thread:  any (also a signal handler's self-pipe reader, not the handler)
 */
void amdrpc_server_drain(amdrpc_server *server);

/**
 * Waits until a drain has ended, first for its beginning when the server still
 * runs. A call once accepted has then ended, and its
 * status has been handed to the kernel, or its connection is lost.
 *
 * Thread:  any but loops and workers
 * Errors:  AMDRPC_ETIMEDOUT  handlers still run some seconds after their calls
 *                            were cancelled; a process may exit, while
 *                            amdrpc_server_destroy would wait for them
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_server_wait(amdrpc_server *server);

/** amdrpc_server_drain, then amdrpc_server_wait. Thread: as the latter. */
AMDRPC_NODISCARD amdrpc_err amdrpc_server_stop(amdrpc_server *server);

#ifdef __cplusplus
}
#endif

#endif
