/**
 * What a call costs without sockets and threads: recorded bytes of a client go
 * into a server's HTTP/2 session, its answers come out into a buffer.
 *
 *   h2_inmemory [engine|call] [CALLS [BATCH]]
 *
 * `engine` is HTTP/2 alone: each request gets the same answer. `call` adds what
 * the server does with an inline Echo: the request's head, its message joined
 * and unpacked, the answer packed, the fields of the answer. BATCH calls come
 * in one turn.
 *
 * Prints nanoseconds of processor time for a call, the least of some replays.
 * The steadiest figure are instructions, from callgrind:
 *
 *   valgrind --tool=callgrind "--toggle-collect=replay_turns*" h2_inmemory call
 */
#include "amdrpc/bench/v1/bench.amdrpc.h"
#include "common/alloc.h"
#include "common/arena.h"
#include "common/buf.h"
#include "common/frame.h"
#include "common/h2/h2.h"
#include "server/conn/request_head.h"
#include "server/conn/response.h"
#include "server/service.h"
#include "server/unpack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ECHO_PATH "/amdrpc.bench.v1.Bench/EchoInline"
#define SCRATCH_BYTES (256u * 1024)
#define NREPLAYS 5
#define PAYLOAD_BYTES 16
#define NMETHODS (AMDRPC_BENCH_V1_BENCH_COUNT + 1)

// A message of 16 bytes in field 1, in gRPC's frame.
#define MESSAGE_BYTES (AMDI_FRAME_PREFIX_BYTES + 2 + PAYLOAD_BYTES)

static const uint8_t message[MESSAGE_BYTES] = {
        0, 0, 0, 0, 2 + PAYLOAD_BYTES, 0x0a, PAYLOAD_BYTES};

static void
must(amdrpc_err err, const char *what)
{
    if (err != AMDRPC_OK) {
        (void)fprintf(stderr, "%s: %s\n", what, amdrpc_err_text(err));
        exit(1);
    }
}

static void *
must_have(void *memory)
{
    must(memory == NULL ? AMDRPC_ENOMEM : AMDRPC_OK, "memory");
    return memory;
}

/* ---- what both sides leave alone ---- */

static void
ignore_goaway(void *ctx, int32_t last_stream_id, enum amdi_h2_code code,
        const uint8_t *debug, size_t debug_len)
{
    (void)ctx;
    (void)last_stream_id;
    (void)debug;
    (void)debug_len;
    must(code == AMDI_H2_NO_ERROR ? AMDRPC_OK : AMDRPC_EPROTO, "GOAWAY");
}

static void
ignore_ping_ack(void *ctx, const uint8_t opaque[8])
{
    (void)ctx;
    (void)opaque;
}

/* ---- the client that is recorded ---- */

struct client {
    struct amdi_h2 *h2;
    size_t nanswers;
};

static void *
client_on_open(void *ctx, int32_t stream_id)
{
    (void)ctx;
    (void)stream_id;
    return NULL; // servers open nothing
}

static bool
client_on_field(void *ctx, void *stream, const struct amdi_h2_field *field)
{
    (void)ctx;
    (void)stream;
    (void)field;
    return true;
}

static void
client_on_headers(void *ctx, void *stream, bool is_trailers)
{
    struct client *client = ctx;

    (void)stream;
    client->nanswers += is_trailers;
}

static void
client_on_data(void *ctx, void *stream, const uint8_t *data, size_t len)
{
    struct client *client = ctx;

    (void)data;
    amdi_h2_consume(client->h2, *(int32_t *)stream, len);
}

static void
client_on_end(void *ctx, void *stream)
{
    (void)ctx;
    (void)stream;
}

static void
client_on_close(void *ctx, void *stream, enum amdi_h2_code code, bool by_peer)
{
    (void)ctx;
    (void)by_peer;
    (void)code;
    amdi_free(stream);
}

static void
client_on_body(void *ctx, void *stream, size_t room, struct amdi_h2_body *body)
{
    (void)ctx;
    (void)stream;
    must(room >= sizeof(message) ? AMDRPC_OK : AMDRPC_ELIMIT, "window");
    body->len = sizeof(message);
    body->is_last = true;
}

static void
client_on_take(void *ctx, void *stream, struct amdi_out *out, size_t len)
{
    (void)ctx;
    (void)stream;
    amdi_out_copy(out, message, len);
}

static const struct amdi_h2_events client_events = {
        .on_open = client_on_open,
        .on_field = client_on_field,
        .on_headers = client_on_headers,
        .on_data = client_on_data,
        .on_end = client_on_end,
        .on_close = client_on_close,
        .on_body = client_on_body,
        .on_take = client_on_take,
        .on_goaway = ignore_goaway,
        .on_ping_ack = ignore_ping_ack,
};

