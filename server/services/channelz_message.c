/** Channelz' messages about a server's parts. */
#include "server/services/channelz_message.h"

#include "common/clock.h"
#include "common/encoding.h"
#include "server/conn/conn.h"
#include "server/conn/listener.h"
#include "server/server.h"
#include "server/server_loop.h"

#include <stdio.h>
#include <string.h>

#define US_PER_S 1000000
#define NS_PER_US 1000

typedef Google__Protobuf__Timestamp timestamp_message;

/** What was at @at_ns of the monotonic clock; NULL when that is never. */
static timestamp_message *
timestamp_tell(timestamp_message *out, uint64_t at_ns)
{
    uint64_t now_ns = amdi_clock_now_ns();
    int64_t at_us = 0;

    if (at_ns == 0) {
        return NULL;
    }
    google__protobuf__timestamp__init(out);
    at_us = amdi_clock_wall_us() -
            (int64_t)((now_ns > at_ns ? now_ns - at_ns : 0) / NS_PER_US);
    out->seconds = at_us / US_PER_S;
    out->nanos = (int32_t)(at_us % US_PER_S) * NS_PER_US;
    return out;
}

/* ---- references ---- */

static void
ref_init(struct amdi_channelz_ref *out, uint64_t id)
{
    grpc__channelz__v1__socket_ref__init(&out->msg);
    out->msg.socket_id = (int64_t)id;
    out->msg.name = out->name;
}

void
amdi_channelz_name_conn(
        struct amdi_channelz_ref *out, const struct amdi_conn *conn)
{
    ref_init(out, conn->id);
    (void)snprintf(
            out->name, sizeof(out->name), "%s", amdi_peer_text(conn->peer));
}

void
amdi_channelz_name_listener(
        struct amdi_channelz_ref *out, const struct amdi_listener *listener)
{
    ref_init(out, amdi_listener_get_id(listener));
    amdi_socket_address_format(
            amdi_listener_get_address(listener), out->name, sizeof(out->name));
    if (!amdi_utf8_is_valid(out->name, strlen(out->name))) {
        out->name[0] = '\0'; // a file may be named as no string can be
    }
}

/* ---- servers ---- */

void
amdi_channelz_tell_server(
        struct amdi_channelz_server *out, const struct amdrpc_server *server)
{
    struct amdi_stats_calls calls = {0};

    for (uint32_t i = 0; i < server->options.loops; i++) {
        amdi_stats_sum_calls(&server->loops[i].stats, &calls);
    }
    grpc__channelz__v1__server__init(&out->msg);
    grpc__channelz__v1__server_ref__init(&out->ref);
    grpc__channelz__v1__server_data__init(&out->data);
    out->ref.server_id = (int64_t)server->id;
    out->data.calls_started = (int64_t)calls.nstarted;
    out->data.calls_succeeded = (int64_t)calls.nsucceeded;
    out->data.calls_failed = (int64_t)calls.nfailed;
    out->data.last_call_started_timestamp =
            timestamp_tell(&out->started_at, calls.started_at_ns);
    out->msg.ref = &out->ref;
    out->msg.data = &out->data;
}

/* ---- sockets ---- */

/** Returns NULL when nothing is known. */
static Grpc__Channelz__V1__Address *
address_tell(struct amdi_channelz_address *out)
{
    struct amdi_socket_address *from = &out->from;

    grpc__channelz__v1__address__init(&out->msg);
    switch (from->family) {
    case AMDI_SOCKET_UNKNOWN:
        return NULL;
    case AMDI_SOCKET_IP:
        grpc__channelz__v1__address__tcp_ip_address__init(&out->tcp);
        out->tcp.ip_address.data = from->ip;
        out->tcp.ip_address.len = from->ip_len;
        out->tcp.port = from->port;
        out->msg.address_case =
                GRPC__CHANNELZ__V1__ADDRESS__ADDRESS_TCPIP_ADDRESS;
        out->msg.tcpip_address = &out->tcp;
        break;
    case AMDI_SOCKET_UNIX:
        grpc__channelz__v1__address__uds_address__init(&out->uds);
        if (amdi_utf8_is_valid(from->path, strlen(from->path))) {
            out->uds.filename = from->path;
        }
        out->msg.address_case =
                GRPC__CHANNELZ__V1__ADDRESS__ADDRESS_UDS_ADDRESS;
        out->msg.uds_address = &out->uds;
        break;
    }
    return &out->msg;
}

