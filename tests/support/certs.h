/** Certificates made for a test, in its folder; none outlives it. */
#ifndef TEST_CERTS_H
#define TEST_CERTS_H

#include "tests/support/tree.h"

/** Makes NAME.pem and NAME.key, who vouch for others. */
void test_certs_add_ca(struct test_tree *tree, const char *name);

/**
 * Makes NAME.pem and NAME.key, of mode 0600, with @ca vouching for it.
 *
 * @alt_names  as OpenSSL writes them: "DNS:localhost,IP:127.0.0.1"; NULL for
 *             none. The common name is NAME.
 * @days       how long it is valid; negative: since when it is not any more
 */
void test_certs_add(struct test_tree *tree, const char *name, const char *ca,
        const char *alt_names, int days);

/** Makes ca, and server (localhost, 127.0.0.1), client and expired by it. */
void test_certs_add_usual(struct test_tree *tree);

#endif
