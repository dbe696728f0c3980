/** A transport under test. */
#include "tests/support/transport_probe.h"

#include <check.h>

#include <string.h>
#include <unistd.h>

struct test_probe test_probe;

/* ---- events ---- */

static void
trace_event(char letter)
{
    size_t len = strlen(test_probe.trace);

    if (len + 1 < sizeof(test_probe.trace)) {
        test_probe.trace[len] = letter;
        test_probe.trace[len + 1] = '\0';
    }
    if (letter == test_probe.destroy_on) {
        amdi_transport_destroy(test_probe.transport);
        test_probe.transport = NULL;
    }
}

static void
probe_on_connected(void *ctx)
{
    (void)ctx;
    trace_event('c');
}

static void
probe_on_read(void *ctx, const uint8_t *data, size_t len)
{
    (void)ctx;
    ck_assert_uint_gt(len, 0);
    test_probe.nread += len;
    test_probe.last_read = data[len - 1];
    trace_event('r');
}

static void
probe_on_drained(void *ctx)
{
    (void)ctx;
    trace_event('d');
}

static void
probe_on_closed(void *ctx, amdrpc_err err)
{
    (void)ctx;
    test_probe.lost_err = err;
    trace_event('l');
}

const struct amdi_transport_events test_probe_events = {
        .on_connected = probe_on_connected,
        .on_read = probe_on_read,
        .on_drained = probe_on_drained,
        .on_closed = probe_on_closed,
};

/* ---- the loop ---- */

static bool
turn_is_done(void *arg)
{
    int *nturns = arg;

    return (*nturns)-- == 0;
}

void
test_probe_turn(void)
{
    int nturns = 1;

    amdi_loop_run_until(test_probe.loop, turn_is_done, &nturns);
}

static void
task_run_nothing(struct amdi_task *task)
{
    (void)task;
}

void
test_probe_poll(void)
{
    struct amdi_task task = {.run = task_run_nothing};

    amdi_loop_post(test_probe.loop, &task);
    test_probe_turn();
}

static bool
trace_has(void *letter)
{
    return strchr(test_probe.trace, *(const char *)letter) != NULL;
}

void
test_probe_await(char letter)
{
    amdi_loop_run_until(test_probe.loop, trace_has, &letter);
}

void
test_probe_set_up(void)
{
    ck_assert_int_eq(amdi_loop_create("amd-test", &test_probe.loop), AMDRPC_OK);
    test_probe.transport = NULL;
    test_probe.peer_fd = -1;
    test_probe.trace[0] = '\0';
    test_probe.destroy_on = '\0';
    test_probe.nread = 0;
    test_probe.lost_err = AMDRPC_OK;
}

void
test_probe_tear_down(void)
{
    amdi_transport_destroy(test_probe.transport);
    if (test_probe.peer_fd >= 0) {
        close(test_probe.peer_fd);
    }
    amdi_loop_destroy(test_probe.loop);
}

void
test_probe_close_peer(void)
{
    close(test_probe.peer_fd);
    test_probe.peer_fd = -1;
}

amdrpc_err
test_probe_write(const char *text)
{
    struct iovec iov = {.iov_base = (char *)text, .iov_len = strlen(text)};

    return amdi_transport_write(test_probe.transport, &iov, 1);
}
