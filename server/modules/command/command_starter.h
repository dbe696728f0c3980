/**
 * The thread that starts programs.
 *
 * The system ends a child when the thread that made it ends (PR_SET_PDEATHSIG),
 * so this has to be one that lives as long as the server; and a start reads
 * files, which no loop may wait for.
 */
#ifndef AMDI_COMMAND_STARTER_H
#define AMDI_COMMAND_STARTER_H

#include <amdrpc/err.h>

#include "common/list.h"

#include <pthread.h>
#include <stdbool.h>

/** Lies in what is to be done. */
struct amdi_command_task {
    struct amdi_list node;
    void (*run)(struct amdi_command_task *task);
};

struct amdi_command_starter {
    pthread_t thread;

    pthread_mutex_t mtx;
    pthread_cond_t has_changed;
    struct amdi_list tasks;
    bool is_stopping;
};

/** Starts the thread. Errors: AMDRPC_EIO. */
AMDRPC_NODISCARD amdrpc_err amdi_command_starter_start(
        struct amdi_command_starter *starter);

/** Runs what is left, and joins the thread. */
void amdi_command_starter_stop(struct amdi_command_starter *starter);

/** Lets @run be called on the thread, which may end the task. Thread: any. */
void amdi_command_starter_push(struct amdi_command_starter *starter,
        struct amdi_command_task *task,
        void (*run)(struct amdi_command_task *task));

#endif
