/** Tests that a request's header block is known again, and when it must not be:
 * blocks as they lie on the wire (RFC 7541, section 6). */
#include "tests/support/h2_pair.h"
#include "tests/support/h2_raw.h"
#include "tests/support/runner.h"

#include <check.h>

// ":method" is "POST": entry 3 of the static table.
#define POST "\x83"
// ":path" is entry 4. These stand for: not indexed, indexed, never indexed.
#define PATH "\x04\x02/p"
#define PATH_INDEXED "\x44\x02/p"
#define PATH_SECRET "\x14\x02/p"
// The newest entry of the dynamic table.
#define NEWEST "\xbe"
// Of a new name.
#define OWN "\x00\x01x\x01y"
#define OWN_INDEXED "\x40\x01x\x01z"
#define TABLE_SIZE_UPDATE "\x3e"

#define BLOCK(text)                     \
    {                                   \
        (text), sizeof(text) - 1, #text \
    }

struct block {
    const char *bytes;
    size_t len;
    const char *name;
};

static struct test_pair_side *const server = &test_pair.server;

// Sends blocks one after the other, each as a request of its own.
static amdrpc_err
send_blocks(const struct block *blocks, size_t nblocks)
{
    struct amdi_buf raw;

    test_pair_pretend_requests(nblocks);
    amdi_buf_init(&raw);
    for (size_t i = 0; i < nblocks; i++) {
        test_raw_frame(&raw, TEST_RAW_HEADERS,
                TEST_RAW_END_HEADERS | TEST_RAW_END_STREAM,
                (uint32_t)(2 * i + 1), blocks[i].bytes, blocks[i].len);
    }
    return test_pair_feed(server, &raw);
}

static const struct block kept_blocks[] = {
        BLOCK(POST PATH), BLOCK(POST PATH OWN),
        BLOCK(POST PATH "\x0f\x00\x01y"), // a name's index in two bytes
};

START_TEST(block_without_a_new_entry_is_known_again)
{
    const struct block blocks[] = {kept_blocks[_i], kept_blocks[_i]};

    ck_assert_int_eq(send_blocks(blocks, 2), AMDRPC_OK);

    ck_assert_uint_eq(server->nsame, 1);
    ck_assert_str_eq(server->streams[1].trace, "he");
    ck_assert_str_eq(server->streams[1].fields, server->streams[0].fields);
}
END_TEST

START_TEST(reference_to_a_new_entry_is_known_again)
{
    static const struct block blocks[] = {
            BLOCK(POST PATH_INDEXED), BLOCK(POST NEWEST), BLOCK(POST NEWEST)};

    ck_assert_int_eq(send_blocks(blocks, 3), AMDRPC_OK);

    ck_assert_uint_eq(server->nsame, 1);
    ck_assert_str_eq(server->streams[2].fields, server->streams[0].fields);
}
END_TEST

static const struct block other_blocks[] = {
        BLOCK(POST PATH_INDEXED),     // changes the table each time
        BLOCK(POST PATH_SECRET),      // is kept nowhere
        BLOCK(POST PATH OWN_INDEXED), // late
        BLOCK(TABLE_SIZE_UPDATE POST PATH),
};

START_TEST(block_that_changes_the_table_or_is_secret_is_told_each_time)
{
    const struct block blocks[] = {other_blocks[_i], other_blocks[_i]};

    ck_assert_int_eq(send_blocks(blocks, 2), AMDRPC_OK);

    ck_assert_uint_eq(server->nsame, 0);
    ck_assert_str_eq(server->streams[1].trace, "he");
    ck_assert_str_eq(server->streams[1].fields, server->streams[0].fields);
}
END_TEST

// "NEWEST" means another field after each new entry.
START_TEST(same_bytes_after_a_new_entry_are_told_again)
{
    static const struct block blocks[] = {BLOCK(POST PATH_INDEXED),
            BLOCK(POST NEWEST), BLOCK(POST PATH OWN_INDEXED),
            BLOCK(POST PATH NEWEST), BLOCK(POST PATH NEWEST)};

    ck_assert_int_eq(send_blocks(blocks, 5), AMDRPC_OK);

    ck_assert_uint_eq(server->nsame, 1);
    ck_assert_str_eq(server->streams[1].fields, ":method=POST;:path=/p;");
    ck_assert_str_eq(server->streams[3].fields, ":method=POST;:path=/p;x=z;");
}
END_TEST

START_TEST(block_after_another_is_told_again)
{
    static const struct block blocks[] = {
            BLOCK(POST PATH), BLOCK(POST PATH OWN), BLOCK(POST PATH)};

    ck_assert_int_eq(send_blocks(blocks, 3), AMDRPC_OK);

    ck_assert_uint_eq(server->nsame, 0);
    ck_assert_str_eq(server->streams[2].fields, server->streams[0].fields);
}
END_TEST

static const struct block broken_blocks[] = {
        BLOCK("\x80"),            // entry 0
        BLOCK(POST "\x04"),       // no value
        BLOCK(POST "\x04\x05/p"), // a shorter one
        BLOCK(POST "\x04\x7f"),   // a length that goes on
        BLOCK(POST "\x04\x7f\xff\xff\xff"),
        BLOCK(POST "\x0f"),
        BLOCK(POST "\x0f\xff\xff\xff\x7f\x01y"),
        BLOCK(POST "\xff\xff\xff\xff"),
        BLOCK(POST "\x00\x01"),
};

START_TEST(broken_block_ends_the_connection)
{
    (void)send_blocks(&broken_blocks[_i], 1); // the error, or its GOAWAY
    test_pair_settle();

    ck_assert_uint_eq(test_pair.client.ngoaways, 1);
    ck_assert_int_eq(test_pair.client.goaway_code, AMDI_H2_COMPRESSION_ERROR);
}
END_TEST

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("h2_block");
    TCase *same = test_pair_add_case(suite, "same");

    tcase_add_loop_test(same, block_without_a_new_entry_is_known_again, 0,
            COUNT(kept_blocks));
    tcase_add_test(same, reference_to_a_new_entry_is_known_again);
    tcase_add_loop_test(same,
            block_that_changes_the_table_or_is_secret_is_told_each_time, 0,
            COUNT(other_blocks));
    tcase_add_test(same, same_bytes_after_a_new_entry_are_told_again);
    tcase_add_test(same, block_after_another_is_told_again);
    tcase_add_loop_test(
            same, broken_block_ends_the_connection, 0, COUNT(broken_blocks));
    return suite;
}

TEST_MAIN(make_suite)
