/** Tests the intrusive list. */
#include "common/list.h"
#include "tests/support/runner.h"

#include <check.h>

struct item {
    int number;
    struct amdi_list node;
};

static struct amdi_list list;
static struct item items[4];

static void
list_set_up(void)
{
    amdi_list_init(&list);
    for (int i = 0; i < 4; i++) {
        items[i].number = i;
        amdi_list_init(&items[i].node);
    }
}

static int
list_pop_number(struct amdi_list *from)
{
    struct amdi_list *node = amdi_list_pop(from);

    return node == NULL ? -1
                        : AMDI_CONTAINER_OF(node, struct item, node)->number;
}

START_TEST(new_list_is_empty)
{
    ck_assert(amdi_list_is_empty(&list));
    ck_assert_ptr_null(amdi_list_pop(&list));
    ck_assert(!amdi_list_is_linked(&items[0].node));
}
END_TEST

START_TEST(pushed_nodes_pop_in_order)
{
    amdi_list_push(&list, &items[0].node);
    amdi_list_push(&list, &items[1].node);

    ck_assert(amdi_list_is_linked(&items[0].node));
    ck_assert_int_eq(list_pop_number(&list), 0);
    ck_assert(!amdi_list_is_linked(&items[0].node));
    ck_assert_int_eq(list_pop_number(&list), 1);
    ck_assert(amdi_list_is_empty(&list));
}
END_TEST

START_TEST(insert_puts_before_a_node)
{
    amdi_list_push(&list, &items[0].node);
    amdi_list_insert(&items[0].node, &items[1].node);

    ck_assert_int_eq(list_pop_number(&list), 1);
    ck_assert_int_eq(list_pop_number(&list), 0);
}
END_TEST

START_TEST(remove_twice_is_harmless)
{
    amdi_list_push(&list, &items[0].node);
    amdi_list_push(&list, &items[1].node);
    amdi_list_remove(&items[0].node);
    amdi_list_remove(&items[0].node);

    ck_assert_int_eq(list_pop_number(&list), 1);
    ck_assert_int_eq(list_pop_number(&list), -1);
}
END_TEST

START_TEST(foreach_allows_removing_the_node)
{
    int sum = 0;

    for (int i = 0; i < 4; i++) {
        amdi_list_push(&list, &items[i].node);
    }
    AMDI_LIST_FOREACH (node, &list) {
        sum += AMDI_CONTAINER_OF(node, struct item, node)->number;
        amdi_list_remove(node);
    }

    ck_assert_int_eq(sum, 6);
    ck_assert(amdi_list_is_empty(&list));
}
END_TEST

START_TEST(append_all_moves_everything)
{
    struct amdi_list other;

    amdi_list_init(&other);
    amdi_list_push(&list, &items[0].node);
    amdi_list_push(&other, &items[1].node);
    amdi_list_push(&other, &items[2].node);
    amdi_list_append_all(&list, &other);
    amdi_list_append_all(&list, &other);

    ck_assert(amdi_list_is_empty(&other));
    ck_assert_int_eq(list_pop_number(&list), 0);
    ck_assert_int_eq(list_pop_number(&list), 1);
    ck_assert_int_eq(list_pop_number(&list), 2);
    ck_assert_int_eq(list_pop_number(&list), -1);
}
END_TEST

static Suite *
list_suite(void)
{
    Suite *suite = suite_create("list");
    TCase *order = tcase_create("order");

    tcase_add_checked_fixture(order, list_set_up, NULL);
    tcase_add_test(order, new_list_is_empty);
    tcase_add_test(order, pushed_nodes_pop_in_order);
    tcase_add_test(order, insert_puts_before_a_node);
    tcase_add_test(order, remove_twice_is_harmless);
    tcase_add_test(order, foreach_allows_removing_the_node);
    tcase_add_test(order, append_all_moves_everything);
    suite_add_tcase(suite, order);
    return suite;
}

TEST_MAIN(list_suite)
