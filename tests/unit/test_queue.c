/** Tests the order in which waiting calls come to workers. */
#include "common/alloc.h"
#include "server/dispatch/queue.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define NENTRIES 4096

struct item {
    struct amdi_queue_entry entry; // first
    struct amdi_lane *lane;
    uint64_t caller;
    uint32_t number; // of its caller, in its lane
};

static struct amdi_queue queue;
static struct amdi_lane lanes[3]; // high, normal, low
static struct item items[NENTRIES];
static size_t nitems;

static void
set_up(void)
{
    ck_assert_int_eq(amdi_queue_init(&queue), AMDRPC_OK);
    for (uint32_t i = 0; i < 3; i++) {
        amdi_lane_init(&lanes[i]);
        lanes[i].class_index = i;
    }
    memset(items, 0, sizeof(items));
    nitems = 0;
}

static void
tear_down(void)
{
    struct amdi_queue_entry *entry = NULL;

    for (uint32_t i = 0; i < 3; i++) {
        lanes[i].max_running = UINT32_MAX;
    }
    while ((entry = amdi_queue_take(&queue, 0)) != NULL) {
        amdi_queue_done(&queue, entry->flow, 0);
    }
    amdi_queue_fini(&queue);
}

static bool
push_at(struct amdi_lane *lane, uint64_t caller, uint64_t now_ns,
        struct amdi_queue_entry **out_evicted)
{
    struct item *item = &items[nitems++];

    ck_assert_uint_le(nitems, NENTRIES);
    item->lane = lane;
    item->caller = caller;
    amdi_list_init(&item->entry.node);
    return amdi_queue_push(&queue, amdi_queue_find_flow(&queue, lane, caller),
            &item->entry, now_ns, out_evicted);
}

static void
push(struct amdi_lane *lane, uint64_t caller, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct amdi_queue_entry *evicted = NULL;

        ck_assert(push_at(lane, caller, 0, &evicted));
        ck_assert_ptr_null(evicted);
    }
}

static struct item *
take_at(uint64_t now_ns)
{
    return (struct item *)amdi_queue_take(&queue, now_ns);
}

/** Takes one and ends it at once; returns its caller, or 0. */
static uint64_t
serve(void)
{
    struct item *item = take_at(0);

    if (item == NULL) {
        return 0;
    }
    amdi_queue_done(&queue, item->entry.flow, 0);
    return item->caller;
}

/* ---- order ---- */

START_TEST(empty_queue_gives_nothing)
{
    ck_assert_ptr_null(take_at(0));
}
END_TEST

START_TEST(calls_of_one_caller_come_in_order)
{
    push(&lanes[1], 7, 3);

    for (size_t i = 0; i < 3; i++) {
        ck_assert_ptr_eq(take_at(0), &items[i]);
        amdi_queue_done(&queue, items[i].entry.flow, 0);
    }
}
END_TEST

START_TEST(single_call_waits_for_one_turn_of_a_greedy_caller)
{
    push(&lanes[1], 1, 1000);
    push(&lanes[1], 2, 1);

    ck_assert_uint_eq(serve(), 1);
    ck_assert_uint_eq(serve(), 2);
    ck_assert_uint_eq(serve(), 1);
}
END_TEST

START_TEST(callers_take_turns)
{
    for (uint64_t caller = 1; caller <= 3; caller++) {
        push(&lanes[1], caller, 3);
    }

    for (size_t i = 0; i < 9; i++) {
        ck_assert_uint_eq(serve(), i % 3 + 1);
    }
}
END_TEST

START_TEST(caller_with_weight_takes_more_in_a_turn)
{
    static const uint64_t expected[] = {1, 1, 1, 2, 1, 1, 2};

    ck_assert_int_eq(amdi_queue_set_weight(&queue, 1, 3), AMDRPC_OK);
    push(&lanes[1], 1, 5);
    push(&lanes[1], 2, 2);

    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        ck_assert_uint_eq(serve(), expected[i]);
    }
}
END_TEST

START_TEST(methods_of_a_class_take_turns)
{
    lanes[2].class_index = 1;
    push(&lanes[1], 1, 100);
    push(&lanes[2], 2, 1);

    ck_assert_uint_eq(serve(), 1);
    ck_assert_uint_eq(serve(), 2);
}
END_TEST

/* ---- limits ---- */

