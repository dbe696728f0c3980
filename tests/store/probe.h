/** A store under test: asks one question at a time and keeps the answer. */
#ifndef TEST_STORE_PROBE_H
#define TEST_STORE_PROBE_H

#include "server/store/store.h"

#define PROBE_MAX_OPS 64
#define PROBE_LEASE_US 15000000

// The first microsecond of the tests: some time in 2026.
#define PROBE_START_US INT64_C(1790000000000000)

struct probe {
    struct amdi_loop *loop;
    struct amdi_store *store;

    // The last answer.
    bool is_answered;
    enum amdi_store_result result;
    char texts[1 << 20];
    size_t ntext_bytes;
    struct amdi_op ops[PROBE_MAX_OPS];
    size_t nops;
    struct amdi_bytes token;
    int64_t next_ready_at_us;
    struct amdi_fence lost[PROBE_MAX_OPS];
    size_t nlost;
    uint64_t cancelled[PROBE_MAX_OPS];
    size_t ncancelled;
    unsigned nremoved;

    unsigned hints; // of all time
};

/** There is one. */
extern struct probe probe;

/** The bytes of a literal. */
#define BYTES(text) ((struct amdi_bytes){(text), sizeof(text) - 1})

/** Returns the probe's time, and what moves it. */
int64_t probe_now_us(void);
void probe_advance_us(int64_t us);

/** Opens a store with the probe's clock; the options may be NULL. */
amdrpc_err probe_open(const char *uri, const struct amdi_store_options *options,
        struct amdi_error *error);
void probe_close(void);

/** Makes turns of the loop until a condition holds. */
void probe_await(bool (*is_done)(void *arg), void *arg);

/** Makes turns until nothing is under way: a question went there and back. */
void probe_settle(void);

/* Each asks, waits for the answer, and returns its result. */
enum amdi_store_result probe_submit(const struct amdi_new_op *new_op);
enum amdi_store_result probe_get(uint64_t id);
enum amdi_store_result probe_cancel(uint64_t id);
enum amdi_store_result probe_remove(uint64_t id);
enum amdi_store_result probe_list(const struct amdi_store_filter *filter,
        unsigned page, struct amdi_bytes token);
enum amdi_store_result probe_lease(const char *node, unsigned max);
enum amdi_store_result probe_beat(
        const char *node, const struct amdi_fence *fences, size_t nfences);
enum amdi_store_result probe_append(struct amdi_fence fence,
        enum amdi_event_kind kind, struct amdi_bytes data);
enum amdi_store_result probe_append_number(struct amdi_fence fence,
        enum amdi_event_kind kind, uint64_t number, struct amdi_bytes data);
enum amdi_store_result probe_finish(struct amdi_fence fence, int code,
        struct amdi_bytes result, struct amdi_bytes status);
enum amdi_store_result probe_retry(
        struct amdi_fence fence, int64_t ready_at_us, struct amdi_bytes why);
enum amdi_store_result probe_release(
        struct amdi_fence fence, int64_t ready_at_us);
enum amdi_store_result probe_sweep(unsigned max);

/** Submits a call of "/test/Do" that must be taken; returns its id. */
uint64_t probe_add(void);

/** Leases what is first, as @node; returns its fence. */
struct amdi_fence probe_take(const char *node);

/** Tells whether bytes are that text. */
bool probe_is_text(struct amdi_bytes bytes, const char *text);

/** An empty directory below the one for temporary files, and its end. */
char *probe_make_dir(void);
void probe_remove_dir(char *dir);

#endif