// As many clients send them, h2load among them.
static void
client_request(struct client *client)
{
    const struct amdi_h2_field fields[] = {
            AMDI_H2_FIELD(":method", "POST"),
            AMDI_H2_FIELD(":scheme", "http"),
            AMDI_H2_FIELD(":path", ECHO_PATH),
            AMDI_H2_FIELD(":authority", "127.0.0.1:50051"),
            AMDI_H2_FIELD("te", "trailers"),
            AMDI_H2_FIELD("content-type", "application/grpc"),
            AMDI_H2_FIELD("user-agent", "recorded/1"),
    };
    int32_t *id = must_have(amdi_alloc(sizeof(*id)));

    must(amdi_h2_submit_request(client->h2, fields,
                 sizeof(fields) / sizeof(fields[0]), id, id),
            "request");
}

/* ---- the server that is measured ---- */

struct stream {
    int32_t id;
    struct amdi_request_head *head; // counted
    struct amdi_frame_reader reader;
    struct amdi_message *request; // owned
    struct amdi_arena arena;
    const uint8_t *reply; // in the arena, or static
    struct stream *next;  // on server->spare
};

struct server {
    struct amdi_h2 *h2;
    bool is_engine_only;
    struct amdi_service_table services;
    struct amdi_request_limits limits;
    struct amdi_request_head *head;     // of the last block
    struct amdi_request_head *new_head; // being filled
    struct stream *spare;               // as the real server keeps them
    struct amdi_response response;
    size_t nclosed;
};

static void *
server_on_open(void *ctx, int32_t stream_id)
{
    struct server *server = ctx;
    struct stream *stream = server->spare;

    if (stream == NULL) {
        stream = must_have(amdi_alloc(sizeof(*stream)));
    } else {
        server->spare = stream->next;
    }
    *stream = (struct stream){.id = stream_id, .reply = message};
    amdi_frame_reader_init(&stream->reader, 1024);
    amdi_arena_init(&stream->arena, 0);
    if (server->new_head == NULL) {
        server->new_head = must_have(
                amdi_request_head_create(&server->services, &server->limits));
    }
    return stream;
}

static bool
server_on_field(void *ctx, void *stream, const struct amdi_h2_field *field)
{
    struct server *server = ctx;

    (void)stream;
    return server->is_engine_only ||
            amdi_request_head_field(server->new_head, field);
}

static void
server_on_same_headers(void *ctx, void *stream)
{
    struct server *server = ctx;
    struct stream *s = stream;
    struct amdi_request_verdict verdict;

    if (server->is_engine_only) {
        return;
    }
    s->head = amdi_request_head_ref(server->head);
    amdi_request_head_judge(server->head, &verdict);
    must(verdict.kind == AMDI_REQUEST_SERVE ? AMDRPC_OK : AMDRPC_EPROTO,
            "verdict");
}

static void
server_on_headers(void *ctx, void *stream, bool is_trailers)
{
    struct server *server = ctx;

    must(is_trailers ? AMDRPC_EPROTO : AMDRPC_OK, "trailers");
    amdi_request_head_unref(server->head);
    server->head = server->new_head;
    server->new_head = NULL;
    server_on_same_headers(ctx, stream);
}

static void
server_on_data(void *ctx, void *stream, const uint8_t *data, size_t len)
{
    struct server *server = ctx;
    struct stream *s = stream;
    size_t taken;

    amdi_h2_consume(server->h2, s->id, len);
    if (!server->is_engine_only) {
        must(amdi_frame_reader_push(&s->reader, data, len, &taken, &s->request),
                "message");
    }
}

// Unpacks the request, and packs the answer with its prefix.
static void
stream_echo(struct stream *stream)
{
    Amdrpc__Bench__V1__EchoResponse response =
            AMDRPC__BENCH__V1__ECHO_RESPONSE__INIT;
    static const struct amdi_unpack_limits limits = {
            .max_bytes = 1u << 20, .max_nesting = 100};
    ProtobufCMessage *request = NULL;
    char why[AMDI_UNPACK_WHY_BYTES];
    uint8_t *reply;
    size_t len;

    must(amdi_unpack(&amdrpc__bench__v1__echo_request__descriptor,
                 stream->request->data, stream->request->len, &stream->arena,
                 &limits, &request, why),
            "unpack");
    response.payload = ((Amdrpc__Bench__V1__EchoRequest *)request)->payload;
    len = protobuf_c_message_get_packed_size(&response.base);
    reply = must_have(
            amdi_arena_alloc(&stream->arena, AMDI_FRAME_PREFIX_BYTES + len));
    amdi_frame_write_prefix(reply, false, (uint32_t)len);
    (void)protobuf_c_message_pack(
            &response.base, reply + AMDI_FRAME_PREFIX_BYTES);
    stream->reply = reply;
    amdi_message_free(stream->request);
    stream->request = NULL;
}

