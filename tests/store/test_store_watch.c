/** Conformance: events and who watches them. Guarantee G5. */
#include <amdrpc/status.h>

#include "common/loop.h"
#include "tests/store/backend.h"
#include "tests/store/probe.h"
#include "tests/support/runner.h"

#include <stdio.h>
#include <string.h>

#define MAX_SEEN 64

static const struct amdi_bytes nothing;

/** One who watches, and what he saw. */
struct watcher {
    struct amdi_store_watch *watch; // NULL once it has ended
    size_t nseen;
    uint64_t seqs[MAX_SEEN];
    char kinds[MAX_SEEN + 1]; // m(essage) p(rogress) r(etry) e(nd)
    char last_data[32];
    bool has_ended;
    enum amdi_store_result result; // of the end
    uint64_t leave_at; // the sequence number after which he goes; 0: never
};

static struct watcher watcher;
static struct watcher second;

static void
watcher_on_events(void *arg, enum amdi_store_result result,
        const struct amdi_event *events, size_t nevents)
{
    struct watcher *self = arg;

    for (size_t i = 0; i < nevents; i++) {
        ck_assert_uint_lt(self->nseen, MAX_SEEN);
        self->kinds[self->nseen] = "mpre"[events[i].kind];
        self->seqs[self->nseen++] = events[i].seq;
        (void)snprintf(self->last_data, sizeof(self->last_data), "%s",
                (const char *)events[i].data.data);
    }
    if (result != AMDI_STORE_OK) {
        self->has_ended = true;
        self->result = result;
        self->watch = NULL;
    } else if (self->leave_at != 0 && nevents > 0 &&
            events[nevents - 1].seq >= self->leave_at) {
        amdi_store_unwatch(self->watch);
        self->watch = NULL;
    }
}

static void
watcher_start(struct watcher *self, uint64_t id, uint64_t after_seq)
{
    *self = (struct watcher){0};
    ck_assert_int_eq(amdi_store_watch(probe.store, probe.loop, id, after_seq,
                             watcher_on_events, self, &self->watch),
            AMDI_STORE_OK);
}

static bool
watcher_has_ended(void *arg)
{
    return ((struct watcher *)arg)->has_ended;
}

static enum amdi_store_result
watcher_await_end(struct watcher *self)
{
    probe_await(watcher_has_ended, self);
    return self->result;
}

static void
expect_gap_free(const struct watcher *self, uint64_t first, size_t n)
{
    ck_assert_uint_eq(self->nseen, n);
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_eq(self->seqs[i], first + i);
    }
}

/** A running operation with @n messages. */
static struct amdi_fence
add_with_messages(unsigned n)
{
    struct amdi_fence fence;

    (void)probe_add();
    fence = probe_take("n");
    for (unsigned i = 0; i < n; i++) {
        ck_assert_int_eq(probe_append(fence, AMDI_EVENT_MESSAGE, BYTES("m")),
                AMDI_STORE_OK);
    }
    return fence;
}

/* ---- what is seen ---- */

START_TEST(watcher_sees_what_was_and_what_comes)
{
    struct amdi_fence fence = add_with_messages(3);

    watcher_start(&watcher, fence.id, 0);
    probe_settle();
    expect_gap_free(&watcher, 1, 3);
    ck_assert_int_eq(probe_append(fence, AMDI_EVENT_PROGRESS, BYTES("half")),
            AMDI_STORE_OK);
    probe_settle();
    ck_assert_str_eq(watcher.last_data, "half");
    ck_assert_int_eq(
            probe_finish(fence, 0, BYTES("result"), nothing), AMDI_STORE_OK);

    ck_assert_int_eq(watcher_await_end(&watcher), AMDI_STORE_DONE);
    expect_gap_free(&watcher, 1, 5);
    ck_assert_str_eq(watcher.kinds, "mmmpe");
}
END_TEST

START_TEST(watcher_resumes_after_what_he_has)
{
    struct amdi_fence fence = add_with_messages(5);

    ck_assert_int_eq(probe_finish(fence, 0, nothing, nothing), AMDI_STORE_OK);

    watcher_start(&watcher, fence.id, 3);
    ck_assert_int_eq(watcher_await_end(&watcher), AMDI_STORE_DONE);
    expect_gap_free(&watcher, 4, 3);
    watcher_start(&watcher, fence.id, 6);
    ck_assert_int_eq(watcher_await_end(&watcher), AMDI_STORE_DONE);
    ck_assert_uint_eq(watcher.nseen, 0);
}
END_TEST

