/**
 * The service that tells of calls and connections, grpc.channelz.v1: its part
 * about the server as a whole, which can be read from any thread.
 */
#include "server/services/channelz.h"

#include <amdrpc/channelz.h>

#include "grpc/channelz/v1/channelz.amdrpc-server.h"
#include "server/conn/listener.h"
#include "server/server.h"
#include "server/services/channelz_message.h"

#include <inttypes.h>

// Results of one answer: when the client does not say, and the most that it
// gets. A client asks for the rest with the next call.
#define DEFAULT_RESULTS 100u
#define MAX_RESULTS 500u

/* ---- what requests say ---- */

bool
amdi_channelz_check_server(
        amdrpc_call *call, const amdrpc_server *server, int64_t server_id)
{
    if (server_id == (int64_t)server->id) {
        return true;
    }
    amdrpc_call_finishf(call, AMDRPC_STATUS_NOT_FOUND,
            "server_id %" PRId64 " is no server's; this one's is %" PRIu64,
            server_id, server->id);
    return false;
}

size_t
amdi_channelz_check_max(amdrpc_call *call, int64_t max_results)
{
    if (max_results < 0) {
        amdrpc_call_finishf(call, AMDRPC_STATUS_INVALID_ARGUMENT,
                "max_results %" PRId64 " is negative", max_results);
        return 0;
    }
    if (max_results == 0) {
        return DEFAULT_RESULTS;
    }
    return max_results < MAX_RESULTS ? (size_t)max_results : MAX_RESULTS;
}

/* ---- servers ---- */

/** Fills in those that listen. Errors: AMDRPC_ENOMEM. */
static amdrpc_err
server_tell_listeners(amdrpc_call *call, const amdrpc_server *server,
        Grpc__Channelz__V1__Server *msg)
{
    struct amdi_channelz_ref *refs = NULL;
    size_t n = 0;

    for (const struct amdi_listener *l = server->listeners; l != NULL;
            l = amdi_listener_next(l)) {
        n++;
    }
    refs = amdrpc_call_alloc(call, n * sizeof(*refs));
    msg->listen_socket =
            amdrpc_call_alloc(call, n * sizeof(*msg->listen_socket));
    if (refs == NULL || msg->listen_socket == NULL) {
        return AMDRPC_ENOMEM;
    }
    for (const struct amdi_listener *l = server->listeners; l != NULL;
            l = amdi_listener_next(l)) {
        if (amdi_listener_is_open(l)) {
            amdi_channelz_name_listener(refs, l);
            msg->listen_socket[msg->n_listen_socket++] = &refs->msg;
            refs++;
        }
    }
    return AMDRPC_OK;
}

/** False: the call has been finished. */
static bool
server_tell(amdrpc_call *call, const amdrpc_server *server,
        struct amdi_channelz_server *out)
{
    amdi_channelz_tell_server(out, server);
    if (server_tell_listeners(call, server, &out->msg) == AMDRPC_OK) {
        return true;
    }
    amdrpc_call_finish(call, AMDRPC_STATUS_RESOURCE_EXHAUSTED, "no memory");
    return false;
}

static void
channelz_on_get_servers(amdrpc_call *call,
        const Grpc__Channelz__V1__GetServersRequest *request, void *user_data)
{
    const amdrpc_server *server = user_data;
    Grpc__Channelz__V1__GetServersResponse response =
            GRPC__CHANNELZ__V1__GET_SERVERS_RESPONSE__INIT;
    struct amdi_channelz_server told;
    Grpc__Channelz__V1__Server *list[] = {&told.msg};

    if (amdi_channelz_check_max(call, request->max_results) == 0 ||
            !server_tell(call, server, &told)) {
        return;
    }
    response.server = list;
    response.n_server = request->start_server_id <= (int64_t)server->id;
    response.end = true;
    grpc_channelz_v1_channelz_get_servers_reply(call, &response);
}

static void
channelz_on_get_server(amdrpc_call *call,
        const Grpc__Channelz__V1__GetServerRequest *request, void *user_data)
{
    const amdrpc_server *server = user_data;
    Grpc__Channelz__V1__GetServerResponse response =
            GRPC__CHANNELZ__V1__GET_SERVER_RESPONSE__INIT;
    struct amdi_channelz_server told;

    if (amdi_channelz_check_server(call, server, request->server_id) &&
            server_tell(call, server, &told)) {
        response.server = &told.msg;
        grpc_channelz_v1_channelz_get_server_reply(call, &response);
    }
}

/* ---- channels: a server has none ---- */

static void
channelz_on_get_top_channels(amdrpc_call *call,
        const Grpc__Channelz__V1__GetTopChannelsRequest *request,
        void *user_data)
{
    Grpc__Channelz__V1__GetTopChannelsResponse response =
            GRPC__CHANNELZ__V1__GET_TOP_CHANNELS_RESPONSE__INIT;

    (void)user_data;
    if (amdi_channelz_check_max(call, request->max_results) > 0) {
        response.end = true;
        grpc_channelz_v1_channelz_get_top_channels_reply(call, &response);
    }
}

static void
channelz_on_get_channel(amdrpc_call *call,
        const Grpc__Channelz__V1__GetChannelRequest *request, void *user_data)
{
    (void)user_data;
    amdrpc_call_finishf(call, AMDRPC_STATUS_NOT_FOUND,
            "channel_id %" PRId64 ": a server has no channels",
            request->channel_id);
}

static void
channelz_on_get_subchannel(amdrpc_call *call,
        const Grpc__Channelz__V1__GetSubchannelRequest *request,
        void *user_data)
{
    (void)user_data;
    amdrpc_call_finishf(call, AMDRPC_STATUS_NOT_FOUND,
            "subchannel_id %" PRId64 ": a server has no channels",
            request->subchannel_id);
}

amdrpc_err
amdrpc_channelz_add(amdrpc_server *server)
{
    static const grpc_channelz_v1_channelz_handlers handlers = {
            .get_top_channels = channelz_on_get_top_channels,
            .get_servers = channelz_on_get_servers,
            .get_server = channelz_on_get_server,
            .get_server_sockets = amdi_channelz_get_server_sockets,
            .get_channel = channelz_on_get_channel,
            .get_subchannel = channelz_on_get_subchannel,
            .get_socket = amdi_channelz_get_socket,
    };
    static const amdrpc_policy quick = {.dispatch = AMDRPC_DISPATCH_INLINE};
    amdrpc_err err =
            grpc_channelz_v1_channelz_register(server, &handlers, server);

    return err == AMDRPC_OK ? amdrpc_server_set_policy(server,
                                      "/grpc.channelz.v1.Channelz/", &quick)
                            : err;
}
