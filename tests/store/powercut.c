/**
 * A library to preload: the disk of one directory, as a power cut would leave
 * it, and system calls that fail.
 *
 * Beside the files that the program sees, a shadow directory has what would
 * survive: the bytes that were written before the last fsync of their file,
 * and the names that were there at the last fsync of the directory. At a
 * moment that the seed chooses the process is killed in the middle of its
 * work. Some of the bytes that were not synced may have reached the disk too:
 * then each written block is kept with the chance that was asked for.
 *
 * Environment:
 *     POWERCUT_DIR     the directory; without it nothing happens
 *     POWERCUT_SHADOW  an existing directory: data/ and names/ are made there
 *     POWERCUT_AFTER   the call to its files in which the power fails; 0: none
 *     POWERCUT_KEEP    0 … 100: percentage of unsynced blocks that survive
 *     POWERCUT_SEED    of that choice
 *     POWERCUT_FAIL    CALL:ERRNO:N; from the N-th call on, CALL (write, sync)
 *                      fails with this number
 *     POWERCUT_LIE     1: fsync succeeds and does nothing
 */
// Wide files are called by two names on this system; both are defined here.
#undef _FILE_OFFSET_BITS

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FDS 256
#define MAX_PATH_BYTES 1024
#define BLOCK_BYTES 4096

struct block {
    struct block *next;
    off_t at; // of BLOCK_BYTES
};

/** A file of the directory that is open. */
struct tracked {
    bool is_used;
    bool is_dir;
    char name[128];      // in the directory
    struct block *dirty; // written and not synced, newest first
};

static pthread_mutex_t mtx = PTHREAD_MUTEX_INITIALIZER;
static struct tracked files[MAX_FDS]; // by descriptor
static char dir[MAX_PATH_BYTES];
static char shadow[MAX_PATH_BYTES];
static long calls_left; // until the power fails; 0: it does not
static unsigned keep_percent;
static unsigned seed;
static char fail_call; // w(rite), s(ync) or 0
static int fail_errno;
static long fail_after;
static bool is_lying;

/* ---- the calls behind ---- */

static struct {
    int (*open)(const char *path, int flags, ...);
    int (*close)(int fd);
    ssize_t (*pwrite)(int fd, const void *data, size_t len, off_t at);
    int (*ftruncate)(int fd, off_t len);
    int (*unlink)(const char *path);
    int (*fsync)(int fd);
    int (*fdatasync)(int fd);
} real;

/** Finds them; other libraries may call before our constructor runs. */
static void
real_load(void)
{
    if (real.open != NULL) {
        return;
    }
    // As dlsym(3) shows it: ISO C has no way from data to functions.
    *(void **)&real.close = dlsym(RTLD_NEXT, "close");
    *(void **)&real.pwrite = dlsym(RTLD_NEXT, "pwrite64");
    *(void **)&real.ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    *(void **)&real.unlink = dlsym(RTLD_NEXT, "unlink");
    *(void **)&real.fsync = dlsym(RTLD_NEXT, "fsync");
    *(void **)&real.fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    *(void **)&real.open = dlsym(RTLD_NEXT, "open");
}

/* ---- settings ---- */

static long
setting(const char *name)
{
    const char *text = getenv(name);

    return text == NULL ? 0 : strtol(text, NULL, 10);
}

__attribute__((constructor)) static void
powercut_start(void)
{
    const char *text = getenv("POWERCUT_DIR");
    const char *fail = getenv("POWERCUT_FAIL");
    char path[MAX_PATH_BYTES + 16];

    if (text == NULL) {
        return;
    }
    (void)snprintf(dir, sizeof(dir), "%s", text);
    text = getenv("POWERCUT_SHADOW");
    if (text != NULL) {
        (void)snprintf(shadow, sizeof(shadow), "%s", text);
        (void)snprintf(path, sizeof(path), "%s/data", shadow);
        (void)mkdir(path, 0700);
        (void)snprintf(path, sizeof(path), "%s/names", shadow);
        (void)mkdir(path, 0700);
    }
    calls_left = setting("POWERCUT_AFTER");
    keep_percent = (unsigned)setting("POWERCUT_KEEP");
    seed = (unsigned)setting("POWERCUT_SEED");
    is_lying = setting("POWERCUT_LIE") != 0;
    if (fail != NULL) {
        fail_call = fail[0];
        fail_errno = (int)strtol(strchr(fail, ':') + 1, NULL, 10);
        fail_after = strtol(strrchr(fail, ':') + 1, NULL, 10);
    }
}

