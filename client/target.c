/** Parses a channel's target. */
#include "client/target.h"

#include "common/alloc.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/** Drops @prefix from the front of *text when it is there. */
static bool
text_skip(const char **text, const char *prefix)
{
    size_t len = strlen(prefix);

    if (strncmp(*text, prefix, len) != 0) {
        return false;
    }
    *text += len;
    return true;
}

static bool
port_is_valid(const char *port)
{
    size_t len = strspn(port, "0123456789");

    if (len == 0 || len > 5 || port[len] != '\0') {
        return false;
    }
    long number = strtol(port, NULL, 10);
    return number >= 1 && number <= 65535;
}

void
amdi_addresses_set(
        struct amdi_addresses *addresses, const struct addrinfo *found)
{
    addresses->count = 0;
    for (; found != NULL && addresses->count < AMDI_ADDRESSES_MAX;
            found = found->ai_next) {
        struct amdi_address *next = &addresses->at[addresses->count];

        if (found->ai_addrlen > sizeof(next->address)) {
            continue;
        }
        memcpy(&next->address, found->ai_addr, found->ai_addrlen);
        next->len = found->ai_addrlen;
        addresses->count++;
    }
}

/** Fills the addresses when the host is a number, so nothing is looked up. */
static amdrpc_err
target_read_number(struct amdi_target *target)
{
    const struct addrinfo hints = {
            .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
            .ai_family = AF_UNSPEC,
            .ai_socktype = SOCK_STREAM,
    };
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(target->host, target->port, &hints, &found);

    if (rc == EAI_MEMORY) {
        return AMDRPC_ENOMEM;
    }
    if (rc == 0) {
        amdi_addresses_set(&target->addresses, found);
        freeaddrinfo(found);
        amdi_free(target->host);
        amdi_free(target->port);
        target->host = NULL;
        target->port = NULL;
    }
    return AMDRPC_OK;
}

/** Splits "HOST:PORT" and "[HOST]:PORT"; @host is not terminated. */
static bool
text_split(const char *text, const char **host, size_t *host_len,
        const char **port)
{
    if (*text == '[') {
        const char *end = strchr(text, ']');

        *host = text + 1;
        *host_len = end == NULL ? 0 : (size_t)(end - *host);
        *port = end == NULL || end[1] != ':' ? "" : end + 2;
    } else {
        const char *colon = strchr(text, ':');

        *host = text;
        *host_len = colon == NULL ? 0 : (size_t)(colon - text);
        *port = colon == NULL ? "" : colon + 1;
    }
    return *host_len > 0 && port_is_valid(*port);
}

bool
amdi_authority_is_valid(const char *authority)
{
    return authority[0] != '\0' &&
            authority[strcspn(authority, "/@?# \t\r\n")] == '\0';
}

char *
amdi_authority_get_host(const char *authority)
{
    const char *host = authority[0] == '[' ? authority + 1 : authority;

    return amdi_strndup(host, strcspn(host, authority[0] == '[' ? "]" : ":"));
}

static amdrpc_err
target_read_host(struct amdi_target *target, const char *text)
{
    const char *host = NULL;
    const char *port = NULL;
    size_t host_len = 0;

    if (!amdi_authority_is_valid(text) ||
            !text_split(text, &host, &host_len, &port)) {
        return AMDRPC_EINVAL;
    }
    target->authority = amdi_strdup(text);
    target->host = amdi_strndup(host, host_len);
    target->port = amdi_strdup(port);
    if (target->authority == NULL || target->host == NULL ||
            target->port == NULL) {
        return AMDRPC_ENOMEM;
    }
    return target_read_number(target);
}

static amdrpc_err
target_read_path(struct amdi_target *target, const char *path)
{
    struct amdi_address *first = &target->addresses.at[0];
    struct sockaddr_un *address = (struct sockaddr_un *)&first->address;
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof(address->sun_path)) {
        return AMDRPC_EINVAL;
    }
    target->authority = amdi_strdup("localhost");
    if (target->authority == NULL) {
        return AMDRPC_ENOMEM;
    }
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, len + 1);
    first->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    target->addresses.count = 1;
    return AMDRPC_OK;
}

amdrpc_err
amdi_target_parse(const char *text, struct amdi_target *out)
{
    amdrpc_err err = AMDRPC_OK;
    struct amdi_target target = {0};

    if (text_skip(&text, "unix:")) {
        // "unix:///path" is the URI form of "unix:/path".
        if (strncmp(text, "//", 2) == 0) {
            text += 2;
        }
        err = target_read_path(&target, text);
    } else {
        (void)(text_skip(&text, "dns:///") || text_skip(&text, "dns:"));
        err = target_read_host(&target, text);
    }
    if (err != AMDRPC_OK) {
        amdi_target_fini(&target);
        return err;
    }
    *out = target;
    return AMDRPC_OK;
}

void
amdi_target_fini(struct amdi_target *target)
{
    amdi_free(target->authority);
    amdi_free(target->host);
    amdi_free(target->port);
    *target = (struct amdi_target){0};
}
