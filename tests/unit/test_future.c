/** Tests the completion of futures, and who is told. */
#include "common/alloc.h"
#include "common/future.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <poll.h>
#include <string.h>

/** Work that counts what is asked of it. */
struct work {
    amdrpc_future *future;
    bool completes_on_cancel;
    int ncancels;
    int nreleases;
    int ndestroys;
    int ncalls; // of callbacks
    amdrpc_status_code seen_status;
    int nreleases_in_cancel;
};

static struct work work;

static void
work_on_destroy(void *arg)
{
    ((struct work *)arg)->ndestroys++;
}

static bool
work_complete(amdrpc_status_code status)
{
    const struct amdi_future_result result = {
            .status = status,
            .status_message = "a message",
            .destroy = work_on_destroy,
            .arg = &work,
    };

    return amdi_future_complete_take(work.future, &result);
}

static void
work_on_cancel(void *arg)
{
    struct work *self = arg;

    self->ncancels++;
    if (self->completes_on_cancel) {
        (void)work_complete(AMDRPC_STATUS_CANCELLED);
    }
    self->nreleases_in_cancel = self->nreleases;
}

static void
work_on_release(void *arg)
{
    ((struct work *)arg)->nreleases++;
}

static void
future_set_up(void)
{
    const struct amdi_future_work hooks = {
            .cancel = work_on_cancel,
            .release = work_on_release,
            .arg = &work,
    };

    memset(&work, 0, sizeof(work));
    ck_assert_int_eq(amdi_future_create(&hooks, &work.future), AMDRPC_OK);
}

static void
future_tear_down(void)
{
    amdi_alloc_fail_at(-1);
    amdrpc_future_unref(work.future);
    ck_assert_int_eq(work.nreleases, 1);
}

static void
future_on_done(amdrpc_future *future, void *arg)
{
    struct work *self = arg;

    self->ncalls++;
    self->seen_status = amdrpc_future_get_status(future);
}

START_TEST(new_future_is_ongoing)
{
    ck_assert(!amdrpc_future_is_ready(work.future));
    ck_assert_int_eq(
            amdrpc_future_get_status(work.future), AMDRPC_STATUS_UNKNOWN);
    ck_assert_str_eq(amdrpc_future_get_status_message(work.future), "");
    ck_assert_ptr_null(amdrpc_future_get_message(work.future));
}
END_TEST

START_TEST(completed_future_tells_its_result)
{
    static const ProtobufCMessage message;
    const struct amdi_future_result result = {.message = &message};

    ck_assert(amdi_future_complete_take(work.future, &result));

    ck_assert(amdrpc_future_is_ready(work.future));
    ck_assert_int_eq(amdrpc_future_get_status(work.future), AMDRPC_STATUS_OK);
    ck_assert_str_eq(amdrpc_future_get_status_message(work.future), "");
    ck_assert_ptr_eq(amdrpc_future_get_message(work.future), &message);
}
END_TEST

START_TEST(failed_future_tells_no_message)
{
    static const ProtobufCMessage message;
    const struct amdi_future_result result = {
            .status = AMDRPC_STATUS_NOT_FOUND,
            .status_message = "no such thing",
            .message = &message,
    };

    ck_assert(amdi_future_complete_take(work.future, &result));

    ck_assert_int_eq(
            amdrpc_future_get_status(work.future), AMDRPC_STATUS_NOT_FOUND);
    ck_assert_str_eq(
            amdrpc_future_get_status_message(work.future), "no such thing");
    ck_assert_ptr_null(amdrpc_future_get_message(work.future));
}
END_TEST

START_TEST(future_that_never_was_tells_nothing)
{
    ck_assert_int_eq(amdrpc_future_get_status(NULL), AMDRPC_STATUS_UNKNOWN);
    ck_assert_str_eq(amdrpc_future_get_status_message(NULL), "");
    ck_assert_ptr_null(amdrpc_future_get_message(NULL));
}
END_TEST

