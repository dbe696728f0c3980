/** Tests the transport's reading and writing, over socket pairs. */
#include "common/alloc.h"
#include "common/transport.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"
#include "tests/support/transport_probe.h"

#include <check.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define BIG_BYTES (4u * 1024 * 1024)

static void
pair_set_up(void)
{
    int fds[2];

    test_probe_set_up();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    test_probe.peer_fd = fds[1];
    ck_assert_int_eq(fcntl(test_probe.peer_fd, F_SETFL, O_NONBLOCK), 0);
    ck_assert_int_eq(amdi_transport_create(test_probe.loop, fds[0],
                             &test_probe_events, NULL, &test_probe.transport),
            AMDRPC_OK);
}

/* ---- reading ---- */

START_TEST(bytes_of_the_peer_are_told)
{
    ck_assert_int_eq(write(test_probe.peer_fd, "hello", 5), 5);
    test_probe_turn();

    ck_assert_str_eq(test_probe.trace, "r");
    ck_assert_uint_eq(test_probe.nread, 5);
    ck_assert_uint_eq(test_probe.last_read, 'o');
    ck_assert_uint_eq(amdi_transport_nread(test_probe.transport), 5);
}
END_TEST

START_TEST(end_of_the_peer_is_told_once_and_after_its_bytes)
{
    ck_assert_int_eq(write(test_probe.peer_fd, "bye", 3), 3);
    test_probe_close_peer();
    test_probe_await('l');
    test_probe_poll();

    ck_assert_str_eq(test_probe.trace, "rl");
    ck_assert_int_eq(test_probe.lost_err, AMDRPC_ECLOSED);
    ck_assert_int_eq(test_probe_write("x"), AMDRPC_ECLOSED);
}
END_TEST

START_TEST(reading_can_be_stopped_and_goes_on)
{
    amdi_transport_set_reading(test_probe.transport, false);
    amdi_transport_set_reading(test_probe.transport, false);
    ck_assert_int_eq(write(test_probe.peer_fd, "hello", 5), 5);
    test_probe_poll();
    ck_assert_str_eq(test_probe.trace, "");

    amdi_transport_set_reading(test_probe.transport, true);
    test_probe_turn();
    ck_assert_str_eq(test_probe.trace, "r");
}
END_TEST

