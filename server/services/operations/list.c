/** google.longrunning.Operations: list. */
#include "common/encoding.h"
#include "google/longrunning/operations.amdrpc-server.h"
#include "server/services/operations/filter.h"
#include "server/services/operations/refuse.h"
#include "server/services/operations/services.h"

#include <string.h>

// A client asks for as many as it likes, and gets so many.
#define DEFAULT_PAGE 100u

// A page of the store may be short or empty although more follow. So many are
// put together before the client has to ask again …
#define MAX_STORE_PAGES 8u

// … unless results were large: standard clients take 4 MiB.
#define ENOUGH_BYTES ((size_t)1 << 20)

// Of the store's token: more than it makes.
#define MAX_TOKEN_BYTES 96u

struct list {
    struct amdi_op_services *services;
    amdrpc_call *call;
    struct amdi_op_filter filter;
    unsigned page;
    unsigned nstore_pages;
    size_t nbytes;
    Google__Longrunning__Operation **operations; // room for a page
    size_t noperations;
};

/* ---- tokens: the store's, in letters that URLs take (RFC 4648, 5) ---- */

static void
token_swap(char *text, size_t len, const char *from, const char *to)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == from[0]) {
            text[i] = to[0];
        } else if (text[i] == from[1]) {
            text[i] = to[1];
        }
    }
}

/** Returns the client's form of a token, in the call's memory, or NULL. */
static char *
token_write(amdrpc_call *call, struct amdi_bytes token)
{
    char *text = amdrpc_call_alloc(call, AMDI_BASE64_BYTES(token.len));

    if (text != NULL) {
        token_swap(text, amdi_base64_encode(token.data, token.len, text), "+/",
                "-_");
    }
    return text;
}

/** False when it cannot be one of ours. */
static bool
token_read(const char *text, uint8_t out[MAX_TOKEN_BYTES], size_t *out_len)
{
    char standard[MAX_TOKEN_BYTES];
    size_t len = strlen(text);

    if (len > MAX_TOKEN_BYTES || strpbrk(text, "+/") != NULL) {
        return false;
    }
    memcpy(standard, text, len);
    token_swap(standard, len, "-_", "+/");
    return amdi_base64_decode(standard, len, out, out_len) == AMDRPC_OK;
}

/* ---- pages ---- */

static void
list_reply(struct list *list, struct amdi_bytes token)
{
    Google__Longrunning__ListOperationsResponse response =
            GOOGLE__LONGRUNNING__LIST_OPERATIONS_RESPONSE__INIT;

    response.n_operations = list->noperations;
    response.operations = list->operations;
    if (token.len > 0) {
        response.next_page_token = token_write(list->call, token);
        if (response.next_page_token == NULL) {
            amdi_op_refuse_memory(list->call);
            return;
        }
    }
    google_longrunning_operations_list_operations_reply(list->call, &response);
}

static bool
list_add(struct list *list, const struct amdi_op *ops, size_t nops)
{
    for (size_t i = 0; i < nops; i++) {
        Google__Longrunning__Operation *operation =
                amdi_op_describe(list->services, list->call, &ops[i]);

        if (operation == NULL) {
            return false;
        }
        list->operations[list->noperations++] = operation;
        list->nbytes += ops[i].result.len + ops[i].status.len;
    }
    return true;
}

static enum amdi_store_result list_ask(
        struct list *list, struct amdi_bytes token);

static void
list_on_page(void *arg, enum amdi_store_result result,
        const struct amdi_op *ops, size_t nops, struct amdi_bytes next_token)
{
    struct list *list = arg;

    if (result == AMDI_STORE_INVALID) {
        amdi_op_refuse_argument(list->call, "PAGE_TOKEN_INVALID",
                "page_token: it is not from this server for this filter");
        return;
    }
    if (result == AMDI_STORE_OK && !list_add(list, ops, nops)) {
        result = AMDI_STORE_NOMEM;
    }
    if (result == AMDI_STORE_OK) {
        if (next_token.len == 0 || list->noperations == list->page ||
                list->nbytes >= ENOUGH_BYTES ||
                list->nstore_pages == MAX_STORE_PAGES ||
                amdrpc_call_is_cancelled(list->call)) {
            list_reply(list, next_token);
            return;
        }
        result = list_ask(list, next_token);
    }
    if (result != AMDI_STORE_OK) {
        amdi_op_refuse_result(list->call, result, "");
    }
}

