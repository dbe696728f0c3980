/** Tests grpc-timeout. */
#include "common/timeout.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

#define MS UINT64_C(1000000)
#define HOUR (UINT64_C(3600000) * MS)

START_TEST(every_unit_is_read)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } cases[] = {
            {"1n", 1},
            {"20u", 20000},
            {"100m", 100 * MS},
            {"3S", 3000 * MS},
            {"00000002M", 120000 * MS},
            {"1H", HOUR},
            {"0S", 0},
            {"99999999S", UINT64_C(99999999000) * MS},
            {"5124095H", UINT64_C(5124095) * HOUR},
            {"5124096H", UINT64_MAX},
            {"99999999H", UINT64_MAX},
    };
    uint64_t ns;

    ck_assert_int_eq(
            amdi_timeout_parse(cases[_i].text, strlen(cases[_i].text), &ns),
            AMDRPC_OK);
    ck_assert_uint_eq(ns, cases[_i].ns);
}
END_TEST

START_TEST(malformed_timeout_is_refused)
{
    static const char *const cases[] = {"", "1", "S", "1s", "1h", "-1S", "+1S",
            " 1S", "1S ", "1.5S", "1 S", "0x1S", "123456789S", "S1", "1\0S"};
    uint64_t ns = 7;

    ck_assert_int_eq(amdi_timeout_parse(cases[_i], strlen(cases[_i]), &ns),
            AMDRPC_EINVAL);
    ck_assert_uint_eq(ns, 7);
}
END_TEST

START_TEST(time_is_written_short_and_not_shortened)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {
            {0, "0n"},
            {1, "1n"},
            {99999999, "99999999n"},
            {100000000, "100m"},
            {100000001, "100001u"},
            {1000 * MS, "1S"},
            {1500 * MS, "1500m"},
            {60000 * MS, "1M"},
            {HOUR, "1H"},
            {25 * HOUR, "25H"},
            {UINT64_C(99999999000) + 1, "100S"},
            {UINT64_MAX, "5124096H"},
    };
    char text[AMDI_TIMEOUT_TEXT_BYTES];

    amdi_timeout_format(cases[_i].ns, text);
    ck_assert_str_eq(text, cases[_i].text);
}
END_TEST

START_TEST(written_time_is_read_back_not_shorter)
{
    for (uint64_t ns = 1; ns < UINT64_MAX / 3; ns = ns * 3 + ns / 7) {
        char text[AMDI_TIMEOUT_TEXT_BYTES];
        uint64_t back_ns;

        amdi_timeout_format(ns, text);
        ck_assert_int_eq(
                amdi_timeout_parse(text, strlen(text), &back_ns), AMDRPC_OK);
        ck_assert_uint_ge(back_ns, ns);
        // Between 10^7 minutes and 10^8 of them, one unit is 10^-5 of it.
        ck_assert_uint_le(back_ns - ns, ns / 100000);
    }
}
END_TEST

static Suite *
timeout_suite(void)
{
    Suite *suite = suite_create("timeout");
    TCase *text = tcase_create("text");

    tcase_add_loop_test(text, every_unit_is_read, 0, 11);
    tcase_add_loop_test(text, malformed_timeout_is_refused, 0, 15);
    tcase_add_loop_test(text, time_is_written_short_and_not_shortened, 0, 12);
    tcase_add_test(text, written_time_is_read_back_not_shorter);
    suite_add_tcase(suite, text);
    return suite;
}

TEST_MAIN(timeout_suite)
