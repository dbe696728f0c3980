/** A request head being tested: its services, its limits, its fields. */
#ifndef AMDI_TEST_HEADS_H
#define AMDI_TEST_HEADS_H

#include "server/conn/request_head.h"
#include "server/service.h"

/** A server's services: "pkg.Svc" with Echo, and Unwritten without handler. */
extern const amdrpc_method_desc heads_methods[];
extern struct amdi_service_table heads_services;
/** At most 10 fields, of 900 bytes each and 1000 together. */
extern const struct amdi_request_limits heads_limits;
/** Of the present test. */
extern struct amdi_request_head *head;
extern struct amdi_request_verdict verdict;

/** A fixture. */
void heads_setup(void);
void heads_teardown(void);

/** A handler that does nothing. */
void heads_invoke(const void *handlers, amdrpc_call *call,
        const ProtobufCMessage *msg, void *user_data);

/** Gives the head a field; returns what it says of it. */
bool field(const char *name, const char *value);

/** POST, the scheme and the authority. */
void fields_until_path(void);

/** The fields of a request that is served. */
void good_fields(void);

/* Judge the head, and check what becomes of the request. */
void end_gives_status(amdrpc_status_code code, const char *message);
void end_gives_http(const char *http_status);
void end_serves(void);

#endif
