/** Where request messages come from: the command line, a file, a pipe. */
#include "client/cli/input.h"

#include "client/program/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int
input_open_source(struct amdi_input *input, const char *source)
{
    if (strcmp(source, "-") == 0) {
        input->name = "standard input";
        input->fd = STDIN_FILENO;
    } else if (source[0] == '@') {
        input->name = source + 1;
        input->fd = open(source + 1, O_RDONLY | O_CLOEXEC);
        if (input->fd < 0) {
            amdi_program_error(
                    "cannot open %s: %s", source + 1, strerror(errno));
            return AMDI_EXIT_USAGE;
        }
    } else {
        input->name = "the command line";
        input->text = source;
    }
    return AMDI_EXIT_OK;
}

int
amdi_input_open(struct amdi_input *input, const char *source)
{
    int exit_status;

    *input = (struct amdi_input){.fd = -1, .stop_fd = -1};
    exit_status = input_open_source(input, source);
    if (exit_status != AMDI_EXIT_OK) {
        return exit_status;
    }
    input->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (input->stop_fd < 0) {
        amdi_program_error("cannot read %s: %s", input->name, strerror(errno));
        amdi_input_close(input);
        return AMDI_EXIT_FAILED;
    }
    return AMDI_EXIT_OK;
}

void
amdi_input_close(struct amdi_input *input)
{
    if (input->fd > STDIN_FILENO) {
        (void)close(input->fd);
    }
    if (input->stop_fd >= 0) {
        (void)close(input->stop_fd);
    }
    input->fd = -1;
    input->stop_fd = -1;
}

static amdrpc_err
input_read_text(
        struct amdi_input *input, char *out, size_t size, size_t *out_len)
{
    size_t len = strlen(input->text);

    if (len == 0) {
        return AMDRPC_EEND;
    }
    *out_len = len < size ? len : size;
    memcpy(out, input->text, *out_len);
    input->text += *out_len;
    return AMDRPC_OK;
}

amdrpc_err
amdi_input_read(
        struct amdi_input *input, char *out, size_t size, size_t *out_len)
{
    struct pollfd fds[] = {
            {.fd = input->stop_fd, .events = POLLIN},
            {.fd = input->fd, .events = POLLIN},
    };

    if (input->text != NULL) {
        return input_read_text(input, out, size, out_len);
    }
    for (;;) {
        ssize_t len;

        if (poll(fds, 2, -1) < 0 && errno != EINTR) {
            return AMDRPC_EIO;
        }
        if (fds[0].revents != 0) {
            return AMDRPC_ECANCELED;
        }
        len = read(input->fd, out, size);
        if (len > 0) {
            *out_len = (size_t)len;
            return AMDRPC_OK;
        }
        if (len == 0) {
            return AMDRPC_EEND;
        }
        if (errno != EINTR && errno != EAGAIN) {
            return AMDRPC_EIO;
        }
    }
}

void
amdi_input_stop(struct amdi_input *input)
{
    uint64_t one = 1;

    // An eventfd that counts a few stops never fills up.
    (void)!write(input->stop_fd, &one, sizeof(one));
}