START_TEST(one_turn_does_not_read_for_ever)
{
    static uint8_t zeros[65536];
    ssize_t len = 1;
    size_t nwritten = 0;
    int size = 1 << 20;

    (void)setsockopt(
            test_probe.peer_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    while (len > 0) {
        len = write(test_probe.peer_fd, zeros, sizeof(zeros));
        nwritten += len > 0 ? (size_t)len : 0;
    }
    test_probe_turn();
    ck_assert_uint_le(strlen(test_probe.trace), 4);

    while (test_probe.nread < nwritten) {
        test_probe_turn();
    }
    ck_assert_uint_eq(test_probe.nread, nwritten);
}
END_TEST

/* ---- writing ---- */

START_TEST(pieces_are_written_in_order)
{
    struct iovec iov[] = {{.iov_base = (char *)"ab", .iov_len = 2},
            {.iov_base = (char *)"", .iov_len = 0},
            {.iov_base = (char *)"cde", .iov_len = 3}};
    char got[8];

    ck_assert_int_eq(
            amdi_transport_write(test_probe.transport, iov, 3), AMDRPC_OK);

    ck_assert_int_eq(read(test_probe.peer_fd, got, sizeof(got)), 5);
    ck_assert_mem_eq(got, "abcde", 5);
    ck_assert_uint_eq(amdi_transport_nwritten(test_probe.transport), 5);
    ck_assert(!amdi_transport_is_blocked(test_probe.transport));
}
END_TEST

/** Writes more than the kernel takes, each byte by its place. */
static uint8_t *
write_big(void)
{
    uint8_t *big = amdi_alloc(BIG_BYTES);
    struct iovec iov[2];

    for (size_t i = 0; i < BIG_BYTES; i++) {
        big[i] = (uint8_t)(i * 2654435761u >> 16);
    }
    iov[0] = (struct iovec){.iov_base = big, .iov_len = 1000};
    iov[1] =
            (struct iovec){.iov_base = big + 1000, .iov_len = BIG_BYTES - 1000};
    ck_assert_int_eq(
            amdi_transport_write(test_probe.transport, iov, 2), AMDRPC_EAGAIN);
    ck_assert(amdi_transport_is_blocked(test_probe.transport));
    return big;
}

/** Reads what is there, at most @len bytes. */
static size_t
peer_read(uint8_t *data, size_t len)
{
    ssize_t n = read(test_probe.peer_fd, data, len);

    return n > 0 ? (size_t)n : 0;
}

START_TEST(what_the_kernel_does_not_take_is_written_later)
{
    uint8_t *big = write_big();
    uint8_t *got = amdi_alloc(BIG_BYTES);
    size_t len = 0;

    memset(big, 0, 1000); // the rest was copied, the beginning is gone
    while (len < BIG_BYTES) {
        len += peer_read(got + len, BIG_BYTES - len);
        test_probe_poll();
    }

    ck_assert_str_eq(test_probe.trace, "d");
    ck_assert(!amdi_transport_is_blocked(test_probe.transport));
    ck_assert_uint_eq(amdi_transport_nwritten(test_probe.transport), BIG_BYTES);
    ck_assert_mem_eq(got + 1000, big + 1000, BIG_BYTES - 1000);
    amdi_free(big);
    amdi_free(got);
    ck_assert_int_eq(test_probe_write("more"), AMDRPC_OK);
}
END_TEST

START_TEST(blocked_transport_still_reads)
{
    amdi_free(write_big());
    ck_assert_int_eq(write(test_probe.peer_fd, "hello", 5), 5);
    test_probe_turn();

    ck_assert_str_eq(test_probe.trace, "r");
}
END_TEST

START_TEST(blocked_transport_can_be_destroyed)
{
    amdi_free(write_big());
    amdi_transport_destroy(test_probe.transport);
    test_probe.transport = NULL;
    test_probe_poll();

    ck_assert_str_eq(test_probe.trace, "");
}
END_TEST

START_TEST(peer_that_goes_while_blocked_is_told)
{
    amdi_free(write_big());
    test_probe_close_peer();
    test_probe_await('l');
    test_probe_poll();

    ck_assert_str_eq(test_probe.trace, "l");
}
END_TEST

START_TEST(write_to_a_peer_that_is_gone_is_an_error_without_an_event)
{
    test_probe_close_peer();
    ck_assert_int_eq(test_probe_write("x"), AMDRPC_ECLOSED);
    test_probe_poll();

    ck_assert_str_eq(test_probe.trace, "");
    ck_assert_int_eq(test_probe_write("x"), AMDRPC_ECLOSED);
}
END_TEST

START_TEST(no_memory_for_the_rest_is_told)
{
    uint8_t *big = amdi_zalloc(BIG_BYTES);
    struct iovec iov = {.iov_base = big, .iov_len = BIG_BYTES};

    amdi_alloc_fail_at(0);
    ck_assert_int_eq(
            amdi_transport_write(test_probe.transport, &iov, 1), AMDRPC_ENOMEM);
    amdi_alloc_fail_at(-1);
    test_probe_poll();

    ck_assert_str_eq(test_probe.trace, "");
    amdi_free(big);
}
END_TEST

/* ---- destroyed by its own events ---- */

START_TEST(transport_may_be_destroyed_by_what_it_reads)
{
    test_probe.destroy_on = 'r';
    ck_assert_int_eq(write(test_probe.peer_fd, "hello", 5), 5);
    test_probe_turn();
    test_probe_close_peer();
    test_probe_poll();

    ck_assert_str_eq(test_probe.trace, "r");
    ck_assert_ptr_null(test_probe.transport);
}
END_TEST

START_TEST(transport_may_be_destroyed_when_lost)
{
    test_probe.destroy_on = 'l';
    test_probe_close_peer();
    test_probe_turn();

    ck_assert_str_eq(test_probe.trace, "l");
    ck_assert_ptr_null(test_probe.transport);
}
END_TEST

START_TEST(transport_may_be_destroyed_when_drained)
{
    uint8_t *got = amdi_alloc(BIG_BYTES);

    test_probe.destroy_on = 'd';
    amdi_free(write_big());
    while (test_probe.transport != NULL) {
        (void)peer_read(got, BIG_BYTES);
        test_probe_poll();
    }
    ck_assert_str_eq(test_probe.trace, "d");
    amdi_free(got);
}
END_TEST

START_TEST(nothing_is_destroyed_without_harm)
{
    amdi_transport_destroy(NULL);
}
END_TEST

/* ---- life ---- */

static amdrpc_err
transport_make(void *arg)
{
    struct amdi_transport *made = NULL;
    amdrpc_err err;
    int fds[2];

    (void)arg;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    err = amdi_transport_create(
            test_probe.loop, fds[0], &test_probe_events, NULL, &made);
    if (err != AMDRPC_OK) {
        ck_assert_int_eq(fcntl(fds[0], F_GETFD), -1); // taken, so closed
    }
    amdi_transport_destroy(made);
    close(fds[1]);
    return err;
}

START_TEST(failed_allocation_closes_the_socket)
{
    ck_assert_uint_eq(test_sweep_allocations(transport_make, NULL), 1);
}
END_TEST

static Suite *
transport_suite(void)
{
    Suite *suite = suite_create("transport");
    TCase *reading = tcase_create("reading");
    TCase *writing = tcase_create("writing");
    TCase *teardown = tcase_create("teardown");

    tcase_add_checked_fixture(reading, pair_set_up, test_probe_tear_down);
    tcase_add_test(reading, bytes_of_the_peer_are_told);
    tcase_add_test(reading, end_of_the_peer_is_told_once_and_after_its_bytes);
    tcase_add_test(reading, reading_can_be_stopped_and_goes_on);
    tcase_add_test(reading, one_turn_does_not_read_for_ever);
    suite_add_tcase(suite, reading);
    tcase_add_checked_fixture(writing, pair_set_up, test_probe_tear_down);
    tcase_add_test(writing, pieces_are_written_in_order);
    tcase_add_test(writing, what_the_kernel_does_not_take_is_written_later);
    tcase_add_test(writing, blocked_transport_still_reads);
    tcase_add_test(writing, peer_that_goes_while_blocked_is_told);
    tcase_add_test(
            writing, write_to_a_peer_that_is_gone_is_an_error_without_an_event);
    tcase_add_test(writing, no_memory_for_the_rest_is_told);
    suite_add_tcase(suite, writing);
    tcase_add_checked_fixture(teardown, pair_set_up, test_probe_tear_down);
    tcase_add_test(teardown, blocked_transport_can_be_destroyed);
    tcase_add_test(teardown, transport_may_be_destroyed_by_what_it_reads);
    tcase_add_test(teardown, transport_may_be_destroyed_when_lost);
    tcase_add_test(teardown, transport_may_be_destroyed_when_drained);
    tcase_add_test(teardown, nothing_is_destroyed_without_harm);
    tcase_add_test(teardown, failed_allocation_closes_the_socket);
    suite_add_tcase(suite, teardown);
    return suite;
}

TEST_MAIN(transport_suite)
