/**
 * Channelz' part about connections, which are their loops': a tour goes from
 * loop to loop, one at a time, and so needs no lock. It lies in its call's
 * memory, and the last loop finishes the call.
 */
#include "server/conn/conn.h"
#include "server/conn/listener.h"
#include "server/server.h"
#include "server/server_loop.h"
#include "server/services/channelz.h"
#include "server/services/channelz_message.h"

#include <inttypes.h>
#include <string.h>

/* ---- from loop to loop ---- */

/** Looks at each loop's connections in turn. */
struct tour {
    amdrpc_call *call;
    amdrpc_server *server;
    struct amdi_task task;
    uint32_t index; // of the loop where it is
    // True: the call has been finished, and the tour with it.
    bool (*visit)(struct tour *tour, struct amdi_server_loop *sl);
    // Finishes the call after the last loop.
    void (*end)(struct tour *tour);
    int64_t id; // the connection looked for, or the least of the list

    // Of a list. One more is gathered than is told: whether that is all.
    struct amdi_channelz_ref *room;
    Grpc__Channelz__V1__SocketRef **refs; // ascending; in `room`
    size_t nrefs;
    size_t nmax;
};

static void
tour_run(struct amdi_task *task)
{
    struct tour *tour = AMDI_CONTAINER_OF(task, struct tour, task);
    struct amdrpc_server *server = tour->server;

    if (tour->visit(tour, &server->loops[tour->index])) {
        return;
    }
    tour->index++;
    if (tour->index < server->options.loops) {
        amdi_loop_post(server->loops[tour->index].loop, &tour->task);
    } else {
        tour->end(tour);
    }
}

/** The loops go on as long as a call is unfinished, so none is missed. */
static void
tour_start(struct tour *tour)
{
    tour->task.run = tour_run;
    amdrpc_call_defer(tour->call);
    amdi_loop_post(tour->server->loops[0].loop, &tour->task);
}

static struct tour *
tour_create(amdrpc_call *call, amdrpc_server *server, int64_t id)
{
    struct tour *tour = amdrpc_call_alloc(call, sizeof(*tour));

    if (tour == NULL) {
        amdrpc_call_finish(call, AMDRPC_STATUS_RESOURCE_EXHAUSTED, "no memory");
        return NULL;
    }
    memset(tour, 0, sizeof(*tour));
    tour->call = call;
    tour->server = server;
    tour->id = id;
    return tour;
}

/* ---- the list of connections ---- */

/** Puts one into its place; false: it is beyond what is gathered. */
static bool
list_insert(struct tour *tour, const struct amdi_conn *conn)
{
    Grpc__Channelz__V1__SocketRef **refs = tour->refs;
    struct amdi_channelz_ref *ref = NULL;
    size_t i = tour->nrefs;

    if (i <= tour->nmax) {
        ref = &tour->room[tour->nrefs++];
    } else if ((int64_t)conn->id < refs[i - 1]->socket_id) {
        // The greatest makes room.
        ref = AMDI_CONTAINER_OF(refs[--i], struct amdi_channelz_ref, msg);
    } else {
        return false;
    }
    amdi_channelz_name_conn(ref, conn);
    for (; i > 0 && refs[i - 1]->socket_id > ref->msg.socket_id; i--) {
        refs[i] = refs[i - 1];
    }
    refs[i] = &ref->msg;
    return true;
}

/** A loop's connections stand in the order of their ids. */
static bool
list_visit(struct tour *tour, struct amdi_server_loop *sl)
{
    AMDI_LIST_FOREACH (node, &sl->conns) {
        const struct amdi_conn *conn =
                AMDI_CONTAINER_OF(node, struct amdi_conn, loop_node);

        if ((int64_t)conn->id >= tour->id && !list_insert(tour, conn)) {
            break;
        }
    }
    return false;
}

