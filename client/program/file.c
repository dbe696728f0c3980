/** Files that the command line names. */
#include "client/program/file.h"

#include "client/program/program.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int
file_read_all(int fd, const char *path, size_t max_bytes, struct amdi_buf *out)
{
    for (;;) {
        char chunk[16 * 1024];
        ssize_t len = read(fd, chunk, sizeof(chunk));

        if (len == 0) {
            return AMDI_EXIT_OK;
        }
        if (len < 0) {
            if (errno == EINTR) {
                continue;
            }
            amdi_program_error("cannot read %s: %s", path, strerror(errno));
            return AMDI_EXIT_USAGE;
        }
        if ((size_t)len > max_bytes - amdi_buf_len(out)) {
            amdi_program_error("%s: more than %zu bytes", path, max_bytes);
            return AMDI_EXIT_USAGE;
        }
        if (amdi_buf_append(out, chunk, (size_t)len) != AMDRPC_OK) {
            amdi_program_error("%s: no memory", path);
            return AMDI_EXIT_FAILED;
        }
    }
}

int
amdi_file_read(const char *path, size_t max_bytes, struct amdi_buf *out)
{
    int exit_status;
    int fd;

    if (strcmp(path, "-") == 0) {
        return file_read_all(STDIN_FILENO, "standard input", max_bytes, out);
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        amdi_program_error("cannot open %s: %s", path, strerror(errno));
        return AMDI_EXIT_USAGE;
    }
    exit_status = file_read_all(fd, path, max_bytes, out);
    (void)close(fd);
    return exit_status;
}
