/**
 * A transport under test: its loop, the other end of its connection, and a
 * record of its events.
 */
#ifndef TEST_TRANSPORT_PROBE_H
#define TEST_TRANSPORT_PROBE_H

#include <amdrpc/err.h>

#include "common/transport.h"

#include <stddef.h>
#include <stdint.h>

struct test_probe {
    struct amdi_loop *loop;
    struct amdi_transport *transport; // NULL once destroyed
    int peer_fd;                      // -1: none
    char trace[64];  // a letter each: c(onnected) r(ead) d(rained) l(ost)
    char destroy_on; // the event in which the transport is destroyed
    size_t nread;
    uint8_t last_read;
    amdrpc_err lost_err;
};

/** There is one. */
extern struct test_probe test_probe;

/** Record what happens in it. */
extern const struct amdi_transport_events test_probe_events;

/** A fixture: a loop, no transport yet. */
void test_probe_set_up(void);
void test_probe_tear_down(void);

/** Makes one turn of the loop; it waits when there is nothing to be done. */
void test_probe_turn(void);

/** Makes one turn that does not wait. */
void test_probe_poll(void);

/** Makes turns until the event was seen. */
void test_probe_await(char letter);

void test_probe_close_peer(void);

/** Writes a text to the transport. */
amdrpc_err test_probe_write(const char *text);

#endif
