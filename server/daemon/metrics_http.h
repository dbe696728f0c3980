/** GET /metrics over HTTP/1.1, on a listener and a thread of its own. */
#ifndef AMDI_METRICS_HTTP_H
#define AMDI_METRICS_HTTP_H

#include <amdrpc/server.h>

struct amdi_metrics_http;

/**
 * Starts to listen at @address ("HOST:PORT").
 *
 * Thread:     setup; @server has been started
 * @server     borrowed until stop
 * @out_port   the port it listens on
 * Errors:     AMDRPC_EINVAL (not such an address), AMDRPC_EADDRINUSE,
 *             AMDRPC_EIO, AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_metrics_http_start(amdrpc_server *server,
        const char *address, struct amdi_metrics_http **out,
        uint16_t *out_port);

/** Stops the thread and frees it; NULL is accepted. */
void amdi_metrics_http_stop(struct amdi_metrics_http *http);

#endif
