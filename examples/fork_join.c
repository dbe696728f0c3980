/**
 * Sorts numbers on all CPUs. The parallel version reads like the serial one:
 * one half is spawned instead of called, and sync waits for it.
 */
#include <amdrpc/pool.h>

#include <stdio.h>
#include <stdlib.h>

#define NNUMBERS 1000000u

// Less than this is not worth the hand-over.
#define SERIAL_NUMBERS 2048

struct range {
    amdrpc_pool *pool;
    unsigned *first;
    unsigned *last; // included
};

/** Moves the small numbers to the left of the great ones. */
static void
partition(const struct range *range, unsigned **left, unsigned **right)
{
    unsigned pivot = range->first[(range->last - range->first) / 2];

    *left = range->last;
    *right = range->first;
    while (*right <= *left) {
        while (**right < pivot) {
            ++*right;
        }
        while (**left > pivot) {
            --*left;
        }
        if (*right <= *left) {
            unsigned number = **left;

            *(*left)-- = **right;
            *(*right)++ = number;
        }
    }
}

static void
sort_serially(const struct range *range)
{
    struct range left = *range;
    struct range right = *range;

    if (range->first >= range->last) {
        return;
    }
    partition(range, &left.last, &right.first);
    sort_serially(&left);
    sort_serially(&right);
}

static amdrpc_err
sort(void *arg)
{
    const struct range *range = arg;
    struct range left = *range;
    struct range right = *range;
    amdrpc_group group;

    if (range->last - range->first < SERIAL_NUMBERS) {
        sort_serially(range);
        return AMDRPC_OK;
    }
    partition(range, &left.last, &right.first);
    amdrpc_group_init(&group, range->pool);
    amdrpc_group_spawn(&group, sort, &left);
    (void)sort(&right); // never fails
    return amdrpc_group_sync(&group);
}

static int
is_sorted(const struct range *range)
{
    const unsigned *number = range->first;

    while (number < range->last && number[0] <= number[1]) {
        number++;
    }
    return number == range->last;
}

int
main(void)
{
    static unsigned numbers[NNUMBERS];
    struct range all = {
            .first = numbers,
            .last = &numbers[NNUMBERS - 1],
    };
    amdrpc_err err = amdrpc_pool_create(NULL, &all.pool);

    if (err == AMDRPC_OK) {
        for (unsigned i = 0; i < NNUMBERS; i++) {
            numbers[i] = (i * 2654435761u) >> 3;
        }
        err = sort(&all);
        amdrpc_pool_destroy(all.pool);
    }
    if (err != AMDRPC_OK || !is_sorted(&all)) {
        fprintf(stderr, "not sorted: %s\n", amdrpc_err_text(err));
        return EXIT_FAILURE;
    }
    puts("sorted");
    return EXIT_SUCCESS;
}
