/** The checksum module: digests of uploads and of the server's files. */
#include <amdrpc/module.h>

#include "common/alloc.h"
#include "server/modules/checksum/methods.h"
#include "server/modules/checksum/roots.h"

#include <errno.h>
#include <string.h>

static const amdrpc_checksum_v1_checksum_handlers checksum_handlers = {
        .digest_upload = amdi_checksum_on_upload,
        .digest_file = amdi_checksum_on_file,
        .digest_tree = amdi_checksum_on_tree,
};

static amdrpc_err
checksum_add_roots(struct amdi_roots *roots, amdrpc_module_host *host)
{
    const char *path;

    for (size_t i = 0; (path = host->get_setting(host, "root", i)) != NULL;
            i++) {
        amdrpc_err err = amdi_roots_add(roots, path);

        if (err == AMDRPC_EIO) {
            host->set_error(host, "root %s: %s", path, strerror(errno));
        }
        if (err != AMDRPC_OK) {
            return err;
        }
    }
    return AMDRPC_OK;
}

static void
checksum_stop(void *state)
{
    struct amdi_roots *roots = state;

    if (roots != NULL) {
        amdi_roots_fini(roots);
        amdi_free(roots);
    }
}

static amdrpc_err
checksum_start(amdrpc_server *server, amdrpc_module_host *host, void **state)
{
    struct amdi_roots *roots = amdi_zalloc(sizeof(*roots));
    amdrpc_err err;

    if (roots == NULL) {
        return AMDRPC_ENOMEM;
    }
    *state = roots; // stopped in any case
    err = checksum_add_roots(roots, host);
    if (err == AMDRPC_OK) {
        err = amdrpc_checksum_v1_checksum_register(
                server, &checksum_handlers, roots);
    }
    return err;
}

const amdrpc_module_desc amdrpc_module = {
        .abi = AMDRPC_MODULE_ABI,
        .name = "checksum",
        .start = checksum_start,
        .stop = checksum_stop,
};
