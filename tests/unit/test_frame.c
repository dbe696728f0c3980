/** Tests the joining of gRPC's length-prefixed messages. */
#include "common/alloc.h"
#include "common/frame.h"
#include "tests/support/runner.h"
#include "tests/support/split.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

#define MAX_BYTES (4u * 1024u * 1024u)

static struct amdi_frame_reader reader;

static void
frame_set_up(void)
{
    amdi_frame_reader_init(&reader, MAX_BYTES);
}

static void
frame_tear_down(void)
{
    amdi_alloc_fail_at(-1);
    amdi_frame_reader_fini(&reader);
}

/** Pushes bytes that hold at most one whole message; returns it or NULL. */
static struct amdi_message *
frame_push(const void *data, size_t len)
{
    struct amdi_message *message;
    size_t taken;

    ck_assert_int_eq(
            amdi_frame_reader_push(&reader, data, len, &taken, &message),
            AMDRPC_OK);
    ck_assert_uint_eq(taken, len);
    return message;
}

START_TEST(message_that_grows_keeps_its_bytes)
{
    struct amdi_message *msg = amdi_message_create(2);

    ck_assert_ptr_nonnull(msg);
    ck_assert_uint_eq(msg->len, 0);
    msg->len = 2;
    msg->is_compressed = true;
    memcpy(msg->data, "hi", 2);
    for (size_t room = 4; room < 4096; room *= 2) {
        msg = amdi_message_grow(msg, 2, room);
        ck_assert_ptr_nonnull(msg);
        msg->data[room - 1] = 1;
    }

    ck_assert_uint_eq(msg->len, 2);
    ck_assert(msg->is_compressed);
    ck_assert_mem_eq(msg->data, "hi", 2);
    amdi_message_free(msg);
    amdi_message_free(NULL);
}
END_TEST

START_TEST(message_over_all_memory_is_refused)
{
    ck_assert_ptr_null(amdi_message_create(SIZE_MAX));
    ck_assert_ptr_null(amdi_message_create(SIZE_MAX - 1));
}
END_TEST

START_TEST(prefix_is_written_big_endian)
{
    uint8_t prefix[AMDI_FRAME_PREFIX_BYTES];

    amdi_frame_write_prefix(prefix, /*compressed=*/true, 0x01020304);

    ck_assert_mem_eq(prefix, "\1\1\2\3\4", 5);
}
END_TEST

START_TEST(whole_message_is_returned)
{
    struct amdi_message *message = frame_push("\0\0\0\0\2hi", 7);

    ck_assert_ptr_nonnull(message);
    ck_assert_uint_eq(message->len, 2);
    ck_assert(!message->is_compressed);
    ck_assert_ptr_null(message->next);
    ck_assert_mem_eq(message->data, "hi", 2);
    ck_assert(!amdi_frame_reader_is_partial(&reader));
    amdi_message_free(message);
}
END_TEST

START_TEST(compressed_flag_is_told)
{
    struct amdi_message *message = frame_push("\1\0\0\0\1x", 6);

    ck_assert(message->is_compressed);
    amdi_message_free(message);
}
END_TEST

START_TEST(empty_message_needs_no_byte_after_its_prefix)
{
    struct amdi_message *message = frame_push("\0\0\0\0\0", 5);

    ck_assert_ptr_nonnull(message);
    ck_assert_uint_eq(message->len, 0);
    amdi_message_free(message);
}
END_TEST

START_TEST(push_stops_at_the_end_of_a_message)
{
    struct amdi_message *message;
    size_t taken;

    ck_assert_int_eq(
            amdi_frame_reader_push(&reader, (const uint8_t *)"\0\0\0\0\1x\0\0",
                    8, &taken, &message),
            AMDRPC_OK);

    ck_assert_uint_eq(taken, 6);
    amdi_message_free(message);
}
END_TEST

START_TEST(nothing_pushed_is_nothing_taken)
{
    ck_assert_ptr_null(frame_push(NULL, 0));
    ck_assert(!amdi_frame_reader_is_partial(&reader));
    ck_assert_ptr_null(frame_push("\0\0\0\0\1", 5));
    ck_assert_ptr_null(frame_push(NULL, 0));
    ck_assert(amdi_frame_reader_is_partial(&reader));
}
END_TEST