START_TEST(watchers_see_the_same)
{
    struct amdi_fence fence = add_with_messages(2);

    watcher_start(&watcher, fence.id, 0);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(probe_append(fence, AMDI_EVENT_MESSAGE, BYTES("m")),
                AMDI_STORE_OK);
    }
    watcher_start(&second, fence.id, 1);
    ck_assert_int_eq(probe_finish(fence, 0, nothing, nothing), AMDI_STORE_OK);

    ck_assert_int_eq(watcher_await_end(&watcher), AMDI_STORE_DONE);
    ck_assert_int_eq(watcher_await_end(&second), AMDI_STORE_DONE);
    expect_gap_free(&watcher, 1, 6);
    expect_gap_free(&second, 2, 5);
}
END_TEST

START_TEST(reconnecting_watcher_misses_nothing)
{
    struct amdi_fence fence = add_with_messages(0);
    uint64_t expected = 1;

    for (unsigned round = 0; round < 5; round++) {
        watcher_start(&watcher, fence.id, expected - 1);
        watcher.leave_at = expected + 1;
        for (unsigned i = 0; i < 2; i++) {
            ck_assert_int_eq(
                    probe_append(fence, AMDI_EVENT_MESSAGE, BYTES("m")),
                    AMDI_STORE_OK);
        }
        probe_settle();
        ck_assert_ptr_null(watcher.watch);
        expect_gap_free(&watcher, expected, 2);
        expected += 2;
    }
}
END_TEST

START_TEST(events_of_all_attempts_are_one_row)
{
    struct amdi_fence fence = add_with_messages(1);

    ck_assert_int_eq(
            probe_retry(fence, 0, BYTES("broken pipe")), AMDI_STORE_OK);
    fence = probe_take("n");
    ck_assert_int_eq(
            probe_append(fence, AMDI_EVENT_MESSAGE, BYTES("m")), AMDI_STORE_OK);
    ck_assert_int_eq(probe_finish(fence, AMDRPC_STATUS_INTERNAL, nothing,
                             BYTES("status")),
            AMDI_STORE_OK);

    watcher_start(&watcher, fence.id, 0);
    ck_assert_int_eq(watcher_await_end(&watcher), AMDI_STORE_DONE);
    ck_assert_str_eq(watcher.kinds, "mrme");
    ck_assert_str_eq(watcher.last_data, "status");
}
END_TEST

START_TEST(newest_progress_is_part_of_the_operation)
{
    struct amdi_fence fence = add_with_messages(1);

    ck_assert_int_eq(probe_append(fence, AMDI_EVENT_PROGRESS, BYTES("1/2")),
            AMDI_STORE_OK);
    ck_assert_int_eq(probe_append(fence, AMDI_EVENT_PROGRESS, BYTES("2/2")),
            AMDI_STORE_OK);
    ck_assert_int_eq(
            probe_append(fence, AMDI_EVENT_MESSAGE, BYTES("m")), AMDI_STORE_OK);

    ck_assert_int_eq(probe_get(fence.id), AMDI_STORE_OK);
    ck_assert(probe_is_text(probe.ops[0].progress, "2/2"));
    ck_assert_uint_eq(probe.ops[0].last_seq, 4);
}
END_TEST

START_TEST(operation_takes_only_messages_and_progress)
{
    struct amdi_fence fence = add_with_messages(0);

    ck_assert_int_eq(
            probe_append(fence, AMDI_EVENT_END, nothing), AMDI_STORE_INVALID);
}
END_TEST

/* ---- bounds: 10 events, 10000 bytes (backend.c) ---- */

START_TEST(oldest_events_are_dropped_by_number)
{
    struct amdi_fence fence = add_with_messages(25);

    ck_assert_int_eq(probe_get(fence.id), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.ops[0].first_seq, 16);
    ck_assert_uint_eq(probe.ops[0].last_seq, 25);
    watcher_start(&watcher, fence.id, 14);
    ck_assert_int_eq(watcher_await_end(&watcher), AMDI_STORE_GONE);
    watcher_start(&watcher, fence.id, 15);
    probe_settle();
    expect_gap_free(&watcher, 16, 10);
    amdi_store_unwatch(watcher.watch);
}
END_TEST