START_TEST(method_at_max_running_keeps_nobody_out)
{
    lanes[2].class_index = 1;
    lanes[1].max_running = 2;
    push(&lanes[1], 1, 10);
    push(&lanes[2], 2, 2);

    for (size_t i = 0; i < 4; i++) {
        ck_assert_ptr_nonnull(take_at(0));
    }
    ck_assert_ptr_null(take_at(0));
    ck_assert_uint_eq(lanes[1].nrunning, 2);
    ck_assert_uint_eq(lanes[2].nrunning, 2);
    for (size_t i = 0; i < 2; i++) {
        amdi_queue_done(&queue, items[i].entry.flow, 0);
        amdi_queue_done(&queue, items[10 + i].entry.flow, 0);
    }
}
END_TEST

START_TEST(call_that_ends_lets_its_method_go_on)
{
    struct item *first = NULL;

    lanes[1].max_running = 1;
    push(&lanes[1], 1, 2);
    first = take_at(0);
    ck_assert_ptr_null(take_at(0));

    amdi_queue_done(&queue, first->entry.flow, 0);

    ck_assert_uint_eq(serve(), 1);
}
END_TEST

START_TEST(caller_at_max_per_key_lets_others_go)
{
    struct item *first = NULL;

    lanes[1].max_per_key = 1;
    push(&lanes[1], 1, 2);
    push(&lanes[1], 2, 1);
    first = take_at(0);
    ck_assert_uint_eq(serve(), 2);
    ck_assert_ptr_null(take_at(0));

    amdi_queue_done(&queue, first->entry.flow, 0);

    ck_assert_uint_eq(serve(), 1);
}
END_TEST

START_TEST(full_queue_refuses_who_has_most)
{
    struct amdi_queue_entry *evicted = NULL;

    lanes[1].max_queued = 4;
    push(&lanes[1], 1, 4);

    ck_assert(!push_at(&lanes[1], 1, 0, &evicted));
    ck_assert_ptr_null(evicted);
}
END_TEST

START_TEST(full_queue_makes_room_for_who_has_little)
{
    struct amdi_queue_entry *evicted = NULL;

    lanes[1].max_queued = 4;
    push(&lanes[1], 1, 4);

    ck_assert(push_at(&lanes[1], 2, 0, &evicted));
    ck_assert_ptr_eq(evicted, &items[3].entry);
    ck_assert_uint_eq(lanes[1].nqueued, 4);
    ck_assert_uint_eq(serve(), 1);
    ck_assert_uint_eq(serve(), 2);
}
END_TEST

START_TEST(full_queue_of_equals_refuses)
{
    struct amdi_queue_entry *evicted = NULL;

    lanes[1].max_queued = 4;
    push(&lanes[1], 1, 2);
    push(&lanes[1], 2, 2);

    ck_assert(!push_at(&lanes[1], 1, 0, &evicted));
    ck_assert(push_at(&lanes[1], 3, 0, &evicted));
    ck_assert_ptr_nonnull(evicted);
}
END_TEST

START_TEST(cancelled_call_is_gone)
{
    push(&lanes[1], 1, 2);

    amdi_queue_remove(&queue, &items[0].entry);

    ck_assert_ptr_eq(take_at(0), &items[1]);
    ck_assert_ptr_null(take_at(0));
    amdi_queue_done(&queue, items[1].entry.flow, 0);
}
END_TEST

/* ---- classes ---- */

START_TEST(higher_class_goes_first)
{
    push(&lanes[2], 3, 1);
    push(&lanes[1], 2, 1);
    push(&lanes[0], 1, 1);

    ck_assert_uint_eq(serve(), 1);
    ck_assert_uint_eq(serve(), 2);
    ck_assert_uint_eq(serve(), 3);
}
END_TEST

/** How many of @n turns each class gets while all have calls. */
static void
count_turns(size_t n, size_t *counts)
{
    for (size_t i = 0; i < n; i++) {
        counts[serve() - 1]++;
    }
}

START_TEST(class_passed_over_often_goes_first_once)
{
    size_t counts[3] = {0};

    for (uint32_t i = 0; i < 3; i++) {
        push(&lanes[i], i + 1, 1000);
    }

    count_turns(330, counts);

    ck_assert_uint_ge(counts[2], 9);
    ck_assert_uint_ge(counts[1], 30);
    ck_assert_uint_ge(counts[0], 270);
}
END_TEST

START_TEST(class_that_waited_long_goes_first_once)
{
    push(&lanes[0], 1, 3);
    push(&lanes[2], 3, 3);

    ck_assert_uint_eq(take_at(999 * MS)->caller, 1);
    ck_assert_uint_eq(take_at(1000 * MS)->caller, 3);
    ck_assert_uint_eq(take_at(1001 * MS)->caller, 1);
    for (size_t i = 0; i < 6; i++) {
        if (items[i].entry.flow->nrunning > 0) {
            amdi_queue_done(&queue, items[i].entry.flow, 0);
        }
    }
}
END_TEST

