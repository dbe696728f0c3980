/** The work of one call: digests of files, with progress on the way. */
#ifndef AMDI_JOB_H
#define AMDI_JOB_H

#include <amdrpc/call.h>

#include "amdrpc/checksum/v1/checksum.pb-c.h"
#include "server/modules/checksum/digest.h"
#include "server/modules/checksum/failure.h"

#include <stdbool.h>
#include <stdint.h>

typedef Amdrpc__Checksum__V1__Progress amdi_job_progress;

/** Sends a progress in the method's own message. */
typedef amdrpc_err (*amdi_job_tell_fn)(
        amdrpc_call *call, amdi_job_progress *progress);

struct amdi_job {
    amdrpc_call *call;     // borrowed
    const char *algorithm; // borrowed
    amdi_job_tell_fn tell;
    struct amdi_digest digest;
    uint8_t *buffer; // owned
    amdi_job_progress progress;
    uint64_t told_at_ms;
    uint64_t ndelivered; // messages left of those of earlier attempts
    bool is_kept;        // an operation: progress is no message
    amdrpc_err err;      // why the job stopped; AMDRPC_OK while it goes on
};

/**
 * Begins a job. When that fails the call has been finished.
 *
 * @algorithm  as the client wrote it; "" means the default
 */
bool amdi_job_init(struct amdi_job *job, amdrpc_call *call,
        const char *algorithm, amdi_job_tell_fn tell);
void amdi_job_fini(struct amdi_job *job);

enum amdi_job_outcome {
    AMDI_JOB_DONE,
    AMDI_JOB_FAILED,  // this file; the failure says why
    AMDI_JOB_STOPPED, // the whole job; job->err says why
};

/**
 * Computes the digest of an open regular file.
 *
 * @path    for the progress; borrowed
 * @result  of its fields, digest and hex point into @value
 */
enum amdi_job_outcome amdi_job_digest(struct amdi_job *job, int fd,
        const char *path, struct amdi_digest_value *value,
        Amdrpc__Checksum__V1__FileResult *result, struct amdi_failure *failure);

/**
 * Tells whether the next message was delivered by an earlier attempt, and so
 * is not sent again. It must be asked once for each message: a job's messages
 * are always the same, in the same order.
 */
bool amdi_job_skip(struct amdi_job *job);

/**
 * Takes a step: tells progress when it is time; false: stop. Until it is where
 * the last attempt was, a job does not say how far it has come.
 */
bool amdi_job_step(struct amdi_job *job, const char *path);

/** Keeps an error of sending; returns whether to go on. */
bool amdi_job_check(struct amdi_job *job, amdrpc_err err);

/** Tells the last progress and finishes the call as the job has ended. */
void amdi_job_finish(struct amdi_job *job);

/** Finishes the call with "PATH: REASON". */
void amdi_job_refuse(amdrpc_call *call, const char *path,
        const struct amdi_failure *failure);

#endif
