/**
 * A server that does what a test tells it: HTTP/2 on a port of 127.0.0.1 that
 * the system chose, on a loop thread of its own. What a request gets is
 * decided by the test's one function, on that thread.
 */
#ifndef TEST_H2_PEER_H
#define TEST_H2_PEER_H

#include <amdrpc/tls.h>

#include "common/buf.h"
#include "common/h2/h2.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct test_peer;
struct test_peer_conn;

enum test_peer_moment {
    PEER_HEADERS, // the request's fields are there
    PEER_DATA,    // bytes were added to the request's body
    PEER_END,     // the request is complete
};

/** One request; the peer loop's. */
struct test_peer_stream {
    struct test_peer *peer;
    struct test_peer_conn *conn;
    int32_t id;
    char path[128];
    char fields[2048]; // "name: value\n" for each
    struct amdi_buf body;
    // The answer.
    struct amdi_buf answer;
    bool is_finished; // trailers follow the answer
    char status[8];
    char message[128];
};

typedef void (*test_peer_fn)(
        struct test_peer_stream *stream, enum test_peer_moment moment);

/** What has happened; each only grows. */
enum test_peer_count {
    PEER_NCONNS,    // connections accepted
    PEER_NREQUESTS, // requests begun
    PEER_NENDS,     // requests complete
    PEER_NCANCELS,  // streams that the client reset with CANCEL
    PEER_NRESETS,   // streams that the client reset with another code
    PEER_NLOST,     // connections that the client closed
    PEER_NPINGS,    // PINGs of the client, which are answered
    PEER_NCOUNTS,
};

struct test_peer_options {
    test_peer_fn on_stream;
    uint32_t max_streams; // 0: 100
    bool is_silent;       // accepts and never says a word
    bool hangs_up;        // accepts and closes at once
    bool keeps_window;    // never opens the windows again
    amdrpc_tls *tls;      // borrowed until stop; NULL: plaintext
};

/** Starts it. Fails the test when it cannot. */
struct test_peer *test_peer_start(const struct test_peer_options *options);

/** Closes all connections and ends the thread. */
void test_peer_stop(struct test_peer *peer);

/** "127.0.0.1:PORT"; borrowed. */
const char *test_peer_target(const struct test_peer *peer);

unsigned test_peer_get(struct test_peer *peer, enum test_peer_count count);

/** Waits until the count is @n; fails the test after ten seconds. */
void test_peer_wait(
        struct test_peer *peer, enum test_peer_count count, unsigned n);

/** The same for what may have become more meanwhile. */
void test_peer_wait_at_least(
        struct test_peer *peer, enum test_peer_count count, unsigned n);

/* ---- for the test's function, on the peer's thread ---- */

/** Sends "200, application/grpc" and any further fields. */
void test_peer_respond(struct test_peer_stream *stream,
        const struct amdi_h2_field *fields, size_t nfields);

/** Sends the given fields and nothing else; @is_end: and ends the stream. */
void test_peer_respond_raw(struct test_peer_stream *stream,
        const struct amdi_h2_field *fields, size_t nfields, bool is_end);

/** Adds bytes to the answer as they are. */
void test_peer_send_raw(
        struct test_peer_stream *stream, const void *data, size_t len);

/** Adds a framed message to the answer. */
void test_peer_send(
        struct test_peer_stream *stream, const void *data, size_t len);

/** Ends the answer with trailers; a status of NULL: without grpc-status. */
void test_peer_finish(struct test_peer_stream *stream, const char *status,
        const char *message);

void test_peer_reset(struct test_peer_stream *stream, enum amdi_h2_code code);

/** Says that no stream above @last_id was looked at. @debug: a short text. */
void test_peer_goaway(struct test_peer_stream *stream, uint32_t last_id,
        enum amdi_h2_code code, const char *debug);

/** Says nothing more on the connection, not even to PINGs. */
void test_peer_fall_silent(struct test_peer_stream *stream);

/** Closes the connection, at the end of this turn. */
void test_peer_hang_up(struct test_peer_stream *stream);

#endif
