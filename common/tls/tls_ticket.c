/**
 * Session tickets under keys that change: who steals one reads the resumed
 * sessions of some hours, not of the server's life.
 */
#include "common/clock.h"
#include "common/tls/tls_internal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <string.h>

// How long a key makes tickets; as the one before it reads them as long again.
#define TICKET_KEY_MS (3600u * 1000u)

// A ticket is read at least as long as this.
#define TICKET_SECONDS 3600

#define IV_BYTES 16

/** Makes a new key when it is time. Under mtx. */
static bool
tickets_renew_locked(struct amdrpc_tls *tls)
{
    uint64_t now_ms = amdi_clock_now_ms() + 1; // never 0
    struct amdi_ticket_key fresh;

    if (tls->tickets[0].made_at_ms != 0 &&
            now_ms - tls->tickets[0].made_at_ms < TICKET_KEY_MS) {
        return true;
    }
    if (RAND_bytes((unsigned char *)&fresh, (int)sizeof(fresh)) != 1) {
        return false;
    }
    fresh.made_at_ms = now_ms;
    tls->tickets[1] = tls->tickets[0];
    tls->tickets[0] = fresh;
    OPENSSL_cleanse(&fresh, sizeof(fresh));
    return true;
}

/** The key a new ticket gets. */
static bool
tickets_get_current(struct amdrpc_tls *tls, struct amdi_ticket_key *out)
{
    bool has_key = false;

    pthread_mutex_lock(&tls->mtx);
    has_key = tickets_renew_locked(tls);
    *out = tls->tickets[0];
    pthread_mutex_unlock(&tls->mtx);
    return has_key;
}

/** The key of that name; @out_is_old: the ticket should be made anew. */
static bool
tickets_find(struct amdrpc_tls *tls, const unsigned char *name,
        struct amdi_ticket_key *out, bool *out_is_old)
{
    bool has_found = false;

    pthread_mutex_lock(&tls->mtx);
    has_found = tickets_renew_locked(tls);
    for (size_t i = 0; has_found && i < 2; i++) {
        const struct amdi_ticket_key *key = &tls->tickets[i];

        if (key->made_at_ms != 0 &&
                memcmp(key->name, name, sizeof(key->name)) == 0) {
            *out = *key;
            *out_is_old = i > 0;
            pthread_mutex_unlock(&tls->mtx);
            return true;
        }
    }
    pthread_mutex_unlock(&tls->mtx);
    return false;
}

static bool
key_apply(const struct amdi_ticket_key *key, const unsigned char *iv,
        EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_encrypting)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
            OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY,
                    (void *)(uintptr_t)key->mac, sizeof(key->mac)), // only read
            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
            OSSL_PARAM_construct_end(),
    };

    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv,
                   is_encrypting) == 1 &&
            EVP_MAC_CTX_set_params(mac, params) == 1;
}

/** As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) has it. */
static int
ticket_on_key(SSL *ssl, unsigned char *name, unsigned char *iv,
        EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_encrypting)
{
    struct amdrpc_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct amdi_ticket_key key;
    bool is_old = false;
    bool is_set = false;

    if (is_encrypting) {
        if (!tickets_get_current(tls, &key) || RAND_bytes(iv, IV_BYTES) != 1) {
            return -1;
        }
        memcpy(name, key.name, sizeof(key.name));
    } else if (!tickets_find(tls, name, &key, &is_old)) {
        return 0; // a full handshake
    }
    is_set = key_apply(&key, iv, cipher, mac, is_encrypting);
    OPENSSL_cleanse(&key, sizeof(key));
    if (!is_set) {
        return -1;
    }
    return is_old ? 2 : 1;
}

void
amdi_tls_set_ticket_keys(SSL_CTX *ctx, struct amdrpc_tls *tls)
{
    // Connections hold a reference to @tls, so it outlives this use of it.
    (void)SSL_CTX_set_app_data(ctx, tls); // fails only without memory, and …
    (void)SSL_CTX_set_timeout(ctx, TICKET_SECONDS);
    if (SSL_CTX_get_app_data(ctx) == tls) {
        (void)SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_on_key);
    } else {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET); // … then there are none
    }
}