static void
data_tell_windows(struct amdi_channelz_data *out, const struct amdi_h2 *h2)
{
    google__protobuf__int64_value__init(&out->send_window);
    google__protobuf__int64_value__init(&out->receive_window);
    out->send_window.value = amdi_h2_send_window(h2);
    out->receive_window.value = amdi_h2_receive_window(h2);
    out->msg.local_flow_control_window = &out->send_window;
    out->msg.remote_flow_control_window = &out->receive_window;
}

static void
data_tell(struct amdi_channelz_data *out, const struct amdi_conn *conn)
{
    const struct amdi_conn_counts *counts = &conn->counts;
    Grpc__Channelz__V1__SocketData *msg = &out->msg;

    grpc__channelz__v1__socket_data__init(msg);
    msg->streams_started = (int64_t)counts->nstarted;
    msg->streams_succeeded = (int64_t)counts->nsucceeded;
    msg->streams_failed = (int64_t)counts->nfailed;
    msg->messages_sent = (int64_t)counts->nsent;
    msg->messages_received = (int64_t)counts->nreceived;
    msg->keep_alives_sent = (int64_t)counts->nkeepalives;
    msg->last_remote_stream_created_timestamp =
            timestamp_tell(&out->started_at, counts->started_at_ns);
    msg->last_message_sent_timestamp =
            timestamp_tell(&out->sent_at, counts->sent_at_ns);
    msg->last_message_received_timestamp =
            timestamp_tell(&out->received_at, counts->received_at_ns);
    if (counts->has_goaway) {
        google__protobuf__uint32_value__init(&out->goaway);
        out->goaway.value = counts->goaway_code;
        msg->received_goaway_error = &out->goaway;
    }
    data_tell_windows(out, conn->h2);
}

/** Returns NULL in plaintext, and while the handshake goes on. */
static Grpc__Channelz__V1__Security *
security_tell(struct amdi_channelz_socket *out, const char *cipher)
{
    if (cipher[0] == '\0') {
        return NULL;
    }
    grpc__channelz__v1__security__tls__init(&out->tls);
    out->tls.cipher_suite_case =
            GRPC__CHANNELZ__V1__SECURITY__TLS__CIPHER_SUITE_STANDARD_NAME;
    out->tls.standard_name = (char *)cipher; // only read
    grpc__channelz__v1__security__init(&out->security);
    out->security.model_case = GRPC__CHANNELZ__V1__SECURITY__MODEL_TLS;
    out->security.tls = &out->tls;
    return &out->security;
}

void
amdi_channelz_tell_conn(
        struct amdi_channelz_socket *out, const struct amdi_conn *conn)
{
    grpc__channelz__v1__socket__init(&out->msg);
    amdi_channelz_name_conn(&out->ref, conn);
    data_tell(&out->data, conn);
    amdi_transport_get_addresses(
            conn->transport, &out->local.from, &out->remote.from);
    out->msg.ref = &out->ref.msg;
    out->msg.data = &out->data.msg;
    out->msg.local = address_tell(&out->local);
    out->msg.remote = address_tell(&out->remote);
    out->msg.security =
            security_tell(out, amdi_transport_get_cipher(conn->transport));
}

void
amdi_channelz_tell_listener(
        struct amdi_channelz_socket *out, const struct amdi_listener *listener)
{
    grpc__channelz__v1__socket__init(&out->msg);
    grpc__channelz__v1__socket_data__init(&out->data.msg);
    amdi_channelz_name_listener(&out->ref, listener);
    out->local.from = *amdi_listener_get_address(listener);
    out->msg.ref = &out->ref.msg;
    out->msg.data = &out->data.msg;
    out->msg.local = address_tell(&out->local);
}
