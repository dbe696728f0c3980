/** Tests the queue from many threads to one. */
#include "common/list.h"
#include "common/mpsc.h"
#include "tests/support/runner.h"

#include <check.h>

#include <pthread.h>
#include <sched.h>

#define NPRODUCERS 4
#define NITEMS 5000

struct item {
    int producer;
    int number; // written before the push, read after the take
    struct amdi_mpsc_node node;
};

static struct amdi_mpsc queue;
static struct item items[NPRODUCERS][NITEMS];

static void
mpsc_set_up(void)
{
    amdi_mpsc_init(&queue);
}

static struct item *
item_of(struct amdi_mpsc_node *node)
{
    return AMDI_CONTAINER_OF(node, struct item, node);
}

START_TEST(new_queue_is_empty)
{
    ck_assert(amdi_mpsc_is_empty(&queue));
    ck_assert_ptr_null(amdi_mpsc_take_all(&queue));
}
END_TEST

START_TEST(only_the_first_push_finds_it_empty)
{
    ck_assert(amdi_mpsc_push(&queue, &items[0][0].node));
    ck_assert(!amdi_mpsc_push(&queue, &items[0][1].node));
    ck_assert(!amdi_mpsc_is_empty(&queue));
    ck_assert_ptr_nonnull(amdi_mpsc_take_all(&queue));
    ck_assert(amdi_mpsc_push(&queue, &items[0][0].node));
}
END_TEST

START_TEST(chain_is_oldest_first)
{
    struct amdi_mpsc_node *chain;

    for (size_t i = 0; i < 3; i++) {
        (void)amdi_mpsc_push(&queue, &items[0][i].node);
    }
    chain = amdi_mpsc_take_all(&queue);

    ck_assert(amdi_mpsc_is_empty(&queue));
    for (size_t i = 0; i < 3; i++) {
        ck_assert_ptr_eq(item_of(chain), &items[0][i]);
        chain = chain->next;
    }
    ck_assert_ptr_null(chain);
}
END_TEST

static void *
mpsc_produce(void *arg)
{
    struct item *mine = arg;

    for (int i = 0; i < NITEMS; i++) {
        mine[i].producer = (int)((struct item(*)[NITEMS])arg - items);
        mine[i].number = i;
        (void)amdi_mpsc_push(&queue, &mine[i].node);
    }
    return NULL;
}

/** Takes what is there; each producer's items come in their order. */
static int
mpsc_consume(int next[NPRODUCERS])
{
    struct amdi_mpsc_node *chain = amdi_mpsc_take_all(&queue);
    int ntaken = 0;

    for (; chain != NULL; chain = chain->next) {
        struct item *item = item_of(chain);

        ck_assert_int_eq(item->number, next[item->producer]);
        next[item->producer]++;
        ntaken++;
    }
    return ntaken;
}

START_TEST(nothing_is_lost_between_threads)
{
    pthread_t threads[NPRODUCERS];
    int next[NPRODUCERS] = {0};
    int ntaken = 0;

    for (size_t i = 0; i < NPRODUCERS; i++) {
        ck_assert_int_eq(
                pthread_create(&threads[i], NULL, mpsc_produce, items[i]), 0);
    }
    while (ntaken < NPRODUCERS * NITEMS) {
        ntaken += mpsc_consume(next);
        (void)sched_yield();
    }
    for (size_t i = 0; i < NPRODUCERS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }

    ck_assert(amdi_mpsc_is_empty(&queue));
}
END_TEST

static Suite *
mpsc_suite(void)
{
    Suite *suite = suite_create("mpsc");
    TCase *order = tcase_create("order");
    TCase *threads = tcase_create("threads");

    tcase_add_checked_fixture(order, mpsc_set_up, NULL);
    tcase_add_test(order, new_queue_is_empty);
    tcase_add_test(order, only_the_first_push_finds_it_empty);
    tcase_add_test(order, chain_is_oldest_first);
    suite_add_tcase(suite, order);
    tcase_add_checked_fixture(threads, mpsc_set_up, NULL);
    tcase_add_test(threads, nothing_is_lost_between_threads);
    suite_add_tcase(suite, threads);
    return suite;
}

TEST_MAIN(mpsc_suite)
