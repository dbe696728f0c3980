/** How many connections each peer's address has. */
#include "server/conn/address_count.h"

#include "common/alloc.h"

#include <netinet/in.h>
#include <string.h>

#define KEY_BYTES 16u

struct amdi_address_entry {
    struct amdi_list node;
    uint8_t key[KEY_BYTES]; // IPv4 addresses as IPv6 ones that map them
    uint32_t nconns;
};

void
amdi_address_count_init(struct amdi_address_count *count)
{
    pthread_mutex_init(&count->mtx, NULL);
    for (size_t i = 0; i < AMDI_ADDRESS_BUCKETS; i++) {
        amdi_list_init(&count->buckets[i]);
    }
}

void
amdi_address_count_fini(struct amdi_address_count *count)
{
    for (size_t i = 0; i < AMDI_ADDRESS_BUCKETS; i++) {
        struct amdi_list *node = NULL;

        while ((node = amdi_list_pop(&count->buckets[i])) != NULL) {
            amdi_free(AMDI_CONTAINER_OF(node, struct amdi_address_entry, node));
        }
    }
    pthread_mutex_destroy(&count->mtx);
}

static void
key_of(const struct sockaddr_storage *address, uint8_t out[KEY_BYTES])
{
    memset(out, 0, KEY_BYTES);
    if (address->ss_family == AF_INET) {
        out[10] = 0xff;
        out[11] = 0xff;
        memcpy(out + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
    } else if (address->ss_family == AF_INET6) {
        memcpy(out, &((const struct sockaddr_in6 *)address)->sin6_addr,
                KEY_BYTES);
    }
}

/** Mixed, so that whoever has a network cannot fill one bucket easily. */
static struct amdi_list *
bucket_of(struct amdi_address_count *count, const uint8_t key[KEY_BYTES])
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < KEY_BYTES; i++) {
        hash = (hash ^ key[i]) * 0x100000001b3u;
    }
    return &count->buckets[(hash >> 24) % AMDI_ADDRESS_BUCKETS];
}

static struct amdi_address_entry *
bucket_find(struct amdi_list *bucket, const uint8_t key[KEY_BYTES])
{
    AMDI_LIST_FOREACH (node, bucket) {
        struct amdi_address_entry *entry =
                AMDI_CONTAINER_OF(node, struct amdi_address_entry, node);

        if (memcmp(entry->key, key, KEY_BYTES) == 0) {
            return entry;
        }
    }
    return NULL;
}

static struct amdi_address_entry *
bucket_get(struct amdi_list *bucket, const uint8_t key[KEY_BYTES])
{
    struct amdi_address_entry *entry = bucket_find(bucket, key);

    if (entry != NULL) {
        return entry;
    }
    entry = amdi_zalloc(sizeof(*entry));
    if (entry != NULL) {
        memcpy(entry->key, key, KEY_BYTES);
        amdi_list_push(bucket, &entry->node);
    }
    return entry;
}

bool
amdi_address_count_add(struct amdi_address_count *count,
        const struct sockaddr_storage *address, uint32_t limit,
        struct amdi_address_entry **out)
{
    struct amdi_address_entry *entry = NULL;
    uint8_t key[KEY_BYTES];
    bool may_add = false;

    key_of(address, key);
    pthread_mutex_lock(&count->mtx);
    entry = bucket_get(bucket_of(count, key), key);
    may_add = entry != NULL && entry->nconns < limit;
    if (may_add) {
        entry->nconns++;
        *out = entry;
    }
    pthread_mutex_unlock(&count->mtx);
    return may_add;
}

void
amdi_address_count_remove(
        struct amdi_address_count *count, struct amdi_address_entry *entry)
{
    pthread_mutex_lock(&count->mtx);
    if (--entry->nconns == 0) {
        amdi_list_remove(&entry->node);
        amdi_free(entry);
    }
    pthread_mutex_unlock(&count->mtx);
}
