/** Many operations of the store under test. */
#ifndef TEST_STORE_MANY_H
#define TEST_STORE_MANY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MANY_MAX 600

/** Their ids. */
extern uint64_t many_ids[MANY_MAX];

/** Adds one for each id from @from to before @to, a millisecond apart. */
void many_add(size_t from, size_t to);

/** Ends so many of those that wait, the oldest first, likewise. */
void many_end(size_t n);

/** Sweeps, at most @max at once, until nothing goes; returns how many went. */
unsigned many_sweep(unsigned max);

/** Those of the ids are there; or none of them. */
void many_expect(size_t from, size_t to, bool is_there);

/** The store says that it has so many, and a list confirms it. */
void many_expect_usage(uint64_t nunfinished, uint64_t ndone);

#endif