static void
server_on_end(void *ctx, void *stream)
{
    const struct amdi_h2_field fields[] = {
            AMDI_H2_FIELD(":status", "200"),
            AMDI_H2_FIELD("content-type", "application/grpc"),
    };
    struct server *server = ctx;
    struct stream *s = stream;

    if (server->is_engine_only) {
        must(amdi_h2_submit_response(server->h2, s->id, fields, 2, true),
                "response");
        return;
    }
    stream_echo(s);
    amdi_response_begin(&server->response, false, NULL, &s->arena);
    must(amdi_h2_submit_response(server->h2, s->id, server->response.fields,
                 server->response.nfields, true),
            "response");
}

static void
server_on_body(void *ctx, void *stream, size_t room, struct amdi_h2_body *body)
{
    struct server *server = ctx;
    struct amdi_response *response = &server->response;
    struct stream *s = stream;

    must(room >= sizeof(message) ? AMDRPC_OK : AMDRPC_ELIMIT, "window");
    body->len = sizeof(message);
    body->is_last = true;
    amdi_response_clear(response);
    if (server->is_engine_only) {
        response->fields[response->nfields++] =
                AMDI_H2_FIELD("grpc-status", "0");
    } else {
        amdi_response_add_status(
                response, AMDRPC_STATUS_OK, NULL, NULL, &s->arena);
    }
    body->trailers = response->fields;
    body->ntrailers = response->nfields;
}

static void
server_on_take(void *ctx, void *stream, struct amdi_out *out, size_t len)
{
    (void)ctx;
    amdi_out_copy(out, ((struct stream *)stream)->reply, len);
}

static void
server_on_close(void *ctx, void *stream, enum amdi_h2_code code, bool by_peer)
{
    struct server *server = ctx;
    struct stream *s = stream;

    (void)by_peer;
    must(code == AMDI_H2_NO_ERROR ? AMDRPC_OK : AMDRPC_EPROTO, "stream");
    amdi_request_head_unref(s->head);
    amdi_frame_reader_fini(&s->reader);
    amdi_arena_fini(&s->arena);
    s->next = server->spare;
    server->spare = s;
    server->nclosed++;
}

static const struct amdi_h2_events server_events = {
        .on_open = server_on_open,
        .on_field = server_on_field,
        .on_headers = server_on_headers,
        .on_same_headers = server_on_same_headers,
        .on_data = server_on_data,
        .on_end = server_on_end,
        .on_close = server_on_close,
        .on_body = server_on_body,
        .on_take = server_on_take,
        .on_goaway = ignore_goaway,
        .on_ping_ack = ignore_ping_ack,
};

// Its handlers are never asked: they are what stream_echo does.
static void
method_invoke(const void *handlers, amdrpc_call *call,
        const ProtobufCMessage *request, void *user_data)
{
    (void)handlers;
    (void)call;
    (void)request;
    (void)user_data;
}

static void
server_init(struct server *server, bool is_engine_only)
{
    static const amdrpc_policy policy = {.dispatch = AMDRPC_DISPATCH_INLINE};
    static const struct amdi_h2_options options = {
            .is_server = true,
            .max_concurrent_streams = 100000,
            .stream_window_bytes = 64 * 1024,
            .connection_window_bytes = 1024 * 1024,
            .max_header_list_bytes = 16 * 1024,
    };

    amdrpc_invoke_fn invoke[NMETHODS];

    for (size_t i = 0; i < NMETHODS; i++) {
        invoke[i] = method_invoke;
    }
    *server = (struct server){.is_engine_only = is_engine_only,
            .limits = {16 * 1024, 8 * 1024, 100}};
    amdi_service_table_init(&server->services);
    must(amdi_service_table_add(&server->services,
                 &amdrpc_bench_v1_bench_service, invoke, NULL, NULL, &policy),
            "service");
    must(amdi_h2_create(&options, &server_events, server, &server->h2),
            "session");
}

static void
server_fini(struct server *server)
{
    amdi_h2_destroy(server->h2);
    amdi_request_head_unref(server->head);
    amdi_request_head_unref(server->new_head);
    amdi_service_table_fini(&server->services);
    while (server->spare != NULL) {
        struct stream *next = server->spare->next;

        amdi_free(server->spare);
        server->spare = next;
    }
}

/* ---- bytes in, bytes out ---- */

