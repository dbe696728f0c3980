/** What every kind of store has, and what it does in its own way. */
#ifndef AMDI_STORE_INTERNAL_H
#define AMDI_STORE_INTERNAL_H

#include "server/store/request.h"
#include "server/store/watch.h"

struct amdi_store_ops {
    /**
     * Takes the request over and completes it once, later; or does not take
     * it: BUSY, DOWN. @is_inner: who asks keeps a bound of its own, so it is
     * never BUSY: the store itself, and what empties it. Thread: any.
     */
    enum amdi_store_result (*push)(struct amdi_store *store,
            struct amdi_request *request, bool is_inner);

    /** As amdi_store_close. */
    void (*close)(struct amdi_store *store, struct amdi_loop *loop,
            void (*done)(void *arg), void *arg);

    /** As amdi_store_get_usage. */
    struct amdi_store_usage (*get_usage)(const struct amdi_store *store);
};

/** Lies at the beginning of each kind of store. */
struct amdi_store {
    const struct amdi_store_ops *ops;
    struct amdi_store_options options; // none of them zero
    struct amdi_hub *hub;              // who watches what
};

/** Returns the options with their defaults filled in. */
struct amdi_store_options amdi_store_options_fill(
        const struct amdi_store_options *options);

#endif
