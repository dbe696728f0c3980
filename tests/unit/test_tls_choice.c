/** Tests what handshakes may choose from, and what is said of bad lists. */
#include <amdrpc/tls.h>

#include "common/tls/tls_choice.h"
#include "common/tls/tls_internal.h"
#include "tests/support/certs.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>
#include <openssl/err.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef amdrpc_err (*check_fn)(const char *list, struct amdi_error *error);

/* ---- lists ---- */

static const struct {
    check_fn check;
    const char *list;
} good_lists[] = {
        {amdi_tls_check_ciphers, "ECDHE-RSA-AES128-GCM-SHA256"},
        {amdi_tls_check_ciphers,
                "ECDHE+AESGCM:ECDHE+CHACHA20:!ECDSA:@STRENGTH"},
        {amdi_tls_check_ciphers, "ECDHE+AESGCM ECDHE+CHACHA20,"},
        {amdi_tls_check_ciphers,
                "ALL:!kRSA:!kDHE:!kPSK:!kECDHEPSK:!kDHEPSK:"
                "!kRSAPSK:!SRP:!SHA1:!SHA256:!SHA384:!aNULL"},
        {amdi_tls_check_ciphersuites, "TLS_AES_256_GCM_SHA384"},
        {amdi_tls_check_ciphersuites,
                "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"},
        {amdi_tls_check_groups, "P-384"},
        {amdi_tls_check_groups, "X25519:secp521r1"},
};

START_TEST(good_list_is_taken)
{
    struct amdi_error error = {.text = ""};

    ck_assert_int_eq(
            good_lists[_i].check(good_lists[_i].list, &error), AMDRPC_OK);

    ck_assert_str_eq(error.text, "");
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

static const struct {
    check_fn check;
    const char *list;
    const char *sentence;
} bad_lists[] = {
        {amdi_tls_check_ciphers, "ECDHE+AESGCM:AES128-GCM-SHA256",
                "AES128-GCM-SHA256 is not ECDHE with authenticated encryption"},
        {amdi_tls_check_ciphers, "ECDHE-RSA-AES128-SHA:ECDHE+AESGCM",
                "ECDHE-RSA-AES128-SHA is not ECDHE with authenticated "
                "encryption"},
        {amdi_tls_check_ciphers, "DHE-RSA-AES128-GCM-SHA256",
                "DHE-RSA-AES128-GCM-SHA256 is not ECDHE with authenticated "
                "encryption"},
        {amdi_tls_check_ciphers, "ECDHE-PSK-CHACHA20-POLY1305",
                "ECDHE-PSK-CHACHA20-POLY1305 is not ECDHE with authenticated "
                "encryption"},
        {amdi_tls_check_ciphers, "DEFAULT", "is not ECDHE"},
        {amdi_tls_check_ciphers, "ECDHE+AESGCM:TYPO",
                "TYPO is no cipher of TLS 1.2"},
        {amdi_tls_check_ciphers, "TLS_AES_128_GCM_SHA256",
                "TLS_AES_128_GCM_SHA256 is no cipher of TLS 1.2"},
        {amdi_tls_check_ciphers, "ECDHE+AESGCM:!ECDHE",
                "takes not the whole of it"},
        {amdi_tls_check_ciphers, "!aNULL", "there is no cipher of TLS 1.2"},
        {amdi_tls_check_ciphers, "", "there is no cipher of TLS 1.2"},
        {amdi_tls_check_ciphersuites, "",
                "there is no cipher suite of TLS 1.3"},
        {amdi_tls_check_ciphersuites, "TLS_AES_128_GCM_SHA256:TLS_TYPO",
                "TLS_TYPO is no cipher suite of TLS 1.3"},
        {amdi_tls_check_groups, ":", "there is no group"},
        {amdi_tls_check_groups, "X25519:P-255", "P-255 is no group"},
        {amdi_tls_check_groups, "P-256:P-256", "takes not the whole of it"},
        {amdi_tls_check_groups, "P-256,P-384", "takes not the whole of it"},
        {amdi_tls_check_groups,
                "a-name-that-is-longer-than-any-group-of-openssl-may-ever-have-"
                "been:P-256",
                "a-name-that-is-longer"},
};

START_TEST(bad_list_is_told)
{
    struct amdi_error error = {.text = ""};

    ck_assert_int_eq(
            bad_lists[_i].check(bad_lists[_i].list, &error), AMDRPC_EINVAL);

    ck_assert_msg(strstr(error.text, bad_lists[_i].sentence) != NULL, "%s",
            error.text);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

/* ---- options ---- */

static struct test_tree tree;
static char cert_file[PATH_MAX];
static char key_file[PATH_MAX];

static void
set_up(void)
{
    test_tree_init(&tree);
    test_certs_add_usual(&tree);
    (void)snprintf(cert_file, sizeof(cert_file), "%s",
            test_tree_path(&tree, "server.pem"));
    (void)snprintf(key_file, sizeof(key_file), "%s",
            test_tree_path(&tree, "server.key"));
}

static void
tear_down(void)
{
    test_tree_fini(&tree);
}

/** Fills in the files, and makes TLS of it. */
static amdrpc_err
create(amdrpc_tls_options options, char *reason, amdrpc_tls **out)
{
    options.role = AMDRPC_TLS_SERVER;
    options.cert_file = cert_file;
    options.key_file = key_file;
    return amdrpc_tls_create(&options, reason, AMDRPC_REASON_BYTES, out);
}

/** The ciphers' names, a blank behind each. */
static const char *
names_of(const amdrpc_tls *tls)
{
    static char names[1024];
    STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(tls->ctx);

    names[0] = '\0';
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
        const char *name = SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, i));

        (void)strncat(names, name, sizeof(names) - strlen(names) - 1);
        (void)strncat(names, " ", sizeof(names) - strlen(names) - 1);
    }
    return names;
}

