/** What one "listen" says. */
#include "server/daemon/listen_setting.h"

#include "common/alloc.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t"
#define MAX_MODE 0777ul

/** Takes "KEY=" off the front of *word. */
static bool
word_skip(const char **word, const char *key)
{
    size_t len = strlen(key);

    if (strncmp(*word, key, len) != 0 || (*word)[len] == '\0') {
        return false;
    }
    *word += len;
    return true;
}

static bool
mode_parse(const char *text, uint32_t *out)
{
    unsigned long mode;

    if (text[strspn(text, "01234567")] != '\0' || strlen(text) > 4) {
        return false;
    }
    mode = strtoul(text, NULL, 8);
    if (mode == 0 || mode > MAX_MODE) {
        return false;
    }
    *out = (uint32_t)mode;
    return true;
}

static amdrpc_err
setting_take_word(struct amdi_listen_setting *setting, const char *word,
        struct amdi_error *error)
{
    const char *value = word;

    if (strcmp(word, "tls") == 0) {
        setting->security = AMDI_LISTEN_TLS;
    } else if (strcmp(word, "mtls") == 0) {
        setting->security = AMDI_LISTEN_MTLS;
    } else if (word_skip(&value, "cert=")) {
        setting->cert = value;
    } else if (word_skip(&value, "key=")) {
        setting->key = value;
    } else if (word_skip(&value, "client-ca=")) {
        setting->client_ca = value;
    } else if (word_skip(&value, "mode=")) {
        if (!mode_parse(value, &setting->socket_mode)) {
            return amdi_error_set(error, AMDRPC_EINVAL,
                    "\"%s\" is not a mode like 0660", value);
        }
    } else {
        return amdi_error_set(error, AMDRPC_EINVAL,
                "\"%s\" is not tls, mtls, cert=FILE, key=FILE, client-ca=FILE "
                "or mode=OCTAL",
                word);
    }
    return AMDRPC_OK;
}

/** What is said twice, or of something that is not there. */
static amdrpc_err
setting_check(
        const struct amdi_listen_setting *setting, struct amdi_error *error)
{
    bool has_files = setting->cert != NULL || setting->key != NULL ||
            setting->client_ca != NULL;

    if (setting->security == AMDI_LISTEN_PLAIN && has_files) {
        return amdi_error_set(error, AMDRPC_EINVAL,
                "certificates are for tls and mtls, of which it says neither");
    }
    if (setting->socket_mode != 0 &&
            strncmp(setting->address, "unix:", 5) != 0) {
        return amdi_error_set(
                error, AMDRPC_EINVAL, "mode is for unix: sockets only");
    }
    return AMDRPC_OK;
}

amdrpc_err
amdi_listen_setting_parse(const char *text, struct amdi_listen_setting *out,
        struct amdi_error *error)
{
    struct amdi_listen_setting setting = {.text = amdi_strdup(text)};
    char *rest = NULL;
    const char *word = NULL;
    amdrpc_err err = AMDRPC_OK;

    if (setting.text == NULL) {
        return amdi_error_nomem(error);
    }
    setting.address = strtok_r(setting.text, BLANKS, &rest);
    if (setting.address == NULL) {
        err = amdi_error_set(error, AMDRPC_EINVAL, "the address is missing");
    }
    while (err == AMDRPC_OK && (word = strtok_r(NULL, BLANKS, &rest)) != NULL) {
        err = setting_take_word(&setting, word, error);
    }
    if (err == AMDRPC_OK) {
        err = setting_check(&setting, error);
    }
    if (err != AMDRPC_OK) {
        amdi_listen_setting_fini(&setting);
        return err;
    }
    *out = setting;
    return AMDRPC_OK;
}

void
amdi_listen_setting_fini(struct amdi_listen_setting *setting)
{
    amdi_free(setting->text);
    *setting = (struct amdi_listen_setting){.text = NULL};
}
