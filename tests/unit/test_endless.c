/** Tests who may use and who must end a call without an end of its own. */
#include "server/services/endless.h"
#include "tests/support/runner.h"

#include <check.h>

static amdrpc_server *server;
static struct amdi_endless endless;
static struct amdi_endless_call items[2];
static unsigned nended;

static void
set_up(void)
{
    nended = 0;
    ck_assert_int_eq(amdrpc_server_create(NULL, &server), AMDRPC_OK);
    amdi_endless_init(&endless);
    ck_assert_int_eq(amdi_endless_attach(&endless, server), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_server_start(server), AMDRPC_OK);
}

static void
tear_down(void)
{
    amdrpc_server_destroy(server);
    amdi_endless_fini(&endless);
}

static void
on_end(struct amdi_endless_call *item)
{
    ck_assert_int_eq(item->state, AMDI_ENDLESS_OUT);
    nended++;
}

static void
add_both(void)
{
    ck_assert(amdi_endless_add(&endless, &items[0], on_end));
    ck_assert(amdi_endless_add(&endless, &items[1], on_end));
}

START_TEST(drain_ends_idle_calls)
{
    add_both();

    amdrpc_server_drain(server);

    ck_assert_uint_eq(nended, 2);
    ck_assert(amdi_endless_is_draining(&endless));
    ck_assert(!amdi_endless_enter(&items[0]));
}
END_TEST

START_TEST(drain_leaves_an_entered_call_to_its_user)
{
    add_both();
    ck_assert(amdi_endless_enter(&items[0]));

    amdrpc_server_drain(server);

    ck_assert_uint_eq(nended, 1);
    ck_assert(!amdi_endless_leave(&items[0]));
    ck_assert_int_eq(items[0].state, AMDI_ENDLESS_OUT);
}
END_TEST

START_TEST(removed_call_is_not_ended)
{
    add_both();
    ck_assert(amdi_endless_enter(&items[0]));
    amdi_endless_remove(&items[0]);

    amdrpc_server_drain(server);

    ck_assert_uint_eq(nended, 1);
}
END_TEST

START_TEST(call_that_was_left_may_be_entered_again)
{
    add_both();

    ck_assert(amdi_endless_enter(&items[0]));
    ck_assert(!amdi_endless_enter(&items[0]));
    ck_assert(amdi_endless_leave(&items[0]));
    ck_assert(amdi_endless_enter(&items[0]));
    amdi_endless_remove(&items[0]);
}
END_TEST

START_TEST(no_call_begins_while_draining)
{
    amdrpc_server_drain(server);

    ck_assert(!amdi_endless_add(&endless, &items[0], on_end));

    ck_assert_uint_eq(nended, 0);
}
END_TEST

static Suite *
endless_suite(void)
{
    Suite *suite = suite_create("endless");
    TCase *drain = tcase_create("drain");

    tcase_add_checked_fixture(drain, set_up, tear_down);
    tcase_add_test(drain, drain_ends_idle_calls);
    tcase_add_test(drain, drain_leaves_an_entered_call_to_its_user);
    tcase_add_test(drain, removed_call_is_not_ended);
    tcase_add_test(drain, call_that_was_left_may_be_entered_again);
    tcase_add_test(drain, no_call_begins_while_draining);
    suite_add_tcase(suite, drain);
    return suite;
}

TEST_MAIN(endless_suite)
