/** Operations of methods that the server no longer has: they stay queued. */
#include "common/log.h"
#include "server/operation/executor.h"
#include "server/operation/lane.h"
#include "server/server.h"
#include "server/server_loop.h"
#include "server/service.h"

#include <inttypes.h>
#include <string.h>

/** Which method's queue it is; see queue_name in lane.c. */
static struct amdi_bytes
queue_path(struct amdi_bytes queue)
{
    const char *space = memchr(queue.data, ' ', queue.len);

    if (space != NULL) {
        queue.len = (size_t)(space - (const char *)queue.data);
    }
    return queue;
}

static bool
path_is_same(struct amdi_bytes a, struct amdi_bytes b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static bool
executor_has_method(
        const struct amdi_executor *executor, struct amdi_bytes path)
{
    const struct amdi_method *method = amdi_service_table_find(
            &executor->server->services, path.data, path.len);

    return method != NULL && executor->lanes[method->index].method != NULL;
}

/** A space sorts before what a path is made of: a method's queues are one run.
 */
static void
executor_on_backlog(void *arg, enum amdi_store_result result,
        const struct amdi_backlog *queues, size_t nqueues)
{
    const struct amdi_executor *executor = arg;
    size_t i = 0;

    (void)result; // else there are none
    while (i < nqueues) {
        struct amdi_bytes path = queue_path(queues[i].queue);
        uint64_t nops = 0;

        for (; i < nqueues && path_is_same(path, queue_path(queues[i].queue));
                i++) {
            nops += queues[i].nops;
        }
        if (!executor_has_method(executor, path)) {
            amdi_log_warn("", "operations-without-method",
                    "method=%.*s waiting=%" PRIu64
                    " why=\"the server does not have the method: they wait "
                    "until it has, or are cancelled\"",
                    (int)path.len, (const char *)path.data, nops);
        }
    }
}

void
amdi_executor_warn_of_gone(struct amdi_executor *executor)
{
    // Only words: what cannot be asked is not said.
    (void)amdi_store_get_backlog(
            executor->store, executor->sl->loop, executor_on_backlog, executor);
}
