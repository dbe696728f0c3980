/** DigestUpload: the digest of what a client sends. */
#include "common/alloc.h"
#include "server/modules/checksum/digest.h"
#include "server/modules/checksum/methods.h"

#include <string.h>

typedef Amdrpc__Checksum__V1__DigestUploadRequest upload_request;
typedef Amdrpc__Checksum__V1__DigestUploadResponse upload_response;

struct upload {
    amdrpc_call *call;
    char *algorithm; // of the first message; owned
    struct amdi_digest digest;
    uint64_t size;
};

/* Begins with the first message. Returns false with the call finished. */
static bool
upload_start(struct upload *upload, const char *algorithm)
{
    amdrpc_err err = AMDRPC_ENOMEM;

    upload->algorithm =
            amdi_strdup(algorithm[0] != '\0' ? algorithm : AMDI_DIGEST_DEFAULT);
    if (upload->algorithm != NULL) {
        err = amdi_digest_init(&upload->digest, upload->algorithm);
    }
    if (err == AMDRPC_ENOTFOUND) {
        amdrpc_call_finishf(upload->call, AMDRPC_STATUS_INVALID_ARGUMENT,
                "\"%s\" is not a digest that OpenSSL knows", upload->algorithm);
        return false;
    }
    if (err == AMDRPC_OK) {
        err = amdi_digest_start(&upload->digest);
    }
    if (err != AMDRPC_OK) {
        amdrpc_call_finish(upload->call, amdrpc_status_from_err(err),
                amdrpc_err_text(err));
    }
    return err == AMDRPC_OK;
}

/* Takes one message. Returns false with the call finished. */
static bool
upload_take(struct upload *upload, const upload_request *request)
{
    amdrpc_err err;

    if (upload->algorithm == NULL &&
            !upload_start(upload, request->algorithm)) {
        return false;
    }
    if (request->algorithm[0] != '\0' &&
            strcmp(request->algorithm, upload->algorithm) != 0) {
        amdrpc_call_finishf(upload->call, AMDRPC_STATUS_INVALID_ARGUMENT,
                "the algorithm changes from \"%s\" to \"%s\"",
                upload->algorithm, request->algorithm);
        return false;
    }
    upload->size += request->chunk.len;
    err = amdi_digest_update(
            &upload->digest, request->chunk.data, request->chunk.len);
    if (err != AMDRPC_OK) {
        amdrpc_call_finish(upload->call, amdrpc_status_from_err(err),
                amdrpc_err_text(err));
    }
    return err == AMDRPC_OK;
}

static void
upload_reply(struct upload *upload)
{
    upload_response response =
            AMDRPC__CHECKSUM__V1__DIGEST_UPLOAD_RESPONSE__INIT;
    struct amdi_digest_value value;
    amdrpc_err err;

    if (upload->algorithm == NULL && !upload_start(upload, "")) {
        return; // no message came, and nothing has a digest too
    }
    err = amdi_digest_finish(&upload->digest, &value);
    if (err != AMDRPC_OK) {
        amdrpc_call_finish(upload->call, amdrpc_status_from_err(err),
                amdrpc_err_text(err));
        return;
    }
    response.algorithm = upload->algorithm;
    response.size = upload->size;
    response.digest = (ProtobufCBinaryData){value.len, value.bytes};
    response.hex = value.hex;
    amdrpc_checksum_v1_checksum_digest_upload_reply(upload->call, &response);
}

static void
upload_run(struct upload *upload)
{
    for (;;) {
        const upload_request *request = NULL;
        amdrpc_err err = amdrpc_checksum_v1_checksum_digest_upload_recv(
                upload->call, &request);

        if (err == AMDRPC_EEND) {
            upload_reply(upload);
            return;
        }
        if (err != AMDRPC_OK) {
            amdrpc_call_finish(upload->call, amdrpc_status_from_err(err),
                    amdrpc_err_text(err));
            return;
        }
        if (!upload_take(upload, request)) {
            return;
        }
    }
}

void
amdi_checksum_on_upload(amdrpc_call *call, void *user_data)
{
    struct upload upload = {.call = call};

    (void)user_data; // no file is read
    upload_run(&upload);
    amdi_digest_fini(&upload.digest);
    amdi_free(upload.algorithm);
}
