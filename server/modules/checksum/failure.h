/** Why a file or directory could not be read. */
#ifndef AMDI_FAILURE_H
#define AMDI_FAILURE_H

#include <amdrpc/status.h>

struct amdi_failure {
    amdrpc_status_code code;
    const char *reason; // static; follows "PATH: "
};

/** What an errno of open, stat or read means to the caller of a method. */
struct amdi_failure amdi_failure_from_errno(int error);

#endif
