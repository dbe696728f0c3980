/** Tests channelz where connections are on several loops. */
#include <amdrpc/channelz.h>
#include <amdrpc/server.h>

#include "grpc/channelz/v1/channelz.pb-c.h"
#include "server/conn/listener.h"
#include "server/server.h"
#include "tests/support/rpc.h"
#include "tests/support/runner.h"

#include <check.h>

#include <sched.h>

#define SERVICE "/grpc.channelz.v1.Channelz/"
#define NLOOPS 3
#define NCONNS 8
#define SERVER_ID 1

typedef Grpc__Channelz__V1__GetServerSocketsRequest list_request;
typedef Grpc__Channelz__V1__GetServerSocketsResponse list_response;

static amdrpc_server *server;
static uint16_t port;
static struct test_rpc_conn *conns[NCONNS];

static list_request request; // of all connections, on one page

/* ---- fixtures ---- */

/** Begins a call and sends its message. */
static struct test_rpc *
begin(struct test_rpc_conn *conn, const char *path, const ProtobufCMessage *msg)
{
    struct test_rpc *rpc = test_rpc_begin(conn, path, NULL, 0);

    test_rpc_send(rpc, msg);
    test_rpc_end(rpc);
    return rpc;
}

/** Connects all; once a call was answered, the server has the connection. */
static void
connect_all(void)
{
    const Grpc__Channelz__V1__GetTopChannelsRequest nothing =
            GRPC__CHANNELZ__V1__GET_TOP_CHANNELS_REQUEST__INIT;

    for (size_t i = 0; i < NCONNS; i++) {
        conns[i] = test_rpc_connect(port);
        test_rpc_expect(
                begin(conns[i], SERVICE "GetTopChannels", &nothing.base),
                AMDRPC_STATUS_OK);
    }
}

static void
set_up(void)
{
    const amdrpc_server_options options = {.loops = NLOOPS, .workers = 1};

    ck_assert_int_eq(amdrpc_server_create(&options, &server), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_channelz_add(server), AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_server_listen(server, "127.0.0.1:0", &port), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_server_start(server), AMDRPC_OK);
    connect_all();
    grpc__channelz__v1__get_server_sockets_request__init(&request);
    request.server_id = SERVER_ID;
}

static void
tear_down(void)
{
    for (size_t i = 0; i < NCONNS; i++) {
        test_rpc_close(conns[i]);
        conns[i] = NULL;
    }
    amdrpc_server_destroy(server);
}

static list_response *
list(void)
{
    struct test_rpc *rpc =
            begin(conns[0], SERVICE "GetServerSockets", &request.base);
    list_response *response = NULL;

    test_rpc_expect(rpc, AMDRPC_STATUS_OK);
    response = (list_response *)test_rpc_take(
            rpc, &grpc__channelz__v1__get_server_sockets_response__descriptor);
    ck_assert_ptr_nonnull(response);
    return response;
}

static void
list_free(list_response *response)
{
    grpc__channelz__v1__get_server_sockets_response__free_unpacked(
            response, NULL);
}

/* ---- lists ---- */

START_TEST(connections_of_all_loops_are_in_one_order)
{
    list_response *response = NULL;

    response = list();

    ck_assert_uint_eq(response->n_socket_ref, NCONNS);
    ck_assert(response->end);
    for (size_t i = 1; i < NCONNS; i++) {
        ck_assert_int_gt(response->socket_ref[i]->socket_id,
                response->socket_ref[i - 1]->socket_id);
        ck_assert_str_ne(response->socket_ref[i]->name,
                response->socket_ref[i - 1]->name);
    }
    list_free(response);
}
END_TEST

/** @_i: how many results on a page. */
START_TEST(pages_have_each_connection_once)
{
    list_response *all = NULL;
    size_t nseen = 0;
    bool is_end = false;

    all = list();
    ck_assert_uint_eq(all->n_socket_ref, NCONNS);
    request.max_results = _i;

    while (!is_end) {
        list_response *page = list();

        for (size_t i = 0; i < page->n_socket_ref; i++) {
            ck_assert_uint_lt(nseen, NCONNS);
            ck_assert_int_eq(page->socket_ref[i]->socket_id,
                    all->socket_ref[nseen++]->socket_id);
        }
        is_end = page->end;
        ck_assert(is_end || page->n_socket_ref == (size_t)_i);
        request.start_socket_id = all->socket_ref[nseen - 1]->socket_id + 1;
        list_free(page);
    }

    ck_assert_uint_eq(nseen, NCONNS);
    list_free(all);
}
END_TEST

