/** Tests the ids of submissions. */
#include "client/operation/request_id.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

START_TEST(id_is_a_uuid_of_version_7)
{
    // The example of RFC 9562, A.6.
    static const uint8_t random[AMDI_REQUEST_ID_NRANDOM] = {
            0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f};
    char id[AMDRPC_REQUEST_ID_BYTES];

    amdi_request_id_format(INT64_C(0x017f22e279b0), random, id);

    ck_assert_str_eq(id, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}
END_TEST

START_TEST(later_id_sorts_after_an_earlier_one)
{
    uint8_t random[AMDI_REQUEST_ID_NRANDOM];
    char earlier[AMDRPC_REQUEST_ID_BYTES];
    char later[AMDRPC_REQUEST_ID_BYTES];

    memset(random, 0xff, sizeof(random));
    amdi_request_id_format(1700000000000, random, earlier);
    memset(random, 0, sizeof(random));
    amdi_request_id_format(1700000000001, random, later);

    ck_assert_int_lt(strcmp(earlier, later), 0);
}
END_TEST

START_TEST(ids_differ)
{
    char one[AMDRPC_REQUEST_ID_BYTES];
    char other[AMDRPC_REQUEST_ID_BYTES];

    ck_assert_int_eq(amdrpc_request_id_create(one), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_request_id_create(other), AMDRPC_OK);

    ck_assert_uint_eq(strlen(one), AMDRPC_REQUEST_ID_BYTES - 1);
    ck_assert_str_ne(one, other);
}
END_TEST

static Suite *
request_id_suite(void)
{
    Suite *suite = suite_create("request_id");
    TCase *tcase = tcase_create("id");

    tcase_add_test(tcase, id_is_a_uuid_of_version_7);
    tcase_add_test(tcase, later_id_sorts_after_an_earlier_one);
    tcase_add_test(tcase, ids_differ);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(request_id_suite)
