/** What the commands that show a server's symbols have in common. */
#ifndef AMDI_SHOW_H
#define AMDI_SHOW_H

#include "client/cli/session.h"

/** Such a command. Functions return an exit status, and print its reason. */
struct amdi_show {
    const char *usage;
    const char *summary;
    const char *operand; // what may stand behind HOST:PORT
    int (*all)(struct amdi_session *session);
    int (*named)(struct amdi_session *session, const char *name);
};

/** Parses the command line, and shows what it names, or all. */
int amdi_show_run(const struct amdi_show *show, int argc, char **argv);

#endif
