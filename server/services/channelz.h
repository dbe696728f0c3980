/** What the files of channelz share; all on the loop of the call. */
#ifndef AMDI_CHANNELZ_H
#define AMDI_CHANNELZ_H

#include "grpc/channelz/v1/channelz.amdrpc-server.h"

/** False: no such server, and the call has been finished. */
bool amdi_channelz_check_server(
        amdrpc_call *call, const amdrpc_server *server, int64_t server_id);

/** How many results there may be; 0: the call has been finished. */
size_t amdi_channelz_check_max(amdrpc_call *call, int64_t max_results);

/* ---- handlers; @user_data is the server ---- */

void amdi_channelz_get_server_sockets(amdrpc_call *call,
        const Grpc__Channelz__V1__GetServerSocketsRequest *request,
        void *user_data);
void amdi_channelz_get_socket(amdrpc_call *call,
        const Grpc__Channelz__V1__GetSocketRequest *request, void *user_data);

#endif
