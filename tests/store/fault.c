/** A store that goes wrong as it is told. */
#include "tests/store/fault.h"

#include "common/alloc.h"
#include "server/store/store_internal.h"

#include <check.h>

#include <pthread.h>

enum fault_fate {
    FATE_MADE,
    FATE_HELD,
    FATE_REFUSED,
    FATE_LOST,
};

/** Requests that go wrong. */
struct fault_rule {
    int kind; // or any
    unsigned n;
};

struct fault_store {
    struct amdi_store base; // first
    struct amdi_store *inner;

    // Any thread, under mtx.
    pthread_mutex_t mtx;
    struct fault_rule refused;
    enum amdi_store_result refusal;
    struct fault_rule lost;
    unsigned nfaults;
    bool is_held;
    struct amdi_list held; // of requests
};

static void
fault_on_lost_answer(struct amdi_request *request)
{
    amdi_request_fail(request, AMDI_STORE_UNKNOWN);
    amdi_request_post(request);
}

static bool
rule_applies(struct fault_rule *rule, const struct amdi_request *request)
{
    bool applies = rule->n > 0 &&
            (rule->kind == FAULT_ANY_KIND || rule->kind == (int)request->kind);

    rule->n -= applies;
    return applies;
}

static enum fault_fate
fault_decide_locked(struct fault_store *fault, struct amdi_request *request)
{
    if (fault->is_held) {
        amdi_list_push(&fault->held, &request->node);
        return FATE_HELD;
    }
    if (rule_applies(&fault->refused, request)) {
        fault->nfaults++;
        amdi_request_fail(request, fault->refusal);
        return FATE_REFUSED;
    }
    if (rule_applies(&fault->lost, request)) {
        fault->nfaults++;
        request->complete = fault_on_lost_answer;
        return FATE_LOST;
    }
    return FATE_MADE;
}

static enum amdi_store_result
fault_push(struct amdi_store *base, struct amdi_request *request, bool is_inner)
{
    struct fault_store *fault = (struct fault_store *)base;
    enum fault_fate fate = FATE_MADE;

    (void)pthread_mutex_lock(&fault->mtx);
    fate = fault_decide_locked(fault, request);
    (void)pthread_mutex_unlock(&fault->mtx);
    if (fate == FATE_REFUSED) {
        amdi_request_post(request);
    }
    return fate == FATE_REFUSED || fate == FATE_HELD
            ? AMDI_STORE_OK
            : fault->inner->ops->push(fault->inner, request, is_inner);
}

static void
fault_close(struct amdi_store *base, struct amdi_loop *loop,
        void (*done)(void *arg), void *arg)
{
    struct fault_store *fault = (struct fault_store *)base;
    struct amdi_store *inner = fault->inner;

    ck_assert(amdi_list_is_empty(&fault->held));
    (void)pthread_mutex_destroy(&fault->mtx);
    amdi_free(fault);
    amdi_store_close(inner, loop, done, arg);
}

static struct amdi_store_usage
fault_get_usage(const struct amdi_store *base)
{
    const struct fault_store *fault = (const struct fault_store *)base;

    return amdi_store_get_usage(fault->inner);
}

static const struct amdi_store_ops fault_ops = {
        .push = fault_push,
        .close = fault_close,
        .get_usage = fault_get_usage,
};

struct amdi_store *
fault_wrap(struct amdi_store *inner)
{
    struct fault_store *fault = amdi_zalloc(sizeof(*fault));

    ck_assert_ptr_nonnull(fault);
    fault->base = (struct amdi_store){
            .ops = &fault_ops, .options = inner->options, .hub = inner->hub};
    fault->inner = inner;
    (void)pthread_mutex_init(&fault->mtx, NULL);
    amdi_list_init(&fault->held);
    return &fault->base;
}

void
fault_refuse_kind(struct amdi_store *store, int kind, unsigned n,
        enum amdi_store_result result)
{
    struct fault_store *fault = (struct fault_store *)store;

    (void)pthread_mutex_lock(&fault->mtx);
    fault->refused = (struct fault_rule){kind, n};
    fault->refusal = result;
    (void)pthread_mutex_unlock(&fault->mtx);
}

void
fault_refuse(
        struct amdi_store *store, unsigned n, enum amdi_store_result result)
{
    fault_refuse_kind(store, FAULT_ANY_KIND, n, result);
}

void
fault_lose_answers_of(struct amdi_store *store, int kind, unsigned n)
{
    struct fault_store *fault = (struct fault_store *)store;

    (void)pthread_mutex_lock(&fault->mtx);
    fault->lost = (struct fault_rule){kind, n};
    (void)pthread_mutex_unlock(&fault->mtx);
}

void
fault_lose_answers(struct amdi_store *store, unsigned n)
{
    fault_lose_answers_of(store, FAULT_ANY_KIND, n);
}

unsigned
fault_count(struct amdi_store *store)
{
    struct fault_store *fault = (struct fault_store *)store;
    unsigned n = 0;

    (void)pthread_mutex_lock(&fault->mtx);
    n = fault->nfaults;
    (void)pthread_mutex_unlock(&fault->mtx);
    return n;
}

void
fault_set_held(struct amdi_store *store, bool is_held)
{
    struct fault_store *fault = (struct fault_store *)store;
    struct amdi_list held;
    struct amdi_list *node;

    amdi_list_init(&held);
    (void)pthread_mutex_lock(&fault->mtx);
    fault->is_held = is_held;
    while (!is_held && (node = amdi_list_pop(&fault->held)) != NULL) {
        amdi_list_push(&held, node);
    }
    (void)pthread_mutex_unlock(&fault->mtx);
    while ((node = amdi_list_pop(&held)) != NULL) {
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
