/** Two HTTP/2 sessions back to back in memory, and a record of each. */
#ifndef TEST_H2_PAIR_H
#define TEST_H2_PAIR_H

#include "common/buf.h"
#include "common/h2/h2.h"

#include <check.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEST_PAIR_NSTREAMS 8
#define TEST_PAIR_WINDOW_BYTES 65535u

/** One side's view of a stream. */
struct test_pair_stream {
    struct test_pair_side *side;
    int32_t id;
    // A letter each: h(eaders) t(railers) d(ata, once in a row) e(nd) c(lose).
    char trace[64];
    char fields[1024]; // "name=value;" for each
    size_t nreceived;
    uint8_t last_byte;
    enum amdi_h2_code code; // of the close
    bool by_peer;
    // What it has to send; the test fills it in.
    const uint8_t *data;
    size_t len;
    bool is_finished;
    const struct amdi_h2_field *trailers;
    size_t ntrailers;
};

struct test_pair_side {
    struct amdi_h2 *h2;
    struct test_pair_stream streams[TEST_PAIR_NSTREAMS];
    size_t nstreams;
    // What it does.
    bool refuses;      // server: no new streams
    bool rejects;      // server: the first field that is not a pseudo field
    bool keeps_window; // does not consume what it gets
    // What it was told.
    size_t ngoaways;
    int32_t goaway_last_ids[4];
    enum amdi_h2_code goaway_code;
    char goaway_debug[64];
    size_t nping_acks;
    size_t nsettings;
    size_t nsame; // header blocks that were those of …
    const struct test_pair_stream *last_headers; // … this stream
};

struct test_pair {
    struct test_pair_side client;
    struct test_pair_side server;
};

/** There is one. */
extern struct test_pair test_pair;

extern const struct amdi_h2_events test_pair_events;

/** Makes one session; a test may do without the other. */
amdrpc_err test_pair_open(struct test_pair_side *side, bool is_server);

/** A fixture: both sessions, their SETTINGS exchanged. */
void test_pair_set_up(void);
void test_pair_tear_down(void);

/** Moves bytes until neither side has any. Errors: of either session. */
amdrpc_err test_pair_run(void);

/** As test_pair_run, which must succeed. */
void test_pair_settle(void);

/** Gives one side raw bytes, then moves what comes of it. */
amdrpc_err test_pair_feed(struct test_pair_side *side, struct amdi_buf *bytes);

/** Takes what a side has to send; the other one does not get it. */
void test_pair_take(struct test_pair_side *side, struct amdi_buf *out);

/** The client believes that it made so many requests; the server has none. */
void test_pair_pretend_requests(size_t n);

/** Begins a request; returns the client's view. Not moved yet. */
struct test_pair_stream *test_pair_request(
        const uint8_t *data, size_t len, bool is_finished);

/** Begins a request with a short body that reaches the server; its view. */
struct test_pair_stream *test_pair_open_call(bool is_finished);

/** Lets on_body say all of @data, and then the end. */
void test_pair_send_all(
        struct test_pair_stream *stream, const uint8_t *data, size_t len);

/** Begins the server's answer: ":status" 200 and a body. */
void test_pair_respond(struct test_pair_stream *stream);

/** A case whose tests have both sessions. */
TCase *test_pair_add_case(Suite *suite, const char *name);

#endif
