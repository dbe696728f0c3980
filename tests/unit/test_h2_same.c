/** Tests requests whose header block is the last one again. */
#include "common/h2/h2.h"
#include "common/h2/h2_frame.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

/** What the server was told. */
static struct {
    unsigned nheaders;
    unsigned nsame;
    unsigned nfields;
    bool refuses;
} told;

static struct amdi_h2 *h2;
static int32_t next_id;

static void *
on_open(void *ctx, int32_t stream_id)
{
    (void)stream_id;
    return told.refuses ? NULL : ctx;
}

static bool
on_field(void *ctx, void *stream, const struct amdi_h2_field *field)
{
    (void)ctx;
    (void)stream;
    (void)field;
    told.nfields++;
    return true;
}

static void
on_headers(void *ctx, void *stream, bool is_trailers)
{
    (void)ctx;
    (void)stream;
    (void)is_trailers;
    told.nheaders++;
}

static void
on_same_headers(void *ctx, void *stream)
{
    (void)ctx;
    (void)stream;
    told.nsame++;
}

static void
on_end(void *ctx, void *stream)
{
    (void)ctx;
    (void)stream;
}

static void
on_close(void *ctx, void *stream, enum amdi_h2_code code, bool by_peer)
{
    (void)ctx;
    (void)stream;
    (void)code;
    (void)by_peer;
}

static const struct amdi_h2_events events = {
        .on_open = on_open,
        .on_field = on_field,
        .on_headers = on_headers,
        .on_same_headers = on_same_headers,
        .on_end = on_end,
        .on_close = on_close,
};

static void
feed_frame(uint8_t type, uint8_t flags, int32_t id, const void *payload,
        size_t len)
{
    const struct amdi_h2_frame frame = {.len = (uint32_t)len,
            .type = type,
            .flags = flags,
            .stream_id = id};
    uint8_t header[AMDI_H2_FRAME_HEADER_BYTES];

    amdi_h2_frame_write(header, &frame);
    ck_assert_int_eq(amdi_h2_receive(h2, header, sizeof(header)), AMDRPC_OK);
    ck_assert_int_eq(amdi_h2_receive(h2, payload, len), AMDRPC_OK);
}

static void
set_up(void)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const struct amdi_h2_options options = {.is_server = true,
            .max_concurrent_streams = 100,
            .stream_window_bytes = 65535,
            .connection_window_bytes = 65535,
            .max_header_list_bytes = 16384};

    memset(&told, 0, sizeof(told));
    next_id = 1;
    ck_assert_int_eq(amdi_h2_create(&options, &events, &told, &h2), AMDRPC_OK);
    ck_assert_int_eq(
            amdi_h2_receive(h2, (const uint8_t *)preface, sizeof(preface) - 1),
            AMDRPC_OK);
    feed_frame(AMDI_H2_SETTINGS, 0, 0, NULL, 0);
}

static void
tear_down(void)
{
    amdi_h2_destroy(h2);
}

/** A request with that header block. */
static void
request(const char *block, size_t len)
{
    feed_frame(AMDI_H2_HEADERS, AMDI_H2_END_STREAM | AMDI_H2_END_HEADERS,
            next_id, block, len);
    next_id += 2;
}

#define REQUEST(block) request(block, sizeof(block) - 1)

static void
expect(unsigned nheaders, unsigned nsame)
{
    ck_assert_uint_eq(told.nheaders, nheaders);
    ck_assert_uint_eq(told.nsame, nsame);
}

// Indexed fields: ":method" POST, ":scheme" http, of the static table.
#define POST "\x83"
#define HTTP "\x86"
// ":path" as a literal that is not indexed, as nghttp2 sends it.
#define PATH_A "\x04\x02/a"
#define PATH_B "\x04\x02/b"
// "x: y" with a new entry in the dynamic table, and what refers to it then.
#define ADD_XY "\x40\x01x\x01y"
#define XY "\xbe"

START_TEST(same_block_is_told_once)
{
    REQUEST(POST HTTP PATH_A);
    REQUEST(POST HTTP PATH_A);
    REQUEST(POST HTTP PATH_A);

    expect(1, 2);
    ck_assert_uint_eq(told.nfields, 3);
}
END_TEST

START_TEST(other_block_is_told)
{
    REQUEST(POST HTTP PATH_A);
    REQUEST(POST HTTP PATH_B);
    REQUEST(POST HTTP PATH_A);

    expect(3, 0);
}
END_TEST

START_TEST(block_that_adds_to_the_table_is_told_each_time)
{
    REQUEST(POST HTTP PATH_A ADD_XY);
    REQUEST(POST HTTP PATH_A ADD_XY);

    expect(2, 0);
}
END_TEST

START_TEST(same_bytes_after_the_table_changed_are_told)
{
    REQUEST(POST HTTP PATH_A ADD_XY);
    REQUEST(POST HTTP PATH_A XY);
    REQUEST(POST HTTP PATH_A XY);
    expect(2, 1);

    // The newest entry is another one now, so XY means another field.
    REQUEST(POST HTTP PATH_A "\x40\x01x\x01z");
    REQUEST(POST HTTP PATH_A XY);

    expect(4, 1);
}
END_TEST

START_TEST(block_of_a_refused_stream_is_no_block_to_refer_to)
{
    REQUEST(POST HTTP PATH_A);
    told.refuses = true;
    REQUEST(POST HTTP PATH_B);
    told.refuses = false;
    REQUEST(POST HTTP PATH_B);
    REQUEST(POST HTTP PATH_A);

    expect(3, 0);
}
END_TEST

START_TEST(block_in_two_frames_is_told)
{
    REQUEST(POST HTTP PATH_A);
    feed_frame(AMDI_H2_HEADERS, AMDI_H2_END_STREAM, next_id, POST, 1);
    feed_frame(AMDI_H2_CONTINUATION, AMDI_H2_END_HEADERS, next_id, HTTP PATH_A,
            sizeof(HTTP PATH_A) - 1);

    expect(2, 0);
}
END_TEST

START_TEST(trailers_are_not_taken_for_a_request)
{
    REQUEST(POST HTTP PATH_A);
    feed_frame(AMDI_H2_HEADERS, AMDI_H2_END_HEADERS, next_id, POST HTTP PATH_B,
            sizeof(POST HTTP PATH_B) - 1);
    feed_frame(AMDI_H2_HEADERS, AMDI_H2_END_STREAM | AMDI_H2_END_HEADERS,
            next_id, "\x00\x01x\x01y", 5);
    next_id += 2;
    REQUEST(POST HTTP PATH_B);

    expect(3, 1);
}
END_TEST

static Suite *
h2_same_suite(void)
{
    Suite *suite = suite_create("h2_same");
    TCase *blocks = tcase_create("blocks");

    tcase_add_checked_fixture(blocks, set_up, tear_down);
    tcase_add_test(blocks, same_block_is_told_once);
    tcase_add_test(blocks, other_block_is_told);
    tcase_add_test(blocks, block_that_adds_to_the_table_is_told_each_time);
    tcase_add_test(blocks, same_bytes_after_the_table_changed_are_told);
    tcase_add_test(blocks, block_of_a_refused_stream_is_no_block_to_refer_to);
    tcase_add_test(blocks, block_in_two_frames_is_told);
    tcase_add_test(blocks, trailers_are_not_taken_for_a_request);
    suite_add_tcase(suite, blocks);
    return suite;
}

TEST_MAIN(h2_same_suite)
