/** The status of a call that ended without saying one itself. */
#ifndef AMDI_WIRE_STATUS_H
#define AMDI_WIRE_STATUS_H

#include <amdrpc/status.h>

#include "common/h2/h2.h"

#include <stdbool.h>
#include <stddef.h>

/** gRPC, http-grpc-status-mapping.md: a response without grpc-status. */
amdrpc_status_code amdi_status_from_http(int http_status);

/** gRPC, PROTOCOL-HTTP2, "Errors": a stream that was reset. */
amdrpc_status_code amdi_status_from_h2(enum amdi_h2_code code);

/**
 * Reads the value of grpc-status or :status, up to three digits.
 * False: it is no such number.
 */
bool amdi_status_parse(const char *text, size_t len, int *out);

#endif
