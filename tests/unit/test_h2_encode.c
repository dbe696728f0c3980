/** Tests that fields which are sent again reach the peer as they are, whatever
 * was sent between: the second time their block is not encoded anew. */
#include "tests/support/h2_pair.h"
#include "tests/support/h2_raw.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

#define MAX_FIELDS 4

/** An answer of header fields alone, which end its stream. */
struct answer {
    struct amdi_h2_field fields[MAX_FIELDS];
    size_t nfields;
    const char *text; // as the client is told
};

#define STATUS TEST_RAW_FIELD(":status", "200")

static const struct answer plain = {
        .fields = {STATUS, TEST_RAW_FIELD("grpc-status", "0")},
        .nfields = 2,
        .text = ":status=200;grpc-status=0;"};
static const struct answer shorter = {
        .fields = {STATUS}, .nfields = 1, .text = ":status=200;"};
static const struct answer other = {
        .fields = {STATUS, TEST_RAW_FIELD("grpc-status", "5")},
        .nfields = 2,
        .text = ":status=200;grpc-status=5;"};
static const struct answer longer = {
        .fields = {STATUS, TEST_RAW_FIELD("grpc-status", "0"),
                TEST_RAW_FIELD("x-new", "entry")},
        .nfields = 3,
        .text = ":status=200;grpc-status=0;x-new=entry;"};
// The same bytes, cut elsewhere.
static const struct answer cut_early = {
        .fields = {STATUS, TEST_RAW_FIELD("x", "yz")},
        .nfields = 2,
        .text = ":status=200;x=yz;"};
static const struct answer cut_late = {
        .fields = {STATUS, TEST_RAW_FIELD("xy", "z")},
        .nfields = 2,
        .text = ":status=200;xy=z;"};
static const struct answer empty_value = {
        .fields = {STATUS, TEST_RAW_FIELD("xyz", "")},
        .nfields = 2,
        .text = ":status=200;xyz=;"};

static struct test_pair_side *const client = &test_pair.client;
static struct test_pair_side *const server = &test_pair.server;

static void
send_answer(const struct answer *answer)
{
    const struct test_pair_stream *call =
            test_pair_open_call(/*is_finished=*/true);

    ck_assert_int_eq(amdi_h2_submit_response(server->h2, call->id,
                             answer->fields, answer->nfields,
                             /*has_body=*/false),
            AMDRPC_OK);
}

/** Sends answers, each once the one before has arrived, and compares them. */
static void
check_answers(const struct answer *const *answers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        send_answer(answers[i]);
        test_pair_settle();
        ck_assert_str_eq(client->streams[i].fields, answers[i]->text);
        ck_assert_str_eq(client->streams[i].trace, "hec");
    }
}

#define CHECK_ANSWERS(...)                                          \
    do {                                                            \
        const struct answer *const answers[] = {__VA_ARGS__};       \
        check_answers(answers, sizeof(answers) / sizeof(*answers)); \
    } while (0)

START_TEST(same_answers_arrive)
{
    CHECK_ANSWERS(&plain, &plain, &plain, &plain);
}
END_TEST

START_TEST(answers_after_a_new_entry_arrive)
{
    // The third moves the entries that the block of the first two refers to.
    CHECK_ANSWERS(
            &plain, &plain, &longer, &plain, &longer, &plain, &longer, &plain);
}
END_TEST

START_TEST(answers_in_turns_arrive)
{
    CHECK_ANSWERS(
            &plain, &other, &plain, &other, &other, &plain, &shorter, &plain);
}
END_TEST

START_TEST(bytes_cut_elsewhere_are_other_fields)
{
    CHECK_ANSWERS(&cut_early, &cut_late, &empty_value, &cut_early, &cut_late,
            &empty_value, &cut_early);
}
END_TEST

START_TEST(answers_written_together_arrive)
{
    const struct answer *const answers[] = {
            &plain, &plain, &longer, &plain, &longer, &longer};

    for (size_t i = 0; i < 6; i++) {
        send_answer(answers[i]);
    }
    test_pair_settle();

    for (size_t i = 0; i < 6; i++) {
        ck_assert_str_eq(client->streams[i].fields, answers[i]->text);
    }
}
END_TEST

