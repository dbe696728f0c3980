/**
 * Fuzzes a connection of a whole server: its HTTP/2, its streams, and calls of
 * all four kinds, whose handlers answer on the loop. The input is what a client
 * sends; then the client hangs up, and nothing may be left.
 */
#include "server/conn/conn.h"
#include "server/server.h"
#include "server/server_loop.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/handlers.h"

#include <sys/socket.h>
#include <unistd.h>

// As much as a socket takes at once.
#define MAX_INPUT_BYTES 60000u

struct client {
    struct amdi_server_loop *sl;
    int fd;
};

static struct amdrpc_server *
get_server(void)
{
    static struct amdrpc_server *server;
    static const amdrpc_server_options options = {
            .loops = 1, .workers = 1, .max_recv_message_bytes = 10000};

    if (server == NULL) {
        fuzz_check(amdrpc_server_create(&options, &server) == AMDRPC_OK);
        fuzz_add_handlers(server);
        fuzz_check(amdi_server_prepare(server) == AMDRPC_OK);
    }
    return server;
}

/** Takes what the server says, so that it can go on, until it is gone. */
static bool
client_is_done(void *arg)
{
    const struct client *client = arg;
    char bytes[4096];

    while (recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
    }
    return client->sl->nconns == 0 && client->sl->nstreams == 0;
}

static void
client_send(const struct client *client, const void *data, size_t len)
{
    fuzz_check(send(client->fd, data, len, MSG_NOSIGNAL) == (ssize_t)len);
}

/** As the listener does. */
static void
server_take(struct amdi_server_loop *sl, int fd)
{
    static const struct sockaddr_storage nowhere = {.ss_family = AF_UNSPEC};
    struct amdrpc_server *server = sl->server;
    struct amdi_address_entry *address = NULL;

    atomic_fetch_add(&server->nconns, 1);
    fuzz_check(amdi_address_count_add(
            &server->addresses, &nowhere, /*limit=*/1, &address));
    fuzz_check(amdi_conn_create(sl, fd, /*tls=*/NULL, address) == AMDRPC_OK);
}

/** What every client begins with, so that inputs need not. */
static void
client_greet(const struct client *client)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};

    client_send(client, preface, sizeof(preface) - 1);
    client_send(client, settings, sizeof(settings));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct amdrpc_server *server = get_server();
    struct client client = {.sl = &server->loops[0]};
    uint8_t choices = fuzz_take(&data, &len);
    int fds[2];

    if (len > MAX_INPUT_BYTES) {
        return 0;
    }
    fuzz_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                       0, fds) == 0);
    client.fd = fds[0];
    if ((choices & 1) == 0) {
        client_greet(&client);
    }
    if (len > 0) {
        client_send(&client, data, len);
    }
    fuzz_check(shutdown(client.fd, SHUT_WR) == 0);
    server_take(client.sl, fds[1]);
    amdi_loop_run_until(client.sl->loop, client_is_done, &client);
    (void)close(client.fd); // everything was read
    return 0;
}
