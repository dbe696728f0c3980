/** What a handshake may choose from: ciphers and groups. */
#include "common/tls/tls_choice.h"

#include "common/tls/tls_internal.h"

#include <openssl/err.h>
#include <openssl/obj_mac.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// What OpenSSL takes between the names of a list; groups take the first alone.
#define SEPARATORS ":, ;"

// No name of a cipher or group is as long.
#define NAME_BYTES 64

/** A list that peers choose from. */
struct choice {
    const char *option; // of amdrpc_tls_options
    const char *noun;   // for one of it
    const char *preset;
    int (*set)(SSL_CTX *ctx, const char *list); // 1: done
};

static int
groups_set(SSL_CTX *ctx, const char *list)
{
    return (int)SSL_CTX_set1_groups_list(ctx, list);
}

// Forward secrecy and authenticated encryption only.
static const struct choice ciphers_choice = {
        .option = "ciphers",
        .noun = "cipher of TLS 1.2",
        .preset = "ECDHE-ECDSA-AES128-GCM-SHA256:"
                  "ECDHE-RSA-AES128-GCM-SHA256:"
                  "ECDHE-ECDSA-AES256-GCM-SHA384:"
                  "ECDHE-RSA-AES256-GCM-SHA384:"
                  "ECDHE-ECDSA-CHACHA20-POLY1305:"
                  "ECDHE-RSA-CHACHA20-POLY1305",
        .set = SSL_CTX_set_cipher_list,
};
// The cheapest first.
static const struct choice ciphersuites_choice = {
        .option = "ciphersuites",
        .noun = "cipher suite of TLS 1.3",
        .preset = "TLS_AES_128_GCM_SHA256:"
                  "TLS_AES_256_GCM_SHA384:"
                  "TLS_CHACHA20_POLY1305_SHA256",
        .set = SSL_CTX_set_ciphersuites,
};
static const struct choice groups_choice = {
        .option = "groups",
        .noun = "group",
        .preset = "X25519:P-256:P-384",
        .set = groups_set,
};

/**
 * OpenSSL passes over names of ciphers that it does not know, so that each is
 * tried alone. What takes ciphers away, or sorts them, names none.
 */
static amdrpc_err
names_check(SSL_CTX *ctx, const struct choice *choice, const char *list,
        struct amdi_error *error)
{
    size_t nnames = 0;

    for (size_t len = 0; *list != '\0'; list += len) {
        char name[NAME_BYTES];

        list += strspn(list, SEPARATORS);
        len = strcspn(list, SEPARATORS);
        if (len == 0 || strchr("!-+@", list[0]) != NULL) {
            continue;
        }
        nnames++;
        (void)snprintf(name, sizeof(name), "%.*s", (int)len, list);
        if (len >= sizeof(name) || choice->set(ctx, name) != 1) {
            return amdi_error_set(
                    error, AMDRPC_EINVAL, "%s is no %s", name, choice->noun);
        }
    }
    return nnames > 0 ? AMDRPC_OK
                      : amdi_error_set(error, AMDRPC_EINVAL, "there is no %s",
                                choice->noun);
}

/** Those of TLS 1.3 stand among them; they agree on keys apart from it. */
static bool
cipher_is_allowed(const SSL_CIPHER *cipher)
{
    int exchange = SSL_CIPHER_get_kx_nid(cipher);

    return SSL_CIPHER_is_aead(cipher) == 1 &&
            (exchange == NID_kx_ecdhe || exchange == NID_kx_any);
}

/** A name may stand for many ciphers: what OpenSSL makes of it counts. */
static amdrpc_err
ciphers_check(SSL_CTX *ctx, struct amdi_error *error)
{
    const STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(ctx);

    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);

        if (!cipher_is_allowed(cipher)) {
            return amdi_error_set(error, AMDRPC_EINVAL,
                    "%s is not ECDHE with authenticated encryption",
                    SSL_CIPHER_get_name(cipher));
        }
    }
    return AMDRPC_OK;
}

static amdrpc_err
list_set(SSL_CTX *ctx, const struct choice *choice, const char *list,
        struct amdi_error *error)
{
    amdrpc_err err = names_check(ctx, choice, list, error);

    if (err != AMDRPC_OK) {
        return err;
    }
    if (choice->set(ctx, list) != 1) { // a name is there twice, for one
        return amdi_error_set(
                error, AMDRPC_EINVAL, "OpenSSL takes not the whole of it");
    }
    return choice == &ciphers_choice ? ciphers_check(ctx, error) : AMDRPC_OK;
}

static amdrpc_err
choice_set(SSL_CTX *ctx, const struct choice *choice, const char *list,
        struct amdi_error *error)
{
    struct amdi_error why = {.text = ""};
    amdrpc_err err = AMDRPC_OK;

    if (list == NULL) {
        return choice->set(ctx, choice->preset) == 1
                ? AMDRPC_OK
                : amdi_error_set(error, AMDRPC_EIO,
                          "%s: OpenSSL does not have all of %s", choice->option,
                          choice->preset);
    }
    err = list_set(ctx, choice, list, &why);
    return err == AMDRPC_OK
            ? AMDRPC_OK
            : amdi_error_set(error, err, "%s: %s", choice->option, why.text);
}

amdrpc_err
amdi_tls_set_choices(
        SSL_CTX *ctx, const struct amdrpc_tls *tls, struct amdi_error *error)
{
    amdrpc_err err = choice_set(ctx, &ciphers_choice, tls->ciphers, error);

    if (err == AMDRPC_OK) {
        err = choice_set(ctx, &ciphersuites_choice, tls->ciphersuites, error);
    }
    if (err == AMDRPC_OK) {
        err = choice_set(ctx, &groups_choice, tls->groups, error);
    }
    return err;
}

/* ---- without a connection to come ---- */

static amdrpc_err
list_check(
        const struct choice *choice, const char *list, struct amdi_error *error)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    amdrpc_err err = AMDRPC_OK;

    if (ctx == NULL) {
        return amdi_error_nomem(error);
    }
    err = list_set(ctx, choice, list, error);
    SSL_CTX_free(ctx);
    ERR_clear_error(); // of what it did not take
    return err;
}

amdrpc_err
amdi_tls_check_ciphers(const char *list, struct amdi_error *error)
{
    return list_check(&ciphers_choice, list, error);
}

amdrpc_err
amdi_tls_check_ciphersuites(const char *list, struct amdi_error *error)
{
    return list_check(&ciphersuites_choice, list, error);
}

amdrpc_err
amdi_tls_check_groups(const char *list, struct amdi_error *error)
{
    return list_check(&groups_choice, list, error);
}
