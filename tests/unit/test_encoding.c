/** Tests percent-encoding, base64 and UTF-8. */
#include "common/encoding.h"
#include "tests/support/runner.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

START_TEST(message_is_percent_encoded)
{
    static const struct {
        const char *text;
        const char *encoded;
    } cases[] = {
            {"", ""},
            {"plain text ~", "plain text ~"},
            {"50%", "50%25"},
            {"a\tb\r\n", "a%09b%0D%0A"},
            {"\xc3\xa9\x7f", "%C3%A9%7F"},
    };
    char out[AMDI_PERCENT_BYTES(16)];
    size_t len =
            amdi_percent_encode(cases[_i].text, strlen(cases[_i].text), out);

    ck_assert_str_eq(out, cases[_i].encoded);
    ck_assert_uint_eq(len, strlen(cases[_i].encoded));
}
END_TEST

START_TEST(message_is_percent_decoded)
{
    static const struct {
        const char *encoded;
        const char *text;
    } cases[] = {
            {"", ""},
            {"50%25", "50%"},
            {"%c3%A9", "\xc3\xa9"},
            {"%", "%"},
            {"%4", "%4"},
            {"%4g%41", "%4gA"},
            {"%%41", "%A"},
            {"100% sure", "100% sure"},
            {"%zz%", "%zz%"},
    };
    char text[16];
    size_t len = strlen(cases[_i].encoded);

    memcpy(text, cases[_i].encoded, len);
    len = amdi_percent_decode(text, len, text); // in place
    ck_assert_uint_eq(len, strlen(cases[_i].text));
    ck_assert_mem_eq(text, cases[_i].text, len);
}
END_TEST

START_TEST(every_byte_survives_percent_encoding)
{
    char bytes[256];
    char encoded[AMDI_PERCENT_BYTES(sizeof(bytes))];
    char decoded[sizeof(encoded)];
    size_t len;

    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)(unsigned char)i;
    }
    len = amdi_percent_encode(bytes, sizeof(bytes), encoded);
    len = amdi_percent_decode(encoded, len, decoded);

    ck_assert_uint_eq(len, sizeof(bytes));
    ck_assert_mem_eq(decoded, bytes, sizeof(bytes));
}
END_TEST

// The examples of RFC 4648, section 10, without padding.
static const struct {
    const char *text;
    const char *encoded;
    const char *padded;
} base64_cases[] = {
        {"", "", ""},
        {"f", "Zg", "Zg=="},
        {"fo", "Zm8", "Zm8="},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg", "Zm9vYg=="},
        {"fooba", "Zm9vYmE", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xff\xef\xbe", "/+++", "/+++"},
};

#define NBASE64_CASES (int)(sizeof(base64_cases) / sizeof(base64_cases[0]))

START_TEST(base64_is_written_without_padding)
{
    char out[AMDI_BASE64_BYTES(8)];
    size_t len = amdi_base64_encode(
            base64_cases[_i].text, strlen(base64_cases[_i].text), out);

    ck_assert_str_eq(out, base64_cases[_i].encoded);
    ck_assert_uint_eq(len, strlen(out));
}
END_TEST

static void
base64_check_decodes(const char *encoded, const char *text)
{
    size_t len = strlen(encoded);
    uint8_t *out = malloc(len / 4 * 3 + 2); // a sanitizer sees more
    size_t out_len;

    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(
            amdi_base64_decode(encoded, len, out, &out_len), AMDRPC_OK);
    ck_assert_uint_eq(out_len, strlen(text));
    ck_assert_mem_eq(out, text, out_len);
    free(out);
}

START_TEST(base64_is_read_with_and_without_padding)
{
    base64_check_decodes(base64_cases[_i].encoded, base64_cases[_i].text);
    base64_check_decodes(base64_cases[_i].padded, base64_cases[_i].text);
}
END_TEST

START_TEST(malformed_base64_is_refused)
{
    static const char *const cases[] = {"A", "AAAAA",
            "A===", "Zg=", "Zm8==", "====", "Zm9v====", "Z g=", "Zm-v", "Zm_v",
            "Zm9v\n", "=Zm9", "Zg==Zg=="};
    uint8_t out[16];
    size_t out_len = 7;

    ck_assert_int_eq(
            amdi_base64_decode(cases[_i], strlen(cases[_i]), out, &out_len),
            AMDRPC_EINVAL);
    ck_assert_uint_eq(out_len, 7);
}
END_TEST

START_TEST(utf8_is_told_from_other_bytes)
{
    static const struct {
        const char *text;
        bool is_valid;
    } cases[] = {
            {"", true},
            {"plain ASCII, more than eight bytes of it", true},
            {"twelve bytes \xc3\xa9 and more", true},
            {"\xe2\x82\xac \xed\x9f\xbf \xee\x80\x80", true},
            {"\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf", true},
            {"\x80", false},             // nothing before it
            {"\xc3", false},             // cut
            {"\xe2\x82", false},         // cut
            {"\xf0\x9f\x98", false},     // cut
            {"\xc0\xaf", false},         // overlong
            {"\xc1\xbf", false},         // overlong
            {"\xe0\x9f\xbf", false},     // overlong
            {"\xf0\x8f\xbf\xbf", false}, // overlong
            {"\xed\xa0\x80", false},     // surrogate
            {"\xf4\x90\x80\x80", false}, // beyond U+10FFFF
            {"\xf5\x80\x80\x80", false},
            {"\xff", false},
            {"\xc3(", false},
            {"\xe2\x82(", false},
            {"plain ASCII then \xfe", false},
    };

    ck_assert_int_eq(amdi_utf8_is_valid(cases[_i].text, strlen(cases[_i].text)),
            cases[_i].is_valid);
}
END_TEST

START_TEST(utf8_may_hold_nul)
{
    ck_assert(amdi_utf8_is_valid("a\0b", 3));
}
END_TEST

static Suite *
encoding_suite(void)
{
    Suite *suite = suite_create("encoding");
    TCase *percent = tcase_create("percent");
    TCase *base64 = tcase_create("base64");
    TCase *utf8 = tcase_create("utf8");

    tcase_add_loop_test(percent, message_is_percent_encoded, 0, 5);
    tcase_add_loop_test(percent, message_is_percent_decoded, 0, 9);
    tcase_add_test(percent, every_byte_survives_percent_encoding);
    suite_add_tcase(suite, percent);
    tcase_add_loop_test(
            base64, base64_is_written_without_padding, 0, NBASE64_CASES);
    tcase_add_loop_test(
            base64, base64_is_read_with_and_without_padding, 0, NBASE64_CASES);
    tcase_add_loop_test(base64, malformed_base64_is_refused, 0, 13);
    suite_add_tcase(suite, base64);
    tcase_add_loop_test(utf8, utf8_is_told_from_other_bytes, 0, 20);
    tcase_add_test(utf8, utf8_may_hold_nul);
    suite_add_tcase(suite, utf8);
    return suite;
}

TEST_MAIN(encoding_suite)
