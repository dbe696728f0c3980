/**
 * What goes wrong between a store and who asks it: lost answers, full queues,
 * missing hints, no memory. Guarantees G2 and G6.
 */
#include "common/alloc.h"
#include "common/loop.h"
#include "tests/store/fault.h"
#include "tests/store/probe.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

static const struct amdi_bytes nothing;

static void
fault_set_up(void)
{
    ck_assert_int_eq(probe_open("memory:", NULL, NULL), AMDRPC_OK);
    probe.store = fault_wrap(probe.store);
}

static char *dir; // of the store in a file

static void
fault_file_set_up(void)
{
    char uri[600];

    dir = probe_make_dir();
    (void)snprintf(uri, sizeof(uri), "sqlite:%s", dir);
    ck_assert_int_eq(probe_open(uri, NULL, NULL), AMDRPC_OK);
    probe.store = fault_wrap(probe.store);
}

static void
fault_file_tear_down(void)
{
    probe_close();
    probe_remove_dir(dir);
}

/* ---- lost answers ---- */

#define NCLIENTS 64u
#define NREQUESTS 8u

/** Submits the request until it knows the operation; returns its id. */
static uint64_t
submit_stubbornly(const struct amdi_new_op *new_op)
{
    enum amdi_store_result result;

    do {
        result = probe_submit(new_op);
    } while (result == AMDI_STORE_UNKNOWN || result == AMDI_STORE_DOWN);
    ck_assert(result == AMDI_STORE_OK || result == AMDI_STORE_EXISTS);
    return probe.ops[0].id;
}

START_TEST(lost_answers_make_no_doubles)
{
    static const struct amdi_store_filter everything;
    uint64_t ids[NREQUESTS] = {0};
    unsigned seed = 1;

    for (unsigned i = 0; i < NCLIENTS * NREQUESTS; i++) {
        unsigned n = i % NREQUESTS;
        char request_id[16];
        struct amdi_new_op new_op = {.method = BYTES("/test/Do")};
        uint64_t id;

        new_op.request_id.data = request_id;
        new_op.request_id.len =
                (size_t)snprintf(request_id, sizeof(request_id), "r%u", n);
        // The connection ends after the commit, or before the request.
        if (rand_r(&seed) % 3 == 0) {
            fault_lose_answers(probe.store, 1);
        } else if (rand_r(&seed) % 3 == 0) {
            fault_refuse(probe.store, 1, AMDI_STORE_DOWN);
        }
        id = submit_stubbornly(&new_op);
        ck_assert(ids[n] == 0 || ids[n] == id);
        ids[n] = id;
    }

    ck_assert_int_eq(probe_list(&everything, 50, nothing), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.nops, NREQUESTS);
}
END_TEST

START_TEST(finish_whose_answer_was_lost_is_done)
{
    struct amdi_fence fence;

    (void)probe_add();
    fence = probe_take("n");
    fault_lose_answers(probe.store, 1);

    ck_assert_int_eq(probe_finish(fence, 0, BYTES("result"), nothing),
            AMDI_STORE_UNKNOWN);
    ck_assert_int_eq(
            probe_finish(fence, 0, BYTES("result"), nothing), AMDI_STORE_DONE);
    ck_assert_int_eq(probe_get(fence.id), AMDI_STORE_OK);
    ck_assert(probe_is_text(probe.ops[0].result, "result"));
}
END_TEST

START_TEST(cancel_arrives_without_hints)
{
    struct amdi_fence fence;

    fault_drop_hints(probe.store);
    (void)probe_add();
    fence = probe_take("n");
    ck_assert_int_eq(probe_cancel(fence.id), AMDI_STORE_OK);

    // A node beats three times in the time of a lease.
    probe_advance_us(PROBE_LEASE_US / 3);
    ck_assert_int_eq(probe_beat("n", &fence, 1), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.ncancelled, 1);
    ck_assert_uint_eq(probe.hints, 0);
}
END_TEST

