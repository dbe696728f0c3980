/** Files that hold secrets, and so must be nobody else's to read. */
#include "common/tls/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define OTHERS (S_IRWXG | S_IRWXO)

/** What is open is looked at, not the path: that may change meanwhile. */
static amdrpc_err
file_check(FILE *file, const char *path, struct amdi_error *error)
{
    struct stat info;

    if (fstat(fileno(file), &info) != 0) {
        return amdi_error_set(
                error, AMDRPC_EACCES, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return amdi_error_set(
                error, AMDRPC_EINVAL, "%s: not a regular file", path);
    }
    if ((info.st_mode & OTHERS) != 0) {
        return amdi_error_set(error, AMDRPC_EACCES,
                "%s: others than its owner may access it (mode %04o); "
                "it must be 0600 or 0400",
                path, (unsigned)(info.st_mode & ALLPERMS));
    }
    return AMDRPC_OK;
}

amdrpc_err
amdi_secret_open(const char *path, FILE **out, struct amdi_error *error)
{
    FILE *file = fopen(path, "re");
    amdrpc_err err;

    if (file == NULL) {
        return errno == ENOMEM ? amdi_error_nomem(error)
                               : amdi_error_set(error, AMDRPC_EACCES, "%s: %s",
                                         path, strerror(errno));
    }
    err = file_check(file, path, error);
    if (err != AMDRPC_OK) {
        (void)fclose(file); // nothing was written to it
        return err;
    }
    *out = file;
    return AMDRPC_OK;
}
