/** How many connections each peer's address has. */
#ifndef AMDI_ADDRESS_COUNT_H
#define AMDI_ADDRESS_COUNT_H

#include "common/list.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define AMDI_ADDRESS_BUCKETS 256u

/** Addresses with connections, as many as there are connections at most. */
struct amdi_address_count {
    // Any thread, under mtx.
    pthread_mutex_t mtx;
    struct amdi_list buckets[AMDI_ADDRESS_BUCKETS]; // of struct entry; owned
};

/** An address that has at least one connection. */
struct amdi_address_entry;

void amdi_address_count_init(struct amdi_address_count *count);
void amdi_address_count_fini(struct amdi_address_count *count);

/**
 * Counts a connection of that address; false, counting nothing, when it has
 * @limit already, or without memory. Ports do not matter. Addresses other than
 * IP are one.
 *
 * Thread:  any
 * @out     to be given back by amdi_address_count_remove
 */
bool amdi_address_count_add(struct amdi_address_count *count,
        const struct sockaddr_storage *address, uint32_t limit,
        struct amdi_address_entry **out);

/** Takes one back. Thread: any. */
void amdi_address_count_remove(
        struct amdi_address_count *count, struct amdi_address_entry *entry);

#endif
