/** DigestFile: the digest of one file. */
#include "server/modules/checksum/job.h"
#include "server/modules/checksum/methods.h"
#include "server/modules/checksum/roots.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

typedef Amdrpc__Checksum__V1__DigestFileRequest file_request;
typedef Amdrpc__Checksum__V1__DigestFileResponse file_response;
typedef Amdrpc__Checksum__V1__FileResult file_result;

static amdrpc_err
file_tell(amdrpc_call *call, amdi_job_progress *progress)
{
    file_response response = AMDRPC__CHECKSUM__V1__DIGEST_FILE_RESPONSE__INIT;

    response.event_case =
            AMDRPC__CHECKSUM__V1__DIGEST_FILE_RESPONSE__EVENT_PROGRESS;
    response.progress = progress;
    return amdrpc_checksum_v1_checksum_digest_file_send(call, &response);
}

static amdrpc_err
file_send_result(amdrpc_call *call, file_result *result)
{
    file_response response = AMDRPC__CHECKSUM__V1__DIGEST_FILE_RESPONSE__INIT;

    response.event_case =
            AMDRPC__CHECKSUM__V1__DIGEST_FILE_RESPONSE__EVENT_RESULT;
    response.result = result;
    return amdrpc_checksum_v1_checksum_digest_file_send(call, &response);
}

/* Opens a regular file; returns -1 with the failure. */
static int
file_open(const struct amdi_roots *roots, const char *path, uint64_t *size,
        struct amdi_failure *failure)
{
    struct stat info;
    int fd = -1;

    if (!amdi_roots_open(roots, path, &fd, failure)) {
        return -1;
    }
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
        *size = (uint64_t)info.st_size;
        return fd;
    }
    (void)close(fd); // nothing was read
    *failure = (struct amdi_failure){
            AMDRPC_STATUS_FAILED_PRECONDITION, "not a regular file"};
    return -1;
}

/* Returns whether the call still has to be finished. */
static bool
file_run(struct amdi_job *job, int fd, const char *path)
{
    struct amdi_digest_value value;
    struct amdi_failure failure;
    file_result result;

    switch (amdi_job_digest(job, fd, path, &value, &result, &failure)) {
    case AMDI_JOB_DONE:
        if (!amdi_job_skip(job)) {
            (void)amdi_job_check(job, file_send_result(job->call, &result));
        }
        return true;
    case AMDI_JOB_STOPPED:
        return true;
    case AMDI_JOB_FAILED:
        amdi_job_refuse(job->call, path, &failure);
        return false;
    }
    return true;
}

void
amdi_checksum_on_file(
        amdrpc_call *call, const file_request *request, void *user_data)
{
    const struct amdi_roots *roots = user_data;
    struct amdi_failure failure;
    struct amdi_job job;
    uint64_t size = 0;
    int fd;

    if (!amdi_job_init(&job, call, request->algorithm, file_tell)) {
        return;
    }
    fd = file_open(roots, request->path, &size, &failure);
    if (fd < 0) {
        amdi_job_refuse(call, request->path, &failure);
        amdi_job_fini(&job);
        return;
    }
    job.progress.files_total = 1;
    job.progress.bytes_total = size;
    if (file_run(&job, fd, request->path)) {
        amdi_job_finish(&job);
    }
    (void)close(fd); // it was only read
    amdi_job_fini(&job);
}