START_TEST(heads_and_trailers_arrive_again)
{
    static const uint8_t body[] = "body";

    for (size_t i = 0; i < 4; i++) {
        struct test_pair_stream *call =
                test_pair_open_call(/*is_finished=*/true);

        call->trailers = &plain.fields[1];
        call->ntrailers = 1;
        test_pair_send_all(call, body, sizeof(body));
        test_pair_respond(call);
        test_pair_settle();

        ck_assert_str_eq(
                client->streams[i].fields, ":status=200;grpc-status=0;");
        ck_assert_str_eq(client->streams[i].trace, "hdtec");
    }
}
END_TEST

START_TEST(fields_too_long_to_be_kept_arrive_again)
{
    static const size_t lens[] = {180, 255, 256, 600};
    char value[601];
    char expected[700] = ":status=200;x-long=";
    const struct amdi_h2_field fields[] = {STATUS,
            {.name = "x-long",
                    .name_len = 6,
                    .value = value,
                    .value_len = lens[_i]}};
    const struct answer answer = {
            .fields = {fields[0], fields[1]}, .nfields = 2, .text = expected};

    memset(value, 'v', lens[_i]);
    value[lens[_i]] = '\0';
    strcat(strcat(expected, value), ";");
    CHECK_ANSWERS(&answer, &answer, &plain, &answer, &plain);
}
END_TEST

/** The first byte of a header block that the server has to send. */
static uint8_t
first_byte(const struct amdi_h2_field *field)
{
    const struct test_pair_stream *call =
            test_pair_open_call(/*is_finished=*/true);
    struct amdi_buf raw;
    uint8_t byte = 0;

    ck_assert_int_eq(amdi_h2_submit_response(server->h2, call->id, field, 1,
                             /*has_body=*/true),
            AMDRPC_OK);
    amdi_buf_init(&raw);
    test_pair_take(server, &raw);
    ck_assert_uint_gt(amdi_buf_len(&raw), 9);
    byte = amdi_buf_peek(&raw)[9];
    amdi_buf_fini(&raw);
    return byte;
}

START_TEST(secret_field_is_never_taken_for_one_that_is_not)
{
    struct amdi_h2_field field = AMDI_H2_FIELD("x-token", "t0ken");

    ck_assert_uint_eq(first_byte(&field) & 0xc0u, 0x40); // a new entry
    ck_assert_uint_eq(first_byte(&field) & 0x80u, 0x80); // which is referred to
    field.is_secret = true;
    ck_assert_uint_eq(first_byte(&field) & 0xf0u, 0x10); // never indexed
    ck_assert_uint_eq(first_byte(&field) & 0xf0u, 0x10);
}
END_TEST

START_TEST(smaller_table_is_told_in_the_next_block)
{
    static const uint8_t table_of_nothing[6] = {0, 1, 0, 0, 0, 0};
    const struct amdi_h2_field field = AMDI_H2_FIELD("x-again", "same");
    struct amdi_buf settings;

    ck_assert_uint_eq(first_byte(&field) & 0xc0u, 0x40); // a new entry
    ck_assert_uint_eq(first_byte(&field) & 0x80u, 0x80); // which is referred to
    amdi_buf_init(&settings);
    test_raw_frame(&settings, TEST_RAW_SETTINGS, 0, 0, table_of_nothing,
            sizeof(table_of_nothing));
    ck_assert_int_eq(test_pair_feed(server, &settings), AMDRPC_OK);

    // RFC 7541, section 4.2: before anything else.
    ck_assert_uint_eq(first_byte(&field), 0x20);
    ck_assert_uint_eq(first_byte(&field) & 0x80u, 0);
}
END_TEST

static Suite *
h2_encode_suite(void)
{
    Suite *suite = suite_create("h2_encode");
    TCase *again = test_pair_add_case(suite, "again");

    tcase_add_test(again, same_answers_arrive);
    tcase_add_test(again, answers_after_a_new_entry_arrive);
    tcase_add_test(again, answers_in_turns_arrive);
    tcase_add_test(again, bytes_cut_elsewhere_are_other_fields);
    tcase_add_test(again, answers_written_together_arrive);
    tcase_add_test(again, heads_and_trailers_arrive_again);
    tcase_add_loop_test(again, fields_too_long_to_be_kept_arrive_again, 0, 4);
    tcase_add_test(again, secret_field_is_never_taken_for_one_that_is_not);
    tcase_add_test(again, smaller_table_is_told_in_the_next_block);
    return suite;
}

TEST_MAIN(h2_encode_suite)
