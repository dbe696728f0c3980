/** The opaque texts that continue a list: an id and a MAC over the question. */
#include "server/store/token.h"

#include "common/alloc.h"
#include "common/encoding.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string.h>

#define MAC_BYTES 16u
#define ID_BYTES 8u
#define RAW_BYTES (ID_BYTES + MAC_BYTES)
#define NUMBERS 7u

/** What the MAC covers: numbers (with the lengths of the texts), then texts. */
static amdrpc_err
token_mac(const uint8_t secret[AMDI_TOKEN_SECRET_BYTES],
        const struct amdi_store_filter *filter, uint64_t last_id,
        uint8_t out[EVP_MAX_MD_SIZE])
{
    const uint64_t numbers[NUMBERS] = {last_id, (uint64_t)filter->states,
            filter->has_principal, filter->principal.len, filter->method.len,
            (uint64_t)filter->created_from_us, (uint64_t)filter->created_to_us};
    size_t len = sizeof(numbers) + filter->principal.len + filter->method.len;
    uint8_t *text = amdi_alloc(len);
    uint8_t *end = text;
    bool is_done;

    if (text == NULL) {
        return AMDRPC_ENOMEM;
    }
    end = (uint8_t *)memcpy(end, numbers, sizeof(numbers)) + sizeof(numbers);
    if (filter->principal.len > 0) {
        memcpy(end, filter->principal.data, filter->principal.len);
    }
    if (filter->method.len > 0) {
        memcpy(end + filter->principal.len, filter->method.data,
                filter->method.len);
    }
    is_done = HMAC(EVP_sha256(), secret, (int)AMDI_TOKEN_SECRET_BYTES, text,
                      len, out, NULL) != NULL;
    amdi_free(text);
    return is_done ? AMDRPC_OK : AMDRPC_ENOMEM; // it fails for nothing else
}

amdrpc_err
amdi_token_make(const uint8_t secret[AMDI_TOKEN_SECRET_BYTES],
        const struct amdi_store_filter *filter, uint64_t last_id,
        char out[AMDI_TOKEN_BYTES])
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    uint8_t raw[RAW_BYTES];
    amdrpc_err err = token_mac(secret, filter, last_id, mac);

    if (err != AMDRPC_OK) {
        return err;
    }
    memcpy(raw, &last_id, ID_BYTES);
    memcpy(raw + ID_BYTES, mac, MAC_BYTES);
    (void)amdi_base64_encode(raw, RAW_BYTES, out); // its length is constant
    return AMDRPC_OK;
}

amdrpc_err
amdi_token_read(const uint8_t secret[AMDI_TOKEN_SECRET_BYTES],
        const struct amdi_store_filter *filter, struct amdi_bytes token,
        uint64_t *last_id)
{
    uint8_t raw[RAW_BYTES + 2]; // as amdi_base64_decode asks
    uint8_t mac[EVP_MAX_MD_SIZE];
    size_t len;
    uint64_t id;
    amdrpc_err err;

    if (token.len != AMDI_TOKEN_BYTES - 1 ||
            amdi_base64_decode(token.data, token.len, raw, &len) != AMDRPC_OK ||
            len != RAW_BYTES) {
        return AMDRPC_EINVAL;
    }
    memcpy(&id, raw, ID_BYTES);
    err = token_mac(secret, filter, id, mac);
    if (err != AMDRPC_OK) {
        return err;
    }
    if (CRYPTO_memcmp(mac, raw + ID_BYTES, MAC_BYTES) != 0) {
        return AMDRPC_EINVAL;
    }
    *last_id = id;
    return AMDRPC_OK;
}
