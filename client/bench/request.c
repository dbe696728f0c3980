/** The one request that a load sends again and again. */
#include "client/bench/request.h"

#include <amdrpc/bench/v1/bench.amdrpc.h>

#include "client/program/file.h"
#include "client/program/program.h"
#include "common/alloc.h"

#include <string.h>

#define BODY_BYTES_MAX (64u * 1024 * 1024)

static amdrpc_err
request_pack(struct amdi_bench_request *request, const ProtobufCMessage *msg)
{
    size_t len = protobuf_c_message_get_packed_size(msg);
    amdrpc_err err = amdi_buf_reserve(&request->bytes, len);

    if (err == AMDRPC_OK) {
        (void)protobuf_c_message_pack(
                msg, request->bytes.data + request->bytes.end);
        request->bytes.end += len;
    }
    return err;
}

static amdrpc_err
make_echo(struct amdi_bench_request *request,
        const struct amdi_bench_options *options)
{
    Amdrpc__Bench__V1__EchoRequest msg = AMDRPC__BENCH__V1__ECHO_REQUEST__INIT;
    amdrpc_err err;

    msg.payload.len = options->payload_bytes;
    msg.payload.data = amdi_zalloc(msg.payload.len + 1);
    if (msg.payload.data == NULL) {
        return AMDRPC_ENOMEM;
    }
    err = request_pack(request, &msg.base);
    amdi_free(msg.payload.data);
    return err;
}

static amdrpc_err
make_sleep(struct amdi_bench_request *request,
        const struct amdi_bench_options *options)
{
    Amdrpc__Bench__V1__SleepRequest msg =
            AMDRPC__BENCH__V1__SLEEP_REQUEST__INIT;

    msg.ms = (uint32_t)options->ms;
    return request_pack(request, &msg.base);
}

static amdrpc_err
make_block(struct amdi_bench_request *request,
        const struct amdi_bench_options *options)
{
    Amdrpc__Bench__V1__BlockRequest msg =
            AMDRPC__BENCH__V1__BLOCK_REQUEST__INIT;

    msg.ms = (uint32_t)options->ms;
    return request_pack(request, &msg.base);
}

static amdrpc_err
make_burn(struct amdi_bench_request *request,
        const struct amdi_bench_options *options)
{
    Amdrpc__Bench__V1__BurnRequest msg = AMDRPC__BENCH__V1__BURN_REQUEST__INIT;

    msg.us = (uint32_t)options->us;
    return request_pack(request, &msg.base);
}

static amdrpc_err
make_count(struct amdi_bench_request *request,
        const struct amdi_bench_options *options)
{
    Amdrpc__Bench__V1__CountRequest msg =
            AMDRPC__BENCH__V1__COUNT_REQUEST__INIT;

    msg.n = (uint32_t)options->n;
    msg.size = (uint32_t)options->size_bytes;
    return request_pack(request, &msg.base);
}

static const struct {
    const char *name;
    size_t index; // in the service's methods
    amdrpc_err (*make)(struct amdi_bench_request *request,
            const struct amdi_bench_options *options);
} bench_methods[] = {
        {"echo", AMDRPC_BENCH_V1_BENCH_ECHO, make_echo},
        {"echo-inline", AMDRPC_BENCH_V1_BENCH_ECHO_INLINE, make_echo},
        {"sleep", AMDRPC_BENCH_V1_BENCH_SLEEP, make_sleep},
        {"block", AMDRPC_BENCH_V1_BENCH_BLOCK, make_block},
        {"burn", AMDRPC_BENCH_V1_BENCH_BURN, make_burn},
        {"count", AMDRPC_BENCH_V1_BENCH_COUNT, make_count},
};

static int
make_by_name(struct amdi_bench_request *request,
        const struct amdi_bench_options *options)
{
    for (size_t i = 0; i < sizeof(bench_methods) / sizeof(bench_methods[0]);
            i++) {
        if (strcmp(bench_methods[i].name, options->method) == 0) {
            request->method = amdrpc_bench_v1_bench_service
                                      .methods[bench_methods[i].index];
            if (bench_methods[i].make(request, options) == AMDRPC_OK) {
                return AMDI_EXIT_OK;
            }
            amdi_program_error("no memory for the request");
            return AMDI_EXIT_FAILED;
        }
    }
    amdi_program_error("--method: unknown '%s' (try --help)", options->method);
    return AMDI_EXIT_USAGE;
}

static int
make_by_path(struct amdi_bench_request *request,
        const struct amdi_bench_options *options)
{
    const char *separator = strchr(
            options->path[0] == '\0' ? options->path : options->path + 1, '/');

    if (options->path[0] != '/' || separator == NULL || separator[1] == '\0') {
        amdi_program_error(
                "--path: '%s' is not /package.Service/Method", options->path);
        return AMDI_EXIT_USAGE;
    }
    request->method = (amdrpc_method_desc){
            .name = separator + 1,
            .path = options->path,
            // Any number of messages may come back, also exactly one.
            .kind = AMDRPC_SERVER_STREAMING,
    };
    return options->body == NULL
            ? AMDI_EXIT_OK
            : amdi_file_read(options->body, BODY_BYTES_MAX, &request->bytes);
}

int
amdi_bench_request_init(struct amdi_bench_request *request,
        const struct amdi_bench_options *options)
{
    int exit_status;

    amdi_buf_init(&request->bytes);
    exit_status = options->path == NULL ? make_by_name(request, options)
                                        : make_by_path(request, options);
    if (exit_status != AMDI_EXIT_OK) {
        amdi_bench_request_fini(request);
    }
    return exit_status;
}

void
amdi_bench_request_fini(struct amdi_bench_request *request)
{
    amdi_buf_fini(&request->bytes);
}
