/** Conformance: how much is kept of what has ended, and what goes first. */
#include "tests/store/backend.h"
#include "tests/store/many.h"
#include "tests/store/probe.h"
#include "tests/support/runner.h"

#define BLOB_BYTES 4000

static const struct amdi_bytes nothing;

static enum amdi_store_result
submit_large(uint64_t *out_id)
{
    static const char blob[BLOB_BYTES];
    struct amdi_new_op new_op = {
            .method = BYTES("/test/Do"), .payload = {blob, sizeof(blob)}};
    enum amdi_store_result result = probe_submit(&new_op);

    if (result == AMDI_STORE_OK) {
        *out_id = probe.ops[0].id;
    }
    return result;
}

/* ---- a number of those that have ended ---- */

START_TEST(without_a_bound_nothing_goes)
{
    many_add(0, 20);
    many_end(20);

    ck_assert_uint_eq(many_sweep(500), 0);
    many_expect_usage(0, 20);
}
END_TEST

START_TEST(oldest_go_first)
{
    (void)backend_open_again(&(struct amdi_store_options){.max_done = 3});
    many_add(0, 8);
    many_end(8);

    ck_assert_uint_eq(many_sweep(2), 5);
    many_expect(0, 5, false);
    many_expect(5, 8, true);
    many_expect_usage(0, 3);
}
END_TEST

START_TEST(first_to_end_goes_first)
{
    struct amdi_fence fences[3];

    (void)backend_open_again(&(struct amdi_store_options){.max_done = 1});
    for (size_t i = 0; i < 3; i++) {
        many_add(i, i + 1);
        fences[i] = probe_take("n");
    }
    for (size_t i = 3; i-- > 0;) {
        ck_assert_int_eq(
                probe_finish(fences[i], 0, nothing, nothing), AMDI_STORE_OK);
        probe_advance_us(1);
    }

    ck_assert_uint_eq(many_sweep(500), 2);
    many_expect(0, 1, true); // the last to end
    many_expect(1, 3, false);
}
END_TEST

START_TEST(what_is_to_be_kept_longer_goes_later)
{
    struct amdi_new_op longer = {
            .method = BYTES("/test/Do"), .retain_us = INT64_C(400000000000)};

    (void)backend_open_again(&(struct amdi_store_options){.max_done = 1});
    ck_assert_int_eq(probe_submit(&longer), AMDI_STORE_OK);
    many_ids[0] = probe.ops[0].id;
    probe_advance_us(1);
    many_add(1, 3);
    many_end(3);

    ck_assert_uint_eq(many_sweep(500), 2);
    many_expect(0, 1, true);
    many_expect(1, 3, false);
}
END_TEST

START_TEST(unfinished_never_go)
{
    (void)backend_open_again(&(struct amdi_store_options){.max_done = 1});
    many_add(0, 10);
    many_end(4);
    (void)probe_take("n");
    (void)probe_take("n");

    ck_assert_uint_eq(many_sweep(500), 3);
    many_expect(0, 3, false);
    many_expect(3, 10, true);
    many_expect_usage(6, 1);
}
END_TEST

START_TEST(time_passes_before_the_bound)
{
    (void)backend_open_again(
            &(struct amdi_store_options){.max_done = 5, .retain_us = 1000000});
    many_add(0, 4);
    many_end(2);
    probe_advance_us(1000000);
    many_end(2);

    ck_assert_uint_eq(many_sweep(500), 2);
    many_expect(0, 2, false);
    many_expect(2, 4, true);
}
END_TEST

START_TEST(sweep_is_called_for_once_it_is_worth_it)
{
    (void)backend_open_again(&(struct amdi_store_options){.max_done = 64});
    many_add(0, 66);
    many_end(65); // one too many is for the next look
    probe_settle();
    ck_assert_uint_eq(probe.hints & AMDI_HINT_SWEEP, 0);

    many_end(1);
    probe_settle();
    ck_assert_uint_ne(probe.hints & AMDI_HINT_SWEEP, 0);
}
END_TEST

/* ---- watches ---- */

static void
watch_ended(void *arg, enum amdi_store_result result,
        const struct amdi_event *events, size_t nevents)
{
    (void)events;
    (void)nevents;
    if (result != AMDI_STORE_OK) {
        *(enum amdi_store_result *)arg = result;
    }
}

START_TEST(watch_ends_when_its_operation_goes)
{
    enum amdi_store_result result = AMDI_STORE_OK;
    struct amdi_store_watch *watch = NULL;

    (void)backend_open_again(&(struct amdi_store_options){.max_done = 1});
    many_add(0, 2);
    ck_assert_int_eq(amdi_store_watch(probe.store, probe.loop, many_ids[0], 0,
                             watch_ended, &result, &watch),
            AMDI_STORE_OK);
    amdi_store_watch_set_paused(watch, true);
    probe_settle();
    many_end(2);
    ck_assert_uint_eq(many_sweep(500), 1);
    amdi_store_watch_set_paused(watch, false);
    probe_settle();

    ck_assert_int_eq(result, AMDI_STORE_NOTFOUND);
}
END_TEST

