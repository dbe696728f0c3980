/** The directories that a server was given, and no way out of them. */
#include "server/modules/checksum/roots.h"

#include "common/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct amdi_root {
    char *path; // absolute, as given; owned
    char *real; // without symbolic links; owned
    int fd;
};

/* ---- adding ---- */

static void
root_fini(struct amdi_root *root)
{
    amdi_free(root->path);
    amdi_free(root->real);
    if (root->fd >= 0) {
        (void)close(root->fd); // it was only read
    }
}

void
amdi_roots_fini(struct amdi_roots *roots)
{
    for (size_t i = 0; i < roots->count; i++) {
        root_fini(&roots->items[i]);
    }
    amdi_free(roots->items);
    memset(roots, 0, sizeof(*roots));
}

/* Makes a path absolute and drops slashes at its end; owned, or NULL. */
static char *
path_make_absolute(const char *path)
{
    char cwd[PATH_MAX] = "";
    size_t len = strlen(path);
    size_t cwd_len;
    char *absolute;

    if (path[0] != '/' && getcwd(cwd, sizeof(cwd)) == NULL) {
        return NULL;
    }
    while (len > 0 && path[len - 1] == '/') {
        len--;
    }
    cwd_len = strlen(cwd);
    absolute = amdi_alloc(cwd_len + 1 + len + 1);
    if (absolute != NULL) {
        memcpy(absolute, cwd, cwd_len);
        absolute[cwd_len] = '/';
        cwd_len += path[0] != '/';
        memcpy(absolute + cwd_len, path, len);
        absolute[cwd_len + len] = '\0';
    }
    return absolute;
}

static amdrpc_err
root_init(struct amdi_root *root, const char *path)
{
    char real[PATH_MAX];

    memset(root, 0, sizeof(*root));
    root->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root->fd < 0 || realpath(path, real) == NULL) {
        return AMDRPC_EIO;
    }
    root->path = path_make_absolute(path);
    root->real = path_make_absolute(real);
    return root->path != NULL && root->real != NULL ? AMDRPC_OK : AMDRPC_ENOMEM;
}

amdrpc_err
amdi_roots_add(struct amdi_roots *roots, const char *path)
{
    struct amdi_root root;
    struct amdi_root *items;
    amdrpc_err err = root_init(&root, path);
    int saved = errno;

    if (err != AMDRPC_OK) {
        root_fini(&root);
        errno = saved;
        return err;
    }
    items = amdi_realloc(roots->items, (roots->count + 1) * sizeof(*items));
    if (items == NULL) {
        root_fini(&root);
        return AMDRPC_ENOMEM;
    }
    roots->items = items;
    roots->items[roots->count++] = root;
    return AMDRPC_OK;
}

/* ---- opening ---- */

/* Returns what of @path follows @prefix and a slash, or NULL. */
static const char *
path_below(const char *path, const char *prefix)
{
    size_t len = strlen(prefix);

    if (strncmp(path, prefix, len) != 0 ||
            (path[len] != '/' && path[len] != '\0')) {
        return NULL;
    }
    return path + len;
}

static const char *
root_get_rest(const struct amdi_root *root, const char *path)
{
    const char *rest = path_below(path, root->path);

    return rest != NULL ? rest : path_below(path, root->real);
}

/* Takes the next component; false at the end. */
static bool
component_next(const char **path, char out[NAME_MAX + 1], int *error)
{
    size_t len;

    *path += strspn(*path, "/");
    len = strcspn(*path, "/");
    if (len == 0) {
        return false;
    }
    if (len > NAME_MAX) {
        *error = ENAMETOOLONG;
        return false;
    }
    memcpy(out, *path, len);
    out[len] = '\0';
    *path += len;
    if (strcmp(out, "..") == 0) {
        *error = EXDEV;
        return false;
    }
    return true;
}

/* Whether more than slashes follows. */
static bool
component_is_last(const char *path)
{
    return path[strspn(path, "/")] == '\0';
}

/*
 * Opens @name in the directory @dir_fd; -1 with errno. What lies on the way
 * must be a directory. O_NONBLOCK is for FIFOs, which would keep us waiting.
 */
static int
component_open(int dir_fd, const char *name, bool is_last)
{
    int fd = openat(dir_fd, name,
            O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC |
                    (is_last ? 0 : O_DIRECTORY));
    char target[1];

    // A symbolic link where a directory is asked for is ENOTDIR to the kernel.
    if (fd < 0 && errno == ENOTDIR) {
        errno = readlinkat(dir_fd, name, target, sizeof(target)) >= 0 ? ELOOP
                                                                      : ENOTDIR;
    }
    return fd;
}

/* Walks down from @dir_fd; returns 0 or an errno, EXDEV for a way out. */
static int
open_below(int dir_fd, const char *path, int *out_fd)
{
    char name[NAME_MAX + 1];
    int error = 0;
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return errno;
    }
    while (component_next(&path, name, &error)) {
        int next = component_open(fd, name, component_is_last(path));

        error = next < 0 ? errno : 0;
        (void)close(fd); // it was only read
        if (next < 0) {
            return error;
        }
        fd = next;
    }
    if (error != 0) {
        (void)close(fd); // it was only read
        return error;
    }
    *out_fd = fd;
    return 0;
}

static const struct amdi_failure failure_outside = {
        AMDRPC_STATUS_PERMISSION_DENIED,
        "not below a directory that this server was given"};

bool
amdi_roots_open(const struct amdi_roots *roots, const char *path, int *out_fd,
        struct amdi_failure *failure)
{
    *failure = failure_outside;
    if (path[0] != '/') {
        *failure = (struct amdi_failure){
                AMDRPC_STATUS_INVALID_ARGUMENT, "the path is not absolute"};
        return false;
    }
    for (size_t i = 0; i < roots->count; i++) {
        const char *rest = root_get_rest(&roots->items[i], path);
        int error;

        if (rest == NULL) {
            continue;
        }
        error = open_below(roots->items[i].fd, rest, out_fd);
        if (error == 0) {
            return true;
        }
        if (error != EXDEV) {
            *failure = amdi_failure_from_errno(error);
        }
        return false;
    }
    return false;
}