static struct tracked *
tracked_of(int fd)
{
    return fd >= 0 && fd < MAX_FDS && files[fd].is_used ? &files[fd] : NULL;
}

/* ---- the shadow ---- */

static void
shadow_path(char *out, size_t size, const char *kind, const char *name)
{
    (void)snprintf(out, size, "%s/%s/%s", shadow, kind, name);
}

static int
shadow_open(const struct tracked *file)
{
    char path[2 * MAX_PATH_BYTES];

    shadow_path(path, sizeof(path), "data", file->name);
    return real.open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static void
shadow_copy_block(int from, int to, off_t at)
{
    char data[BLOCK_BYTES];
    ssize_t len = pread(from, data, sizeof(data), at);

    if (len > 0) {
        (void)!real.pwrite(to, data, (size_t)len, at);
    }
}

/** Brings blocks of a file to the shadow; each with a chance in percent. */
static void
shadow_copy_dirty(int fd, struct tracked *file, unsigned chance)
{
    int to = shadow_open(file);

    for (struct block *block = file->dirty; block != NULL;
            block = block->next) {
        if ((unsigned)rand_r(&seed) % 100 < chance) {
            shadow_copy_block(fd, to, block->at);
        }
    }
    (void)real.close(to);
}

static void
tracked_forget_dirty(struct tracked *file)
{
    while (file->dirty != NULL) {
        struct block *block = file->dirty;

        file->dirty = block->next;
        free(block);
    }
}

static void
shadow_sync_file(int fd, struct tracked *file)
{
    struct stat now;
    int to;

    shadow_copy_dirty(fd, file, 100);
    tracked_forget_dirty(file);
    to = shadow_open(file);
    if (fstat(fd, &now) == 0) {
        (void)!ftruncate(to, now.st_size);
    }
    (void)real.close(to);
}

/** The names of the directory become those of the shadow. */
static void
shadow_sync_names(void)
{
    char path[2 * MAX_PATH_BYTES];
    char names[MAX_PATH_BYTES + 8];
    DIR *entries;
    struct dirent *entry;

    (void)snprintf(names, sizeof(names), "%s/names", shadow);
    entries = opendir(names);
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        if (access(path, F_OK) != 0) {
            shadow_path(path, sizeof(path), "names", entry->d_name);
            (void)real.unlink(path);
            shadow_path(path, sizeof(path), "data", entry->d_name);
            (void)real.unlink(path);
        }
    }
    (void)closedir(entries);
    entries = opendir(dir);
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        if (entry->d_name[0] != '.') {
            shadow_path(path, sizeof(path), "names", entry->d_name);
            (void)real.close(real.open(path, O_WRONLY | O_CREAT, 0600));
        }
    }
    (void)closedir(entries);
}

/* ---- the power ---- */

static void
power_fail(void)
{
    for (int fd = 0; fd < MAX_FDS && keep_percent > 0; fd++) {
        if (files[fd].is_used && !files[fd].is_dir) {
            shadow_copy_dirty(fd, &files[fd], keep_percent);
        }
    }
    (void)kill(getpid(), SIGKILL);
    for (;;) {
        (void)pause(); // no way back
    }
}

static void
power_count_locked(void)
{
    if (calls_left > 0 && --calls_left == 0) {
        power_fail();
    }
}

/** Tells whether this call is to fail; sets errno. */
static bool
call_fails_locked(char call)
{
    if (fail_call != call || --fail_after > 0) {
        return false;
    }
    errno = fail_errno;
    return true;
}

/* ---- open and close ---- */

