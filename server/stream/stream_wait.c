/** A call's HTTP/2 stream: what its call waits for without a worker. */
#include "common/clock.h"
#include "common/loop.h"
#include "server/dispatch/dispatch.h"
#include "server/fd_wait.h"
#include "server/server.h"
#include "server/server_loop.h"
#include "server/stream/stream.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

/* ---- file descriptors ---- */

/** The wait is over: tells the handler, unless the call is finished. */
static void
stream_end_fd_wait(struct amdi_stream *stream, unsigned events)
{
    struct amdi_fd_wait *wait = stream->call.fd_wait;

    if (event_initialized(&wait->event)) {
        (void)event_del(&wait->event);
    }
    wait->is_waiting = false;
    if (stream->work == AMDI_WORK_OUT) {
        wait->fn(&stream->call, events, wait->arg);
    }
}

static void
stream_on_fd(evutil_socket_t fd, short happened, void *arg)
{
    struct amdi_stream *stream = arg;
    unsigned events = 0;

    (void)fd;
    events |= (happened & EV_READ) != 0 ? AMDRPC_FD_READ : 0;
    events |= (happened & EV_WRITE) != 0 ? AMDRPC_FD_WRITE : 0;
    stream_end_fd_wait(stream, events == 0 ? AMDRPC_FD_TIMEOUT : events);
    amdi_stream_check_reap(stream);
}

/** Files are always ready: epoll does not take them. */
static bool
fd_can_be_waited_for(int fd)
{
    struct stat info;

    return fstat(fd, &info) == 0 && !S_ISREG(info.st_mode) &&
            !S_ISDIR(info.st_mode);
}

/** Adds the event; false when such a descriptor cannot be waited for. */
static bool
stream_add_fd(struct amdi_stream *stream)
{
    struct amdi_fd_wait *wait = stream->call.fd_wait;
    struct timeval timeout = {.tv_sec = (time_t)(wait->timeout_ms / 1000),
            .tv_usec = (suseconds_t)(wait->timeout_ms % 1000) * 1000};
    short events = 0;

    events |= (wait->events & AMDRPC_FD_READ) != 0 ? EV_READ : 0;
    events |= (wait->events & AMDRPC_FD_WRITE) != 0 ? EV_WRITE : 0;
    return fd_can_be_waited_for(wait->fd) &&
            event_assign(&wait->event, amdi_loop_base(stream->sl->loop),
                    wait->fd, events, stream_on_fd, stream) == 0 &&
            event_add(&wait->event, wait->timeout_ms < 0 ? NULL : &timeout) ==
            0;
}

void
amdi_stream_start_fd_wait(struct amdi_stream *stream)
{
    if (stream->work != AMDI_WORK_OUT) {
        return; // finished in the same moment
    }
    if (!stream_add_fd(stream)) {
        stream_end_fd_wait(stream, AMDRPC_FD_FAILED);
    } else if (amdrpc_call_is_cancelled(&stream->call)) {
        stream_end_fd_wait(stream, AMDRPC_FD_CANCELLED);
    }
}

void
amdi_stream_cancel_fd_wait(struct amdi_stream *stream)
{
    struct amdi_fd_wait *wait = stream->call.fd_wait;

    if (wait != NULL && event_initialized(&wait->event) &&
            event_pending(
                    &wait->event, EV_READ | EV_WRITE | EV_TIMEOUT, NULL) != 0) {
        stream_end_fd_wait(stream, AMDRPC_FD_CANCELLED);
    }
}

/* ---- the queue ---- */

static void
stream_add_number(struct amdi_stream *stream, const char *name, uint64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%" PRIu64, value);

    if (amdrpc_call_add_initial_metadata(
                &stream->call, name, text, (size_t)len) != AMDRPC_OK) {
        return; // no memory: the client does without
    }
}

bool
amdi_stream_wants_queue_info(const struct amdi_stream *stream)
{
    return amdrpc_metadata_get(stream->call.metadata, "amdrpc-queue-info") !=
            NULL;
}

void
amdi_stream_tell_queue(struct amdi_stream *stream)
{
    uint64_t position = 0;
    uint64_t wait_ms = 0;

    amdi_dispatcher_get_queue_info(
            stream->sl->server->dispatcher, &stream->call, &position, &wait_ms);
    stream_add_number(stream, "amdrpc-queue-position", position);
    stream_add_number(stream, "amdrpc-expected-wait-ms", wait_ms);
    if (position > 0 || wait_ms > 0) {
        atomic_store(&stream->is_initial_sent, true);
        amdi_stream_send(stream);
    }
}
