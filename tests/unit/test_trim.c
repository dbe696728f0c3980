/** Tests when memory is given back to the system. */
#include "server/daemon/trim.h"
#include "tests/support/runner.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

static struct amdi_trim trim;

static void
set_up(void)
{
    trim = (struct amdi_trim){0};
}

static const struct {
    uint64_t resident_mib;
    uint64_t used_mib;
    bool is_due;
} looks[] = {
        {0, 0, false}, // unknown
        {10, 4, false},
        {32, 0, false},
        {38, 4, false},
        {39, 4, true},
        {182, 100, false},
        {183, 100, true},
        {100, 200, false},
};

START_TEST(little_use_of_much_memory_is_a_reason)
{
    ck_assert(amdi_trim_is_due(&trim, looks[_i].resident_mib * MIB,
                      looks[_i].used_mib * MIB) == looks[_i].is_due);
}
END_TEST

START_TEST(what_a_trim_left_is_no_reason)
{
    trim.left_bytes = 100 * MIB;

    ck_assert(!amdi_trim_is_due(&trim, 116 * MIB, 4 * MIB));
    ck_assert(amdi_trim_is_due(&trim, 117 * MIB, 4 * MIB));
}
END_TEST

START_TEST(memory_that_went_meanwhile_is_seen)
{
    trim.left_bytes = 100 * MIB;

    ck_assert(!amdi_trim_is_due(&trim, 50 * MIB, 4 * MIB));
    ck_assert(amdi_trim_is_due(&trim, 100 * MIB, 4 * MIB));
}
END_TEST

#define NBLOCKS 2048u
#define BLOCK_BYTES (32u * 1024)

START_TEST(freed_memory_is_given_back_once)
{
    static void *blocks[NBLOCKS];

    for (size_t i = 0; i < NBLOCKS; i++) {
        blocks[i] = malloc(BLOCK_BYTES);
        ck_assert_ptr_nonnull(blocks[i]);
        memset(blocks[i], 1, BLOCK_BYTES);
    }
    // The last one stays: the end of the heap is not free.
    for (size_t i = 0; i + 1 < NBLOCKS; i++) {
        free(blocks[i]);
    }

    amdi_trim_look(&trim);

    // A sanitizer's malloc has other ideas, but was asked.
    ck_assert_uint_gt(trim.left_bytes, 0);
    free(blocks[NBLOCKS - 1]);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("trim");
    TCase *tcase = tcase_create("trim");

    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_loop_test(tcase, little_use_of_much_memory_is_a_reason, 0,
            (int)(sizeof(looks) / sizeof(looks[0])));
    tcase_add_test(tcase, what_a_trim_left_is_no_reason);
    tcase_add_test(tcase, memory_that_went_meanwhile_is_seen);
    tcase_add_test(tcase, freed_memory_is_given_back_once);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(make_suite)
