/**
 * One run of a program: a call, its process, and what goes between them.
 *
 * A worker checks the request and gives the run to the slots; whoever gives it
 * a slot hands it to the starter's thread, which starts the program and begins
 * the call's one wait: for an epoll descriptor, which holds the pipes, the
 * process and a timer. From its first event on the run is its loop's alone.
 * Output that the client does not take stays in the pipe, and holds the
 * program up.
 *
 * The run lies in its call's memory. Its call is finished last of all, when the
 * process has been waited for, so a program is never left behind.
 */
#ifndef AMDI_COMMAND_RUN_H
#define AMDI_COMMAND_RUN_H

#include <amdrpc/call.h>

#include "amdrpc/command/v1/command.pb-c.h"
#include "server/modules/command/command_config.h"
#include "server/modules/command/command_spawn.h"
#include "server/modules/command/command_starter.h"

#include <sys/resource.h>

// As much as a pipe holds; of each run.
#define AMDI_COMMAND_BUFFER_BYTES 65536u

enum amdi_command_state {
    AMDI_COMMAND_READING,  // for the first message of a request stream
    AMDI_COMMAND_WAITING,  // for a slot, the starter, the first event
    AMDI_COMMAND_RUNNING,  // the program runs; for its output and its end
    AMDI_COMMAND_STOPPING, // SIGTERM was sent; the same, and kill-after
    AMDI_COMMAND_KILLED,   // SIGKILL was sent; for its end
    AMDI_COMMAND_ENDED,    // it was waited for; that the client takes the rest
    AMDI_COMMAND_DONE,     // nothing: the call is being finished
};

/** Why we ended the program; the first cause counts. */
enum amdi_command_cause {
    AMDI_COMMAND_CAUSE_NONE, // it ended by itself
    AMDI_COMMAND_CAUSE_TIMEOUT,
    AMDI_COMMAND_CAUSE_MAX_OUTPUT,
    AMDI_COMMAND_CAUSE_MAX_INPUT,
    AMDI_COMMAND_CAUSE_FAILED, // run->err says what
    AMDI_COMMAND_CAUSE_CANCELLED,
};

/** What waits for the client to take something. */
enum amdi_command_unsent {
    AMDI_COMMAND_UNSENT_NONE,
    AMDI_COMMAND_UNSENT_OUTPUT,
    AMDI_COMMAND_UNSENT_EXIT,
};

struct amdi_command_run {
    // Set before the slots and the starter get it, then constant.
    amdrpc_call *call;
    struct amdi_command *command;
    struct amdi_command_starter *starter;
    char **argv;

    struct amdi_list slot_node;    // the slots', under their lock
    struct amdi_command_task task; // the starter's

    // The worker's, then the starter's, then the loop's.
    enum amdi_command_state state;
    enum amdi_command_cause cause;
    amdrpc_err err;
    struct amdi_command_child child;
    int epoll_fd; // owned
    int timer_fd; // owned
    uint64_t started_at_ms;
    uint64_t ended_at_ms;

    // Output.
    uint8_t *buffer;
    size_t unsent_len; // in buffer
    enum amdi_command_unsent unsent;
    enum amdi_command_output unsent_from;
    uint64_t output_bytes;
    bool is_listened[AMDI_COMMAND_NOUTPUTS]; // the pipe is in epoll_fd
    size_t rest[AMDI_COMMAND_NOUTPUTS];      // in the pipe once ENDED
    struct amdi_command_progress progress;
    bool has_untold; // progress that was not sent
    uint64_t told_at_ms;

    // Input: what is being written is borrowed from the call.
    ProtobufCBinaryData input;
    size_t input_written;
    uint64_t input_bytes;
    bool is_input_last;    // nothing follows
    bool is_input_pending; // the pipe is full, and in epoll_fd

    // Once ENDED.
    int wait_status;
    struct rusage usage;
};

typedef Amdrpc__Command__V1__RunRequest amdi_command_request;

/**
 * The handler of every command: the call's method names it. @request is NULL
 * when it is a stream.
 */
void amdi_command_on_call(amdrpc_call *call,
        const amdi_command_request *request, struct amdi_command *command,
        struct amdi_command_starter *starter);

/* ---- between the files of a run ---- */

/* command_run.c */

/** What the call tells of a run; its argument is the run. */
extern const amdrpc_call_events amdi_command_run_events;

/** The only writer of the state. */
void amdi_command_run_set_state(
        struct amdi_command_run *run, enum amdi_command_state next);

/** Something happened at run->epoll_fd; @arg is the run. */
void amdi_command_run_on_fd(amdrpc_call *call, unsigned events, void *arg);

/** Gives back all but the call, and hands the slot on. */
void amdi_command_run_release(struct amdi_command_run *run);

/** Ends the program, if it runs; later causes change nothing. */
void amdi_command_run_stop(
        struct amdi_command_run *run, enum amdi_command_cause cause);

/** The same because of a failure of ours, or a bad request message. */
void amdi_command_run_break(struct amdi_command_run *run, amdrpc_err err);

/* command_start.c: tasks for the starter */

/** Starts the program of a run that has a slot. */
void amdi_command_run_start(struct amdi_command_task *task);

/** Ends a program for which its loop cannot wait, and the call. */
void amdi_command_run_abandon(struct amdi_command_task *task);

/* command_request.c */

/** READING: takes the first message of a stream, if it is there. */
void amdi_command_run_read(struct amdi_command_run *run);

/* command_finish.c */

/** Ends the call of a run whose program has ended, as it did. */
void amdi_command_run_finish(struct amdi_command_run *run);

/** Ends a call with a reason of this module. */
void amdi_command_fail(amdrpc_call *call, const struct amdi_command *command,
        amdrpc_status_code code, const char *reason, const char *message);

#endif
