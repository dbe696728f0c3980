/** Tests how values are written in settings. */
#include "common/value.h"
#include "tests/support/runner.h"

#include <check.h>

static const struct {
    enum amdi_value_unit unit;
    const char *text;
    uint64_t value;
} good[] = {
        {AMDI_VALUE_COUNT, "0", 0},
        {AMDI_VALUE_COUNT, "18446744073709551615", UINT64_MAX},
        {AMDI_VALUE_BYTES, "65536", 65536},
        {AMDI_VALUE_BYTES, "64k", 65536},
        {AMDI_VALUE_BYTES, "64KiB", 65536},
        {AMDI_VALUE_BYTES, "4m", 4194304},
        {AMDI_VALUE_BYTES, "2G", 2147483648},
        {AMDI_VALUE_MS, "500ms", 500},
        {AMDI_VALUE_MS, "30s", 30000},
        {AMDI_VALUE_MS, "5m", 300000},
        {AMDI_VALUE_MS, "1h", 3600000},
        {AMDI_VALUE_MS, "0s", 0},
};

START_TEST(text_is_read)
{
    uint64_t value = 1;

    ck_assert(amdi_value_parse(good[_i].unit, good[_i].text, &value));

    ck_assert_uint_eq(value, good[_i].value);
}
END_TEST

static const struct {
    enum amdi_value_unit unit;
    const char *text;
} bad[] = {
        {AMDI_VALUE_COUNT, ""},
        {AMDI_VALUE_COUNT, "-1"},
        {AMDI_VALUE_COUNT, "+1"},
        {AMDI_VALUE_COUNT, " 1"},
        {AMDI_VALUE_COUNT, "1 "},
        {AMDI_VALUE_COUNT, "1k"},
        {AMDI_VALUE_COUNT, "18446744073709551616"},
        {AMDI_VALUE_BYTES, "k"},
        {AMDI_VALUE_BYTES, "4mb"},
        {AMDI_VALUE_BYTES, "1.5k"},
        {AMDI_VALUE_BYTES, "18446744073709551615k"},
        {AMDI_VALUE_MS, "30"},
        {AMDI_VALUE_MS, "30 s"},
        {AMDI_VALUE_MS, "1d"},
};

START_TEST(text_that_is_no_value_is_refused)
{
    uint64_t value;

    ck_assert(!amdi_value_parse(bad[_i].unit, bad[_i].text, &value));
}
END_TEST

START_TEST(value_is_written_in_its_largest_exact_unit)
{
    char text[AMDI_VALUE_TEXT_BYTES];

    amdi_value_format(AMDI_VALUE_BYTES, 65536, text);
    ck_assert_str_eq(text, "64k");
    amdi_value_format(AMDI_VALUE_BYTES, 1025, text);
    ck_assert_str_eq(text, "1025");
    amdi_value_format(AMDI_VALUE_MS, 90000, text);
    ck_assert_str_eq(text, "90s");
    amdi_value_format(AMDI_VALUE_MS, 0, text);
    ck_assert_str_eq(text, "0ms");
    amdi_value_format(AMDI_VALUE_COUNT, UINT64_MAX, text);
    ck_assert_str_eq(text, "18446744073709551615");
}
END_TEST

static Suite *
value_suite(void)
{
    Suite *suite = suite_create("value");
    TCase *parse = tcase_create("parse");
    TCase *format = tcase_create("format");

    tcase_add_loop_test(parse, text_is_read, 0, sizeof(good) / sizeof(good[0]));
    tcase_add_loop_test(parse, text_that_is_no_value_is_refused, 0,
            sizeof(bad) / sizeof(bad[0]));
    suite_add_tcase(suite, parse);
    tcase_add_test(format, value_is_written_in_its_largest_exact_unit);
    suite_add_tcase(suite, format);
    return suite;
}

TEST_MAIN(value_suite)
