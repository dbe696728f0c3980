/** Refuses .proto files whose names would meet in C. */
#include "proto/plugin/claims.h"

#include <string.h>

/* A name in C and what it was made for. */
struct claim {
    struct claim *next;
    const char *name;
    const char *owner; // "Bar.Echo"
};

static void
claim_add(struct gen *gen, struct claim **claims, const char *name,
        const char *owner)
{
    struct claim *claim;

    for (const struct claim *other = *claims; other != NULL;
            other = other->next) {
        if (strcmp(name, other->name) == 0) {
            gen_fail(gen,
                    "%s and %s would share the name \"%s\" in C; rename one "
                    "of them",
                    other->owner, owner, name);
        }
    }
    claim = (struct claim *)(void *)gen_alloc(gen, sizeof(*claim));
    if (claim != NULL) {
        *claim = (struct claim){.next = *claims, .name = name, .owner = owner};
        *claims = claim;
    }
}

static void
claim_add_all(struct gen *gen, struct claim **claims, const char *prefix,
        const char *const *endings, const char *owner)
{
    for (size_t i = 0; endings[i] != NULL; i++) {
        claim_add(gen, claims, gen_format(gen, "%s%s", prefix, endings[i]),
                owner);
    }
}

/* What server.c and client.c write for a method, by its kind. */
static void
claim_method(struct gen *gen, struct claim **claims,
        const struct gen_service *service, const struct gen_method *method)
{
    static const char *const unary[] = {"", "_future", "_result", "_reply",
            "_submit", "_future_from_name", NULL};
    static const char *const client_streaming[] = {"_start", "_client_send",
            "_client_recv", "_result", "_recv", "_reply", NULL};
    static const char *const server_streaming[] = {"_start", "_client_recv",
            "_send", "_submit", "_future_from_name", NULL};
    static const char *const bidi_streaming[] = {
            "_start", "_client_send", "_client_recv", "_recv", "_send", NULL};
    const char *const *endings = unary;

    if (method->request_stream) {
        endings = method->response_stream ? bidi_streaming : client_streaming;
    } else if (method->response_stream) {
        endings = server_streaming;
    }
    claim_add_all(gen, claims, method->prefix, endings,
            gen_format(gen, "%s.%s", service->name, method->name));
    claim_add(gen, claims, method->index,
            gen_format(gen, "%s.%s", service->name, method->name));
}

void
gen_claims_check(struct gen *gen, const struct gen_model *model)
{
    static const char *const own[] = {
            "_service", "_handlers", "_register", "_method", NULL};
    struct claim *claims = NULL;

    for (size_t i = 0; i < model->nservices; i++) {
        const struct gen_service *service = &model->services[i];

        claim_add_all(gen, &claims, service->prefix, own, service->name);
        for (size_t j = 0; j < service->nmethods; j++) {
            claim_method(gen, &claims, service, &service->methods[j]);
        }
    }
}
