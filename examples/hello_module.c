/** The hello service as a module of amdrpcd, with a setting: hello.greeting. */
#include <amdrpc/module.h>

#include "hello.amdrpc-server.h"

static void
on_greet(amdrpc_call *call, const Hello__GreetRequest *request, void *user_data)
{
    Hello__GreetReply reply = HELLO__GREET_REPLY__INIT;

    reply.greeting = user_data;
    reply.name = request->name;
    hello_greeter_greet_reply(call, &reply);
}

static amdrpc_err
hello_start(amdrpc_server *server, amdrpc_module_host *host, void **state)
{
    static const hello_greeter_handlers handlers = {.greet = on_greet};
    const char *greeting = host->get_setting(host, "greeting", 0);

    (void)state; // nothing to free
    if (host->get_setting(host, "greeting", 1) != NULL) {
        host->set_error(host, "one greeting is enough");
        return AMDRPC_EINVAL;
    }
    return hello_greeter_register(
            server, &handlers, greeting == NULL ? "Hello" : (void *)greeting);
}

const amdrpc_module_desc amdrpc_module = {
        .abi = AMDRPC_MODULE_ABI,
        .name = "hello",
        .start = hello_start,
};
