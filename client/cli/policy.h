/** How a server dispatches methods, for `amdrpc describe`. */
#ifndef AMDI_CLI_POLICY_H
#define AMDI_CLI_POLICY_H

struct amdi_session;

/**
 * Prints a comment for each method of @symbol ("" for all), from
 * amdrpc.v1.Server. Prints nothing when the server does not tell.
 */
void amdi_session_print_policies(
        struct amdi_session *session, const char *symbol);

#endif
