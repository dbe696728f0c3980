#include "hello.amdrpc-server.h"

#include <stdio.h>

// Runs on a worker, so it may take its time. It ends its call exactly once.
static void
on_greet(amdrpc_call *call, const Hello__GreetRequest *request, void *user_data)
{
    Hello__GreetReply reply = HELLO__GREET_REPLY__INIT;

    (void)user_data; // what was given to hello_greeter_register
    reply.greeting = "Hello";
    reply.name = request->name;
    hello_greeter_greet_reply(call, &reply);
}

int
main(int argc, char **argv)
{
    static const hello_greeter_handlers handlers = {.greet = on_greet};
    amdrpc_server *server = NULL;
    uint16_t port = 0;

    if (argc != 2 || amdrpc_server_create(NULL, &server) != AMDRPC_OK ||
            hello_greeter_register(server, &handlers, NULL) != AMDRPC_OK ||
            amdrpc_server_listen(server, argv[1], &port) != AMDRPC_OK ||
            amdrpc_server_start(server) != AMDRPC_OK) {
        fputs("cannot serve; usage: hello_server HOST:PORT\n", stderr);
        return 1;
    }
    printf("listening on port %u; Enter stops\n", port);
    (void)fflush(stdout);
    (void)getchar();
    amdrpc_server_destroy(server); // lets calls that go on come to their end
    return 0;
}
