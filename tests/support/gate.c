/** A door that lets a test hold a thread, and know that it is there. */
#include "tests/support/gate.h"

#include <errno.h>

static void
gate_wait(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0 && errno == EINTR) {
    }
}

void
test_gate_init(struct test_gate *gate)
{
    (void)sem_init(&gate->arrived, /*pshared=*/0, /*value=*/0);
    (void)sem_init(&gate->open, /*pshared=*/0, /*value=*/0);
}

void
test_gate_fini(struct test_gate *gate)
{
    (void)sem_destroy(&gate->arrived);
    (void)sem_destroy(&gate->open);
}

void
test_gate_pass(struct test_gate *gate)
{
    (void)sem_post(&gate->arrived);
    gate_wait(&gate->open);
}

void
test_gate_await(struct test_gate *gate)
{
    gate_wait(&gate->arrived);
}

void
test_gate_open(struct test_gate *gate)
{
    (void)sem_post(&gate->open);
}
