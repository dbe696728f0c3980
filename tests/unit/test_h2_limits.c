/** Tests that a server's options reach its sessions, and frames of a turn. */
#include "common/h2/h2.h"
#include "server/conn/h2_limits.h"
#include "server/options.h"
#include "tests/support/h2_pair.h"
#include "tests/support/h2_raw.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>
#include <sys/resource.h>

/* ---- options ---- */

START_TEST(options_without_values_are_the_defaults)
{
    amdrpc_server_options options;
    struct amdi_h2_limits limits;

    ck_assert_int_eq(amdi_options_complete(NULL, &options), AMDRPC_OK);
    amdi_h2_limits_take(&options, &limits);

    ck_assert_mem_eq(&limits, &amdi_h2_default_limits, sizeof(limits));
    ck_assert_uint_eq(options.resets.burst, 500);
    ck_assert_uint_eq(options.max_continuations, 8);
}
END_TEST

START_TEST(options_with_values_are_taken)
{
    const amdrpc_server_options wanted = {
            .faults = {.burst = 1, .per_second = 2},
            .pings = {.burst = 3},
            .stray_frames = {.burst = 6, .per_second = 7},
            .max_settings = 4,
            .header_table_bytes = 5,
    };
    amdrpc_server_options options;
    struct amdi_h2_limits limits;

    ck_assert_int_eq(amdi_options_complete(&wanted, &options), AMDRPC_OK);
    amdi_h2_limits_take(&options, &limits);

    ck_assert_uint_eq(limits.rates[AMDI_H2_GUARD_FAULT].burst, 1);
    ck_assert_uint_eq(limits.rates[AMDI_H2_GUARD_FAULT].per_second, 2);
    ck_assert_uint_eq(limits.rates[AMDI_H2_GUARD_PING].burst, 3);
    ck_assert_uint_eq(limits.rates[AMDI_H2_GUARD_PING].per_second, 10);
    ck_assert_uint_eq(limits.rates[AMDI_H2_GUARD_STRAY].burst, 6);
    ck_assert_uint_eq(limits.rates[AMDI_H2_GUARD_STRAY].per_second, 7);
    ck_assert_uint_eq(limits.max_settings, 4);
    ck_assert_uint_eq(limits.header_table_bytes, 5);
}
END_TEST

START_TEST(calls_of_a_connection_are_twice_its_streams)
{
    amdrpc_server_options options = {.max_concurrent_streams = 7};

    ck_assert_int_eq(amdi_options_complete(&options, &options), AMDRPC_OK);
    ck_assert_uint_eq(options.max_calls_per_connection, 14);

    options =
            (amdrpc_server_options){.max_concurrent_streams = AMDRPC_NO_LIMIT};
    ck_assert_int_eq(amdi_options_complete(&options, &options), AMDRPC_OK);
    ck_assert_uint_eq(options.max_calls_per_connection, AMDRPC_NO_LIMIT);
}
END_TEST

START_TEST(connections_leave_descriptors_for_others)
{
    amdrpc_server_options options = {.max_connections = AMDRPC_NO_LIMIT};
    struct rlimit before;
    struct rlimit now;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = before;
    now.rlim_cur = 500;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &now), 0);

    ck_assert_int_eq(amdi_options_complete(&options, &options), AMDRPC_OK);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);

    ck_assert_uint_eq(options.max_connections, 400);
}
END_TEST

START_TEST(clients_are_not_told_more_than_is_taken)
{
    amdrpc_server_options options = {.max_header_list_bytes = 2000};

    ck_assert_int_eq(amdi_options_complete(&options, &options), AMDRPC_OK);

    ck_assert_uint_eq(options.advised_header_list_bytes, 2000);
}
END_TEST

START_TEST(nesting_that_no_stack_holds_is_refused)
{
    amdrpc_server_options options = {.max_nesting = AMDI_MAX_NESTING + 1};

    ck_assert_int_eq(amdi_options_complete(&options, &options), AMDRPC_EINVAL);
}
END_TEST

/* ---- frames of a turn ---- */

#define NPINGS 10u

/** Ten PINGs, with DATA for nobody before each when @has_data. */
static void
make_frames(struct amdi_buf *raw, bool has_data)
{
    amdi_buf_init(raw);
    for (unsigned i = 0; i < NPINGS; i++) {
        if (has_data) {
            test_raw_frame(raw, TEST_RAW_DATA, 0, 1, "x", 1);
        }
        test_raw_frame(raw, TEST_RAW_PING, 0, 0, "12345678", 8);
    }
}