static void
list_end(struct tour *tour)
{
    Grpc__Channelz__V1__GetServerSocketsResponse response =
            GRPC__CHANNELZ__V1__GET_SERVER_SOCKETS_RESPONSE__INIT;

    response.end = tour->nrefs <= tour->nmax;
    response.n_socket_ref = response.end ? tour->nrefs : tour->nmax;
    response.socket_ref = tour->refs;
    grpc_channelz_v1_channelz_get_server_sockets_reply(tour->call, &response);
}

/** NULL: the call has been finished. */
static struct tour *
list_create(amdrpc_call *call, amdrpc_server *server,
        const Grpc__Channelz__V1__GetServerSocketsRequest *request)
{
    size_t nmax = amdi_channelz_check_max(call, request->max_results);
    struct tour *tour = nmax == 0
            ? NULL
            : tour_create(call, server, request->start_socket_id);

    if (tour == NULL) {
        return NULL;
    }
    tour->visit = list_visit;
    tour->end = list_end;
    tour->nmax = nmax;
    tour->room = amdrpc_call_alloc(call, (nmax + 1) * sizeof(*tour->room));
    tour->refs = amdrpc_call_alloc(call, (nmax + 1) * sizeof(*tour->refs));
    if (tour->room == NULL || tour->refs == NULL) {
        amdrpc_call_finish(call, AMDRPC_STATUS_RESOURCE_EXHAUSTED, "no memory");
        return NULL;
    }
    return tour;
}

void
amdi_channelz_get_server_sockets(amdrpc_call *call,
        const Grpc__Channelz__V1__GetServerSocketsRequest *request,
        void *user_data)
{
    amdrpc_server *server = user_data;
    struct tour *tour = NULL;

    if (!amdi_channelz_check_server(call, server, request->server_id)) {
        return;
    }
    tour = list_create(call, server, request);
    if (tour != NULL) {
        tour_start(tour);
    }
}

/* ---- one socket ---- */

static void
socket_reply(amdrpc_call *call, struct amdi_channelz_socket *told)
{
    Grpc__Channelz__V1__GetSocketResponse response =
            GRPC__CHANNELZ__V1__GET_SOCKET_RESPONSE__INIT;

    response.socket = &told->msg;
    grpc_channelz_v1_channelz_get_socket_reply(call, &response);
}

static bool
socket_visit(struct tour *tour, struct amdi_server_loop *sl)
{
    AMDI_LIST_FOREACH (node, &sl->conns) {
        const struct amdi_conn *conn =
                AMDI_CONTAINER_OF(node, struct amdi_conn, loop_node);

        if ((int64_t)conn->id == tour->id) {
            struct amdi_channelz_socket told;

            amdi_channelz_tell_conn(&told, conn);
            socket_reply(tour->call, &told);
            return true;
        }
    }
    return false;
}

static void
socket_end(struct tour *tour)
{
    amdrpc_call_finishf(tour->call, AMDRPC_STATUS_NOT_FOUND,
            "socket_id %" PRId64 " is no open socket of this server", tour->id);
}

static const struct amdi_listener *
server_find_listener(const amdrpc_server *server, int64_t id)
{
    for (const struct amdi_listener *l = server->listeners; l != NULL;
            l = amdi_listener_next(l)) {
        if ((int64_t)amdi_listener_get_id(l) == id &&
                amdi_listener_is_open(l)) {
            return l;
        }
    }
    return NULL;
}

void
amdi_channelz_get_socket(amdrpc_call *call,
        const Grpc__Channelz__V1__GetSocketRequest *request, void *user_data)
{
    amdrpc_server *server = user_data;
    const struct amdi_listener *listener =
            server_find_listener(server, request->socket_id);
    struct amdi_channelz_socket told;
    struct tour *tour = NULL;

    if (listener != NULL) {
        amdi_channelz_tell_listener(&told, listener);
        socket_reply(call, &told);
        return;
    }
    tour = tour_create(call, server, request->socket_id);
    if (tour != NULL) {
        tour->visit = socket_visit;
        tour->end = socket_end;
        tour_start(tour);
    }
}
