/** The name that a certificate gives its owner. */
#include "common/tls/tls_internal.h"

#include <openssl/x509v3.h>

#include <string.h>

/** Names are compared, listed between spaces, and logged: plain text only. */
static bool
name_is_plain(const unsigned char *name, int len)
{
    for (int i = 0; i < len; i++) {
        if (name[i] <= ' ' || name[i] > '~') {
            return false;
        }
    }
    return len > 0;
}

static bool
name_copy(const ASN1_STRING *name, char *out, size_t size)
{
    const unsigned char *data = ASN1_STRING_get0_data(name);
    int len = ASN1_STRING_length(name);

    if (!name_is_plain(data, len) || (size_t)len >= size) {
        return false;
    }
    memcpy(out, data, (size_t)len);
    out[len] = '\0';
    return true;
}

static bool
names_find(const GENERAL_NAMES *names, int type, char *out, size_t size)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        // Both kinds lie in the same place of the union, as an IA5String.
        if (name->type == type && name_copy(name->d.ia5, out, size)) {
            return true;
        }
    }
    return false;
}

static bool
cert_find_common_name(const X509 *cert, char *out, size_t size)
{
    const X509_NAME *subject = X509_get_subject_name(cert);
    int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    return index >= 0 &&
            name_copy(X509_NAME_ENTRY_get_data(
                              X509_NAME_get_entry(subject, index)),
                    out, size);
}

void
amdi_tls_format_identity(X509 *cert, char *out, size_t size)
{
    GENERAL_NAMES *names =
            X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

    if (!names_find(names, GEN_DNS, out, size) &&
            !names_find(names, GEN_URI, out, size) &&
            !cert_find_common_name(cert, out, size)) {
        out[0] = '\0';
    }
    GENERAL_NAMES_free(names);
}