static enum amdi_store_result
list_ask(struct list *list, struct amdi_bytes token)
{
    list->nstore_pages++;
    return amdi_store_list(list->services->store, amdi_op_call_loop(list->call),
            &list->filter.store, list->page - (unsigned)list->noperations,
            token, list_on_page, list);
}

/* ---- the request ---- */

static bool
list_read_page_size(struct list *list, int32_t page_size)
{
    if (page_size < 0) {
        amdi_op_refuse_argument(list->call, "PAGE_SIZE_INVALID",
                "page_size: it must not be negative");
        return false;
    }
    list->page = page_size == 0 ? DEFAULT_PAGE : (unsigned)page_size;
    if (list->page > AMDI_STORE_MAX_PAGE) {
        list->page = AMDI_STORE_MAX_PAGE;
    }
    return true;
}

static bool
list_read_filter(struct list *list, const char *text)
{
    const char *identity = amdrpc_call_get_identity(list->call);
    char why[AMDI_OP_FILTER_WHY_BYTES];
    amdrpc_err err = amdi_op_filter_parse(
            text, amdi_op_call_arena(list->call), &list->filter, why);

    if (err == AMDRPC_ENOMEM) {
        amdi_op_refuse_memory(list->call);
    } else if (err != AMDRPC_OK) {
        amdi_op_refuse_argument(
                list->call, "FILTER_INVALID", "filter: %s", why);
    } else {
        list->filter.store.has_principal = true;
        list->filter.store.principal =
                (struct amdi_bytes){identity, strlen(identity)};
    }
    return err == AMDRPC_OK;
}

/** Reads all but the token; false: the call has been refused. */
static bool
list_read_request(struct list *list,
        const Google__Longrunning__ListOperationsRequest *request)
{
    if (request->name[0] != '\0' && strcmp(request->name, "operations") != 0) {
        amdi_op_refuse_argument(list->call, "NAME_INVALID",
                "name: \"operations\" or nothing is expected");
        return false;
    }
    if (!list_read_page_size(list, request->page_size) ||
            !list_read_filter(list, request->filter)) {
        return false;
    }
    list->operations = amdrpc_call_alloc(
            list->call, list->page * sizeof(*list->operations));
    if (list->operations == NULL) {
        amdi_op_refuse_memory(list->call);
        return false;
    }
    return true;
}

static void
list_start(struct list *list, const char *page_token)
{
    uint8_t token[MAX_TOKEN_BYTES];
    size_t len = 0;
    enum amdi_store_result result = AMDI_STORE_OK;

    if (!token_read(page_token, token, &len)) {
        amdi_op_refuse_argument(list->call, "PAGE_TOKEN_INVALID",
                "page_token: it is not from this server");
        return;
    }
    if (list->filter.is_nothing) {
        list_reply(list, (struct amdi_bytes){0});
        return;
    }
    result = list_ask(list, (struct amdi_bytes){token, len});
    if (result != AMDI_STORE_OK) {
        amdi_op_refuse_result(list->call, result, "");
        return;
    }
    amdrpc_call_defer(list->call);
}

void
amdi_op_on_list(amdrpc_call *call,
        const Google__Longrunning__ListOperationsRequest *request,
        void *user_data)
{
    struct list *list = amdrpc_call_alloc(call, sizeof(*list));

    if (list == NULL) {
        amdi_op_refuse_memory(call);
        return;
    }
    *list = (struct list){.services = user_data, .call = call};
    if (list_read_request(list, request)) {
        list_start(list, request->page_token);
    }
}
