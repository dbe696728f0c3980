/**
 * Channelz' messages about a server's parts. Each struct has all that its
 * message refers to, so none is copied; borrowed from what it is about.
 */
#ifndef AMDI_CHANNELZ_MESSAGE_H
#define AMDI_CHANNELZ_MESSAGE_H

#include "common/socket.h"
#include "grpc/channelz/v1/channelz.pb-c.h"

struct amdi_conn;
struct amdi_listener;
struct amdrpc_server;

// Room for the name of any socket: a Unix socket's is the longest.
#define AMDI_CHANNELZ_NAME_BYTES 128u

struct amdi_channelz_ref {
    Grpc__Channelz__V1__SocketRef msg;
    char name[AMDI_CHANNELZ_NAME_BYTES];
};

struct amdi_channelz_server {
    Grpc__Channelz__V1__Server msg;
    Grpc__Channelz__V1__ServerRef ref;
    Grpc__Channelz__V1__ServerData data;
    Google__Protobuf__Timestamp started_at;
};

struct amdi_channelz_address {
    Grpc__Channelz__V1__Address msg;
    Grpc__Channelz__V1__Address__TcpIpAddress tcp;
    Grpc__Channelz__V1__Address__UdsAddress uds;
    struct amdi_socket_address from;
};

struct amdi_channelz_data {
    Grpc__Channelz__V1__SocketData msg;
    Google__Protobuf__Timestamp started_at;
    Google__Protobuf__Timestamp sent_at;
    Google__Protobuf__Timestamp received_at;
    Google__Protobuf__Int64Value send_window;
    Google__Protobuf__Int64Value receive_window;
    Google__Protobuf__UInt32Value goaway;
};

struct amdi_channelz_socket {
    Grpc__Channelz__V1__Socket msg;
    struct amdi_channelz_ref ref;
    struct amdi_channelz_data data;
    struct amdi_channelz_address local;
    struct amdi_channelz_address remote;
    Grpc__Channelz__V1__Security security;
    Grpc__Channelz__V1__Security__Tls tls;
};

/** A connection, by its peer's address. Thread: its loop. */
void amdi_channelz_name_conn(
        struct amdi_channelz_ref *out, const struct amdi_conn *conn);

/** A listener, by its own address. Thread: any. */
void amdi_channelz_name_listener(
        struct amdi_channelz_ref *out, const struct amdi_listener *listener);

/** A server but for its listeners. Thread: any. */
void amdi_channelz_tell_server(
        struct amdi_channelz_server *out, const struct amdrpc_server *server);

/** Thread: the connection's loop. */
void amdi_channelz_tell_conn(
        struct amdi_channelz_socket *out, const struct amdi_conn *conn);

/** Thread: any. */
void amdi_channelz_tell_listener(
        struct amdi_channelz_socket *out, const struct amdi_listener *listener);

#endif
