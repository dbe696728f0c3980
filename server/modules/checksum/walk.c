/** All files below a directory, in the order of their paths' bytes. */
#include "server/modules/checksum/walk.h"

#include "common/alloc.h"
#include "common/encoding.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct entry {
    char *name; // owned; a directory's ends with '/'
    size_t len; // without that slash
    mode_t mode;
    uint64_t size;
};

struct entries {
    struct entry *items; // owned
    size_t count;
    size_t room;
};

struct walk {
    const struct amdi_walk_visitor *visitor;
    char *const *excluded;
    size_t nexcluded;
    char path[PATH_MAX]; // of what is being visited
};

/* ---- the entries of one directory ---- */

static void
entries_fini(struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        amdi_free(entries->items[i].name);
    }
    amdi_free(entries->items);
}

/*
 * Whole paths are compared as bytes, so a directory counts with its slash:
 * "a.c" goes before "a/b".
 */
static int
entry_compare(const void *left, const void *right)
{
    return strcmp(((const struct entry *)left)->name,
            ((const struct entry *)right)->name);
}

static bool
entries_reserve(struct entries *entries)
{
    size_t room = entries->room == 0 ? 64 : entries->room * 2;
    struct entry *items;

    if (entries->count < entries->room) {
        return true;
    }
    items = amdi_realloc(entries->items, room * sizeof(*items));
    if (items == NULL) {
        return false;
    }
    entries->items = items;
    entries->room = room;
    return true;
}

/* Returns 0 or an errno. */
static int
entries_add(struct entries *entries, int dir_fd, const char *name)
{
    size_t len = strlen(name);
    struct stat info;
    char *copy;

    if (fstatat(dir_fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? 0 : errno; // gone meanwhile
    }
    if (entries->count == AMDI_WALK_MAX_ENTRIES) {
        return E2BIG;
    }
    copy = amdi_alloc(len + 2);
    if (copy == NULL || !entries_reserve(entries)) {
        amdi_free(copy);
        return ENOMEM;
    }
    memcpy(copy, name, len);
    memcpy(copy + len, S_ISDIR(info.st_mode) ? "/" : "\0", 2);
    entries->items[entries->count++] = (struct entry){.name = copy,
            .len = len,
            .mode = info.st_mode,
            .size = (uint64_t)info.st_size};
    return 0;
}

static bool
walk_is_excluded(const struct walk *walk, const char *name)
{
    for (size_t i = 0; i < walk->nexcluded; i++) {
        if (strcmp(walk->excluded[i], name) == 0) {
            return true;
        }
    }
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Reads all names of an open directory; returns 0 or an errno. */
static int
entries_read_from(struct entries *entries, const struct walk *walk, DIR *dir)
{
    for (;;) {
        struct dirent *found;
        int error = 0;

        errno = 0;
        found = readdir(dir);
        if (found == NULL) {
            return errno;
        }
        if (!walk_is_excluded(walk, found->d_name)) {
            error = entries_add(entries, dirfd(dir), found->d_name);
        }
        if (error != 0) {
            return error;
        }
    }
}

static int
entries_read(struct entries *entries, const struct walk *walk, int dir_fd)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    int error;

    if (dir == NULL) {
        error = errno;
        if (fd >= 0) {
            (void)close(fd); // it was only read
        }
        return error;
    }
    error = entries_read_from(entries, walk, dir);
    (void)closedir(dir); // it was only read
    if (entries->count > 0) {
        qsort(entries->items, entries->count, sizeof(*entries->items),
                entry_compare);
    }
    return error;
}

/* ---- the walk ---- */

static bool
walk_fail(struct walk *walk, struct amdi_failure failure)
{
    return walk->visitor->on_failure(walk->visitor->arg, walk->path, &failure);
}

static bool
walk_fail_errno(struct walk *walk, int error)
{
    return walk_fail(walk, amdi_failure_from_errno(error));
}

/* A client could neither read such a name nor send it back. */
static bool
walk_fail_name(struct walk *walk)
{
    for (char *at = strrchr(walk->path, '/'); *at != '\0'; at++) {
        *at = (unsigned char)*at < 0x80 ? *at : '?';
    }
    return walk_fail(walk,
            (struct amdi_failure){AMDRPC_STATUS_FAILED_PRECONDITION,
                    "the name is not UTF-8"});
}

static bool walk_directory(struct walk *walk, int fd, unsigned depth);

static bool
walk_descend(struct walk *walk, int dir_fd, const char *name, unsigned depth)
{
    int fd;
    bool go_on;

    if (depth == AMDI_WALK_MAX_DEPTH) {
        return walk_fail(walk,
                (struct amdi_failure){AMDRPC_STATUS_FAILED_PRECONDITION,
                        "directories are nested too deeply"});
    }
    fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return walk_fail_errno(walk, errno);
    }
    go_on = walk_directory(walk, fd, depth);
    (void)close(fd); // it was only read
    return go_on;
}

static bool
walk_visit(struct walk *walk, int dir_fd, struct entry *entry, unsigned depth)
{
    struct amdi_walk_file file = {.dir_fd = dir_fd,
            .name = entry->name,
            .path = walk->path,
            .size = entry->size};

    entry->name[entry->len] = '\0'; // sorted, it needs its slash no more
    if (!amdi_utf8_is_valid(entry->name, entry->len)) {
        return walk_fail_name(walk);
    }
    if (S_ISDIR(entry->mode)) {
        return walk_descend(walk, dir_fd, entry->name, depth);
    }
    if (S_ISREG(entry->mode)) {
        return walk->visitor->on_file(walk->visitor->arg, &file);
    }
    return walk->visitor->on_skip(walk->visitor->arg, walk->path);
}

/* Visits the entry with its name at the end of the walk's path. */
static bool
walk_entry(struct walk *walk, int dir_fd, struct entry *entry, unsigned depth)
{
    size_t len = strlen(walk->path);
    bool needs_slash = len > 0 && walk->path[len - 1] != '/';
    bool go_on;

    if (len + needs_slash + entry->len + 1 > sizeof(walk->path)) {
        return walk_fail_errno(walk, ENAMETOOLONG);
    }
    if (needs_slash) {
        walk->path[len] = '/';
    }
    memcpy(walk->path + len + needs_slash, entry->name, entry->len);
    walk->path[len + needs_slash + entry->len] = '\0';
    go_on = walk_visit(walk, dir_fd, entry, depth);
    walk->path[len] = '\0';
    return go_on;
}

static bool
walk_directory(struct walk *walk, int fd, unsigned depth)
{
    struct entries entries = {0};
    int error = entries_read(&entries, walk, fd);
    bool go_on = error == 0 || walk_fail_errno(walk, error);

    for (size_t i = 0; i < entries.count && go_on; i++) {
        go_on = walk_entry(walk, fd, &entries.items[i], depth + 1);
    }
    entries_fini(&entries);
    return go_on;
}

bool
amdi_walk(int dir_fd, const char *path, char *const *excluded, size_t nexcluded,
        const struct amdi_walk_visitor *visitor)
{
    struct walk walk = {
            .visitor = visitor, .excluded = excluded, .nexcluded = nexcluded};
    size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    if (len >= sizeof(walk.path)) {
        len = sizeof(walk.path) - 1; // every entry will be too long
    }
    memcpy(walk.path, path, len);
    return walk_directory(&walk, dir_fd, 0);
}
