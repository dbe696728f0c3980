/** How commands connect. */
#include "client/cli/connect.h"

#include "client/program/program.h"
#include "common/alloc.h"

#include <stdio.h>
#include <string.h>

#define BEARER "Bearer "

static int
connect_create_tls(const struct amdi_connect *connect, amdrpc_tls **out)
{
    const amdrpc_tls_options options = {
            .role = AMDRPC_TLS_CLIENT,
            .cert_file = connect->cert,
            .key_file = connect->key,
            .ca_file = connect->ca_file,
    };
    char reason[AMDRPC_REASON_BYTES] = "";

    if (amdrpc_tls_create(&options, reason, sizeof(reason), out) != AMDRPC_OK) {
        amdi_program_error("%s", reason);
        return AMDI_EXIT_USAGE;
    }
    return AMDI_EXIT_OK;
}

static int
connect_fail(
        const struct amdi_connect *connect, const char *target, amdrpc_err err)
{
    if (err != AMDRPC_EINVAL) {
        amdi_program_error("cannot open a channel: %s", amdrpc_err_text(err));
        return AMDI_EXIT_FAILED;
    }
    if (connect->authority != NULL) {
        amdi_program_error(
                "'%s' is not a server: HOST:PORT, or '%s' not a name", target,
                connect->authority);
    } else {
        amdi_program_error("'%s' is not a server: HOST:PORT", target);
    }
    return AMDI_EXIT_USAGE;
}

int
amdi_connect_open(const struct amdi_connect *connect, const char *target,
        amdrpc_channel **out)
{
    amdrpc_channel_options options = {.authority = connect->authority};
    bool has_files = connect->ca_file != NULL || connect->cert != NULL ||
            connect->key != NULL;
    int exit_status = AMDI_EXIT_OK;
    amdrpc_err err;

    if (!connect->tls && has_files) {
        amdi_program_error("--ca-file, --cert and --key are only for --tls");
        return AMDI_EXIT_USAGE;
    }
    if (connect->tls) {
        exit_status = connect_create_tls(connect, &options.tls);
    }
    if (exit_status != AMDI_EXIT_OK) {
        return exit_status;
    }
    err = amdrpc_channel_create(target, &options, out);
    amdrpc_tls_unref(options.tls);
    return err == AMDRPC_OK ? AMDI_EXIT_OK : connect_fail(connect, target, err);
}

amdrpc_err
amdi_connect_add_token(
        const struct amdi_connect *connect, amdrpc_metadata *metadata)
{
    size_t size = connect->token == NULL
            ? 0
            : sizeof(BEARER) + strlen(connect->token);
    char *value = NULL;
    amdrpc_err err = AMDRPC_ENOMEM;

    if (connect->token == NULL) {
        return AMDRPC_OK;
    }
    value = amdi_alloc(size);
    if (value != NULL) {
        (void)snprintf(value, size, BEARER "%s", connect->token); // it fits
        err = amdrpc_metadata_add(
                metadata, "authorization", value, strlen(value));
    }
    amdi_free(value);
    return err;
}
