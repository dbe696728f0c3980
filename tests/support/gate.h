/** A door that lets a test hold a thread, and know that it is there. */
#ifndef TEST_GATE_H
#define TEST_GATE_H

#include <semaphore.h>

struct test_gate {
    sem_t arrived;
    sem_t open;
};

void test_gate_init(struct test_gate *gate);
void test_gate_fini(struct test_gate *gate);

/** Says that it is there, and waits until the gate is opened for it. */
void test_gate_pass(struct test_gate *gate);

/** Waits until one is there. */
void test_gate_await(struct test_gate *gate);

/** Lets one through, now or later. */
void test_gate_open(struct test_gate *gate);

#endif