static void
track(int fd, const char *path)
{
    size_t len = strlen(dir);
    struct tracked *file;

    if (fd < 0 || fd >= MAX_FDS || len == 0 || strncmp(path, dir, len) != 0 ||
            (path[len] != '/' && path[len] != '\0')) {
        return;
    }
    (void)pthread_mutex_lock(&mtx);
    file = &files[fd];
    *file = (struct tracked){.is_used = true, .is_dir = path[len] == '\0'};
    (void)snprintf(file->name, sizeof(file->name), "%s",
            file->is_dir ? "" : path + len + 1);
    (void)pthread_mutex_unlock(&mtx);
}

int open(const char *path, int flags, ...);
int open64(const char *path, int flags, ...);
ssize_t pwrite64(int fd, const void *data, size_t len, off_t at);
int ftruncate64(int fd, off_t len);

int
open(const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;
    int fd;

    va_start(args, flags);
    mode = va_arg(args, mode_t); // what is not there is not looked at
    va_end(args);
    real_load();
    fd = real.open(path, flags, mode);
    track(fd, path);
    return fd;
}

int
open64(const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = va_arg(args, mode_t);
    va_end(args);
    return open(path, flags, mode);
}

int
close(int fd)
{
    struct tracked *file;

    real_load();
    (void)pthread_mutex_lock(&mtx);
    file = tracked_of(fd);
    if (file != NULL) {
        // Closing syncs nothing; what was not synced is lost.
        tracked_forget_dirty(file);
        file->is_used = false;
    }
    (void)pthread_mutex_unlock(&mtx);
    return real.close(fd);
}

/* ---- write ---- */

static void
note_dirty_locked(struct tracked *file, off_t at, size_t len)
{
    off_t first = at - at % BLOCK_BYTES;

    for (off_t block_at = first; block_at < at + (off_t)len;
            block_at += BLOCK_BYTES) {
        struct block *block = malloc(sizeof(*block));

        if (block != NULL) {
            *block = (struct block){file->dirty, block_at};
            file->dirty = block;
        }
    }
}

ssize_t
pwrite64(int fd, const void *data, size_t len, off_t at)
{
    struct tracked *file;
    ssize_t n;

    real_load();
    (void)pthread_mutex_lock(&mtx);
    file = tracked_of(fd);
    if (file != NULL && call_fails_locked('w')) {
        (void)pthread_mutex_unlock(&mtx);
        return -1;
    }
    n = real.pwrite(fd, data, len, at);
    if (file != NULL && n > 0) {
        note_dirty_locked(file, at, (size_t)n);
        power_count_locked();
    }
    (void)pthread_mutex_unlock(&mtx);
    return n;
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t at)
{
    return pwrite64(fd, data, len, at);
}

/* ---- truncate and unlink: seen at once, durable with the next sync ---- */

int
ftruncate64(int fd, off_t len)
{
    int result;

    real_load();
    (void)pthread_mutex_lock(&mtx);
    if (tracked_of(fd) != NULL) {
        power_count_locked();
    }
    result = real.ftruncate(fd, len);
    (void)pthread_mutex_unlock(&mtx);
    return result;
}

int
unlink(const char *path)
{
    real_load();
    (void)pthread_mutex_lock(&mtx);
    if (dir[0] != '\0' && strncmp(path, dir, strlen(dir)) == 0) {
        power_count_locked();
    }
    (void)pthread_mutex_unlock(&mtx);
    return real.unlink(path);
}

/* ---- sync ---- */

static int
sync_file(int fd, int (*really)(int))
{
    struct tracked *file;
    int result = -1;

    (void)pthread_mutex_lock(&mtx);
    file = tracked_of(fd);
    if (file == NULL) {
        (void)pthread_mutex_unlock(&mtx);
        return really(fd);
    }
    power_count_locked();
    if (!call_fails_locked('s')) {
        result = 0; // the shadow is the disk here
        if (shadow[0] != '\0' && !is_lying) {
            if (file->is_dir) {
                shadow_sync_names();
            } else {
                shadow_sync_file(fd, file);
            }
        }
    }
    (void)pthread_mutex_unlock(&mtx);
    return result;
}

int
fsync(int fd)
{
    real_load();
    return sync_file(fd, real.fsync);
}

int
fdatasync(int fd)
{
    real_load();
    return sync_file(fd, real.fdatasync);
}