START_TEST(options_choose_and_a_reload_keeps_the_choice)
{
    const amdrpc_tls_options options = {
            .ciphers = "ECDHE-RSA-CHACHA20-POLY1305",
            .ciphersuites = "TLS_AES_256_GCM_SHA384",
            .groups = "P-384",
    };
    const char *chosen = "TLS_AES_256_GCM_SHA384 ECDHE-RSA-CHACHA20-POLY1305 ";
    char reason[AMDRPC_REASON_BYTES] = "";
    amdrpc_tls *tls = NULL;

    ck_assert_int_eq(create(options, reason, &tls), AMDRPC_OK);
    ck_assert_str_eq(names_of(tls), chosen);

    ck_assert_int_eq(amdrpc_tls_reload(tls, reason, sizeof(reason)), AMDRPC_OK);
    ck_assert_str_eq(names_of(tls), chosen);
    amdrpc_tls_unref(tls);
}
END_TEST

START_TEST(options_without_lists_have_ecdhe_with_aead)
{
    const amdrpc_tls_options options = {.groups = NULL};
    char reason[AMDRPC_REASON_BYTES] = "";
    amdrpc_tls *tls = NULL;

    ck_assert_int_eq(create(options, reason, &tls), AMDRPC_OK);

    ck_assert_str_eq(names_of(tls),
            "TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 "
            "TLS_CHACHA20_POLY1305_SHA256 ECDHE-ECDSA-AES128-GCM-SHA256 "
            "ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384 "
            "ECDHE-RSA-AES256-GCM-SHA384 ECDHE-ECDSA-CHACHA20-POLY1305 "
            "ECDHE-RSA-CHACHA20-POLY1305 ");
    amdrpc_tls_unref(tls);
}
END_TEST

static const struct {
    amdrpc_tls_options options;
    const char *reason;
} bad_options[] = {
        {{.ciphers = "AES128-SHA"},
                "ciphers: AES128-SHA is not ECDHE with authenticated "
                "encryption"},
        {{.ciphersuites = "TYPO"},
                "ciphersuites: TYPO is no cipher suite of TLS 1.3"},
        {{.groups = "TYPO"}, "groups: TYPO is no group"},
};

START_TEST(bad_option_is_named)
{
    char reason[AMDRPC_REASON_BYTES] = "";
    amdrpc_tls *tls = NULL;

    ck_assert_int_eq(
            create(bad_options[_i].options, reason, &tls), AMDRPC_EINVAL);

    ck_assert_ptr_null(tls);
    ck_assert_str_eq(reason, bad_options[_i].reason);
}
END_TEST

START_TEST(client_chooses_as_well)
{
    const amdrpc_tls_options options = {
            .role = AMDRPC_TLS_CLIENT,
            .ciphers = "ECDHE-RSA-AES128-GCM-SHA256",
            .ciphersuites = "TLS_AES_128_GCM_SHA256",
    };
    amdrpc_tls *tls = NULL;

    ck_assert_int_eq(amdrpc_tls_create(&options, NULL, 0, &tls), AMDRPC_OK);

    ck_assert_str_eq(names_of(tls),
            "TLS_AES_128_GCM_SHA256 ECDHE-RSA-AES128-GCM-SHA256 ");
    amdrpc_tls_unref(tls);
}
END_TEST

static amdrpc_err
sweep_create(void *arg)
{
    const amdrpc_tls_options options = {
            .ciphers = "ECDHE-RSA-AES128-GCM-SHA256",
            .ciphersuites = "TLS_AES_128_GCM_SHA256",
            .groups = "X25519",
    };
    char reason[AMDRPC_REASON_BYTES] = "";
    amdrpc_tls *tls = NULL;
    amdrpc_err err = create(options, reason, &tls);

    (void)arg;
    amdrpc_tls_unref(tls);
    return err;
}

START_TEST(creation_survives_lack_of_memory)
{
    ck_assert_uint_ge(test_sweep_allocations(sweep_create, NULL), 6);
}
END_TEST

static Suite *
tls_choice_suite(void)
{
    Suite *suite = suite_create("tls_choice");
    TCase *lists = tcase_create("lists");
    TCase *options = tcase_create("options");

    tcase_add_loop_test(lists, good_list_is_taken, 0, COUNT(good_lists));
    tcase_add_loop_test(lists, bad_list_is_told, 0, COUNT(bad_lists));
    suite_add_tcase(suite, lists);

    tcase_add_checked_fixture(options, set_up, tear_down);
    tcase_add_test(options, options_choose_and_a_reload_keeps_the_choice);
    tcase_add_test(options, options_without_lists_have_ecdhe_with_aead);
    tcase_add_loop_test(options, bad_option_is_named, 0, COUNT(bad_options));
    tcase_add_test(options, client_chooses_as_well);
    tcase_add_test(options, creation_survives_lack_of_memory);
    suite_add_tcase(suite, options);
    return suite;
}

TEST_MAIN(tls_choice_suite)
