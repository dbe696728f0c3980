/** A store that goes wrong as it is told. */
#include "tests/store/fault.h"

#include "common/alloc.h"
#include "server/store/store_internal.h"

#include <check.h>

struct fault_store {
    struct amdi_store base; // first
    struct amdi_store *inner;

    // Loop thread only; there is one loop.
    unsigned nrefused;
    enum amdi_store_result refusal;
    unsigned nlost;
    bool is_held;
    struct amdi_list held; // of requests
};

static void
fault_on_lost_answer(struct amdi_request *request)
{
    amdi_request_fail(request, AMDI_STORE_UNKNOWN);
    amdi_request_post(request);
}

static enum amdi_store_result
fault_push(struct amdi_store *base, struct amdi_request *request, bool is_inner)
{
    struct fault_store *fault = (struct fault_store *)base;

    if (fault->is_held) {
        amdi_list_push(&fault->held, &request->node);
        return AMDI_STORE_OK;
    }
    if (fault->nrefused > 0) {
        fault->nrefused--;
        amdi_request_fail(request, fault->refusal);
        amdi_request_post(request);
        return AMDI_STORE_OK;
    }
    if (fault->nlost > 0) {
        fault->nlost--;
        request->complete = fault_on_lost_answer;
    }
    return fault->inner->ops->push(fault->inner, request, is_inner);
}

static void
fault_close(struct amdi_store *base, struct amdi_loop *loop,
        void (*done)(void *arg), void *arg)
{
    struct fault_store *fault = (struct fault_store *)base;
    struct amdi_store *inner = fault->inner;

    ck_assert(amdi_list_is_empty(&fault->held));
    amdi_free(fault);
    amdi_store_close(inner, loop, done, arg);
}

static const struct amdi_store_ops fault_ops = {
        .push = fault_push,
        .close = fault_close,
};

struct amdi_store *
fault_wrap(struct amdi_store *inner)
{
    struct fault_store *fault = amdi_zalloc(sizeof(*fault));

    ck_assert_ptr_nonnull(fault);
    fault->base = (struct amdi_store){
            .ops = &fault_ops, .options = inner->options, .hub = inner->hub};
    fault->inner = inner;
    amdi_list_init(&fault->held);
    return &fault->base;
}

void
fault_refuse(
        struct amdi_store *store, unsigned n, enum amdi_store_result result)
{
    struct fault_store *fault = (struct fault_store *)store;

    fault->nrefused = n;
    fault->refusal = result;
}

void
fault_lose_answers(struct amdi_store *store, unsigned n)
{
    ((struct fault_store *)store)->nlost = n;
}

void
fault_set_held(struct amdi_store *store, bool is_held)
{
    struct fault_store *fault = (struct fault_store *)store;
    struct amdi_list *node;

    fault->is_held = is_held;
    while (!is_held && (node = amdi_list_pop(&fault->held)) != NULL) {
        ck_assert_int_eq(
                fault_push(store,
                        AMDI_CONTAINER_OF(node, struct amdi_request, node),
                        /*is_inner=*/true),
                AMDI_STORE_OK);
    }
}

void
fault_drop_hints(struct amdi_store *store)
{
    amdi_store_set_hints(store, NULL, NULL, NULL);
}
