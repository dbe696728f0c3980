/**
 * A store that stands before another one and goes wrong as it is told: answers
 * that are errors, answers that get lost, answers that wait, hints that do not
 * come. It is told from any thread.
 */
#ifndef TEST_STORE_FAULT_H
#define TEST_STORE_FAULT_H

#include "server/store/request.h"
#include "server/store/store.h"

#define FAULT_ANY_KIND (-1)
#define FAULT_ALWAYS 1000000u

/** Takes @inner over; it is closed with the returned store. */
struct amdi_store *fault_wrap(struct amdi_store *inner);

/** The next @n requests are not made; they are answered with @result. */
void fault_refuse(
        struct amdi_store *store, unsigned n, enum amdi_store_result result);

/** The same of requests of one kind only (enum amdi_request_kind). */
void fault_refuse_kind(struct amdi_store *store, int kind, unsigned n,
        enum amdi_store_result result);

/** The next @n requests are made, but answered with AMDI_STORE_UNKNOWN. */
void fault_lose_answers(struct amdi_store *store, unsigned n);

/** The same of requests of one kind only. */
void fault_lose_answers_of(struct amdi_store *store, int kind, unsigned n);

/** How many requests went wrong so far. */
unsigned fault_count(struct amdi_store *store);

/** Keeps requests back; once it is false again, they are made in order. */
void fault_set_held(struct amdi_store *store, bool is_held);

/** Lets hints come to nobody. */
void fault_drop_hints(struct amdi_store *store);

#endif
