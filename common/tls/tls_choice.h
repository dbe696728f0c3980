/** What a handshake may choose from: ciphers and groups. */
#ifndef AMDI_TLS_CHOICE_H
#define AMDI_TLS_CHOICE_H

#include "common/error.h"

/**
 * Tells whether amdrpc_tls_options may have @list as its field of that name.
 *
 * Thread: any, here and below
 * Errors: AMDRPC_EINVAL, AMDRPC_ENOMEM; @error does not repeat the list
 */
AMDRPC_NODISCARD amdrpc_err amdi_tls_check_ciphers(
        const char *list, struct amdi_error *error);

AMDRPC_NODISCARD amdrpc_err amdi_tls_check_ciphersuites(
        const char *list, struct amdi_error *error);

AMDRPC_NODISCARD amdrpc_err amdi_tls_check_groups(
        const char *list, struct amdi_error *error);

#endif