/* ---- a store that is slow ---- */

static void
count_answer(void *arg, enum amdi_store_result result, const struct amdi_op *op)
{
    (void)op;
    ck_assert_int_eq(result, AMDI_STORE_OK);
    (*(unsigned *)arg)++;
}

static bool
all_are_answered(void *arg)
{
    return *(unsigned *)arg == 4;
}

START_TEST(held_requests_are_answered_later)
{
    unsigned nanswers = 0;
    uint64_t id = probe_add();

    fault_set_held(probe.store, true);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(amdi_store_get(probe.store, probe.loop, id,
                                 count_answer, &nanswers),
                AMDI_STORE_OK);
    }
    ck_assert_uint_eq(nanswers, 0);
    fault_set_held(probe.store, false);

    probe_await(all_are_answered, &nanswers);
}
END_TEST

static void
watch_ended(void *arg, enum amdi_store_result result,
        const struct amdi_event *events, size_t nevents)
{
    (void)events;
    ck_assert_uint_eq(nevents, 0);
    *(enum amdi_store_result *)arg = result;
}

START_TEST(watch_ends_when_the_store_fails)
{
    struct amdi_store_watch *watch = NULL;
    enum amdi_store_result result = AMDI_STORE_OK;
    uint64_t id = probe_add();

    fault_refuse(probe.store, 1, AMDI_STORE_DOWN);
    ck_assert_int_eq(amdi_store_watch(probe.store, probe.loop, id, 0,
                             watch_ended, &result, &watch),
            AMDI_STORE_OK);
    probe_settle();
    ck_assert_int_eq(result, AMDI_STORE_DOWN);
}
END_TEST

// The store's clock, which its thread reads at the start of each batch.
static sem_t clock_is_read;
static sem_t clock_may_go_on;

static int64_t
clock_that_stops(void)
{
    (void)sem_post(&clock_is_read);
    (void)sem_wait(&clock_may_go_on);
    return PROBE_START_US;
}

START_TEST(full_queue_is_busy)
{
    struct amdi_store_options options = {
            .max_queued = 4, .now_us = clock_that_stops};
    unsigned nanswers = 0;

    (void)sem_init(&clock_is_read, 0, 0);
    (void)sem_init(&clock_may_go_on, 0, 0);
    ck_assert_int_eq(probe_open("memory:", &options, NULL), AMDRPC_OK);
    for (int i = 0; i < 4; i++) {
        struct amdi_new_op new_op = {.method = BYTES("/test/Do")};

        ck_assert_int_eq(amdi_store_submit(probe.store, probe.loop, &new_op,
                                 count_answer, &nanswers),
                AMDI_STORE_OK);
    }

    (void)sem_wait(&clock_is_read); // none of them is answered
    ck_assert_int_eq(
            amdi_store_get(probe.store, probe.loop, 1, count_answer, &nanswers),
            AMDI_STORE_BUSY);
    for (int i = 0; i < 100; i++) {
        (void)sem_post(&clock_may_go_on);
    }
    probe_await(all_are_answered, &nanswers);
    ck_assert_int_eq(probe_get(1), AMDI_STORE_NOTFOUND);
    probe_close();
}
END_TEST

/* ---- no memory ---- */

static amdrpc_err
err_of(enum amdi_store_result result)
{
    ck_assert(result == AMDI_STORE_OK || result == AMDI_STORE_NOMEM);
    return result == AMDI_STORE_OK ? AMDRPC_OK : AMDRPC_ENOMEM;
}

static void
flag_set(void *arg)
{
    *(bool *)arg = true;
}

static bool
flag_is_set(void *arg)
{
    return *(bool *)arg;
}