START_TEST(class_begins_to_wait_when_it_has_a_call)
{
    struct amdi_queue_entry *evicted = NULL;

    push(&lanes[0], 1, 100);
    for (size_t i = 0; i < 50; i++) {
        ck_assert_uint_eq(serve(), 1);
    }
    ck_assert(push_at(&lanes[2], 3, 5000 * MS, &evicted));

    ck_assert_uint_eq(serve(), 1);
}
END_TEST

/* ---- callers' memory ---- */

START_TEST(idle_callers_are_bounded)
{
    for (uint64_t caller = 1; caller <= 3000; caller++) {
        push(&lanes[1], caller, 1);
        ck_assert_uint_eq(serve(), caller);
    }

    ck_assert_uint_le(queue.nflows, AMDI_QUEUE_MAX_IDLE);
    ck_assert_uint_eq(queue.nidle, queue.nflows);
}
END_TEST

START_TEST(refused_callers_are_bounded)
{
    struct amdi_queue_entry *evicted = NULL;

    lanes[1].max_queued = 1;
    push(&lanes[1], 1, 1);
    for (uint64_t caller = 2; caller <= 1000; caller++) {
        ck_assert(!push_at(&lanes[1], caller, 0, &evicted));
    }

    ck_assert_uint_le(queue.nflows, AMDI_QUEUE_MAX_IDLE + 1);
}
END_TEST

START_TEST(caller_without_memory_shares_a_turn)
{
    amdi_alloc_fail_at(0);
    push(&lanes[1], 1, 1);
    amdi_alloc_fail_at(-1);
    push(&lanes[1], 2, 1);

    ck_assert_ptr_eq(items[0].entry.flow, &lanes[1].shared);
    ck_assert_uint_eq(serve(), 1);
    ck_assert_uint_eq(serve(), 2);
}
END_TEST

/* ---- the way ahead ---- */

START_TEST(calls_ahead_are_counted_by_turns)
{
    push(&lanes[1], 1, 100);
    push(&lanes[1], 2, 1);

    ck_assert_uint_eq(
            amdi_flow_ahead(amdi_queue_find_flow(&queue, &lanes[1], 1)), 101);
    ck_assert_uint_eq(
            amdi_flow_ahead(amdi_queue_find_flow(&queue, &lanes[1], 2)), 3);
    ck_assert_uint_eq(
            amdi_flow_ahead(amdi_queue_find_flow(&queue, &lanes[1], 3)), 2);
    ck_assert_uint_eq(amdi_queue_entry_ahead(&items[0].entry), 1);
    ck_assert_uint_eq(amdi_queue_entry_ahead(&items[99].entry), 100);
    ck_assert_uint_eq(amdi_queue_entry_ahead(&items[100].entry), 1);
}
END_TEST

/* ---- against a model ---- */

#define NCALLERS 5

/** What the queue promises, checked while random things happen. */
struct model {
    uint32_t nwaiting[3][NCALLERS];
    uint32_t nrunning[3][NCALLERS];
    uint32_t next_out[3][NCALLERS]; // order inside a flow
    uint32_t next_in[3][NCALLERS];
    uint32_t turns_missed[3][NCALLERS]; // taken from its lane while it waits
    struct item *running[NENTRIES];
    size_t nrunning_items;
};

static void
model_push(struct model *model)
{
    size_t lane = (size_t)rand() % 3;
    size_t caller = (size_t)rand() % NCALLERS;

    if (nitems == NENTRIES) {
        return;
    }
    push(&lanes[lane], caller, 1);
    items[nitems - 1].number = model->next_in[lane][caller]++;
    model->nwaiting[lane][caller]++;
}

static void
model_count_missed(struct model *model, size_t lane, size_t served)
{
    for (size_t caller = 0; caller < NCALLERS; caller++) {
        uint32_t *missed = &model->turns_missed[lane][caller];
        bool can_run = model->nwaiting[lane][caller] > 0 &&
                (lanes[lane].max_per_key == 0 ||
                        model->nrunning[lane][caller] <
                                lanes[lane].max_per_key);

        *missed = caller != served && can_run ? *missed + 1 : 0;
        // Others that come again stand behind it.
        ck_assert_uint_le(*missed, NCALLERS);
    }
}

