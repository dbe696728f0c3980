/** A running amdrpcd: everything it owns, from start to exit. */
#ifndef AMDI_DAEMON_H
#define AMDI_DAEMON_H

struct amdi_config;

/**
 * Serves until SIGTERM or SIGINT, drains, and returns the exit status. What
 * goes wrong is one line on stderr. Thread: main, before any other.
 */
int amdi_daemon_run(struct amdi_config *config);

#endif
