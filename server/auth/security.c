/** The public functions that make a server secure. */
#include <amdrpc/auth.h>

#include "common/log.h"
#include "server/conn/listener.h"
#include "server/server.h"

amdrpc_err
amdrpc_server_set_token_file(
        amdrpc_server *server, const char *path, char *reason, size_t size)
{
    struct amdi_error error = {.text = ""};

    return amdi_error_tell(&error,
            amdi_auth_set_token_file(&server->auth, path, &error), reason,
            size);
}

amdrpc_err
amdrpc_server_allow(amdrpc_server *server, const char *path, const char *names)
{
    return amdi_auth_allow(&server->auth, &server->services, path, names);
}

/** Logs what could not be read; returns whether it could. */
static bool
reload_report(amdrpc_err err, const char *what, const char *reason)
{
    if (err == AMDRPC_OK) {
        amdi_log_info("", "reloaded", "what=%s", what);
        return true;
    }
    amdi_log_error("", "reload-failed", "what=%s reason=\"%s\" kept=old", what,
            reason);
    return false;
}

size_t
amdrpc_server_reload(amdrpc_server *server)
{
    struct amdi_error error = {.text = ""};
    size_t nfailed = 0;

    for (const struct amdi_listener *l = server->listeners; l != NULL;
            l = amdi_listener_next(l)) {
        amdrpc_tls *tls = amdi_listener_get_tls(l);
        char reason[AMDRPC_REASON_BYTES] = "";

        if (tls != NULL &&
                !reload_report(amdrpc_tls_reload(tls, reason, sizeof(reason)),
                        "certificates", reason)) {
            nfailed++;
        }
    }
    if (server->auth.token_file != NULL &&
            !reload_report(amdi_auth_reload(&server->auth, &error), "tokens",
                    error.text)) {
        nfailed++;
    }
    return nfailed;
}
