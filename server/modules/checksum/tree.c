/** DigestTree: the digests of all files below a directory. */
#include "server/modules/checksum/job.h"
#include "server/modules/checksum/methods.h"
#include "server/modules/checksum/roots.h"
#include "server/modules/checksum/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

typedef Amdrpc__Checksum__V1__DigestTreeRequest tree_request;
typedef Amdrpc__Checksum__V1__DigestTreeResponse tree_response;
typedef Amdrpc__Checksum__V1__FileResult file_result;
typedef Amdrpc__Checksum__V1__FileError file_error;

/* ---- what is sent ---- */

static amdrpc_err
tree_tell(amdrpc_call *call, amdi_job_progress *progress)
{
    tree_response response = AMDRPC__CHECKSUM__V1__DIGEST_TREE_RESPONSE__INIT;

    response.event_case =
            AMDRPC__CHECKSUM__V1__DIGEST_TREE_RESPONSE__EVENT_PROGRESS;
    response.progress = progress;
    return amdrpc_checksum_v1_checksum_digest_tree_send(call, &response);
}

static bool
tree_send_result(struct amdi_job *job, file_result *result)
{
    tree_response response = AMDRPC__CHECKSUM__V1__DIGEST_TREE_RESPONSE__INIT;

    response.event_case =
            AMDRPC__CHECKSUM__V1__DIGEST_TREE_RESPONSE__EVENT_RESULT;
    response.result = result;
    return amdi_job_check(job,
            amdrpc_checksum_v1_checksum_digest_tree_send(job->call, &response));
}

static bool
tree_send_failure(struct amdi_job *job, const char *path,
        const struct amdi_failure *failure)
{
    tree_response response = AMDRPC__CHECKSUM__V1__DIGEST_TREE_RESPONSE__INIT;
    file_error error = AMDRPC__CHECKSUM__V1__FILE_ERROR__INIT;

    job->progress.failed++;
    if (amdi_job_skip(job)) {
        return amdi_job_step(job, path);
    }
    // Borrowed until the message is packed; protobuf-c has no const.
    error.path = (char *)path;
    error.message = (char *)failure->reason;
    response.event_case =
            AMDRPC__CHECKSUM__V1__DIGEST_TREE_RESPONSE__EVENT_ERROR;
    response.error = &error;
    return amdi_job_check(job,
            amdrpc_checksum_v1_checksum_digest_tree_send(job->call, &response));
}

/* ---- the first walk: how much there is ---- */

static bool
count_on_file(void *arg, const struct amdi_walk_file *file)
{
    struct amdi_job *job = arg;

    job->progress.files_total++;
    job->progress.bytes_total += file->size;
    return amdi_job_step(job, file->path);
}

static bool
count_on_skip(void *arg, const char *path)
{
    return amdi_job_step(arg, path);
}

/* The second walk meets the failure again and reports it. */
static bool
count_on_failure(
        void *arg, const char *path, const struct amdi_failure *failure)
{
    (void)failure; // see above
    return amdi_job_step(arg, path);
}

/* ---- the second walk: the digests ---- */

/* Opens what may have become something else since it was looked at. */
static int
file_open(const struct amdi_walk_file *file, struct amdi_failure *failure)
{
    struct stat info;
    int fd = openat(file->dir_fd, file->name,
            O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0) {
        *failure = amdi_failure_from_errno(errno);
        return -1;
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        (void)close(fd); // nothing was read
        *failure = (struct amdi_failure){AMDRPC_STATUS_FAILED_PRECONDITION,
                "not a regular file any more"};
        return -1;
    }
    return fd;
}

static bool
digest_file(struct amdi_job *job, int fd, const char *path)
{
    struct amdi_digest_value value;
    struct amdi_failure failure;
    file_result result;

    switch (amdi_job_digest(job, fd, path, &value, &result, &failure)) {
    case AMDI_JOB_DONE:
        return tree_send_result(job, &result) && amdi_job_step(job, path);
    case AMDI_JOB_FAILED:
        return tree_send_failure(job, path, &failure);
    case AMDI_JOB_STOPPED:
        return false;
    }
    return false;
}

static bool
digest_on_file(void *arg, const struct amdi_walk_file *file)
{
    struct amdi_job *job = arg;
    struct amdi_failure failure;
    bool go_on;
    int fd;

    if (amdi_job_skip(job)) {
        job->progress.files_done++;
        job->progress.bytes_done += file->size;
        return amdi_job_step(job, file->path);
    }
    fd = file_open(file, &failure);
    if (fd < 0) {
        return tree_send_failure(job, file->path, &failure);
    }
    go_on = digest_file(job, fd, file->path);
    (void)close(fd); // it was only read
    return go_on;
}

static bool
digest_on_skip(void *arg, const char *path)
{
    struct amdi_job *job = arg;

    job->progress.skipped++;
    return amdi_job_step(job, path);
}

static bool
digest_on_failure(
        void *arg, const char *path, const struct amdi_failure *failure)
{
    return tree_send_failure(arg, path, failure);
}

/* ---- both ---- */

static void
tree_run(struct amdi_job *job, int fd, const tree_request *request)
{
    const struct amdi_walk_visitor count = {.on_file = count_on_file,
            .on_skip = count_on_skip,
            .on_failure = count_on_failure,
            .arg = job};
    const struct amdi_walk_visitor digest = {.on_file = digest_on_file,
            .on_skip = digest_on_skip,
            .on_failure = digest_on_failure,
            .arg = job};

    if (amdi_walk(fd, request->path, request->exclude, request->n_exclude,
                &count)) {
        (void)amdi_walk(fd, request->path, request->exclude, request->n_exclude,
                &digest); // job->err says how it ended
    }
    amdi_job_finish(job);
}

/* Opens a directory; returns -1 with the failure. */
static int
tree_open(const struct amdi_roots *roots, const char *path,
        struct amdi_failure *failure)
{
    struct stat info;
    int fd = -1;

    if (!amdi_roots_open(roots, path, &fd, failure)) {
        return -1;
    }
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        return fd;
    }
    (void)close(fd); // nothing was read
    *failure = (struct amdi_failure){
            AMDRPC_STATUS_FAILED_PRECONDITION, "not a directory"};
    return -1;
}

void
amdi_checksum_on_tree(
        amdrpc_call *call, const tree_request *request, void *user_data)
{
    const struct amdi_roots *roots = user_data;
    struct amdi_failure failure;
    struct amdi_job job;
    int fd;

    if (!amdi_job_init(&job, call, request->algorithm, tree_tell)) {
        return;
    }
    fd = tree_open(roots, request->path, &failure);
    if (fd >= 0) {
        tree_run(&job, fd, request);
        (void)close(fd); // it was only read
    } else {
        amdi_job_refuse(call, request->path, &failure);
    }
    amdi_job_fini(&job);
}
