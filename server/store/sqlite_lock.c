/** Who may use the directory: one process, on a file system of this machine. */
#include "common/error.h"
#include "server/store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LOCK_NAME "operations.lock"

const char *
amdi_sql_network_fs(unsigned long magic)
{
    // From statfs(2). Their locks or their fsync do not hold what SQLite needs.
    static const struct {
        unsigned long magic;
        const char *name;
    } systems[] = {
            {0x6969, "NFS"},
            {0x517b, "SMB"},
            {0xfe534d42, "SMB2"},
            {0xff534d42, "CIFS"},
            {0x01021997, "9P"},
            {0x00c36400, "Ceph"},
            {0x5346414f, "AFS"},
            {0x6b414653, "kAFS"},
            {0x73757245, "Coda"},
            {0x0bd00bd0, "Lustre"},
            {0x564c, "NCP"},
    };

    for (size_t i = 0; i < sizeof(systems) / sizeof(systems[0]); i++) {
        if (systems[i].magic == (magic & 0xffffffffu)) {
            return systems[i].name;
        }
    }
    return NULL;
}

static amdrpc_err
lock_error(const char *what, const char *path, struct amdi_error *error)
{
    amdrpc_err err = AMDRPC_EIO;

    if (errno == EACCES || errno == EPERM || errno == EROFS) {
        err = AMDRPC_EACCES;
    } else if (errno == ENOENT || errno == ENOTDIR) {
        err = AMDRPC_ENOTFOUND;
    }
    return amdi_error_set(error, err, "%s %s: %s", what, path, strerror(errno));
}

static amdrpc_err
lock_check_file_system(int fd, const char *dir, struct amdi_error *error)
{
    struct statfs fs;
    const char *name;

    if (fstatfs(fd, &fs) != 0) {
        return lock_error("cannot look at the file system of", dir, error);
    }
    name = amdi_sql_network_fs((unsigned long)fs.f_type);
    if (name != NULL) {
        return amdi_error_set(error, AMDRPC_EUNSUPPORTED,
                "%s is on a network file system (%s); operations need a disk "
                "of this machine",
                dir, name);
    }
    return AMDRPC_OK;
}

static amdrpc_err
lock_take(int fd, const char *dir, struct amdi_error *error)
{
    amdrpc_err err = lock_check_file_system(fd, dir, error);

    if (err != AMDRPC_OK) {
        return err;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                ? amdi_error_set(error, AMDRPC_EADDRINUSE,
                          "%s is in use by another server: stop that one, or "
                          "use another directory",
                          dir)
                : lock_error("cannot lock", dir, error);
    }
    return AMDRPC_OK;
}

amdrpc_err
amdi_sql_lock_dir(const char *dir, int *out, struct amdi_error *error)
{
    char path[AMDI_SQL_PATH_BYTES];
    int fd;
    amdrpc_err err;

    if ((size_t)snprintf(path, sizeof(path), "%s/" LOCK_NAME, dir) >=
            sizeof(path)) {
        return amdi_error_set(
                error, AMDRPC_EINVAL, "the store's directory name is too long");
    }
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return lock_error("cannot open", path, error);
    }
    err = lock_take(fd, dir, error);
    if (err != AMDRPC_OK) {
        (void)close(fd); // nothing was written
        return err;
    }
    *out = fd;
    return AMDRPC_OK;
}
