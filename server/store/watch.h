/**
 * Who watches which operation.
 *
 * The truth about events is in the store. A watch reads what comes after the
 * last event that it has shown; the store touches an operation after each
 * change that is durable, and then its watches read again. So nothing is lost
 * or shown twice, however often and late it is touched.
 */
#ifndef AMDI_STORE_WATCH_H
#define AMDI_STORE_WATCH_H

#include "server/store/store.h"

struct amdi_hub;

/** Returns NULL when there is no memory. */
struct amdi_hub *amdi_hub_create(void);
void amdi_hub_destroy(struct amdi_hub *hub);

/** Has the watches of an operation read again. Thread: any. */
void amdi_hub_touch(struct amdi_hub *hub, uint64_t id);

/** Has all watches read again. */
void amdi_hub_touch_all(struct amdi_hub *hub);

/** Sets and gives hints; see amdi_store_set_hints. */
void amdi_hub_set_hints(struct amdi_hub *hub, struct amdi_loop *loop,
        void (*fn)(void *arg, unsigned hints), void *arg);
void amdi_hub_give_hints(struct amdi_hub *hub, unsigned hints);

#endif
