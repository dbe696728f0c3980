/** Operations: calls that outlive their client's connection. */
#ifndef AMDRPC_OPERATIONS_H
#define AMDRPC_OPERATIONS_H

#include <amdrpc/err.h>
#include <amdrpc/server.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Zero fields mean the default. */
typedef struct amdrpc_operations_options {
    // Where they are kept: "memory:", or "sqlite:DIR" with an existing
    // directory; default "memory:".
    const char *store;
    uint32_t max_running;    // of one method at once; 1024
    uint32_t timeout_ms;     // executing it is given up; 24 h
    uint32_t retain_ms;      // it is kept after its end; 24 h
    uint32_t max_attempts;   // unless the method's policy says; 5
    uint32_t lease_ms;       // a dead executor is noticed after; 15 s
    uint32_t backoff_ms;     // before the second attempt, doubled for each
                             // further one; 1 s
    uint32_t max_backoff_ms; // 2 min
    // Beyond them those that have ended go before their time, the first first.
    uint32_t max_kept;       // operations that have ended; 2000000
    uint64_t max_kept_bytes; // of all that is in the store; 8 GiB
    // Beyond it submissions are refused, with RESOURCE_EXHAUSTED, as they are
    // while the store is an eighth larger than max_kept_bytes.
    uint32_t max_unfinished; // operations that wait or run; 1000000
    // The disk is not waited for: a power cut may lose what was acknowledged,
    // or damage the whole store. For tests, and for what may be lost.
    bool is_unsafe;
} amdrpc_operations_options;

/**
 * Lets a server keep operations: amdrpc.v1.Operations and
 * google.longrunning.Operations are added, any unary or server-streaming method
 * may be submitted, and calls may be detached (amdrpc-detach). Operations that
 * an earlier process left are executed once the server starts.
 *
 * Thread:   setup, once; blocks while the store is opened
 * @options  copied; NULL for all defaults
 * @why      NULL, or receives a sentence about an error, cut to @why_size
 * Errors:   AMDRPC_EINVAL        the store's name
 *           AMDRPC_EADDRINUSE    another process has the directory
 *           AMDRPC_EACCES        not permitted to write there
 *           AMDRPC_EUNSUPPORTED  a network file system, or a newer schema
 *           AMDRPC_EPROTO        the file is damaged or is no store
 *           AMDRPC_EEXIST        added before
 *           AMDRPC_EIO  AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_operations_add(amdrpc_server *server,
        const amdrpc_operations_options *options, char *why, size_t why_size);

#ifdef __cplusplus
}
#endif

#endif
