/** What the settings say about listeners, callers and their rights. */
#include "server/daemon/security.h"

#include <amdrpc/auth.h>
#include <amdrpc/tls.h>

#include "common/log.h"
#include "server/daemon/listen_setting.h"

#include <string.h>

/* ---- listeners ---- */

static const char *
first_of(const char *own, const char *common)
{
    return own != NULL ? own : common;
}

static amdrpc_err
listen_create_tls(struct amdi_config *config,
        const struct amdi_listen_setting *setting, amdrpc_tls **out)
{
    const amdrpc_tls_options options = {
            .role = AMDRPC_TLS_SERVER,
            .cert_file = first_of(setting->cert, config->tls_cert),
            .key_file = first_of(setting->key, config->tls_key),
            .ca_file = first_of(setting->client_ca, config->tls_client_ca),
            .requires_peer_cert = setting->security == AMDI_LISTEN_MTLS,
            .min_version = (amdrpc_tls_version)config->tls_min_version,
            .ciphers = config->tls_ciphers,
            .ciphersuites = config->tls_ciphersuites,
            .groups = config->tls_groups,
    };
    char reason[AMDRPC_REASON_BYTES] = "";
    amdrpc_err err = amdrpc_tls_create(&options, reason, sizeof(reason), out);

    if (err != AMDRPC_OK) {
        (void)amdi_config_fail(config,
                "listen %s: %s (tls-cert, tls-key, tls-client-ca)",
                setting->address, reason);
    }
    return err;
}

static const char *
listen_error_text(amdrpc_err err)
{
    switch ((int)err) {
    case AMDRPC_EINVAL:
        return "not a HOST:PORT of this machine, nor unix:/PATH";
    case AMDRPC_ENOTFOUND:
        return "there is no such folder";
    default:
        return amdrpc_err_text(err);
    }
}

static const char *
security_name(enum amdi_listen_security security)
{
    switch (security) {
    case AMDI_LISTEN_PLAIN:
        return "none";
    case AMDI_LISTEN_TLS:
        return "tls";
    case AMDI_LISTEN_MTLS:
        return "mtls";
    }
    return "";
}

static amdrpc_err
listen_open(struct amdi_config *config, amdrpc_server *server,
        const struct amdi_listen_setting *setting, uint16_t *port)
{
    amdrpc_listen_options options = {.socket_mode = setting->socket_mode};
    amdrpc_err err = AMDRPC_OK;

    if (setting->security != AMDI_LISTEN_PLAIN) {
        err = listen_create_tls(config, setting, &options.tls);
        if (err != AMDRPC_OK) {
            return err;
        }
    }
    err = amdrpc_server_listen_with(server, setting->address, &options, port);
    amdrpc_tls_unref(options.tls);
    if (err != AMDRPC_OK) {
        (void)amdi_config_fail(config, "listen %s: %s", setting->address,
                listen_error_text(err));
        return err;
    }
    amdi_log_info("", "listening", "address=%s port=%u security=%s",
            setting->address, (unsigned)*port,
            security_name(setting->security));
    return AMDRPC_OK;
}

static amdrpc_err
listen_one(struct amdi_config *config, amdrpc_server *server, const char *text,
        uint16_t *port)
{
    struct amdi_listen_setting setting;
    struct amdi_error error;
    amdrpc_err err = amdi_listen_setting_parse(text, &setting, &error);

    if (err != AMDRPC_OK) {
        (void)amdi_config_fail(config, "listen %s: %s", text, error.text);
        return err;
    }
    err = listen_open(config, server, &setting, port);
    amdi_listen_setting_fini(&setting);
    return err;
}

amdrpc_err
amdi_security_listen(
        struct amdi_config *config, amdrpc_server *server, uint16_t *ports)
{
    for (size_t i = 0; i < config->listen.count; i++) {
        amdrpc_err err =
                listen_one(config, server, config->listen.items[i], &ports[i]);

        if (err != AMDRPC_OK) {
            return err;
        }
    }
    return AMDRPC_OK;
}

/* ---- callers ---- */

static const char *
allow_error_text(amdrpc_err err)
{
    switch ((int)err) {
    case AMDRPC_ENOTFOUND:
        return "there is no such method";
    case AMDRPC_EEXIST:
        return "there is a rule for that already";
    case AMDRPC_EINVAL:
        return "not /PACKAGE.SERVICE/METHOD = NAME NAME";
    default:
        return amdrpc_err_text(err);
    }
}

static amdrpc_err
allow_add(struct amdi_config *config, amdrpc_server *server,
        struct amdi_module_setting *setting)
{
    const char *path = setting->name + strlen(AMDI_ALLOW_PREFIX);
    amdrpc_err err = amdrpc_server_allow(server, path, setting->value);

    setting->is_read = true;
    if (err != AMDRPC_OK) {
        (void)amdi_config_fail(config, "%s: allow %s: %s", setting->where, path,
                allow_error_text(err));
    }
    return err;
}

amdrpc_err
amdi_security_set_callers(struct amdi_config *config, amdrpc_server *server)
{
    struct amdi_module_settings *settings = &config->module_settings;
    char reason[AMDRPC_REASON_BYTES] = "";
    amdrpc_err err = AMDRPC_OK;

    if (config->token_file != NULL) {
        err = amdrpc_server_set_token_file(
                server, config->token_file, reason, sizeof(reason));
        if (err != AMDRPC_OK) {
            (void)amdi_config_fail(config, "token-file: %s", reason);
        }
    }
    for (size_t i = 0; err == AMDRPC_OK && i < settings->count; i++) {
        if (amdi_config_is_rule(&settings->items[i])) {
            err = allow_add(config, server, &settings->items[i]);
        }
    }
    return err;
}