START_TEST(part_of_a_prefix_is_partial)
{
    ck_assert_ptr_null(frame_push("\0", 1));
    ck_assert(amdi_frame_reader_is_partial(&reader));
}
END_TEST

static amdrpc_err
frame_push_for_error(const char *data, size_t len)
{
    struct amdi_message *message = NULL;
    size_t taken;
    amdrpc_err err = amdi_frame_reader_push(
            &reader, (const uint8_t *)data, len, &taken, &message);

    amdi_message_free(message);
    return err;
}

START_TEST(message_over_the_limit_is_refused)
{
    amdi_frame_reader_init(&reader, 256);

    ck_assert_int_eq(frame_push_for_error("\0\0\0\1\1", 5), AMDRPC_ELIMIT);
    amdi_frame_reader_init(&reader, 256);
    ck_assert_int_eq(
            frame_push_for_error("\0\xff\xff\xff\xff", 5), AMDRPC_ELIMIT);
    amdi_frame_reader_init(&reader, 256);
    ck_assert_int_eq(frame_push_for_error("\0\0\0\1\0", 5), AMDRPC_OK);
}
END_TEST

START_TEST(compressed_message_is_refused_where_no_codec_was_named)
{
    reader.refuses_compressed = true;
    ck_assert_int_eq(frame_push_for_error("\0\0\0\0\0", 5), AMDRPC_OK);

    ck_assert_int_eq(
            frame_push_for_error("\1\0\0\0\1", 5), AMDRPC_EUNSUPPORTED);
}
END_TEST

START_TEST(unknown_flag_is_refused_at_its_byte)
{
    ck_assert_int_eq(frame_push_for_error("\2", 1), AMDRPC_EPROTO);
}
END_TEST

START_TEST(prefix_alone_takes_no_memory)
{
    amdi_alloc_fail_at(0);
    ck_assert_ptr_null(frame_push("\0\0\x3f\xff\xff", 5));
    ck_assert(!amdi_alloc_has_failed());
    amdi_alloc_fail_at(-1);

    ck_assert_ptr_null(frame_push("x", 1));
    ck_assert_uint_eq(reader.room, AMDI_FRAME_FIRST_BYTES);
}
END_TEST

START_TEST(memory_stays_near_what_has_arrived)
{
    static const uint8_t piece[1000];

    ck_assert_ptr_null(frame_push("\0\0\x3f\xff\xff", 5));
    for (size_t have = 0; have < 1000 * sizeof(piece); have += sizeof(piece)) {
        ck_assert_uint_le(reader.room, 2 * have + AMDI_FRAME_FIRST_BYTES);
        ck_assert_ptr_null(frame_push(piece, sizeof(piece)));
    }
}
END_TEST

START_TEST(message_pushed_whole_is_allocated_once)
{
    uint8_t *wire = calloc(1, 5 + 100000);
    struct amdi_message *message;

    ck_assert_ptr_nonnull(wire);
    amdi_frame_write_prefix(wire, false, 100000);
    amdi_alloc_fail_at(1);
    message = frame_push(wire, 5 + 100000);

    ck_assert_ptr_nonnull(message);
    ck_assert(!amdi_alloc_has_failed());
    amdi_message_free(message);
    free(wire);
}
END_TEST

// A stream of many messages; message n has sizes[n % …] bytes of value n.
#define STREAM_NMESSAGES 40u
static const uint32_t stream_sizes[] = {0, 1, 5, 16, 300, 17000, 40000};

static uint32_t
stream_message_len(size_t n)
{
    return stream_sizes[n % (sizeof(stream_sizes) / sizeof(stream_sizes[0]))];
}

static uint8_t *
stream_create(size_t *out_len)
{
    size_t len = 0;
    uint8_t *stream;

    for (size_t n = 0; n < STREAM_NMESSAGES; n++) {
        len += AMDI_FRAME_PREFIX_BYTES + stream_message_len(n);
    }
    stream = malloc(len);
    ck_assert_ptr_nonnull(stream);
    *out_len = len;
    len = 0;
    for (size_t n = 0; n < STREAM_NMESSAGES; n++) {
        amdi_frame_write_prefix(
                stream + len, n % 2 == 1, stream_message_len(n));
        len += AMDI_FRAME_PREFIX_BYTES;
        memset(stream + len, (int)n, stream_message_len(n));
        len += stream_message_len(n);
    }
    return stream;
}

