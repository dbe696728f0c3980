/** A command's stay at one server: channel, Ctrl-C, and what is known of it. */
#include "client/cli/session.h"

#include "client/cli/metadata_text.h"
#include "client/program/file.h"
#include "client/program/program.h"

int
amdi_session_fail(amdrpc_err err, const char *what)
{
    amdi_program_error("%s: %s", what, amdrpc_err_text(err));
    return AMDI_EXIT_FAILED;
}

static int
session_set_metadata(struct amdi_session *session)
{
    amdrpc_err err = amdrpc_metadata_create(&session->metadata);

    if (err == AMDRPC_OK) {
        err = amdi_connect_add_token(session->connect, session->metadata);
    }
    if (err == AMDRPC_EINVAL) {
        amdi_program_error("--token: it cannot be sent");
        return AMDI_EXIT_USAGE;
    }
    return err == AMDRPC_OK ? AMDI_EXIT_OK : amdi_session_fail(err, "metadata");
}

int
amdi_session_open(struct amdi_session *session,
        const struct amdi_connect *connect, const char *target,
        uint64_t timeout_ms)
{
    int exit_status;
    amdrpc_err err;

    *session = (struct amdi_session){
            .connect = connect, .target = target, .timeout_ms = timeout_ms};
    err = amdi_interrupt_start(&session->interrupt);
    if (err != AMDRPC_OK) {
        return amdi_session_fail(err, "cannot wait for signals");
    }
    err = amdi_descriptors_create(&session->descriptors);
    exit_status = err == AMDRPC_OK
            ? session_set_metadata(session)
            : amdi_session_fail(err, "cannot keep descriptors");
    if (exit_status == AMDI_EXIT_OK) {
        exit_status = amdi_connect_open(connect, target, &session->channel);
    }
    if (exit_status != AMDI_EXIT_OK) {
        amdi_session_close(session);
    }
    return exit_status;
}

void
amdi_session_close(struct amdi_session *session)
{
    amdrpc_channel_unref(session->channel);
    amdi_interrupt_stop(&session->interrupt);
    amdi_descriptors_destroy(session->descriptors);
    amdrpc_metadata_destroy(session->metadata);
}

int
amdi_session_make_metadata(struct amdi_session *session,
        const struct amdi_texts *pairs, amdrpc_metadata **out)
{
    amdrpc_err err = amdrpc_metadata_create(out);

    if (err == AMDRPC_OK) {
        err = amdi_connect_add_token(session->connect, *out);
    }
    for (size_t i = 0; i < pairs->count && err == AMDRPC_OK; i++) {
        err = amdi_metadata_add_pair(*out, pairs->items[i]);
        if (err == AMDRPC_EINVAL) {
            amdi_program_error(
                    "--metadata: '%s' cannot be sent", pairs->items[i]);
            return AMDI_EXIT_USAGE;
        }
    }
    return err == AMDRPC_OK ? AMDI_EXIT_OK : amdi_session_fail(err, "metadata");
}

static void
call_on_interrupt(void *call)
{
    amdrpc_client_call_cancel(call);
}

int
amdi_session_start_call(struct amdi_session *session,
        const amdrpc_method_desc *method, uint64_t timeout_ms,
        const amdrpc_metadata *metadata, amdrpc_client_call **out)
{
    amdrpc_call_options options = {.timeout_ms = (int64_t)timeout_ms,
            .metadata = metadata != NULL ? metadata : session->metadata};
    amdrpc_err err =
            amdrpc_channel_start_call(session->channel, method, &options, out);

    if (err != AMDRPC_OK) {
        return amdi_session_fail(err, "cannot start the call");
    }
    amdi_interrupt_watch(&session->interrupt, call_on_interrupt, *out);
    return AMDI_EXIT_OK;
}

void
amdi_session_end_call(struct amdi_session *session, amdrpc_client_call *call)
{
    amdi_interrupt_watch(&session->interrupt, NULL, NULL);
    amdrpc_client_call_unref(call);
}

int
amdi_session_judge(struct amdi_session *session, amdrpc_status_code status,
        const char *message)
{
    int signal = amdi_interrupt_get_signal(&session->interrupt);

    if (status == AMDRPC_STATUS_OK) {
        return AMDI_EXIT_OK;
    }
    if (signal != 0) {
        return AMDI_EXIT_SIGNAL + signal;
    }
    amdi_program_error("%s%s%s", amdrpc_status_name(status),
            message[0] == '\0' ? "" : ": ", message);
    return AMDI_EXIT_STATUS + (int)status;
}

int
amdi_session_judge_call(
        struct amdi_session *session, const amdrpc_client_call *call)
{
    return amdi_session_judge(session, amdrpc_client_call_get_status(call),
            amdrpc_client_call_get_status_message(call));
}

int
amdi_session_await(struct amdi_session *session, amdrpc_future *future)
{
    amdrpc_err err = amdrpc_future_wait(future, -1);

    if (err != AMDRPC_OK) {
        return amdi_session_fail(err, "cannot wait");
    }
    return amdi_session_judge(session, amdrpc_future_get_status(future),
            amdrpc_future_get_status_message(future));
}

static int
session_add_set(
        struct amdi_session *session, const char *path, struct amdi_buf *buf)
{
    struct amdi_error error;
    amdrpc_err err = amdi_descriptors_add_set(session->descriptors,
            amdi_buf_peek(buf), amdi_buf_len(buf), &error);

    if (err == AMDRPC_OK) {
        err = amdi_descriptors_link(session->descriptors, &error);
    }
    if (err != AMDRPC_OK) {
        amdi_program_error("%s: %s", path, error.text);
        return AMDI_EXIT_USAGE;
    }
    return AMDI_EXIT_OK;
}

int
amdi_session_load_set(struct amdi_session *session, const char *path)
{
    struct amdi_buf buf;
    int exit_status;

    amdi_buf_init(&buf);
    exit_status = amdi_file_read(path, AMDI_DESCRIPTORS_MAX_BYTES, &buf);
    if (exit_status == AMDI_EXIT_OK) {
        exit_status = session_add_set(session, path, &buf);
    }
    amdi_buf_fini(&buf);
    return exit_status;
}