START_TEST(name_is_told_once_it_is_given)
{
    ck_assert_ptr_null(amdi_future_get_name(work.future));

    ck_assert_int_eq(amdi_future_set_name(work.future, "it"), AMDRPC_OK);

    ck_assert_str_eq(amdi_future_get_name(work.future), "it");
    ck_assert_ptr_null(amdi_future_get_name(NULL));
}
END_TEST

START_TEST(only_the_first_completion_counts)
{
    ck_assert(work_complete(AMDRPC_STATUS_ABORTED));
    ck_assert_int_eq(work.ndestroys, 0);
    ck_assert(!work_complete(AMDRPC_STATUS_OK));

    ck_assert_int_eq(work.ndestroys, 1);
    ck_assert_int_eq(
            amdrpc_future_get_status(work.future), AMDRPC_STATUS_ABORTED);
}
END_TEST

START_TEST(result_is_destroyed_with_the_last_reference)
{
    amdrpc_future *second = amdrpc_future_ref(work.future);

    ck_assert(work_complete(AMDRPC_STATUS_OK));
    amdrpc_future_unref(work.future);
    ck_assert_int_eq(work.ndestroys, 0);
    amdrpc_future_unref(second);

    ck_assert_int_eq(work.ndestroys, 1);
    work.future = NULL;
}
END_TEST

START_TEST(work_is_given_back_when_complete)
{
    ck_assert(work_complete(AMDRPC_STATUS_OK));
    ck_assert_int_eq(work.nreleases, 1);
}
END_TEST

START_TEST(dropped_future_gives_its_work_back)
{
    amdrpc_future_unref(work.future);

    ck_assert_int_eq(work.nreleases, 1);
    ck_assert_int_eq(work.ncancels, 0);
    work.future = NULL;
}
END_TEST

START_TEST(cancel_before_the_end_asks_the_work_once)
{
    amdrpc_future_cancel(work.future);
    amdrpc_future_cancel(work.future);

    ck_assert_int_eq(work.ncancels, 1);
    ck_assert(!amdrpc_future_is_ready(work.future));
    ck_assert(work_complete(AMDRPC_STATUS_CANCELLED));
    ck_assert_int_eq(
            amdrpc_future_get_status(work.future), AMDRPC_STATUS_CANCELLED);
}
END_TEST

START_TEST(cancel_may_complete_at_once)
{
    work.completes_on_cancel = true;
    amdrpc_future_cancel(work.future);

    ck_assert(amdrpc_future_is_ready(work.future));
    ck_assert_int_eq(work.nreleases_in_cancel, 0);
    ck_assert_int_eq(work.nreleases, 1);
}
END_TEST

START_TEST(cancel_after_completion_does_nothing)
{
    ck_assert(work_complete(AMDRPC_STATUS_OK));
    amdrpc_future_cancel(work.future);

    ck_assert_int_eq(work.ncancels, 0);
    ck_assert_int_eq(amdrpc_future_get_status(work.future), AMDRPC_STATUS_OK);
}
END_TEST

START_TEST(work_may_be_quicker_than_its_cancel)
{
    amdrpc_future_cancel(work.future);
    ck_assert(work_complete(AMDRPC_STATUS_OK));

    ck_assert_int_eq(amdrpc_future_get_status(work.future), AMDRPC_STATUS_OK);
}
END_TEST