/* ---- bytes ---- */

START_TEST(oldest_go_until_the_bytes_fit)
{
    uint64_t max_bytes = 1 << 20;

    (void)backend_open_again(&(struct amdi_store_options){
            .max_kept_bytes = max_bytes, .is_unsafe = true});
    for (size_t i = 0; i < MANY_MAX; i++) {
        ck_assert_int_eq(submit_large(&many_ids[i]), AMDI_STORE_OK);
        many_end(1);
        if (i % 20 == 19) {
            (void)many_sweep(500);
        }
    }

    (void)many_sweep(500);
    ck_assert_uint_le(amdi_store_get_usage(probe.store).nbytes, max_bytes);
    // Not by much: what it has room for is there.
    ck_assert_uint_ge(
            amdi_store_get_usage(probe.store).nbytes, max_bytes * 9 / 10);
    many_expect(0, 100, false);
    many_expect(MANY_MAX - 100, MANY_MAX, true);
}
END_TEST

START_TEST(bytes_of_unfinished_are_bounded_too)
{
    uint64_t max_bytes = 1 << 20;
    size_t n = 0;

    (void)backend_open_again(&(struct amdi_store_options){
            .max_kept_bytes = max_bytes, .is_unsafe = true});
    while (submit_large(&many_ids[n]) == AMDI_STORE_OK) {
        ck_assert_uint_lt(++n, MANY_MAX - 1);
    }
    ck_assert_int_eq(submit_large(&many_ids[n]), AMDI_STORE_FULL);
    ck_assert_uint_eq(many_sweep(500), 0);
    many_expect(0, n, true);
    ck_assert_uint_le(amdi_store_get_usage(probe.store).nbytes,
            max_bytes + max_bytes / 8 + 16384);

    many_end(n / 2);
    ck_assert_uint_gt(many_sweep(500), 0);
    ck_assert_int_eq(submit_large(&many_ids[n]), AMDI_STORE_OK);
}
END_TEST

static void
count_append(void *arg, enum amdi_store_result result, const struct amdi_op *op)
{
    (void)op;
    ck_assert_int_eq(result, AMDI_STORE_OK);
    (*(size_t *)arg)--;
}

static bool
is_zero(void *arg)
{
    return *(const size_t *)arg == 0;
}

/** Appends many at once, which the store does in few commits. */
static void
append_messages(struct amdi_fence fence, size_t n, struct amdi_bytes data)
{
    size_t nleft = n;

    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(
                amdi_store_append(probe.store, probe.loop, fence,
                        AMDI_EVENT_MESSAGE, 0, data, count_append, &nleft),
                AMDI_STORE_OK);
    }
    probe_await(is_zero, &nleft);
}

START_TEST(large_operations_make_a_short_sweep)
{
    static const char large[1 << 20];

    (void)backend_open_again(&(struct amdi_store_options){.max_done = 1});
    many_add(0, 4);
    for (size_t i = 0; i < 4; i++) {
        struct amdi_fence fence = probe_take("n");

        append_messages(fence, 5, (struct amdi_bytes){large, sizeof(large)});
        ck_assert_int_eq(
                probe_finish(fence, 0, nothing, nothing), AMDI_STORE_OK);
        probe_advance_us(1);
    }

    ck_assert_int_eq(probe_sweep(500), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.nremoved, 2); // of three
    ck_assert_uint_eq(many_sweep(500), 1);
}
END_TEST

START_TEST(many_events_make_a_short_sweep)
{
    (void)backend_open_again(&(struct amdi_store_options){.max_done = 1});
    many_add(0, 3);
    for (size_t i = 0; i < 3; i++) {
        struct amdi_fence fence = probe_take("n");

        append_messages(fence, 6000, BYTES("m"));
        ck_assert_int_eq(
                probe_finish(fence, 0, nothing, nothing), AMDI_STORE_OK);
        probe_advance_us(1);
    }
    many_add(3, 6);
    many_end(3);

    ck_assert_int_eq(probe_sweep(500), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.nremoved, 2); // of five
    ck_assert_uint_eq(many_sweep(500), 3);
}
END_TEST

static void
add_tests(TCase *tests)
{
    tcase_add_test(tests, without_a_bound_nothing_goes);
    tcase_add_test(tests, oldest_go_first);
    tcase_add_test(tests, first_to_end_goes_first);
    tcase_add_test(tests, what_is_to_be_kept_longer_goes_later);
    tcase_add_test(tests, unfinished_never_go);
    tcase_add_test(tests, time_passes_before_the_bound);
    tcase_add_test(tests, sweep_is_called_for_once_it_is_worth_it);
    tcase_add_test(tests, watch_ends_when_its_operation_goes);
    tcase_add_test(tests, oldest_go_until_the_bytes_fit);
    tcase_add_test(tests, bytes_of_unfinished_are_bounded_too);
    tcase_add_test(tests, large_operations_make_a_short_sweep);
    tcase_add_test(tests, many_events_make_a_short_sweep);
}

static Suite *
keep_suite(void)
{
    return backend_create_suite("store_keep", add_tests);
}

TEST_MAIN(keep_suite)
