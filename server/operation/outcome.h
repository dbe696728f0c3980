/** What an execution has written down. Thread: the executor's loop. */
#ifndef AMDI_OP_OUTCOME_H
#define AMDI_OP_OUTCOME_H

#include "server/operation/executor.h"

/** Asks the store to write run->verdict down. */
enum amdi_store_result amdi_outcome_write(struct amdi_run *run, amdi_op_fn fn);

/** Asks the store to keep a step of the work. */
enum amdi_store_result amdi_outcome_write_step(
        struct amdi_run *run, const struct amdi_step *step, amdi_op_fn fn);

/** Counts what was written down. */
void amdi_outcome_count(
        struct amdi_op_stats *stats, const struct amdi_run_verdict *verdict);

#endif
