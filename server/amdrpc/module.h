/** What a shared object must offer to be loaded by amdrpcd --module. */
#ifndef AMDRPC_MODULE_H
#define AMDRPC_MODULE_H

#include <amdrpc/server.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AMDRPC_MODULE_ABI 2u

/** A setting of one of a module's sections that have a title. */
typedef struct amdrpc_module_setting {
    const char *section; // "NAME" of [module "NAME"]
    const char *name;
    const char *value;
    const char *where; // where it stands: "FILE:3"
} amdrpc_module_setting;

/** Where a module reads its settings and says what is wrong with them. */
typedef struct amdrpc_module_host {
    /**
     * Returns the @index-th value of the setting "<module>.<name>", or NULL
     * when there are not so many; borrowed for the server's life. A setting
     * that was given and not asked for is an error of the start.
     */
    const char *(*get_setting)(const struct amdrpc_module_host *host,
            const char *name, size_t index);
    /** Keeps one line that the daemon prints when the module's start fails. */
    void (*set_error)(struct amdrpc_module_host *host, const char *format, ...)
            AMDRPC_PRINTF(2, 3);
    /**
     * Tells the @index-th setting of the module's sections [module "TITLE"],
     * in the order in which they were given; false past the last. The module
     * says what is wrong with it, also with names that it does not know.
     *
     * @out  its section is borrowed until the next call, the rest for the
     *       server's life
     */
    bool (*get_section_setting)(struct amdrpc_module_host *host, size_t index,
            amdrpc_module_setting *out);
} amdrpc_module_host;

/** What a module says about itself. */
typedef struct amdrpc_module_desc {
    uint32_t abi;     // AMDRPC_MODULE_ABI
    const char *name; // "checksum": the prefix of its settings
    /**
     * Adds the module's services to @server.
     *
     * Thread:  setup
     * @host    borrowed until return
     * @state   given to stop, also when the start failed; NULL before
     */
    amdrpc_err (*start)(
            amdrpc_server *server, amdrpc_module_host *host, void **state);
    /**
     * Frees @state once no handler can run any more: the server has been
     * destroyed. May be NULL.
     *
     * Thread:  setup
     */
    void (*stop)(void *state);
} amdrpc_module_desc;

#if defined(__GNUC__)
#define AMDRPC_MODULE_EXPORT __attribute__((visibility("default")))
#else
#define AMDRPC_MODULE_EXPORT
#endif

/** A module defines this object; amdrpcd looks it up by its name. */
extern AMDRPC_MODULE_EXPORT const amdrpc_module_desc amdrpc_module;

#ifdef __cplusplus
}
#endif

#endif
