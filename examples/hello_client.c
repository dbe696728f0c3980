#include "hello.amdrpc-client.h"

#include <stdio.h>

int
main(int argc, char **argv)
{
    Hello__GreetRequest request = HELLO__GREET_REQUEST__INIT;
    amdrpc_channel *channel = NULL;
    amdrpc_future *answer = NULL;
    amdrpc_status_code status = AMDRPC_STATUS_UNKNOWN;

    if (argc != 3 || amdrpc_channel_create(argv[1], NULL, &channel) != 0) {
        fputs("usage: hello_client HOST:PORT NAME\n", stderr);
        return 1;
    }
    request.name = argv[2];
    status = hello_greeter_greet(channel, &request, NULL, &answer);
    if (status == AMDRPC_STATUS_OK) {
        const Hello__GreetReply *reply = hello_greeter_greet_result(answer);

        printf("%s, %s!\n", reply->greeting, reply->name);
    } else {
        fprintf(stderr, "%s: %s\n", amdrpc_status_name(status),
                amdrpc_future_get_status_message(answer));
    }
    amdrpc_future_unref(answer);
    amdrpc_channel_unref(channel);
    return status == AMDRPC_STATUS_OK ? 0 : 1;
}
