/** Who calls, and whether they may. */
#ifndef AMDI_AUTH_H
#define AMDI_AUTH_H

#include <amdrpc/err.h>

#include "common/error.h"
#include "server/auth/allow.h"
#include "server/conn/request_head.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct amdi_service_table;
struct amdi_tokens;

struct amdi_auth {
    // Setup only; constant once the server has started.
    struct amdi_allow *rules; // owned, linked by next
    char *token_file;         // owned; NULL: there are no tokens

    // Any thread.
    atomic_uint generation; // of the tokens; 0: there are none

    // Any thread, under mtx.
    pthread_mutex_t mtx;
    struct amdi_tokens *tokens; // owned
};

void amdi_auth_init(struct amdi_auth *auth);
void amdi_auth_fini(struct amdi_auth *auth);

/** Takes tokens from a file. Thread: setup. Errors as amdi_tokens_read. */
AMDRPC_NODISCARD amdrpc_err amdi_auth_set_token_file(
        struct amdi_auth *auth, const char *path, struct amdi_error *error);

/**
 * Reads that file again, if there is one; after a failure the tokens stay as
 * they were. Thread: any.
 */
AMDRPC_NODISCARD amdrpc_err amdi_auth_reload(
        struct amdi_auth *auth, struct amdi_error *error);

/** Adds a rule. Errors as amdrpc_server_allow. Thread: setup. */
AMDRPC_NODISCARD amdrpc_err amdi_auth_allow(struct amdi_auth *auth,
        struct amdi_service_table *services, const char *path,
        const char *names);

/**
 * Looks who makes a call of @head's method, and whether they may. What a token
 * said is kept in @head.
 *
 * Thread:         the loop's of @head
 * @peer_identity  of the connection, "" for none
 * @out_identity   borrowed from @head or as @peer_identity; "" for none
 * @out            written when it returns false
 */
bool amdi_auth_check(struct amdi_auth *auth, struct amdi_request_head *head,
        const char *peer_identity, const char **out_identity,
        struct amdi_request_verdict *out);

#endif
