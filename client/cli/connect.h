/** How commands connect: options that all of them have. */
#ifndef AMDI_CONNECT_H
#define AMDI_CONNECT_H

#include <amdrpc/client.h>

#include "client/program/options.h"

#include <stdbool.h>
#include <stddef.h>

struct amdi_connect {
    bool tls;
    const char *ca_file; // each borrowed from argv; NULL: not given
    const char *cert;
    const char *key;
    const char *authority;
    const char *token;
};

/** The rows of a command whose struct @type has a struct amdi_connect @field.
 */
#define AMDI_CONNECT_ROWS(type, field)                                        \
    {"authority", AMDI_OPTION_TEXT,                                           \
            offsetof(type, field) + offsetof(struct amdi_connect, authority), \
            "NAME", "The server's name, if it is not the target's.", 0, 0},   \
            {"ca-file", AMDI_OPTION_TEXT,                                     \
                    offsetof(type, field) +                                   \
                            offsetof(struct amdi_connect, ca_file),           \
                    "FILE", "PEM: whom to trust; default: as the system.", 0, \
                    0},                                                       \
            {"cert", AMDI_OPTION_TEXT,                                        \
                    offsetof(type, field) +                                   \
                            offsetof(struct amdi_connect, cert),              \
                    "FILE", "PEM: our certificate.", 0, 0},                   \
            {"key", AMDI_OPTION_TEXT,                                         \
                    offsetof(type, field) +                                   \
                            offsetof(struct amdi_connect, key),               \
                    "FILE", "PEM: its key.", 0, 0},                           \
            {"tls", AMDI_OPTION_FLAG,                                         \
                    offsetof(type, field) +                                   \
                            offsetof(struct amdi_connect, tls),               \
                    NULL, "Connect over TLS.", 0, 0},                         \
    {                                                                         \
        "token", AMDI_OPTION_TEXT,                                            \
                offsetof(type, field) + offsetof(struct amdi_connect, token), \
                "TOKEN", "Say who calls: authorization: Bearer TOKEN.", 0, 0  \
    }

/**
 * Makes a channel as the options say.
 *
 * @out     returned owned
 * @return  an exit status; its reason is printed
 */
int amdi_connect_open(const struct amdi_connect *connect, const char *target,
        amdrpc_channel **out);

/** Adds the token, if there is one. Errors as amdrpc_metadata_add. */
AMDRPC_NODISCARD amdrpc_err amdi_connect_add_token(
        const struct amdi_connect *connect, amdrpc_metadata *metadata);

#endif
