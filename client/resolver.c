/** Runs getaddrinfo on a short-lived thread and posts what it found. */
#include "client/resolver.h"

#include "common/alloc.h"

#include <netdb.h>
#include <pthread.h>

struct amdi_lookup {
    struct amdi_task task; // posted when done
    pthread_t thread;
    struct amdi_loop *loop;
    amdi_lookup_fn done;
    void *ctx;
    char *host; // owned
    char *port; // owned
    int rc;     // of getaddrinfo
    struct amdi_addresses addresses;
};

static void
lookup_destroy(struct amdi_lookup *lookup)
{
    amdi_free(lookup->host);
    amdi_free(lookup->port);
    amdi_free(lookup);
}

static void
lookup_on_done(struct amdi_task *task)
{
    struct amdi_lookup *lookup =
            AMDI_CONTAINER_OF(task, struct amdi_lookup, task);

    // It has posted this and has nothing left to do, but must not be about to
    // wake the loop any more once the loop may be freed.
    (void)pthread_join(lookup->thread, NULL);
    lookup->done(lookup->ctx, &lookup->addresses,
            lookup->rc == 0 ? "" : gai_strerror(lookup->rc));
    lookup_destroy(lookup);
}

static void *
lookup_main(void *arg)
{
    struct amdi_lookup *lookup = arg;
    const struct addrinfo hints = {
            .ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG,
            .ai_family = AF_UNSPEC,
            .ai_socktype = SOCK_STREAM,
    };
    struct addrinfo *found = NULL;

    lookup->rc = getaddrinfo(lookup->host, lookup->port, &hints, &found);
    if (lookup->rc == 0) {
        amdi_addresses_set(&lookup->addresses, found);
        freeaddrinfo(found);
    }
    amdi_loop_post(lookup->loop, &lookup->task);
    return NULL;
}

amdrpc_err
amdi_lookup_start(struct amdi_loop *loop, const struct amdi_target *target,
        amdi_lookup_fn done, void *ctx)
{
    struct amdi_lookup *lookup = amdi_zalloc(sizeof(*lookup));

    if (lookup == NULL) {
        return AMDRPC_ENOMEM;
    }
    lookup->task.run = lookup_on_done;
    lookup->loop = loop;
    lookup->done = done;
    lookup->ctx = ctx;
    lookup->host = amdi_strdup(target->host);
    lookup->port = amdi_strdup(target->port);
    amdrpc_err err = lookup->host == NULL || lookup->port == NULL
            ? AMDRPC_ENOMEM
            : AMDRPC_OK;
    if (err == AMDRPC_OK &&
            pthread_create(&lookup->thread, NULL, lookup_main, lookup) != 0) {
        err = AMDRPC_EIO;
    }
    if (err != AMDRPC_OK) {
        lookup_destroy(lookup);
    }
    return err;
}
