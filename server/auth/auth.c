/** Who calls, and whether they may. */
#include "server/auth/auth.h"

#include "common/alloc.h"
#include "server/auth/tokens.h"
#include "server/service.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BEARER "Bearer "

void
amdi_auth_init(struct amdi_auth *auth)
{
    memset(auth, 0, sizeof(*auth));
    atomic_init(&auth->generation, 0);
    (void)pthread_mutex_init(&auth->mtx, NULL); // cannot fail on Linux
}

void
amdi_auth_fini(struct amdi_auth *auth)
{
    while (auth->rules != NULL) {
        struct amdi_allow *rule = auth->rules;

        auth->rules = rule->next;
        amdi_allow_destroy(rule);
    }
    amdi_tokens_destroy(auth->tokens);
    amdi_free(auth->token_file);
    pthread_mutex_destroy(&auth->mtx);
}

/* ---- tokens ---- */

static amdrpc_err
auth_read_tokens(
        struct amdi_auth *auth, const char *path, struct amdi_error *error)
{
    struct amdi_tokens *tokens = NULL;
    struct amdi_tokens *old = NULL;
    amdrpc_err err = amdi_tokens_read(path, &tokens, error);

    if (err != AMDRPC_OK) {
        return err;
    }
    pthread_mutex_lock(&auth->mtx);
    old = auth->tokens;
    auth->tokens = tokens;
    // What heads remember is of an older generation from now on.
    atomic_fetch_add(&auth->generation, 1);
    pthread_mutex_unlock(&auth->mtx);
    amdi_tokens_destroy(old);
    return AMDRPC_OK;
}

amdrpc_err
amdi_auth_set_token_file(
        struct amdi_auth *auth, const char *path, struct amdi_error *error)
{
    char *copy = amdi_strdup(path);
    amdrpc_err err = AMDRPC_OK;

    if (copy == NULL) {
        return amdi_error_nomem(error);
    }
    err = auth_read_tokens(auth, path, error);
    if (err != AMDRPC_OK) {
        amdi_free(copy);
        return err;
    }
    amdi_free(auth->token_file);
    auth->token_file = copy;
    return AMDRPC_OK;
}

amdrpc_err
amdi_auth_reload(struct amdi_auth *auth, struct amdi_error *error)
{
    return auth->token_file == NULL
            ? AMDRPC_OK
            : auth_read_tokens(auth, auth->token_file, error);
}

/* ---- rules ---- */

static bool
auth_has_rule(const struct amdi_auth *auth, const char *path)
{
    for (const struct amdi_allow *r = auth->rules; r != NULL; r = r->next) {
        if (strcmp(r->path, path) == 0) {
            return true;
        }
    }
    return false;
}

amdrpc_err
amdi_auth_allow(struct amdi_auth *auth, struct amdi_service_table *services,
        const char *path, const char *names)
{
    struct amdi_allow *rule = NULL;
    amdrpc_err err = auth_has_rule(auth, path)
            ? AMDRPC_EEXIST
            : amdi_allow_create(path, names, &rule);

    if (err != AMDRPC_OK) {
        return err;
    }
    err = amdi_service_table_set_allow(services, rule);
    if (err != AMDRPC_OK) {
        amdi_allow_destroy(rule);
        return err;
    }
    rule->next = auth->rules;
    auth->rules = rule;
    return AMDRPC_OK;
}

/* ---- calls ---- */

static bool
verdict_refuse(struct amdi_request_verdict *out, amdrpc_status_code code,
        const char *message)
{
    *out = (struct amdi_request_verdict){
            .kind = AMDI_REQUEST_STATUS, .code = code};
    (void)snprintf(out->message, sizeof(out->message), "%s", message);
    return false;
}

/** The token of "authorization: Bearer TOKEN" (RFC 6750); NULL for none. */
static const char *
head_find_token(const struct amdi_request_head *head, size_t *out_len)
{
    static const size_t prefix_len = sizeof(BEARER) - 1;
    const amdrpc_metadata_field *field =
            amdrpc_metadata_get(&head->metadata, "authorization");

    if (field == NULL || field->value_len < prefix_len ||
            strncasecmp(field->value, BEARER, prefix_len) != 0) {
        return NULL;
    }
    *out_len = field->value_len - prefix_len;
    return (const char *)field->value + prefix_len;
}

/**
 * Looks the head's token up, and keeps its name, or "" without a token. NULL
 * stays for one that is not known, or without memory.
 */
static void
auth_look_up(struct amdi_auth *auth, struct amdi_request_head *head)
{
    const char *name = "";
    size_t len = 0;
    const char *token = head_find_token(head, &len);

    pthread_mutex_lock(&auth->mtx);
    head->auth_generation = atomic_load(&auth->generation);
    if (token != NULL) {
        name = amdi_tokens_find(auth->tokens, token, len);
        if (name != NULL) {
            // A reload frees the table while calls still have the name.
            name = amdi_arena_strndup(&head->arena, name, strlen(name));
        }
    }
    pthread_mutex_unlock(&auth->mtx);
    head->token_name = name;
}

bool
amdi_auth_check(struct amdi_auth *auth, struct amdi_request_head *head,
        const char *peer_identity, const char **out_identity,
        struct amdi_request_verdict *out)
{
    unsigned generation =
            atomic_load_explicit(&auth->generation, memory_order_relaxed);

    *out_identity = peer_identity;
    if (generation != 0) {
        if (head->auth_generation != generation) {
            auth_look_up(auth, head);
        }
        if (head->token_name == NULL) {
            return verdict_refuse(out, AMDRPC_STATUS_UNAUTHENTICATED,
                    "the bearer token is not known here");
        }
        if (head->token_name[0] != '\0') {
            *out_identity = head->token_name;
        }
    }
    if (amdi_allow_has(head->method->allow, *out_identity)) {
        return true;
    }
    if ((*out_identity)[0] == '\0') {
        return verdict_refuse(out, AMDRPC_STATUS_UNAUTHENTICATED,
                "this method is not for anonymous callers: give a token or a "
                "client certificate");
    }
    return verdict_refuse(out, AMDRPC_STATUS_PERMISSION_DENIED,
            "the caller is not among those who may call this method");
}
