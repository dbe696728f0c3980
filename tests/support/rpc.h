/**
 * A gRPC client that hides nothing: one blocking connection, HTTP/2 by
 * common/h2/h2.h, and a record of what came for each call. It does what it is
 * told, also what no client should.
 */
#ifndef TEST_RPC_H
#define TEST_RPC_H

#include <amdrpc/status.h>

#include "common/buf.h"
#include "common/h2/h2.h"

#include <protobuf-c/protobuf-c.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Longer than any test may take: only a hang comes here.
#define TEST_RPC_WAIT_MS 20000

struct test_rpc_conn;

/** One call; freed with its connection. */
struct test_rpc {
    struct test_rpc_conn *conn;
    struct test_rpc *next;
    int32_t id;
    // What came.
    char fields[2048]; // "name: value\n", also of trailers
    char http_status[4];
    int status;         // grpc-status, -1 before it came
    char message[2048]; // grpc-message, as on the wire
    struct amdi_buf body;
    size_t nbody;      // bytes of it in all
    bool keeps_window; // give nothing back
    bool has_headers;
    bool has_ended; // END_STREAM came
    bool is_closed;
    bool is_reset;           // by the server, and not with NO_ERROR
    enum amdi_h2_code reset; // of the close
    // What goes.
    struct amdi_buf out;
    bool is_out_finished;
};

struct test_rpc_conn {
    int fd; // -1 once closed
    struct amdi_h2 *h2;
    struct test_rpc *calls;
    size_t ncalls;
    size_t nopen;
    bool is_lost; // the server has closed it
    size_t ngoaways;
    int32_t goaway_last_id;
    enum amdi_h2_code goaway_code;
};

/** Connects to 127.0.0.1 and says the preface; fails the test otherwise. */
struct test_rpc_conn *test_rpc_connect(uint16_t port);

/** Connects and says nothing. */
struct test_rpc_conn *test_rpc_connect_silent(uint16_t port);

/** Closes the socket at once, like a process that is killed. */
void test_rpc_hang_up(struct test_rpc_conn *conn);

/** Closes and frees all; NULL is accepted. */
void test_rpc_close(struct test_rpc_conn *conn);

/** Begins a call; sends its header when something is awaited, or flushed. */
struct test_rpc *test_rpc_begin(struct test_rpc_conn *conn, const char *path,
        const struct amdi_h2_field *extra, size_t nextra);

/** The same with all fields one's own. */
struct test_rpc *test_rpc_begin_raw(struct test_rpc_conn *conn,
        const struct amdi_h2_field *fields, size_t nfields);

/** Adds one framed message. */
void test_rpc_send(struct test_rpc *rpc, const ProtobufCMessage *msg);

/** Adds bytes to the body as they are. */
void test_rpc_send_raw(struct test_rpc *rpc, const void *data, size_t len);

void test_rpc_end(struct test_rpc *rpc);

/** RST_STREAM with CANCEL. */
void test_rpc_cancel(struct test_rpc *rpc);

/** Lets the server send as much again as was received. */
void test_rpc_open_window(struct test_rpc *rpc);

/** Takes the first message of the answer; NULL when there is no whole one. */
ProtobufCMessage *test_rpc_take(
        struct test_rpc *rpc, const ProtobufCMessageDescriptor *desc);

/** Writes what there is to write, and reads what is there. */
void test_rpc_flush(struct test_rpc_conn *conn);

/** Bytes past the HTTP/2 engine. */
void test_rpc_write_raw(
        struct test_rpc_conn *conn, const void *data, size_t len);

/** Reads and writes until @is_done; fails the test when that takes long. */
void test_rpc_run(struct test_rpc_conn *conn, bool (*is_done)(const void *),
        const void *);

/* ---- what is usually awaited ---- */

/** The call is over for the client: it ended, was reset, or is lost. */
void test_rpc_await(struct test_rpc *rpc);

/** Every call is over. */
void test_rpc_await_all(struct test_rpc_conn *conn);

/** At least so many bytes of the answer came. */
void test_rpc_await_bytes(struct test_rpc *rpc, size_t nbytes);

/** The server has closed the connection. */
void test_rpc_await_lost(struct test_rpc_conn *conn);

/** So many GOAWAYs came. */
void test_rpc_await_goaways(struct test_rpc_conn *conn, size_t n);

/** The call is over and ended with that status. */
void test_rpc_expect(struct test_rpc *rpc, amdrpc_status_code status);

#endif
