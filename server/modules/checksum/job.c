/** The work of one call: digests of files, with progress on the way. */
#include "server/modules/checksum/job.h"

#include "common/alloc.h"
#include "common/clock.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

// Large enough that system calls do not count, small enough for the cache.
#define JOB_BUFFER_BYTES 262144u

// Ten progress messages a second are more than an eye can follow.
#define JOB_TELL_MS 100u

bool
amdi_job_init(struct amdi_job *job, amdrpc_call *call, const char *algorithm,
        amdi_job_tell_fn tell)
{
    amdrpc_err err;

    memset(job, 0, sizeof(*job));
    amdrpc__checksum__v1__progress__init(&job->progress);
    job->call = call;
    job->algorithm = algorithm[0] != '\0' ? algorithm : AMDI_DIGEST_DEFAULT;
    job->tell = tell;
    job->told_at_ms = amdi_clock_now_ms();
    job->ndelivered = amdrpc_call_get_delivered(call);
    job->is_kept = amdrpc_call_get_operation(call)[0] != '\0';
    err = amdi_digest_init(&job->digest, job->algorithm);
    if (err == AMDRPC_ENOTFOUND) {
        amdrpc_call_finishf(call, AMDRPC_STATUS_INVALID_ARGUMENT,
                "\"%s\" is not a digest that OpenSSL knows", job->algorithm);
        return false;
    }
    job->buffer = amdi_alloc(JOB_BUFFER_BYTES);
    if (err != AMDRPC_OK || job->buffer == NULL) {
        amdi_job_fini(job);
        amdrpc_call_finish(
                call, AMDRPC_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return false;
    }
    return true;
}

void
amdi_job_fini(struct amdi_job *job)
{
    amdi_digest_fini(&job->digest);
    amdi_free(job->buffer);
    job->buffer = NULL;
}

bool
amdi_job_check(struct amdi_job *job, amdrpc_err err)
{
    if (job->err == AMDRPC_OK) {
        job->err = err;
    }
    return job->err == AMDRPC_OK;
}

static bool
job_tell(struct amdi_job *job, const char *path)
{
    job->told_at_ms = amdi_clock_now_ms();
    // The message is packed before tell returns, and protobuf-c has no const.
    job->progress.path = (char *)path;
    return amdi_job_check(job, job->tell(job->call, &job->progress));
}

bool
amdi_job_skip(struct amdi_job *job)
{
    bool is_there = job->ndelivered > 0;

    job->ndelivered -= is_there;
    return is_there;
}

/** Reports the step to whoever watches; false: stop. */
static bool
job_checkpoint(struct amdi_job *job, const char *path)
{
    return job->ndelivered > 0
            ? !amdrpc_call_is_cancelled(job->call)
            : amdrpc_call_checkpoint_note(job->call, job->progress.bytes_done,
                      job->progress.bytes_total, path);
}

bool
amdi_job_step(struct amdi_job *job, const char *path)
{
    if (!job_checkpoint(job, path)) {
        return amdi_job_check(job, AMDRPC_ECANCELED);
    }
    if (job->is_kept || amdi_clock_now_ms() - job->told_at_ms < JOB_TELL_MS) {
        return true;
    }
    return job_tell(job, path);
}

/* Feeds a file to the digest; adds to *size what was read. */
static enum amdi_job_outcome
job_read(struct amdi_job *job, int fd, const char *path, uint64_t *size,
        struct amdi_failure *failure)
{
    for (;;) {
        ssize_t n = read(fd, job->buffer, JOB_BUFFER_BYTES);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            *failure = amdi_failure_from_errno(errno);
            return AMDI_JOB_FAILED;
        }
        if (n == 0) {
            return AMDI_JOB_DONE;
        }
        *size += (uint64_t)n;
        job->progress.bytes_done += (uint64_t)n;
        if (!amdi_job_check(job,
                    amdi_digest_update(&job->digest, job->buffer, (size_t)n)) ||
                !amdi_job_step(job, path)) {
            return AMDI_JOB_STOPPED;
        }
    }
}

enum amdi_job_outcome
amdi_job_digest(struct amdi_job *job, int fd, const char *path,
        struct amdi_digest_value *value,
        Amdrpc__Checksum__V1__FileResult *result, struct amdi_failure *failure)
{
    enum amdi_job_outcome outcome;
    uint64_t size = 0;

    if (!amdi_job_check(job, amdi_digest_start(&job->digest))) {
        return AMDI_JOB_STOPPED;
    }
    outcome = job_read(job, fd, path, &size, failure);
    if (outcome != AMDI_JOB_DONE) {
        return outcome;
    }
    if (!amdi_job_check(job, amdi_digest_finish(&job->digest, value))) {
        return AMDI_JOB_STOPPED;
    }
    job->progress.files_done++;
    amdrpc__checksum__v1__file_result__init(result);
    // Borrowed until the message is packed; protobuf-c has no const.
    result->path = (char *)path;
    result->size = size;
    result->algorithm = (char *)job->algorithm;
    result->digest = (ProtobufCBinaryData){value->len, value->bytes};
    result->hex = value->hex;
    return AMDI_JOB_DONE;
}

void
amdi_job_finish(struct amdi_job *job)
{
    if (job->err == AMDRPC_OK && !amdi_job_skip(job)) {
        (void)job_tell(job, ""); // a failure is kept in the job
    }
    amdrpc_call_finish(job->call, amdrpc_status_from_err(job->err),
            job->err == AMDRPC_OK ? NULL : amdrpc_err_text(job->err));
}

void
amdi_job_refuse(
        amdrpc_call *call, const char *path, const struct amdi_failure *failure)
{
    amdrpc_call_finishf(
            call, failure->code, "\"%s\": %s", path, failure->reason);
}
