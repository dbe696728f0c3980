/** A store under test. */
#include "tests/store/probe.h"

#include "common/loop.h"

#include <check.h>

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PATH_BYTES 512

struct probe probe;

static _Atomic(int64_t) clock_us = PROBE_START_US;

int64_t
probe_now_us(void)
{
    return atomic_load(&clock_us);
}

void
probe_advance_us(int64_t us)
{
    atomic_fetch_add(&clock_us, us);
}

/* ---- life ---- */

static void
probe_on_hints(void *arg, unsigned hints)
{
    (void)arg;
    probe.hints |= hints;
}

amdrpc_err
probe_open(const char *uri, const struct amdi_store_options *options,
        struct amdi_error *error)
{
    struct amdi_store_options with_clock = {0};
    amdrpc_err err;

    if (options != NULL) {
        with_clock = *options;
    }
    if (with_clock.now_us == NULL) {
        with_clock.now_us = probe_now_us;
    }
    probe.hints = 0;
    ck_assert_int_eq(amdi_loop_create("amd-test", &probe.loop), AMDRPC_OK);
    err = amdi_store_open(uri, &with_clock, &probe.store, error);
    if (err != AMDRPC_OK) {
        amdi_loop_destroy(probe.loop);
        probe.loop = NULL;
        return err;
    }
    amdi_store_set_hints(probe.store, probe.loop, probe_on_hints, NULL);
    return AMDRPC_OK;
}

static bool
flag_is_set(void *arg)
{
    return *(bool *)arg;
}

static void
flag_set(void *arg)
{
    *(bool *)arg = true;
}

void
probe_close(void)
{
    bool is_closed = false;

    if (probe.loop == NULL) {
        return;
    }
    amdi_store_close(probe.store, probe.loop, flag_set, &is_closed);
    probe_await(flag_is_set, &is_closed);
    probe.store = NULL;
    amdi_loop_destroy(probe.loop);
    probe.loop = NULL;
}

void
probe_await(bool (*is_done)(void *arg), void *arg)
{
    amdi_loop_run_until(probe.loop, is_done, arg);
}

/* ---- answers ---- */

/** Not through the allocator, which may be failing for the store. */
static struct amdi_bytes
probe_keep(struct amdi_bytes bytes)
{
    char *copy = probe.texts + probe.ntext_bytes;

    ck_assert_uint_lt(probe.ntext_bytes + bytes.len, sizeof(probe.texts));
    if (bytes.len > 0) {
        memcpy(copy, bytes.data, bytes.len);
    }
    copy[bytes.len] = '\0';
    probe.ntext_bytes += bytes.len + 1;
    return (struct amdi_bytes){copy, bytes.len};
}

static void
probe_keep_op(const struct amdi_op *op)
{
    struct amdi_op *to = &probe.ops[probe.nops++];

    *to = *op;
    to->principal = probe_keep(op->principal);
    to->request_id = probe_keep(op->request_id);
    to->method = probe_keep(op->method);
    to->owner = probe_keep(op->owner);
    to->payload = probe_keep(op->payload);
    to->metadata = probe_keep(op->metadata);
    to->progress = probe_keep(op->progress);
    to->result = probe_keep(op->result);
    to->status = probe_keep(op->status);
}

static void
probe_answer(enum amdi_store_result result)
{
    ck_assert(!probe.is_answered);
    probe.is_answered = true;
    probe.result = result;
}

static void
probe_on_op(void *arg, enum amdi_store_result result, const struct amdi_op *op)
{
    (void)arg;
    probe_answer(result);
    if (op != NULL) {
        probe_keep_op(op);
    }
}

static void
probe_on_list(void *arg, enum amdi_store_result result,
        const struct amdi_op *ops, size_t nops, struct amdi_bytes next_token)
{
    (void)arg;
    probe_answer(result);
    for (size_t i = 0; i < nops; i++) {
        probe_keep_op(&ops[i]);
    }
    probe.token = probe_keep(next_token);
}

static void
probe_on_lease(void *arg, enum amdi_store_result result,
        const struct amdi_op *ops, size_t nops, int64_t next_ready_at_us)
{
    probe_on_list(arg, result, ops, nops, (struct amdi_bytes){0});
    probe.next_ready_at_us = next_ready_at_us;
}

static void
probe_on_beat(void *arg, enum amdi_store_result result,
        const struct amdi_fence *lost, size_t nlost, const uint64_t *cancelled,
        size_t ncancelled)
{
    (void)arg;
    probe_answer(result);
    for (size_t i = 0; i < nlost; i++) {
        probe.lost[probe.nlost++] = lost[i];
    }
    for (size_t i = 0; i < ncancelled; i++) {
        probe.cancelled[probe.ncancelled++] = cancelled[i];
    }
}

static void
probe_on_sweep(void *arg, enum amdi_store_result result, unsigned nremoved)
{
    (void)arg;
    probe_answer(result);
    probe.nremoved = nremoved;
}

/* ---- questions ---- */

static void
probe_begin(void)
{
    probe.ntext_bytes = 0;
    probe.is_answered = false;
    probe.nops = 0;
    probe.nlost = 0;
    probe.ncancelled = 0;
    probe.next_ready_at_us = 0;
    probe.nremoved = 0;
}

