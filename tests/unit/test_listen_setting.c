/** Tests what "listen" may say. */
#include "server/daemon/listen_setting.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <string.h>

static struct amdi_listen_setting setting;
static struct amdi_error error;

START_TEST(address_alone_is_plaintext)
{
    ck_assert_int_eq(amdi_listen_setting_parse("127.0.0.1:0", &setting, &error),
            AMDRPC_OK);
    ck_assert_str_eq(setting.address, "127.0.0.1:0");
    ck_assert_int_eq(setting.security, AMDI_LISTEN_PLAIN);
    ck_assert_uint_eq(setting.socket_mode, 0);
    amdi_listen_setting_fini(&setting);
}
END_TEST

START_TEST(words_follow_in_any_order)
{
    ck_assert_int_eq(
            amdi_listen_setting_parse(
                    "  unix:/s  mode=0660 key=/k\tmtls client-ca=/a cert=/c ",
                    &setting, &error),
            AMDRPC_OK);
    ck_assert_str_eq(setting.address, "unix:/s");
    ck_assert_int_eq(setting.security, AMDI_LISTEN_MTLS);
    ck_assert_str_eq(setting.cert, "/c");
    ck_assert_str_eq(setting.key, "/k");
    ck_assert_str_eq(setting.client_ca, "/a");
    ck_assert_uint_eq(setting.socket_mode, 0660);
    amdi_listen_setting_fini(&setting);
}
END_TEST

static const struct {
    const char *text;
    const char *sentence;
} bad[] = {
        {"", "the address is missing"},
        {"  ", "the address is missing"},
        {"a:1 ssl", "\"ssl\" is not tls, mtls"},
        {"a:1 tls cert=", "\"cert=\" is not"},
        {"a:1 cert=/c", "certificates are for tls and mtls"},
        {"a:1 mode=0660", "mode is for unix: sockets only"},
        {"unix:/s mode=0999", "\"0999\" is not a mode"},
        {"unix:/s mode=7777", "\"7777\" is not a mode"},
        {"unix:/s mode=0", "\"0\" is not a mode"},
        {"unix:/s mode=00660", "\"00660\" is not a mode"},
};

START_TEST(bad_setting_is_refused)
{
    ck_assert_int_eq(amdi_listen_setting_parse(bad[_i].text, &setting, &error),
            AMDRPC_EINVAL);
    ck_assert_msg(
            strstr(error.text, bad[_i].sentence) != NULL, "%s", error.text);
}
END_TEST

static amdrpc_err
sweep_parse(void *arg)
{
    amdrpc_err err = amdi_listen_setting_parse("a:1 tls", &setting, &error);

    (void)arg;
    if (err == AMDRPC_OK) {
        amdi_listen_setting_fini(&setting);
    }
    return err;
}

START_TEST(parsing_survives_lack_of_memory)
{
    ck_assert_uint_eq(test_sweep_allocations(sweep_parse, NULL), 1);
}
END_TEST

static Suite *
listen_setting_suite(void)
{
    Suite *suite = suite_create("listen_setting");
    TCase *parse = tcase_create("parse");

    tcase_add_test(parse, address_alone_is_plaintext);
    tcase_add_test(parse, words_follow_in_any_order);
    tcase_add_loop_test(
            parse, bad_setting_is_refused, 0, sizeof(bad) / sizeof(bad[0]));
    tcase_add_test(parse, parsing_survives_lack_of_memory);
    suite_add_tcase(suite, parse);
    return suite;
}

TEST_MAIN(listen_setting_suite)
