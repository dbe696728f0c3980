/** The method that a command line names, and how its messages look. */
#ifndef AMDI_NAMED_METHOD_H
#define AMDI_NAMED_METHOD_H

#include "client/cli/codec.h"
#include "client/cli/method_name.h"
#include "client/cli/session.h"

struct amdi_named_method {
    struct amdi_method_name name;
    char path[2 * AMDI_METHOD_NAME_BYTES + 2];
    amdrpc_method_desc desc; // of the path above; its types are in the codec
    struct amdi_codec codec;
};

/**
 * Takes a name as people write it.
 *
 * @return  an exit status; its reason is printed
 */
int amdi_named_method_parse(struct amdi_named_method *method, const char *text);

/**
 * Learns the method's kind and messages, from the server or from a file.
 *
 * @descriptor_set  NULL: the server is asked
 * @return          an exit status; its reason is printed
 */
int amdi_named_method_find(struct amdi_named_method *method,
        struct amdi_session *session, const char *descriptor_set);

#endif
