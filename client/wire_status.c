/** Maps HTTP statuses and reset codes to gRPC statuses. */
#include "client/wire_status.h"

amdrpc_status_code
amdi_status_from_http(int http_status)
{
    switch (http_status) {
    case 400:
    case 431:
        return AMDRPC_STATUS_INTERNAL;
    case 401:
        return AMDRPC_STATUS_UNAUTHENTICATED;
    case 403:
        return AMDRPC_STATUS_PERMISSION_DENIED;
    case 404:
        return AMDRPC_STATUS_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return AMDRPC_STATUS_UNAVAILABLE;
    default:
        return AMDRPC_STATUS_UNKNOWN;
    }
}

amdrpc_status_code
amdi_status_from_h2(enum amdi_h2_code code)
{
    switch (code) {
    case AMDI_H2_REFUSED_STREAM:
        return AMDRPC_STATUS_UNAVAILABLE;
    case AMDI_H2_CANCEL:
        return AMDRPC_STATUS_CANCELLED;
    case AMDI_H2_ENHANCE_YOUR_CALM:
        return AMDRPC_STATUS_RESOURCE_EXHAUSTED;
    case AMDI_H2_INADEQUATE_SECURITY:
        return AMDRPC_STATUS_PERMISSION_DENIED;
    case AMDI_H2_STREAM_CLOSED:
    case AMDI_H2_HTTP_1_1_REQUIRED:
        return AMDRPC_STATUS_UNKNOWN;
    case AMDI_H2_NO_ERROR:
    case AMDI_H2_PROTOCOL_ERROR:
    case AMDI_H2_INTERNAL_ERROR:
    case AMDI_H2_FLOW_CONTROL_ERROR:
    case AMDI_H2_SETTINGS_TIMEOUT:
    case AMDI_H2_FRAME_SIZE_ERROR:
    case AMDI_H2_COMPRESSION_ERROR:
    case AMDI_H2_CONNECT_ERROR:
        return AMDRPC_STATUS_INTERNAL;
    }
    // A code from the wire that RFC 9113 does not name.
    return AMDRPC_STATUS_UNKNOWN;
}

bool
amdi_status_parse(const char *text, size_t len, int *out)
{
    int value = 0;

    if (len == 0 || len > 3) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (text[i] - '0');
    }
    *out = value;
    return true;
}
