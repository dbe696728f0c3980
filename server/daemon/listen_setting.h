/** What one "listen" says: "ADDRESS [tls | mtls] [KEY=VALUE]…". Pure. */
#ifndef AMDI_LISTEN_SETTING_H
#define AMDI_LISTEN_SETTING_H

#include <amdrpc/err.h>

#include "common/error.h"

#include <stdint.h>

enum amdi_listen_security {
    AMDI_LISTEN_PLAIN,
    AMDI_LISTEN_TLS,  // clients may have a certificate
    AMDI_LISTEN_MTLS, // they must
};

struct amdi_listen_setting {
    char *text; // what the others point into; owned
    const char *address;
    enum amdi_listen_security security;
    // Of this listener; NULL: the settings for all.
    const char *cert;
    const char *key;
    const char *client_ca;
    uint32_t socket_mode; // 0: the default
};

/** Errors: AMDRPC_EINVAL, AMDRPC_ENOMEM; @error says what is wrong. */
AMDRPC_NODISCARD amdrpc_err amdi_listen_setting_parse(const char *text,
        struct amdi_listen_setting *out, struct amdi_error *error);

void amdi_listen_setting_fini(struct amdi_listen_setting *setting);

#endif