static void
stream_check_message(const struct amdi_message *message, size_t n)
{
    size_t nright = 0;

    ck_assert_uint_eq(message->len, stream_message_len(n));
    ck_assert_int_eq(message->is_compressed, n % 2 == 1);
    // An assertion for each byte would take most of the suite's time.
    while (nright < message->len && message->data[nright] == (uint8_t)n) {
        nright++;
    }
    ck_assert_uint_eq(nright, message->len);
}

static void
stream_on_piece(void *arg, const uint8_t *data, size_t len)
{
    size_t *nseen = arg;

    while (len > 0) {
        struct amdi_message *message;
        size_t taken;

        if (amdi_frame_reader_push(&reader, data, len, &taken, &message) !=
                        AMDRPC_OK ||
                taken == 0) {
            ck_abort_msg("a piece was not taken");
        }
        data += taken;
        len -= taken;
        if (message != NULL) {
            stream_check_message(message, (*nseen)++);
            amdi_message_free(message);
        }
    }
}

START_TEST(stream_in_any_pieces_gives_the_same_messages)
{
    size_t len;
    uint8_t *stream = stream_create(&len);
    size_t nseen = 0;

    test_split_stream((unsigned)_i, stream, len, stream_on_piece, &nseen);

    ck_assert_uint_eq(nseen, STREAM_NMESSAGES);
    ck_assert(!amdi_frame_reader_is_partial(&reader));
    free(stream);
}
END_TEST

/** Reads a message of 100,000 bytes in pieces of 1,000. */
static amdrpc_err
frame_read_long(void *unused)
{
    static const uint8_t piece[1000];
    struct amdi_frame_reader swept;
    struct amdi_message *message = NULL;
    size_t taken;
    amdrpc_err err;

    (void)unused;
    amdi_frame_reader_init(&swept, MAX_BYTES);
    err = amdi_frame_reader_push(
            &swept, (const uint8_t *)"\0\0\1\x86\xa0", 5, &taken, &message);
    while (err == AMDRPC_OK && message == NULL) {
        err = amdi_frame_reader_push(
                &swept, piece, sizeof(piece), &taken, &message);
    }
    amdi_message_free(message);
    amdi_frame_reader_fini(&swept);
    return err;
}

START_TEST(failed_allocation_is_an_error_and_leaks_nothing)
{
    ck_assert_uint_eq(test_sweep_allocations(frame_read_long, NULL), 4);
}
END_TEST

static Suite *
frame_suite(void)
{
    Suite *suite = suite_create("frame");
    TCase *joining = tcase_create("joining");
    TCase *limits = tcase_create("limits");

    tcase_add_checked_fixture(joining, frame_set_up, frame_tear_down);
    tcase_add_test(joining, message_that_grows_keeps_its_bytes);
    tcase_add_test(joining, message_over_all_memory_is_refused);
    tcase_add_test(joining, prefix_is_written_big_endian);
    tcase_add_test(joining, whole_message_is_returned);
    tcase_add_test(joining, compressed_flag_is_told);
    tcase_add_test(joining, empty_message_needs_no_byte_after_its_prefix);
    tcase_add_test(joining, push_stops_at_the_end_of_a_message);
    tcase_add_test(joining, nothing_pushed_is_nothing_taken);
    tcase_add_test(joining, part_of_a_prefix_is_partial);
    tcase_add_loop_test(joining, stream_in_any_pieces_gives_the_same_messages,
            0, TEST_SPLIT_SEEDS);
    suite_add_tcase(suite, joining);
    tcase_add_checked_fixture(limits, frame_set_up, frame_tear_down);
    tcase_add_test(limits, message_over_the_limit_is_refused);
    tcase_add_test(
            limits, compressed_message_is_refused_where_no_codec_was_named);
    tcase_add_test(limits, unknown_flag_is_refused_at_its_byte);
    tcase_add_test(limits, prefix_alone_takes_no_memory);
    tcase_add_test(limits, memory_stays_near_what_has_arrived);
    tcase_add_test(limits, message_pushed_whole_is_allocated_once);
    tcase_add_test(limits, failed_allocation_is_an_error_and_leaks_nothing);
    suite_add_tcase(suite, limits);
    return suite;
}

TEST_MAIN(frame_suite)
