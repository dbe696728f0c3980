/** Tests that a tree's digests go on where an earlier attempt stopped. */
#include "server/call.h"
#include "server/modules/checksum/methods.h"
#include "server/modules/checksum/roots.h"
#include "tests/support/runner.h"
#include "tests/support/tree.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_SENT 16

typedef Amdrpc__Checksum__V1__DigestTreeRequest tree_request;
typedef Amdrpc__Checksum__V1__DigestTreeResponse tree_response;

/** A call that is an attempt of an operation, and what it was told. */
static struct {
    struct amdrpc_call call;
    uint64_t ndelivered;
    char sent[MAX_SENT][256];
    size_t nsent;
    size_t max_sent;     // the server drains then
    uint64_t first_done; // of the first progress
    uint64_t last_done;
    bool has_progress;
    amdrpc_status_code code;
} attempt;

static struct test_tree tree;
static struct amdi_roots roots;

/* ---- the call ---- */

static void
sink_describe(const tree_response *response, char *out, size_t size)
{
    switch ((int)response->event_case) {
    case AMDRPC__CHECKSUM__V1__DIGEST_TREE_RESPONSE__EVENT_RESULT:
        (void)snprintf(out, size, "%s %s", response->result->path,
                response->result->hex);
        break;
    case AMDRPC__CHECKSUM__V1__DIGEST_TREE_RESPONSE__EVENT_ERROR:
        (void)snprintf(out, size, "%s failed", response->error->path);
        break;
    default:
        (void)snprintf(out, size, "%u of %u files, %u of %u bytes",
                (unsigned)response->progress->files_done,
                (unsigned)response->progress->files_total,
                (unsigned)response->progress->bytes_done,
                (unsigned)response->progress->bytes_total);
        break;
    }
}

static amdrpc_err
sink_send(amdrpc_call *call, const ProtobufCMessage *msg)
{
    (void)call;
    if (attempt.nsent == attempt.max_sent) {
        return AMDRPC_ECANCELED;
    }
    sink_describe((const tree_response *)msg, attempt.sent[attempt.nsent++],
            sizeof(attempt.sent[0]));
    return AMDRPC_OK;
}

static void
sink_finish(amdrpc_call *call)
{
    attempt.code = call->code;
}

static bool
sink_progress(
        amdrpc_call *call, uint64_t done, uint64_t total, const char *note)
{
    (void)call;
    (void)total;
    (void)note;
    if (!attempt.has_progress) {
        attempt.first_done = done;
    }
    attempt.has_progress = true;
    attempt.last_done = done;
    return true;
}

static void
sink_get_attempt(const amdrpc_call *call, struct amdi_call_attempt *out)
{
    (void)call;
    *out = (struct amdi_call_attempt){.operation = "operations/x",
            .number = 2,
            .ndelivered = attempt.ndelivered};
}

/** Runs an attempt that has so many behind it, and may send so many. */
static void
run_attempt(uint64_t ndelivered, size_t max_sent)
{
    static const struct amdi_sink_ops sink = {.send = sink_send,
            .finish = sink_finish,
            .progress = sink_progress,
            .get_attempt = sink_get_attempt};
    tree_request request = AMDRPC__CHECKSUM__V1__DIGEST_TREE_REQUEST__INIT;

    memset(&attempt, 0, sizeof(attempt));
    attempt.ndelivered = ndelivered;
    attempt.max_sent = max_sent;
    request.path = tree.path;
    amdi_call_init(&attempt.call, &sink);
    amdi_checksum_on_tree(&attempt.call, &request, &roots);
    amdi_call_fini(&attempt.call);
}

static void
setup(void)
{
    test_tree_init(&tree);
    ck_assert_int_eq(amdi_roots_add(&roots, tree.path), AMDRPC_OK);
    test_tree_add_file(&tree, "a", "first");
    test_tree_add_folder(&tree, "b");
    test_tree_add_file(&tree, "b/c", "second");
    test_tree_add_file(&tree, "b/\xff", "no UTF-8: a failure");
    test_tree_add_file(&tree, "d", "third");
}

static void
teardown(void)
{
    amdi_roots_fini(&roots);
    test_tree_fini(&tree);
}

/* ---- tests ---- */

/** @_i: how many messages the first attempt sends. */
START_TEST(two_attempts_send_what_one_would)
{
    char whole[MAX_SENT][256];
    size_t n = 0;
    size_t stop = (size_t)_i;

    run_attempt(0, MAX_SENT);
    ck_assert_int_eq(attempt.code, AMDRPC_STATUS_OK);
    n = attempt.nsent;
    ck_assert_uint_eq(n, 5); // three results, an error, the last progress
    memcpy(whole, attempt.sent, sizeof(whole));

    run_attempt(0, stop);
    ck_assert(stop == n || attempt.code != AMDRPC_STATUS_OK);
    run_attempt(stop, MAX_SENT);

    ck_assert_int_eq(attempt.code, AMDRPC_STATUS_OK);
    ck_assert_uint_eq(attempt.nsent, n - stop);
    for (size_t i = stop; i < n; i++) {
        ck_assert_str_eq(attempt.sent[i - stop], whole[i]);
    }
}
END_TEST

START_TEST(progress_goes_on_where_it_was)
{
    run_attempt(1, MAX_SENT);

    ck_assert_uint_ge(attempt.first_done, strlen("first"));
    ck_assert_uint_eq(attempt.last_done, strlen("firstsecondthird"));
}
END_TEST

static Suite *
tree_resume_suite(void)
{
    Suite *suite = suite_create("tree_resume");
    TCase *tcase = tcase_create("attempts");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, two_attempts_send_what_one_would, 0, 6);
    tcase_add_test(tcase, progress_goes_on_where_it_was);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(tree_resume_suite)
