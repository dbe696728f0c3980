/** The request messages of a call: from JSON text to the wire. */
#include "client/cli/request.h"

#include "client/program/program.h"

#include <errno.h>
#include <string.h>

#define CHUNK_BYTES (16 * 1024)

// Of --raw; larger than any server takes.
#define RAW_BYTES_MAX (256u * 1024 * 1024)

int
amdi_request_open(struct amdi_request *request, const char *source,
        const struct amdi_codec *codec)
{
    *request = (struct amdi_request){.codec = codec};
    amdi_json_split_init(&request->split);
    return amdi_input_open(&request->input, source);
}

void
amdi_request_close(struct amdi_request *request)
{
    amdi_input_close(&request->input);
    amdi_json_split_fini(&request->split);
}

static int
request_fail(const struct amdi_request *request, const char *reason)
{
    amdi_program_error("%s: %s", request->input.name, reason);
    return AMDI_EXIT_USAGE;
}

// Reads more of the input; sets at_end when there is none, or it was stopped.
static int
request_read_chunk(struct amdi_request *request, char *chunk, size_t *out_len)
{
    amdrpc_err err =
            amdi_input_read(&request->input, chunk, CHUNK_BYTES, out_len);

    if (err == AMDRPC_OK) {
        return AMDI_EXIT_OK;
    }
    *out_len = 0;
    request->at_end = true;
    request->is_stopped = err == AMDRPC_ECANCELED;
    return err == AMDRPC_EIO ? request_fail(request, strerror(errno))
                             : AMDI_EXIT_OK;
}

static int
request_read_more(struct amdi_request *request)
{
    char chunk[CHUNK_BYTES];
    size_t len = 0;
    int exit_status = request_read_chunk(request, chunk, &len);
    amdrpc_err err;

    if (exit_status != AMDI_EXIT_OK) {
        return exit_status;
    }
    err = amdi_json_split_push(&request->split, chunk, len);
    return err == AMDRPC_OK ? AMDI_EXIT_OK
                            : request_fail(request, amdrpc_err_text(err));
}

/** Appends the next message; @out_found says whether there was one. */
static int
request_next(
        struct amdi_request *request, struct amdi_buf *out, bool *out_found)
{
    const char *json;
    size_t len;

    for (;;) {
        struct amdi_error error;
        int exit_status;

        // What has begun when the call ends is no message, nor a bad one.
        *out_found = !request->is_stopped &&
                amdi_json_split_next(
                        &request->split, request->at_end, &json, &len);
        if (*out_found) {
            request->nmessages++;
            if (amdi_codec_encode(request->codec, json, len, out, &error) ==
                    AMDRPC_OK) {
                return AMDI_EXIT_OK;
            }
            amdi_program_error("%s, message %zu: %s", request->input.name,
                    request->nmessages, error.text);
            return AMDI_EXIT_USAGE;
        }
        if (request->at_end) {
            return AMDI_EXIT_OK;
        }
        exit_status = request_read_more(request);
        if (exit_status != AMDI_EXIT_OK) {
            return exit_status;
        }
    }
}

static int
request_read_raw(struct amdi_request *request, struct amdi_buf *out)
{
    char chunk[CHUNK_BYTES];
    size_t len = 0;

    while (!request->at_end) {
        int exit_status = request_read_chunk(request, chunk, &len);

        if (exit_status != AMDI_EXIT_OK) {
            return exit_status;
        }
        if (len > RAW_BYTES_MAX - amdi_buf_len(out)) {
            return request_fail(request, amdrpc_err_text(AMDRPC_ELIMIT));
        }
        if (amdi_buf_append(out, chunk, len) != AMDRPC_OK) {
            return request_fail(request, amdrpc_err_text(AMDRPC_ENOMEM));
        }
    }
    return AMDI_EXIT_OK;
}

int
amdi_request_read_single(struct amdi_request *request, struct amdi_buf *out)
{
    struct amdi_buf rest;
    bool found;
    int exit_status;

    if (amdi_codec_is_raw(request->codec)) {
        return request_read_raw(request, out);
    }
    exit_status = request_next(request, out, &found);
    if (exit_status != AMDI_EXIT_OK || !found) {
        return exit_status;
    }
    amdi_buf_init(&rest);
    exit_status = request_next(request, &rest, &found);
    amdi_buf_fini(&rest);
    if (exit_status == AMDI_EXIT_OK && found) {
        return request_fail(
                request, "more than the one message that the method takes");
    }
    return exit_status;
}

// Returns an exit status; the call's own end is none.
static int
request_send_all(struct amdi_request *request)
{
    struct amdi_buf wire;
    bool found = true;
    int exit_status = AMDI_EXIT_OK;

    amdi_buf_init(&wire);
    while (exit_status == AMDI_EXIT_OK && found) {
        amdi_buf_clear(&wire);
        exit_status = request_next(request, &wire, &found);
        if (exit_status == AMDI_EXIT_OK && found) {
            amdrpc_err err = amdrpc_client_call_send_bytes(
                    request->call, amdi_buf_peek(&wire), amdi_buf_len(&wire));

            if (err == AMDRPC_ECLOSED) {
                break; // its status tells why
            }
            if (err != AMDRPC_OK) {
                amdi_program_error("cannot send message %zu: %s",
                        request->nmessages, amdrpc_err_text(err));
                exit_status = AMDI_EXIT_FAILED;
            }
        }
    }
    amdi_buf_fini(&wire);
    return exit_status;
}

static void *
request_run(void *arg)
{
    struct amdi_request *request = arg;

    (void)pthread_setname_np(pthread_self(), "amd-sender");
    request->exit_status = request_send_all(request);
    if (request->exit_status == AMDI_EXIT_OK) {
        amdrpc_client_call_close_send(request->call);
    } else {
        amdrpc_client_call_cancel(request->call);
    }
    return NULL;
}

int
amdi_request_start(struct amdi_request *request, amdrpc_client_call *call)
{
    request->call = call;
    if (pthread_create(&request->sender, NULL, request_run, request) != 0) {
        amdi_program_error("cannot start a thread");
        return AMDI_EXIT_FAILED;
    }
    return AMDI_EXIT_OK;
}

int
amdi_request_stop(struct amdi_request *request)
{
    amdi_input_stop(&request->input);
    (void)pthread_join(request->sender, NULL);
    return request->exit_status;
}
