/** Tests the statuses of calls that ended without saying one. */
#include "client/wire_status.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

static const struct {
    int http;
    amdrpc_status_code status;
} http_rows[] = {
        {200, AMDRPC_STATUS_UNKNOWN},
        {400, AMDRPC_STATUS_INTERNAL},
        {401, AMDRPC_STATUS_UNAUTHENTICATED},
        {403, AMDRPC_STATUS_PERMISSION_DENIED},
        {404, AMDRPC_STATUS_UNIMPLEMENTED},
        {418, AMDRPC_STATUS_UNKNOWN},
        {429, AMDRPC_STATUS_UNAVAILABLE},
        {431, AMDRPC_STATUS_INTERNAL},
        {500, AMDRPC_STATUS_UNKNOWN},
        {502, AMDRPC_STATUS_UNAVAILABLE},
        {503, AMDRPC_STATUS_UNAVAILABLE},
        {504, AMDRPC_STATUS_UNAVAILABLE},
        {0, AMDRPC_STATUS_UNKNOWN},
};

START_TEST(http_status_gives_status)
{
    ck_assert_int_eq(
            amdi_status_from_http(http_rows[_i].http), http_rows[_i].status);
}
END_TEST

static const struct {
    enum amdi_h2_code code;
    amdrpc_status_code status;
} h2_rows[] = {
        {AMDI_H2_NO_ERROR, AMDRPC_STATUS_INTERNAL},
        {AMDI_H2_PROTOCOL_ERROR, AMDRPC_STATUS_INTERNAL},
        {AMDI_H2_INTERNAL_ERROR, AMDRPC_STATUS_INTERNAL},
        {AMDI_H2_FLOW_CONTROL_ERROR, AMDRPC_STATUS_INTERNAL},
        {AMDI_H2_SETTINGS_TIMEOUT, AMDRPC_STATUS_INTERNAL},
        {AMDI_H2_FRAME_SIZE_ERROR, AMDRPC_STATUS_INTERNAL},
        {AMDI_H2_REFUSED_STREAM, AMDRPC_STATUS_UNAVAILABLE},
        {AMDI_H2_CANCEL, AMDRPC_STATUS_CANCELLED},
        {AMDI_H2_COMPRESSION_ERROR, AMDRPC_STATUS_INTERNAL},
        {AMDI_H2_CONNECT_ERROR, AMDRPC_STATUS_INTERNAL},
        {AMDI_H2_ENHANCE_YOUR_CALM, AMDRPC_STATUS_RESOURCE_EXHAUSTED},
        {AMDI_H2_INADEQUATE_SECURITY, AMDRPC_STATUS_PERMISSION_DENIED},
        {(enum amdi_h2_code)77, AMDRPC_STATUS_UNKNOWN},
};

START_TEST(reset_code_gives_status)
{
    ck_assert_int_eq(amdi_status_from_h2(h2_rows[_i].code), h2_rows[_i].status);
}
END_TEST

START_TEST(digits_are_a_status)
{
    int value = -1;

    ck_assert(amdi_status_parse("16", 2, &value));

    ck_assert_int_eq(value, 16);
}
END_TEST

START_TEST(other_text_is_no_status)
{
    static const char *const texts[] = {"", "-1", "1a", " 1", "1000"};
    int value = -1;

    ck_assert(!amdi_status_parse(texts[_i], strlen(texts[_i]), &value));

    ck_assert_int_eq(value, -1);
}
END_TEST

static Suite *
wire_status_suite(void)
{
    Suite *suite = suite_create("wire_status");
    TCase *tcase = tcase_create("mapping");

    tcase_add_loop_test(tcase, http_status_gives_status, 0,
            sizeof(http_rows) / sizeof(http_rows[0]));
    tcase_add_loop_test(tcase, reset_code_gives_status, 0,
            sizeof(h2_rows) / sizeof(h2_rows[0]));
    tcase_add_test(tcase, digits_are_a_status);
    tcase_add_loop_test(tcase, other_text_is_no_status, 0, 5);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(wire_status_suite)
