/** Many operations of the store under test. */
#include "tests/store/many.h"

#include "tests/store/probe.h"

#include <check.h>

// Ids of one millisecond differ by chance alone: one that was removed might
// come again.
#define APART_US 1000

static const struct amdi_bytes nothing;

uint64_t many_ids[MANY_MAX];

void
many_add(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        many_ids[i] = probe_add();
        probe_advance_us(APART_US);
    }
}

void
many_end(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(probe_finish(probe_take("n"), 0, nothing, nothing),
                AMDI_STORE_OK);
        probe_advance_us(APART_US);
    }
}

unsigned
many_sweep(unsigned max)
{
    unsigned nremoved = 0;

    do {
        ck_assert_int_eq(probe_sweep(max), AMDI_STORE_OK);
        ck_assert_uint_le(probe.nremoved, max);
        nremoved += probe.nremoved;
    } while (probe.nremoved > 0);
    return nremoved;
}

void
many_expect(size_t from, size_t to, bool is_there)
{
    for (size_t i = from; i < to; i++) {
        ck_assert_int_eq(probe_get(many_ids[i]),
                is_there ? AMDI_STORE_OK : AMDI_STORE_NOTFOUND);
    }
}

void
many_expect_usage(uint64_t nunfinished, uint64_t ndone)
{
    static const struct amdi_store_filter unfinished = {
            .states = AMDI_FILTER_QUEUED | AMDI_FILTER_RUNNING};
    static const struct amdi_store_filter done = {
            .states = AMDI_FILTER_SUCCEEDED | AMDI_FILTER_FAILED |
                    AMDI_FILTER_CANCELLED};
    struct amdi_store_usage usage;

    ck_assert_int_eq(
            probe_list(&unfinished, PROBE_MAX_OPS, nothing), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.nops, nunfinished);
    ck_assert_int_eq(probe_list(&done, PROBE_MAX_OPS, nothing), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.nops, ndone);
    usage = amdi_store_get_usage(probe.store);
    ck_assert_uint_eq(usage.nunfinished, nunfinished);
    ck_assert_uint_eq(usage.ndone, ndone);
}
