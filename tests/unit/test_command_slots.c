/** Tests how many runs there may be, and who is next. */
#include "server/modules/command/command_slots.h"
#include "tests/support/runner.h"

#include <check.h>

#define NNODES 4

static struct amdi_command_slots slots;
static struct amdi_list nodes[NNODES];
static bool is_over;

static void
set_up(void)
{
    amdi_command_slots_init(&slots);
    slots.max_running = 1;
    slots.max_queued = 2;
    is_over = false;
    for (size_t i = 0; i < NNODES; i++) {
        amdi_list_init(&nodes[i]);
    }
}

static void
tear_down(void)
{
    amdi_command_slots_fini(&slots);
}

static bool
read_flag(const void *arg)
{
    return *(const bool *)arg;
}

static enum amdi_command_slot
enter(size_t i)
{
    return amdi_command_slots_enter(&slots, &nodes[i], read_flag, &is_over);
}

START_TEST(slots_are_handed_on_in_order)
{
    ck_assert_int_eq(enter(0), AMDI_COMMAND_SLOT_TAKEN);
    ck_assert_int_eq(enter(1), AMDI_COMMAND_SLOT_QUEUED);
    ck_assert_int_eq(enter(2), AMDI_COMMAND_SLOT_QUEUED);

    ck_assert_ptr_eq(amdi_command_slots_leave(&slots), &nodes[1]);
    ck_assert_ptr_eq(amdi_command_slots_leave(&slots), &nodes[2]);
    ck_assert_ptr_null(amdi_command_slots_leave(&slots));
    ck_assert_int_eq(enter(0), AMDI_COMMAND_SLOT_TAKEN);
}
END_TEST

START_TEST(full_queue_refuses_until_one_leaves_it)
{
    for (size_t i = 0; i < 3; i++) {
        (void)enter(i);
    }
    ck_assert_int_eq(enter(3), AMDI_COMMAND_SLOT_REFUSED);

    ck_assert(amdi_command_slots_remove(&slots, &nodes[1]));

    ck_assert_int_eq(enter(3), AMDI_COMMAND_SLOT_QUEUED);
    ck_assert_ptr_eq(amdi_command_slots_leave(&slots), &nodes[2]);
    ck_assert_ptr_eq(amdi_command_slots_leave(&slots), &nodes[3]);
}
END_TEST

START_TEST(who_does_not_wait_cannot_be_removed)
{
    ck_assert_int_eq(enter(0), AMDI_COMMAND_SLOT_TAKEN);
    ck_assert(!amdi_command_slots_remove(&slots, &nodes[0]));
    ck_assert_int_eq(enter(1), AMDI_COMMAND_SLOT_QUEUED);
    ck_assert(amdi_command_slots_remove(&slots, &nodes[1]));

    ck_assert(!amdi_command_slots_remove(&slots, &nodes[1]));
    ck_assert_ptr_null(amdi_command_slots_leave(&slots));
}
END_TEST

START_TEST(what_is_over_gets_no_slot)
{
    is_over = true;

    ck_assert_int_eq(enter(0), AMDI_COMMAND_SLOT_REFUSED);

    is_over = false;
    ck_assert_int_eq(enter(1), AMDI_COMMAND_SLOT_TAKEN);
}
END_TEST

static Suite *
slots_suite(void)
{
    Suite *suite = suite_create("command slots");
    TCase *order = tcase_create("order");

    tcase_add_checked_fixture(order, set_up, tear_down);
    tcase_add_test(order, slots_are_handed_on_in_order);
    tcase_add_test(order, full_queue_refuses_until_one_leaves_it);
    tcase_add_test(order, who_does_not_wait_cannot_be_removed);
    tcase_add_test(order, what_is_over_gets_no_slot);
    suite_add_tcase(suite, order);
    return suite;
}

TEST_MAIN(slots_suite)