static const struct {
    uint32_t max_frames;
    bool has_data;
} turns[] = {
        {1, false},
        {3, false},
        {NPINGS, false},
        {NPINGS + 1, false},
        {1, true},
        {4, true},
};

START_TEST(turn_takes_so_many_frames_and_no_data)
{
    struct amdi_h2 *h2 = test_pair.server.h2;
    uint32_t max = turns[_i].max_frames;
    size_t done = 0;
    uint32_t nturns = 0;
    struct amdi_buf raw;

    (void)test_pair_open_call(/*is_finished=*/false);
    make_frames(&raw, turns[_i].has_data);
    while (done < amdi_buf_len(&raw)) {
        size_t taken = 0;

        ck_assert_int_eq(amdi_h2_receive_some(h2, amdi_buf_peek(&raw) + done,
                                 amdi_buf_len(&raw) - done, max, &taken),
                AMDRPC_OK);
        ck_assert_uint_gt(taken, 0);
        done += taken;
        nturns++;
    }

    ck_assert_uint_eq(nturns, (NPINGS + max - 1) / max);
    ck_assert_uint_eq(amdi_h2_nqueued(h2), NPINGS * 17);
    amdi_buf_fini(&raw);
}
END_TEST

START_TEST(part_of_a_frame_is_taken_whole)
{
    struct amdi_h2 *h2 = test_pair.server.h2;
    struct amdi_buf raw;
    size_t taken = 0;

    make_frames(&raw, /*has_data=*/false);
    ck_assert_int_eq(
            amdi_h2_receive_some(h2, amdi_buf_peek(&raw), 5, 1, &taken),
            AMDRPC_OK);
    ck_assert_uint_eq(taken, 5);
    ck_assert(amdi_h2_is_amid_frame(h2));

    ck_assert_int_eq(amdi_h2_receive_some(h2, amdi_buf_peek(&raw) + 5,
                             amdi_buf_len(&raw) - 5, 1, &taken),
            AMDRPC_OK);

    ck_assert_uint_eq(taken, 12); // the rest of that frame alone
    ck_assert(!amdi_h2_is_amid_frame(h2));
    amdi_buf_fini(&raw);
}
END_TEST

START_TEST(header_block_counts_once_it_is_complete)
{
    struct amdi_h2 *h2 = test_pair.server.h2;
    uint64_t before = 0;
    struct amdi_buf raw;

    test_pair_settle();
    before = amdi_h2_nframes(h2);
    amdi_buf_init(&raw);
    test_raw_frame(&raw, TEST_RAW_HEADERS, 0, 101, "\x83\x86\x84", 3);
    for (int i = 0; i < 3; i++) {
        test_raw_frame(&raw, TEST_RAW_CONTINUATION, 0, 101, "\x86", 1);
    }
    ck_assert_int_eq(amdi_h2_receive(h2, amdi_buf_peek(&raw), // not its end
                             amdi_buf_len(&raw)),
            AMDRPC_OK);

    ck_assert_uint_eq(amdi_h2_nframes(h2), before);
    ck_assert(amdi_h2_is_amid_frame(h2));
    amdi_buf_fini(&raw);
}
END_TEST

static Suite *
h2_limits_suite(void)
{
    Suite *suite = suite_create("h2_limits");
    TCase *options = tcase_create("options");
    TCase *frames = test_pair_add_case(suite, "frames");

    tcase_add_test(options, options_without_values_are_the_defaults);
    tcase_add_test(options, options_with_values_are_taken);
    tcase_add_test(options, calls_of_a_connection_are_twice_its_streams);
    tcase_add_test(options, connections_leave_descriptors_for_others);
    tcase_add_test(options, clients_are_not_told_more_than_is_taken);
    tcase_add_test(options, nesting_that_no_stack_holds_is_refused);
    suite_add_tcase(suite, options);

    tcase_add_loop_test(frames, turn_takes_so_many_frames_and_no_data, 0,
            sizeof(turns) / sizeof(turns[0]));
    tcase_add_test(frames, part_of_a_frame_is_taken_whole);
    tcase_add_test(frames, header_block_counts_once_it_is_complete);
    return suite;
}

TEST_MAIN(h2_limits_suite)
