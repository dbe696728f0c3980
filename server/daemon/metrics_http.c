/** GET /metrics over HTTP/1.1, by libevent's server. */
#include "server/daemon/metrics_http.h"

#include "common/address.h"
#include "common/alloc.h"
#include "common/thread.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

// A scraper sends short requests, and not slowly.
#define MAX_HEADERS_BYTES 8192
#define TIMEOUT_SECONDS 10

struct amdi_metrics_http {
    // Setup, then its own thread's.
    amdrpc_server *server;   // borrowed
    struct event_base *base; // owned
    struct evhttp *http;     // owned, with its listening socket
    struct event *stop;      // owned
    int stop_fd;             // owned; -1 when there is none
    pthread_t thread;
    bool has_thread;
};

static void
http_send_metrics(struct evhttp_request *request, amdrpc_server *server)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    struct evbuffer *body = evhttp_request_get_output_buffer(request);

    if (file == NULL) {
        evhttp_send_error(request, HTTP_INTERNAL, NULL);
        return;
    }
    amdrpc_server_write_metrics(server, file);
    if (fclose(file) != 0 || evbuffer_add(body, text, len) != 0) {
        evhttp_send_error(request, HTTP_INTERNAL, NULL);
    } else {
        (void)evhttp_add_header(evhttp_request_get_output_headers(request),
                "Content-Type", "text/plain; version=0.0.4");
        evhttp_send_reply(request, HTTP_OK, "OK", NULL);
    }
    free(text);
}

static void
http_on_metrics(struct evhttp_request *request, void *arg)
{
    struct amdi_metrics_http *http = arg;

    http_send_metrics(request, http->server);
}

static void
http_on_stop(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)event_base_loopbreak(arg); // fails only for a base that is none
}

static void *
http_main(void *arg)
{
    struct amdi_metrics_http *http = arg;

    amdi_thread_set_name("amd-metrics");
    (void)event_base_dispatch(http->base); // ends when told to
    return NULL;
}

static amdrpc_err
http_create_base(struct amdi_metrics_http *http)
{
    http->base = event_base_new();
    http->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (http->base == NULL || http->stop_fd < 0) {
        return AMDRPC_EIO;
    }
    http->stop = event_new(
            http->base, http->stop_fd, EV_READ, http_on_stop, http->base);
    http->http = evhttp_new(http->base);
    if (http->stop == NULL || http->http == NULL ||
            event_add(http->stop, NULL) != 0) {
        return AMDRPC_ENOMEM;
    }
    evhttp_set_allowed_methods(http->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_max_headers_size(http->http, MAX_HEADERS_BYTES);
    evhttp_set_max_body_size(http->http, 0);
    evhttp_set_timeout(http->http, TIMEOUT_SECONDS);
    return evhttp_set_cb(http->http, "/metrics", http_on_metrics, http) == 0
            ? AMDRPC_OK
            : AMDRPC_ENOMEM;
}

static amdrpc_err
http_listen(
        struct amdi_metrics_http *http, const char *address, uint16_t *out_port)
{
    int fd = -1;
    amdrpc_err err = amdi_address_listen(address, &fd);

    if (err != AMDRPC_OK) {
        return err;
    }
    *out_port = amdi_address_local_port(fd);
    if (evhttp_accept_socket(http->http, fd) != 0) {
        (void)close(fd); // no data on a listening socket
        return AMDRPC_ENOMEM;
    }
    return AMDRPC_OK;
}

amdrpc_err
amdi_metrics_http_start(amdrpc_server *server, const char *address,
        struct amdi_metrics_http **out, uint16_t *out_port)
{
    struct amdi_metrics_http *http = amdi_zalloc(sizeof(*http));
    amdrpc_err err = AMDRPC_ENOMEM;

    if (http == NULL) {
        return AMDRPC_ENOMEM;
    }
    http->server = server;
    http->stop_fd = -1;
    err = http_create_base(http);
    if (err == AMDRPC_OK) {
        err = http_listen(http, address, out_port);
    }
    if (err == AMDRPC_OK &&
            pthread_create(&http->thread, NULL, http_main, http) != 0) {
        err = AMDRPC_EIO;
    }
    if (err != AMDRPC_OK) {
        amdi_metrics_http_stop(http);
        return err;
    }
    http->has_thread = true;
    *out = http;
    return AMDRPC_OK;
}

void
amdi_metrics_http_stop(struct amdi_metrics_http *http)
{
    if (http == NULL) {
        return;
    }
    if (http->has_thread) {
        (void)eventfd_write(http->stop_fd, 1);  // never overflows
        (void)pthread_join(http->thread, NULL); // it was told to end
    }
    if (http->http != NULL) {
        evhttp_free(http->http);
    }
    if (http->stop != NULL) {
        event_free(http->stop);
    }
    if (http->base != NULL) {
        event_base_free(http->base);
    }
    if (http->stop_fd >= 0) {
        (void)close(http->stop_fd); // nothing is written back
    }
    amdi_free(http);
}
