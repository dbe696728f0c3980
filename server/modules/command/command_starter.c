/** The thread that starts programs. */
#include "server/modules/command/command_starter.h"

#include "common/thread.h"

static void *
starter_main(void *arg)
{
    struct amdi_command_starter *starter = arg;
    struct amdi_list *node = NULL;

    amdi_thread_set_name("amd-command");
    pthread_mutex_lock(&starter->mtx);
    for (;;) {
        node = amdi_list_pop(&starter->tasks);
        if (node != NULL) {
            struct amdi_command_task *task =
                    AMDI_CONTAINER_OF(node, struct amdi_command_task, node);

            pthread_mutex_unlock(&starter->mtx);
            task->run(task);
            pthread_mutex_lock(&starter->mtx);
        } else if (starter->is_stopping) {
            break;
        } else {
            pthread_cond_wait(&starter->has_changed, &starter->mtx);
        }
    }
    pthread_mutex_unlock(&starter->mtx);
    return NULL;
}

amdrpc_err
amdi_command_starter_start(struct amdi_command_starter *starter)
{
    *starter = (struct amdi_command_starter){0};
    amdi_list_init(&starter->tasks);
    // Neither can fail with these arguments.
    (void)pthread_mutex_init(&starter->mtx, NULL);
    (void)pthread_cond_init(&starter->has_changed, NULL);
    if (pthread_create(&starter->thread, NULL, starter_main, starter) != 0) {
        (void)pthread_cond_destroy(&starter->has_changed);
        (void)pthread_mutex_destroy(&starter->mtx);
        return AMDRPC_EIO;
    }
    return AMDRPC_OK;
}

void
amdi_command_starter_stop(struct amdi_command_starter *starter)
{
    pthread_mutex_lock(&starter->mtx);
    starter->is_stopping = true;
    pthread_cond_signal(&starter->has_changed);
    pthread_mutex_unlock(&starter->mtx);
    (void)pthread_join(starter->thread, NULL);
    (void)pthread_cond_destroy(&starter->has_changed);
    (void)pthread_mutex_destroy(&starter->mtx);
}

void
amdi_command_starter_push(struct amdi_command_starter *starter,
        struct amdi_command_task *task,
        void (*run)(struct amdi_command_task *task))
{
    task->run = run;
    amdi_list_init(&task->node);
    pthread_mutex_lock(&starter->mtx);
    amdi_list_push(&starter->tasks, &task->node);
    pthread_cond_signal(&starter->has_changed);
    pthread_mutex_unlock(&starter->mtx);
}