static enum amdi_store_result
probe_end(enum amdi_store_result result)
{
    if (result != AMDI_STORE_OK) {
        ck_assert(!probe.is_answered);
        return result;
    }
    probe_await(flag_is_set, &probe.is_answered);
    return probe.result;
}

enum amdi_store_result
probe_submit(const struct amdi_new_op *new_op)
{
    probe_begin();
    return probe_end(amdi_store_submit(
            probe.store, probe.loop, new_op, probe_on_op, NULL));
}

enum amdi_store_result
probe_get(uint64_t id)
{
    probe_begin();
    return probe_end(
            amdi_store_get(probe.store, probe.loop, id, probe_on_op, NULL));
}

enum amdi_store_result
probe_cancel(uint64_t id)
{
    probe_begin();
    return probe_end(
            amdi_store_cancel(probe.store, probe.loop, id, probe_on_op, NULL));
}

enum amdi_store_result
probe_remove(uint64_t id)
{
    probe_begin();
    return probe_end(
            amdi_store_remove(probe.store, probe.loop, id, probe_on_op, NULL));
}

enum amdi_store_result
probe_list(const struct amdi_store_filter *filter, unsigned page,
        struct amdi_bytes token)
{
    char copy[64] = ""; // the token may be the last answer's

    ck_assert_uint_lt(token.len, sizeof(copy));
    if (token.len > 0) {
        memcpy(copy, token.data, token.len);
    }
    probe_begin();
    return probe_end(amdi_store_list(probe.store, probe.loop, filter, page,
            (struct amdi_bytes){copy, token.len}, probe_on_list, NULL));
}

enum amdi_store_result
probe_lease(const char *node, unsigned max)
{
    probe_begin();
    return probe_end(amdi_store_lease(probe.store, probe.loop, node,
            (struct amdi_bytes){0}, max, PROBE_LEASE_US, probe_on_lease, NULL));
}

enum amdi_store_result
probe_beat(const char *node, const struct amdi_fence *fences, size_t nfences)
{
    probe_begin();
    return probe_end(amdi_store_beat(probe.store, probe.loop, node, fences,
            nfences, PROBE_LEASE_US, probe_on_beat, NULL));
}

enum amdi_store_result
probe_append(struct amdi_fence fence, enum amdi_event_kind kind,
        struct amdi_bytes data)
{
    return probe_append_number(fence, kind, /*number=*/0, data);
}

enum amdi_store_result
probe_append_number(struct amdi_fence fence, enum amdi_event_kind kind,
        uint64_t number, struct amdi_bytes data)
{
    probe_begin();
    return probe_end(amdi_store_append(probe.store, probe.loop, fence, kind,
            number, data, probe_on_op, NULL));
}

enum amdi_store_result
probe_finish(struct amdi_fence fence, int code, struct amdi_bytes result,
        struct amdi_bytes status)
{
    probe_begin();
    return probe_end(amdi_store_finish(probe.store, probe.loop, fence, code,
            result, status, probe_on_op, NULL));
}

enum amdi_store_result
probe_retry(struct amdi_fence fence, int64_t ready_at_us, struct amdi_bytes why)
{
    probe_begin();
    return probe_end(amdi_store_retry(probe.store, probe.loop, fence,
            ready_at_us, why, probe_on_op, NULL));
}

enum amdi_store_result
probe_release(struct amdi_fence fence, int64_t ready_at_us)
{
    probe_begin();
    return probe_end(amdi_store_release(
            probe.store, probe.loop, fence, ready_at_us, probe_on_op, NULL));
}

enum amdi_store_result
probe_sweep(unsigned max)
{
    probe_begin();
    return probe_end(amdi_store_sweep(
            probe.store, probe.loop, max, probe_on_sweep, NULL));
}

void
probe_settle(void)
{
    // What was told before this question's answer is delivered before it; what
    // was told after, and what that led to, by the second.
    for (int i = 0; i < 3; i++) {
        (void)probe_get(1);
    }
}

uint64_t
probe_add(void)
{
    struct amdi_new_op new_op = {
            .method = BYTES("/test/Do"), .payload = BYTES("work")};

    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
    return probe.ops[0].id;
}

struct amdi_fence
probe_take(const char *node)
{
    ck_assert_int_eq(probe_lease(node, 1), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.nops, 1);
    return (struct amdi_fence){probe.ops[0].id, probe.ops[0].attempt};
}

bool
probe_is_text(struct amdi_bytes bytes, const char *text)
{
    return bytes.len == strlen(text) &&
            memcmp(bytes.data, text, bytes.len) == 0;
}

/* ---- directories ---- */

char *
probe_make_dir(void)
{
    const char *parent = getenv("TMPDIR");
    char *dir = malloc(MAX_PATH_BYTES);

    ck_assert_ptr_nonnull(dir);
    (void)snprintf(dir, MAX_PATH_BYTES, "%s/amdrpc-store-XXXXXX",
            parent == NULL ? "/tmp" : parent);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    return dir;
}

void
probe_remove_dir(char *dir)
{
    DIR *entries = opendir(dir);
    struct dirent *entry;
    char path[MAX_PATH_BYTES + 256];

    ck_assert_ptr_nonnull(entries);
    while ((entry = readdir(entries)) != NULL) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        (void)unlink(path); // "." and ".." stay
    }
    (void)closedir(entries);
    ck_assert_int_eq(rmdir(dir), 0);
    free(dir);
}
