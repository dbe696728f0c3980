/** The handlers of amdrpc.checksum.v1.Checksum. */
#ifndef AMDI_METHODS_H
#define AMDI_METHODS_H

#include "amdrpc/checksum/v1/checksum.amdrpc-server.h"

/* Each is a handler; @user_data is the module's const struct amdi_roots. */

void amdi_checksum_on_upload(amdrpc_call *call, void *user_data);
void amdi_checksum_on_file(amdrpc_call *call,
        const Amdrpc__Checksum__V1__DigestFileRequest *request,
        void *user_data);
void amdi_checksum_on_tree(amdrpc_call *call,
        const Amdrpc__Checksum__V1__DigestTreeRequest *request,
        void *user_data);

#endif