static amdrpc_err
open_and_close(void *arg)
{
    struct amdi_store *store = NULL;
    amdrpc_err err = amdi_store_open("memory:", NULL, &store, NULL);
    bool is_closed = false;

    (void)arg;
    if (err == AMDRPC_OK) {
        amdi_store_close(store, probe.loop, flag_set, &is_closed);
        probe_await(flag_is_set, &is_closed);
    }
    return err;
}

/** Only writes: the store tries reads a second time by itself. */
static amdrpc_err
submit_and_end(void *arg)
{
    struct amdi_new_op new_op = {.method = BYTES("/test/Do"),
            .request_id = BYTES("r1"),
            .node = "n",
            .lease_us = PROBE_LEASE_US};
    amdrpc_err err = err_of(probe_submit(&new_op));
    struct amdi_fence fence;

    (void)arg;
    if (err != AMDRPC_OK) {
        return err;
    }
    fence = (struct amdi_fence){probe.ops[0].id, probe.ops[0].attempt};
    if (err_of(probe_append(fence, AMDI_EVENT_MESSAGE, BYTES("m"))) !=
            AMDRPC_OK) {
        err = AMDRPC_ENOMEM;
    }
    if (err_of(probe_beat("n", &fence, 1)) != AMDRPC_OK) {
        err = AMDRPC_ENOMEM;
    }
    while (err_of(probe_finish(fence, 0, BYTES("result"), nothing)) !=
            AMDRPC_OK) {
        err = AMDRPC_ENOMEM;
    }
    while (err_of(probe_remove(fence.id)) != AMDRPC_OK) {
        err = AMDRPC_ENOMEM;
    }
    return err;
}

static amdrpc_err
read_or_not(void *arg)
{
    static const struct amdi_store_filter everything;

    (void)arg;
    (void)err_of(probe_list(&everything, 1, nothing));
    (void)err_of(probe_get(probe.ops[0].id));
    return amdi_alloc_has_failed() ? AMDRPC_ENOMEM : AMDRPC_OK;
}

START_TEST(reads_survive_lack_of_memory)
{
    (void)probe_add();
    (void)probe_add();
    ck_assert_uint_gt(test_sweep_allocations(read_or_not, NULL), 2);
}
END_TEST

START_TEST(open_survives_lack_of_memory)
{
    ck_assert_uint_gt(test_sweep_allocations(open_and_close, NULL), 0);
}
END_TEST

START_TEST(writes_survive_lack_of_memory)
{
    ck_assert_uint_gt(test_sweep_allocations(submit_and_end, NULL), 5);
}
END_TEST

static Suite *
fault_suite(void)
{
    Suite *suite = suite_create("store_fault");
    TCase *faults = tcase_create("faults");
    TCase *file = tcase_create("file");
    TCase *limits = tcase_create("limits");

    tcase_add_checked_fixture(faults, fault_set_up, probe_close);
    tcase_set_timeout(faults, 60);
    tcase_add_test(faults, lost_answers_make_no_doubles);
    tcase_add_test(faults, finish_whose_answer_was_lost_is_done);
    tcase_add_test(faults, cancel_arrives_without_hints);
    tcase_add_test(faults, held_requests_are_answered_later);
    tcase_add_test(faults, watch_ends_when_the_store_fails);
    tcase_add_test(faults, open_survives_lack_of_memory);
    tcase_add_test(faults, reads_survive_lack_of_memory);
    tcase_add_test(faults, writes_survive_lack_of_memory);
    suite_add_tcase(suite, faults);

    tcase_add_checked_fixture(file, fault_file_set_up, fault_file_tear_down);
    tcase_set_timeout(file, 60);
    tcase_add_test(file, lost_answers_make_no_doubles);
    tcase_add_test(file, finish_whose_answer_was_lost_is_done);
    tcase_add_test(file, cancel_arrives_without_hints);
    suite_add_tcase(suite, file);

    tcase_add_test(limits, full_queue_is_busy);
    suite_add_tcase(suite, limits);
    return suite;
}

TEST_MAIN(fault_suite)
