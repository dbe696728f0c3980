/** What goes between a program's pipes and its call's messages. */
#ifndef AMDI_COMMAND_PUMP_H
#define AMDI_COMMAND_PUMP_H

#include "server/modules/command/command_run.h"

/* All on the run's loop. */

/** What an event of run->epoll_fd is about. */
enum amdi_command_source {
    AMDI_COMMAND_FROM_STDOUT = AMDI_COMMAND_STDOUT,
    AMDI_COMMAND_FROM_STDERR = AMDI_COMMAND_STDERR,
    AMDI_COMMAND_FROM_STDIN,
    AMDI_COMMAND_FROM_PROCESS,
    AMDI_COMMAND_FROM_TIMER,
};

/** Adds a descriptor to run->epoll_fd, or takes it out. */
bool amdi_command_pump_listen(struct amdi_command_run *run, int fd,
        uint32_t events, enum amdi_command_source source);
void amdi_command_pump_ignore(struct amdi_command_run *run, int fd);

/** Reads what a pipe has, up to a buffer, and sends it. */
void amdi_command_pump_output(
        struct amdi_command_run *run, enum amdi_command_output from);

/** Counts a message that came; false: it was one too many. */
bool amdi_command_pump_count_input(struct amdi_command_run *run);

/** Writes to the program what there is, and takes more from the call. */
void amdi_command_pump_input(struct amdi_command_run *run);
void amdi_command_pump_close_input(struct amdi_command_run *run);

/** Tries again what was not sent; true: nothing is left of that. */
bool amdi_command_pump_resume(struct amdi_command_run *run);

/** The client gets no more: what waits for it is dropped. */
void amdi_command_pump_drop(struct amdi_command_run *run);

/**
 * The program has ended: sends the rest of its output, and how it ended.
 *
 * @return  false: when the call becomes writable, it is to be called again
 */
bool amdi_command_pump_drain(struct amdi_command_run *run);

#endif
