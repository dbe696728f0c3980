/** Tests what is gathered for one write. */
#include "common/out.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

static uint8_t scratch[100];
static struct amdi_out out;

static void
out_set_up(void)
{
    amdi_out_init(&out, scratch, sizeof(scratch));
}

START_TEST(copies_in_a_row_are_one_piece)
{
    amdi_out_copy(&out, "ab", 2);
    amdi_out_copy(&out, "", 0);
    amdi_out_copy(&out, "cde", 3);

    ck_assert_int_eq(out.niov, 1);
    ck_assert_uint_eq(out.iov[0].iov_len, 5);
    ck_assert_mem_eq(out.iov[0].iov_base, "abcde", 5);
    ck_assert_uint_eq(out.nbytes, 5);
}
END_TEST

START_TEST(reference_stands_between_copies)
{
    static const char big[] = "referenced";

    amdi_out_copy(&out, "a", 1);
    amdi_out_reference(&out, big, 10);
    amdi_out_reference(&out, big, 0);
    amdi_out_copy(&out, "z", 1);

    ck_assert_int_eq(out.niov, 3);
    ck_assert_ptr_eq(out.iov[1].iov_base, big);
    ck_assert_uint_eq(out.nbytes, 12);
    ck_assert_uint_eq(out.used, 2);
}
END_TEST

START_TEST(room_is_what_can_be_copied)
{
    ck_assert(amdi_out_has_room(&out, 100));
    ck_assert(!amdi_out_has_room(&out, 101));

    amdi_out_copy(&out, "abcd", 4);
    ck_assert(amdi_out_has_room(&out, 96));
    ck_assert(!amdi_out_has_room(&out, 97));
}
END_TEST

START_TEST(pieces_are_counted_too)
{
    int npieces = 0;

    while (amdi_out_has_room(&out, 1)) {
        amdi_out_reference(&out, "x", 1);
        npieces++;
    }
    ck_assert_int_eq(npieces, AMDI_OUT_NIOV - 1);
    amdi_out_copy(&out, "y", 1); // there is a place for it
    ck_assert_int_eq(out.niov, AMDI_OUT_NIOV);
}
END_TEST

START_TEST(enough_for_one_write_is_enough)
{
    static const uint8_t big[AMDI_OUT_ENOUGH_BYTES];

    amdi_out_reference(&out, big, sizeof(big) - 1);
    ck_assert(amdi_out_has_room(&out, 1));
    amdi_out_copy(&out, "x", 1);

    ck_assert(!amdi_out_has_room(&out, 0));
    ck_assert_uint_eq(amdi_out_room(&out), 0);
}
END_TEST

static Suite *
out_suite(void)
{
    Suite *suite = suite_create("out");
    TCase *gathering = tcase_create("gathering");

    tcase_add_checked_fixture(gathering, out_set_up, NULL);
    tcase_add_test(gathering, copies_in_a_row_are_one_piece);
    tcase_add_test(gathering, reference_stands_between_copies);
    tcase_add_test(gathering, room_is_what_can_be_copied);
    tcase_add_test(gathering, pieces_are_counted_too);
    tcase_add_test(gathering, enough_for_one_write_is_enough);
    suite_add_tcase(suite, gathering);
    return suite;
}

TEST_MAIN(out_suite)
