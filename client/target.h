/** What a channel's target names: where to connect, and under what name. */
#ifndef AMDI_TARGET_H
#define AMDI_TARGET_H

#include <amdrpc/err.h>

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

// A name with more addresses than these is still reached through the first.
#define AMDI_ADDRESSES_MAX 16u

struct amdi_address {
    struct sockaddr_storage address;
    socklen_t len;
};

struct amdi_addresses {
    struct amdi_address at[AMDI_ADDRESSES_MAX];
    size_t count;
};

struct addrinfo;

struct amdi_target {
    char *authority; // for :authority and messages; owned
    char *host;      // a name to look up; NULL: `addresses` are known. Owned
    char *port;      // digits; NULL without host; owned
    struct amdi_addresses addresses;
};

/**
 * Reads "HOST:PORT", "[::1]:50051", "dns:///HOST:PORT" or "unix:/PATH".
 * Nothing is looked up.
 *
 * Errors:  AMDRPC_EINVAL  not such a target
 *          AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_target_parse(
        const char *text, struct amdi_target *out);

/** Frees what it holds; a zeroed one is accepted. */
/** Tells whether it can be an :authority: no path, no user, no white space. */
bool amdi_authority_is_valid(const char *authority);

/** Its host, without port and brackets; owned; NULL without memory. */
char *amdi_authority_get_host(const char *authority);

void amdi_target_fini(struct amdi_target *target);

/** Takes over as many of the found addresses as fit. */
void amdi_addresses_set(
        struct amdi_addresses *addresses, const struct addrinfo *found);

#endif
