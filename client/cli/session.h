/** A command's stay at one server: channel, Ctrl-C, and what is known of it. */
#ifndef AMDI_SESSION_H
#define AMDI_SESSION_H

#include <amdrpc/client.h>

#include "client/cli/connect.h"
#include "client/cli/interrupt.h"
#include "common/descriptor/descriptor.h"

#include <stdint.h>

/** Functions that return an int return an exit status, and print its reason. */
struct amdi_session {
    const struct amdi_connect *connect; // borrowed
    const char *target;                 // borrowed
    amdrpc_metadata *metadata; // of calls that have none of their own; owned
    amdrpc_channel *channel;
    struct amdi_interrupt interrupt;
    struct amdi_descriptors *descriptors; // owned; what was learned so far
    uint64_t timeout_ms;                  // of each call; 0 for none
};

/** @connect, @target  borrowed until close */
int amdi_session_open(struct amdi_session *session,
        const struct amdi_connect *connect, const char *target,
        uint64_t timeout_ms);

void amdi_session_close(struct amdi_session *session);

/**
 * Makes the metadata of a call: the token, and NAME=VALUE of the command line.
 *
 * @out  returned owned, also with an error
 */
int amdi_session_make_metadata(struct amdi_session *session,
        const struct amdi_texts *pairs, amdrpc_metadata **out);

/**
 * Starts a call that Ctrl-C cancels. amdi_session_end_call when it is over.
 *
 * @timeout_ms  0 for none
 * @metadata    borrowed until return; NULL for nothing but the token
 */
int amdi_session_start_call(struct amdi_session *session,
        const amdrpc_method_desc *method, uint64_t timeout_ms,
        const amdrpc_metadata *metadata, amdrpc_client_call **out);

/** Drops the call, which ends it if it goes on. NULL is accepted. */
void amdi_session_end_call(
        struct amdi_session *session, amdrpc_client_call *call);

/**
 * Prints "NOT_FOUND: message" unless the call ended well, and tells the exit
 * status: also when it was Ctrl-C that ended it.
 */
int amdi_session_judge_call(
        struct amdi_session *session, const amdrpc_client_call *call);

/** The same for a status from elsewhere. */
int amdi_session_judge(struct amdi_session *session, amdrpc_status_code status,
        const char *message);

/** Waits for a future and judges its status. */
int amdi_session_await(struct amdi_session *session, amdrpc_future *future);

/** Reads a FileDescriptorSet, as protoc --descriptor_set_out writes it. */
int amdi_session_load_set(struct amdi_session *session, const char *path);

/** Asks the server for the files of a symbol, imports included; links them. */
int amdi_session_discover(struct amdi_session *session, const char *symbol);

/** The names of a server's services, sorted. */
struct amdi_names {
    char **items; // owned
    size_t count;
};

/** Asks the server which services it has. */
int amdi_session_list(struct amdi_session *session, struct amdi_names *out);

void amdi_names_fini(struct amdi_names *names);

/** Prints what went wrong in this process. Returns the exit status. */
int amdi_session_fail(amdrpc_err err, const char *what);

#endif