// What the session has to send, to @to where that is wanted.
static void
session_produce(struct amdi_h2 *h2, struct amdi_buf *to)
{
    static uint8_t scratch[SCRATCH_BYTES];

    while (amdi_h2_wants_write(h2)) {
        struct amdi_out out;

        amdi_out_init(&out, scratch, sizeof(scratch));
        must(amdi_h2_produce(h2, &out), "produce");
        if (to != NULL) {
            must(amdi_buf_append(to, scratch, out.used), "memory");
        }
    }
}

/** What the client sent, turn by turn. */
struct record {
    struct amdi_buf bytes;
    size_t *ends; // owned; of each turn's bytes
    size_t nturns;
};

static void
record_turn(struct record *record, struct client *client, struct server *server,
        struct amdi_buf *answers)
{
    size_t start = amdi_buf_len(&record->bytes);

    session_produce(client->h2, &record->bytes);
    record->ends[record->nturns++] = amdi_buf_len(&record->bytes);
    must(amdi_h2_receive(server->h2, amdi_buf_peek(&record->bytes) + start,
                 amdi_buf_len(&record->bytes) - start),
            "receive");
    session_produce(server->h2, answers);
    must(amdi_h2_receive(
                 client->h2, amdi_buf_peek(answers), amdi_buf_len(answers)),
            "answer");
    amdi_buf_clear(answers);
}

// Lets a client speak with a server, and keeps what it said.
static void
record_make(struct record *record, size_t ncalls, size_t batch)
{
    static const struct amdi_h2_options options = {
            .stream_window_bytes = 64 * 1024,
            .connection_window_bytes = 1024 * 1024,
            .max_header_list_bytes = 16 * 1024,
    };
    struct client client = {.nanswers = 0};
    struct amdi_buf answers;
    static struct server server; // large

    *record = (struct record){.nturns = 0};
    amdi_buf_init(&record->bytes);
    amdi_buf_init(&answers);
    record->ends = must_have(amdi_calloc(ncalls / batch + 3, sizeof(size_t)));
    server_init(&server, false);
    must(amdi_h2_create(&options, &client_events, &client, &client.h2),
            "session");
    record_turn(record, &client, &server, &answers); // SETTINGS
    for (size_t i = 0; i < ncalls; i += batch) {
        for (size_t j = 0; j < batch; j++) {
            client_request(&client);
        }
        record_turn(record, &client, &server, &answers);
    }
    record_turn(record, &client, &server, &answers); // last WINDOW_UPDATEs
    must(client.nanswers >= ncalls ? AMDRPC_OK : AMDRPC_EPROTO, "answers");
    amdi_h2_destroy(client.h2);
    server_fini(&server);
    amdi_buf_fini(&answers);
}

// All that is measured; its name is callgrind's to find.
__attribute__((noinline)) static void
replay_turns(const struct record *record, struct server *server)
{
    size_t start = 0;

    for (size_t i = 0; i < record->nturns; i++) {
        must(amdi_h2_receive(server->h2, amdi_buf_peek(&record->bytes) + start,
                     record->ends[i] - start),
                "receive");
        session_produce(server->h2, NULL);
        start = record->ends[i];
    }
}

static double
cpu_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); // always there
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double
measure(const struct record *record, bool is_engine_only, size_t ncalls)
{
    static struct server server; // large
    double least = 0;

    for (int i = 0; i < NREPLAYS; i++) {
        double ns;

        server_init(&server, is_engine_only);
        ns = -cpu_ns();
        replay_turns(record, &server);
        ns += cpu_ns();
        must(server.nclosed >= ncalls ? AMDRPC_OK : AMDRPC_EPROTO, "calls");
        ns /= (double)server.nclosed;
        least = i == 0 || ns < least ? ns : least;
        server_fini(&server);
    }
    return least;
}

int
main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "call";
    long ncalls = argc > 2 ? atol(argv[2]) : 100000;
    long batch = argc > 3 ? atol(argv[3]) : 100;
    bool is_engine_only = strcmp(what, "engine") == 0;
    struct record record;

    if (argc > 4 || (!is_engine_only && strcmp(what, "call") != 0) ||
            ncalls < 1 || batch < 1 || batch > 1000) {
        (void)fprintf(stderr,
                "usage: %s [engine|call] [CALLS [BATCH]]\n"
                "BATCH is up to 1000\n",
                argv[0]);
        return 2;
    }
    record_make(&record, (size_t)ncalls, (size_t)batch);
    (void)printf("%s, %ld calls in a turn: %.1f ns a call\n", what, batch,
            measure(&record, is_engine_only, (size_t)ncalls));
    amdi_buf_fini(&record.bytes);
    amdi_free(record.ends);
    return 0;
}