START_TEST(future_without_work_is_cancelled_at_once)
{
    amdrpc_future *future;

    ck_assert_int_eq(amdi_future_create(NULL, &future), AMDRPC_OK);
    amdrpc_future_cancel(future);
    amdrpc_future_cancel(future);

    ck_assert_int_eq(amdrpc_future_get_status(future), AMDRPC_STATUS_CANCELLED);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(callbacks_are_called_once_on_completion)
{
    ck_assert_int_eq(
            amdrpc_future_then(work.future, future_on_done, &work), AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_future_then(work.future, future_on_done, &work), AMDRPC_OK);
    ck_assert_int_eq(work.ncalls, 0);
    ck_assert(work_complete(AMDRPC_STATUS_DATA_LOSS));
    ck_assert(!work_complete(AMDRPC_STATUS_OK));

    ck_assert_int_eq(work.ncalls, 2);
    ck_assert_int_eq(work.seen_status, AMDRPC_STATUS_DATA_LOSS);
}
END_TEST

START_TEST(callback_on_a_complete_future_is_called_at_once)
{
    ck_assert(work_complete(AMDRPC_STATUS_OK));
    amdi_alloc_fail_at(0); // and takes no memory
    ck_assert_int_eq(
            amdrpc_future_then(work.future, future_on_done, &work), AMDRPC_OK);

    ck_assert_int_eq(work.ncalls, 1);
}
END_TEST

START_TEST(callback_without_memory_is_refused)
{
    amdi_alloc_fail_at(0);
    ck_assert_int_eq(amdrpc_future_then(work.future, future_on_done, &work),
            AMDRPC_ENOMEM);
    ck_assert(work_complete(AMDRPC_STATUS_OK));

    ck_assert_int_eq(work.ncalls, 0);
}
END_TEST

static void
future_on_done_unref(amdrpc_future *future, void *arg)
{
    future_on_done(future, arg);
    amdrpc_future_unref(future);
}

START_TEST(callback_may_drop_the_last_reference)
{
    ck_assert_int_eq(
            amdrpc_future_then(work.future, future_on_done_unref, &work),
            AMDRPC_OK);
    ck_assert(work_complete(AMDRPC_STATUS_OK));

    ck_assert_int_eq(work.ndestroys, 1);
    work.future = NULL;
}
END_TEST

START_TEST(cancel_survives_a_callback_that_drops_the_last_reference)
{
    work.completes_on_cancel = true;
    ck_assert_int_eq(
            amdrpc_future_then(work.future, future_on_done_unref, &work),
            AMDRPC_OK);
    amdrpc_future_cancel(work.future);

    ck_assert_int_eq(work.ndestroys, 1);
    ck_assert_int_eq(work.nreleases, 1);
    work.future = NULL;
}
END_TEST

START_TEST(callback_keeps_the_future_when_its_user_is_gone)
{
    amdrpc_future *works = amdrpc_future_ref(work.future);

    ck_assert_int_eq(
            amdrpc_future_then(work.future, future_on_done, &work), AMDRPC_OK);
    amdrpc_future_unref(work.future);
    ck_assert(work_complete(AMDRPC_STATUS_OK));

    ck_assert_int_eq(work.ncalls, 1);
    amdrpc_future_unref(works);
    work.future = NULL;
}
END_TEST

static void
future_on_done_cancel(amdrpc_future *future, void *arg)
{
    future_on_done(future, arg);
    amdrpc_future_cancel(future);
    ck_assert_int_eq(
            amdrpc_future_then(future, future_on_done, arg), AMDRPC_OK);
}

START_TEST(callback_may_cancel_and_add_callbacks)
{
    ck_assert_int_eq(
            amdrpc_future_then(work.future, future_on_done_cancel, &work),
            AMDRPC_OK);
    ck_assert(work_complete(AMDRPC_STATUS_OK));

    ck_assert_int_eq(work.ncalls, 2);
    ck_assert_int_eq(work.ncancels, 0);
}
END_TEST

static int
fd_is_readable(int fd)
{
    struct pollfd item = {.fd = fd, .events = POLLIN};

    return poll(&item, 1, 0);
}

START_TEST(descriptor_becomes_readable_and_stays_so)
{
    int fd;
    int again;

    ck_assert_int_eq(amdrpc_future_get_fd(work.future, &fd), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_future_get_fd(work.future, &again), AMDRPC_OK);
    ck_assert_int_eq(fd, again);
    ck_assert_int_eq(fd_is_readable(fd), 0);
    ck_assert(work_complete(AMDRPC_STATUS_OK));

    ck_assert_int_eq(fd_is_readable(fd), 1);
    ck_assert_int_eq(fd_is_readable(fd), 1);
}
END_TEST

START_TEST(descriptor_of_a_complete_future_is_readable)
{
    int fd;

    ck_assert(work_complete(AMDRPC_STATUS_OK));
    ck_assert_int_eq(amdrpc_future_get_fd(work.future, &fd), AMDRPC_OK);

    ck_assert_int_eq(fd_is_readable(fd), 1);
}
END_TEST

static amdrpc_err
future_make(void *unused)
{
    struct work counts = {0};
    amdrpc_future *future = NULL;
    amdrpc_err err = amdi_future_create(NULL, &future);

    (void)unused;
    if (err == AMDRPC_OK) {
        err = amdi_future_set_name(future, "it");
    }
    if (err == AMDRPC_OK) {
        err = amdrpc_future_then(future, future_on_done, &counts);
        amdrpc_future_cancel(future);
        ck_assert_int_eq(counts.ncalls, err == AMDRPC_OK);
    }
    amdrpc_future_unref(future);
    return err;
}

START_TEST(failed_allocation_is_an_error_and_leaks_nothing)
{
    ck_assert_uint_eq(test_sweep_allocations(future_make, NULL), 3);
}
END_TEST

static void
future_add_completion_tests(Suite *suite)
{
    TCase *completion = tcase_create("completion");
    TCase *cancel = tcase_create("cancel");

    tcase_add_checked_fixture(completion, future_set_up, future_tear_down);
    tcase_add_test(completion, new_future_is_ongoing);
    tcase_add_test(completion, completed_future_tells_its_result);
    tcase_add_test(completion, failed_future_tells_no_message);
    tcase_add_test(completion, future_that_never_was_tells_nothing);
    tcase_add_test(completion, name_is_told_once_it_is_given);
    tcase_add_test(completion, only_the_first_completion_counts);
    tcase_add_test(completion, result_is_destroyed_with_the_last_reference);
    tcase_add_test(completion, work_is_given_back_when_complete);
    tcase_add_test(completion, dropped_future_gives_its_work_back);
    suite_add_tcase(suite, completion);
    tcase_add_checked_fixture(cancel, future_set_up, future_tear_down);
    tcase_add_test(cancel, cancel_before_the_end_asks_the_work_once);
    tcase_add_test(cancel, cancel_may_complete_at_once);
    tcase_add_test(cancel, cancel_after_completion_does_nothing);
    tcase_add_test(cancel, work_may_be_quicker_than_its_cancel);
    suite_add_tcase(suite, cancel);
}

static Suite *
future_suite(void)
{
    Suite *suite = suite_create("future");
    TCase *told = tcase_create("told");
    TCase *alone = tcase_create("alone");

    future_add_completion_tests(suite);
    tcase_add_checked_fixture(told, future_set_up, future_tear_down);
    tcase_add_test(told, callbacks_are_called_once_on_completion);
    tcase_add_test(told, callback_on_a_complete_future_is_called_at_once);
    tcase_add_test(told, callback_without_memory_is_refused);
    tcase_add_test(told, callback_may_drop_the_last_reference);
    tcase_add_test(
            told, cancel_survives_a_callback_that_drops_the_last_reference);
    tcase_add_test(told, callback_keeps_the_future_when_its_user_is_gone);
    tcase_add_test(told, callback_may_cancel_and_add_callbacks);
    tcase_add_test(told, descriptor_becomes_readable_and_stays_so);
    tcase_add_test(told, descriptor_of_a_complete_future_is_readable);
    suite_add_tcase(suite, told);
    tcase_add_test(alone, future_without_work_is_cancelled_at_once);
    tcase_add_test(alone, failed_allocation_is_an_error_and_leaks_nothing);
    suite_add_tcase(suite, alone);
    return suite;
}

TEST_MAIN(future_suite)