START_TEST(oldest_events_are_dropped_by_size)
{
    static const char big[4000];
    struct amdi_fence fence = add_with_messages(0);

    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(probe_append(fence, AMDI_EVENT_MESSAGE,
                                 (struct amdi_bytes){big, sizeof(big)}),
                AMDI_STORE_OK);
    }

    ck_assert_int_eq(probe_get(fence.id), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.ops[0].first_seq, 3);
}
END_TEST

/* ---- how a watch ends ---- */

START_TEST(nobody_can_watch_what_is_not_there)
{
    watcher_start(&watcher, 4711, 0);
    ck_assert_int_eq(watcher_await_end(&watcher), AMDI_STORE_NOTFOUND);
}
END_TEST

START_TEST(nobody_can_resume_in_the_future)
{
    struct amdi_fence fence = add_with_messages(1);

    watcher_start(&watcher, fence.id, 2);
    ck_assert_int_eq(watcher_await_end(&watcher), AMDI_STORE_INVALID);
}
END_TEST

START_TEST(watch_with_all_events_ends_when_the_operation_is_removed)
{
    struct amdi_fence fence = add_with_messages(1);

    watcher_start(&watcher, fence.id, 0);
    amdi_store_watch_set_paused(watcher.watch, true);
    probe_settle();
    ck_assert_int_eq(probe_finish(fence, 0, nothing, nothing), AMDI_STORE_OK);
    ck_assert_int_eq(probe_remove(fence.id), AMDI_STORE_OK);
    probe_settle();
    amdi_store_watch_set_paused(watcher.watch, false);

    ck_assert_int_eq(watcher_await_end(&watcher), AMDI_STORE_NOTFOUND);
}
END_TEST

START_TEST(paused_watcher_is_left_alone)
{
    struct amdi_fence fence = add_with_messages(1);

    watcher_start(&watcher, fence.id, 0);
    probe_settle();
    amdi_store_watch_set_paused(watcher.watch, true);
    ck_assert_int_eq(
            probe_append(fence, AMDI_EVENT_MESSAGE, BYTES("m")), AMDI_STORE_OK);
    probe_settle();
    expect_gap_free(&watcher, 1, 1);

    amdi_store_watch_set_paused(watcher.watch, false);
    probe_settle();
    expect_gap_free(&watcher, 1, 2);
    amdi_store_unwatch(watcher.watch);
}
END_TEST

START_TEST(unwatch_is_possible_at_any_time)
{
    struct amdi_fence fence = add_with_messages(1);

    // Before the first answer.
    watcher_start(&watcher, fence.id, 0);
    amdi_store_unwatch(watcher.watch);
    // While idle.
    watcher_start(&second, fence.id, 0);
    probe_settle();
    amdi_store_unwatch(second.watch);
    ck_assert_int_eq(
            probe_append(fence, AMDI_EVENT_MESSAGE, BYTES("m")), AMDI_STORE_OK);
    probe_settle();

    ck_assert_uint_eq(watcher.nseen, 0);
    ck_assert_uint_eq(second.nseen, 1);
}
END_TEST

static void
add_tests(TCase *tests)
{
    tcase_add_test(tests, watcher_sees_what_was_and_what_comes);
    tcase_add_test(tests, watcher_resumes_after_what_he_has);
    tcase_add_test(tests, watchers_see_the_same);
    tcase_add_test(tests, reconnecting_watcher_misses_nothing);
    tcase_add_test(tests, events_of_all_attempts_are_one_row);
    tcase_add_test(tests, newest_progress_is_part_of_the_operation);
    tcase_add_test(tests, operation_takes_only_messages_and_progress);
    tcase_add_test(tests, oldest_events_are_dropped_by_number);
    tcase_add_test(tests, oldest_events_are_dropped_by_size);
    tcase_add_test(tests, nobody_can_watch_what_is_not_there);
    tcase_add_test(tests, nobody_can_resume_in_the_future);
    tcase_add_test(
            tests, watch_with_all_events_ends_when_the_operation_is_removed);
    tcase_add_test(tests, paused_watcher_is_left_alone);
    tcase_add_test(tests, unwatch_is_possible_at_any_time);
}

static Suite *
watch_suite(void)
{
    return backend_create_suite("store_watch", add_tests);
}

TEST_MAIN(watch_suite)