static void
model_take(struct model *model)
{
    struct item *item = take_at(0);
    size_t lane = 0;

    if (item == NULL) {
        for (lane = 0; lane < 3; lane++) {
            ck_assert(lanes[lane].nqueued == 0 || lanes[lane].max_per_key > 0 ||
                    lanes[lane].nrunning == lanes[lane].max_running);
        }
        return;
    }
    lane = (size_t)(item->lane - lanes);
    ck_assert_uint_eq(item->number, model->next_out[lane][item->caller]++);
    model->nwaiting[lane][item->caller]--;
    model->nrunning[lane][item->caller]++;
    ck_assert_uint_le(lanes[lane].nrunning, lanes[lane].max_running);
    ck_assert(lanes[lane].max_per_key == 0 ||
            model->nrunning[lane][item->caller] <= lanes[lane].max_per_key);
    model->running[model->nrunning_items++] = item;
    model_count_missed(model, lane, item->caller);
}

static void
model_done(struct model *model)
{
    size_t at = 0;
    struct item *item = NULL;

    if (model->nrunning_items == 0) {
        return;
    }
    at = (size_t)rand() % model->nrunning_items;
    item = model->running[at];
    model->running[at] = model->running[--model->nrunning_items];
    model->nrunning[item->lane - lanes][item->caller]--;
    amdi_queue_done(&queue, item->entry.flow, 0);
}

START_TEST(random_use_keeps_every_promise)
{
    static struct model model;

    memset(&model, 0, sizeof(model));
    srand((unsigned)_i);
    lanes[0].max_running = 3;
    lanes[1].max_running = 4;
    lanes[1].max_per_key = 2;
    for (size_t i = 0; i < 6000; i++) {
        switch (rand() % 3) {
        case 0:
            model_push(&model);
            break;
        case 1:
            model_take(&model);
            break;
        case 2:
            model_done(&model);
            break;
        }
    }
    do {
        model_done(&model);
        model_take(&model);
    } while (model.nrunning_items > 0);
    ck_assert_uint_eq(queue.nqueued, 0);
}
END_TEST

static amdrpc_err
sweep_init(void *arg)
{
    struct amdi_queue made;
    amdrpc_err err = amdi_queue_init(&made);

    (void)arg;
    if (err == AMDRPC_OK) {
        err = amdi_queue_set_weight(&made, 1, 2);
    }
    amdi_queue_fini(&made);
    return err;
}

START_TEST(lack_of_memory_is_an_error)
{
    ck_assert_uint_eq(test_sweep_allocations(sweep_init, NULL), 2);
}
END_TEST

static void
add_order(Suite *suite)
{
    TCase *order = tcase_create("order");

    tcase_add_checked_fixture(order, set_up, tear_down);
    tcase_add_test(order, empty_queue_gives_nothing);
    tcase_add_test(order, calls_of_one_caller_come_in_order);
    tcase_add_test(order, single_call_waits_for_one_turn_of_a_greedy_caller);
    tcase_add_test(order, callers_take_turns);
    tcase_add_test(order, caller_with_weight_takes_more_in_a_turn);
    tcase_add_test(order, methods_of_a_class_take_turns);
    tcase_add_test(order, higher_class_goes_first);
    tcase_add_test(order, class_passed_over_often_goes_first_once);
    tcase_add_test(order, class_that_waited_long_goes_first_once);
    tcase_add_test(order, class_begins_to_wait_when_it_has_a_call);
    tcase_add_test(order, calls_ahead_are_counted_by_turns);
    tcase_add_loop_test(order, random_use_keeps_every_promise, 0, 8);
    suite_add_tcase(suite, order);
}

static void
add_limits(Suite *suite)
{
    TCase *limits = tcase_create("limits");

    tcase_add_checked_fixture(limits, set_up, tear_down);
    tcase_add_test(limits, method_at_max_running_keeps_nobody_out);
    tcase_add_test(limits, call_that_ends_lets_its_method_go_on);
    tcase_add_test(limits, caller_at_max_per_key_lets_others_go);
    tcase_add_test(limits, full_queue_refuses_who_has_most);
    tcase_add_test(limits, full_queue_makes_room_for_who_has_little);
    tcase_add_test(limits, full_queue_of_equals_refuses);
    tcase_add_test(limits, cancelled_call_is_gone);
    tcase_add_test(limits, idle_callers_are_bounded);
    tcase_add_test(limits, refused_callers_are_bounded);
    tcase_add_test(limits, caller_without_memory_shares_a_turn);
    suite_add_tcase(suite, limits);
}

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("queue");
    TCase *memory = tcase_create("memory");

    add_order(suite);
    add_limits(suite);
    tcase_add_test(memory, lack_of_memory_is_an_error);
    suite_add_tcase(suite, memory);
    return suite;
}

TEST_MAIN(make_suite)
