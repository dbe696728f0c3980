/** Digests by OpenSSL. */
#include "server/modules/checksum/digest.h"

#include <openssl/err.h>

#include <string.h>

amdrpc_err
amdi_digest_init(struct amdi_digest *digest, const char *algorithm)
{
    memset(digest, 0, sizeof(*digest));
    digest->md = EVP_MD_fetch(NULL, algorithm, NULL);
    if (digest->md == NULL) {
        ERR_clear_error(); // the name is all there is to say
        return AMDRPC_ENOTFOUND;
    }
    digest->ctx = EVP_MD_CTX_new();
    if (digest->ctx == NULL) {
        amdi_digest_fini(digest);
        return AMDRPC_ENOMEM;
    }
    return AMDRPC_OK;
}

void
amdi_digest_fini(struct amdi_digest *digest)
{
    EVP_MD_CTX_free(digest->ctx);
    EVP_MD_free(digest->md);
    memset(digest, 0, sizeof(*digest));
}

static amdrpc_err
digest_check(int result)
{
    if (result != 1) {
        ERR_clear_error();
        return AMDRPC_EIO;
    }
    return AMDRPC_OK;
}

amdrpc_err
amdi_digest_start(struct amdi_digest *digest)
{
    return digest_check(EVP_DigestInit_ex2(digest->ctx, digest->md, NULL));
}

amdrpc_err
amdi_digest_update(struct amdi_digest *digest, const void *data, size_t len)
{
    return digest_check(EVP_DigestUpdate(digest->ctx, data, len));
}

static void
value_write_hex(struct amdi_digest_value *value)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < value->len; i++) {
        value->hex[2 * i] = digits[value->bytes[i] >> 4];
        value->hex[2 * i + 1] = digits[value->bytes[i] & 15];
    }
    value->hex[2 * value->len] = '\0';
}

amdrpc_err
amdi_digest_finish(struct amdi_digest *digest, struct amdi_digest_value *out)
{
    unsigned len = 0;
    amdrpc_err err =
            digest_check(EVP_DigestFinal_ex(digest->ctx, out->bytes, &len));

    if (err == AMDRPC_OK) {
        out->len = len;
        value_write_hex(out);
    }
    return err;
}