START_TEST(more_than_a_page_can_hold_is_asked_for_in_vain)
{
    list_response *response = NULL;

    request.max_results = INT64_MAX;

    response = list();

    ck_assert_uint_eq(response->n_socket_ref, NCONNS);
    list_free(response);
}
END_TEST

/* ---- connections ---- */

START_TEST(connection_of_any_loop_is_found)
{
    list_response *all = NULL;

    all = list();

    for (size_t i = 0; i < all->n_socket_ref; i++) {
        Grpc__Channelz__V1__GetSocketRequest one =
                GRPC__CHANNELZ__V1__GET_SOCKET_REQUEST__INIT;
        Grpc__Channelz__V1__GetSocketResponse *response = NULL;
        struct test_rpc *rpc = NULL;

        one.socket_id = all->socket_ref[i]->socket_id;
        rpc = begin(conns[0], SERVICE "GetSocket", &one.base);
        test_rpc_expect(rpc, AMDRPC_STATUS_OK);
        response = (Grpc__Channelz__V1__GetSocketResponse *)test_rpc_take(
                rpc, &grpc__channelz__v1__get_socket_response__descriptor);
        ck_assert_int_eq(response->socket->ref->socket_id, one.socket_id);
        ck_assert_int_eq(response->socket->local->tcpip_address->port, port);
        ck_assert_int_gt(response->socket->data->streams_started, 0);
        grpc__channelz__v1__get_socket_response__free_unpacked(response, NULL);
    }
    list_free(all);
}
END_TEST

START_TEST(peer_that_goes_away_leaves_its_call_to_end)
{

    for (size_t i = 1; i < NCONNS; i++) {
        (void)begin(conns[i], SERVICE "GetServerSockets", &request.base);
        test_rpc_flush(conns[i]);
        test_rpc_hang_up(conns[i]); // its call goes on
        list_free(list());
    }
}
END_TEST

START_TEST(call_that_is_cancelled_on_its_tour_ends)
{

    for (size_t i = 1; i < NCONNS; i++) {
        struct test_rpc *rpc =
                begin(conns[i], SERVICE "GetServerSockets", &request.base);

        test_rpc_flush(conns[i]);
        test_rpc_cancel(rpc);
        test_rpc_flush(conns[i]);
        list_free(list()); // the next goes the same way
    }
}
END_TEST

START_TEST(listener_is_told_of_until_it_is_closed)
{
    const Grpc__Channelz__V1__GetServersRequest nothing =
            GRPC__CHANNELZ__V1__GET_SERVERS_REQUEST__INIT;
    Grpc__Channelz__V1__GetServersResponse *response = NULL;
    struct test_rpc *rpc = NULL;

    rpc = test_rpc_begin(conns[0], SERVICE "GetServers", NULL, 0);
    test_rpc_send(rpc, &nothing.base);
    test_rpc_flush(conns[0]);
    ck_assert(amdi_listener_is_open(server->listeners));

    amdrpc_server_drain(server);
    while (amdi_listener_is_open(server->listeners)) {
        (void)sched_yield();
    }
    test_rpc_end(rpc);

    test_rpc_expect(rpc, AMDRPC_STATUS_OK);
    response = (Grpc__Channelz__V1__GetServersResponse *)test_rpc_take(
            rpc, &grpc__channelz__v1__get_servers_response__descriptor);
    ck_assert_uint_eq(response->n_server, 1);
    ck_assert_uint_eq(response->server[0]->n_listen_socket, 0);
    grpc__channelz__v1__get_servers_response__free_unpacked(response, NULL);
}
END_TEST

static Suite *
channelz_suite(void)
{
    Suite *suite = suite_create("channelz");
    TCase *lists = tcase_create("lists");
    TCase *sockets = tcase_create("sockets");

    tcase_add_checked_fixture(lists, set_up, tear_down);
    tcase_add_test(lists, connections_of_all_loops_are_in_one_order);
    tcase_add_loop_test(lists, pages_have_each_connection_once, 1, NCONNS + 2);
    tcase_add_test(lists, more_than_a_page_can_hold_is_asked_for_in_vain);
    suite_add_tcase(suite, lists);
    tcase_add_checked_fixture(sockets, set_up, tear_down);
    tcase_add_test(sockets, connection_of_any_loop_is_found);
    tcase_add_test(sockets, peer_that_goes_away_leaves_its_call_to_end);
    tcase_add_test(sockets, call_that_is_cancelled_on_its_tour_ends);
    tcase_add_test(sockets, listener_is_told_of_until_it_is_closed);
    suite_add_tcase(suite, sockets);
    return suite;
}

TEST_MAIN(channelz_suite)
