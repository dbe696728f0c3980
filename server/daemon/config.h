/** The daemon's settings as they were given: flags, environment, file. */
#ifndef AMDI_CONFIG_H
#define AMDI_CONFIG_H

#include <amdrpc/operations.h>
#include <amdrpc/server.h>

#include "server/daemon/settings.h"

enum amdi_log_format {
    AMDI_LOG_TEXT,
    AMDI_LOG_JSON,
};

enum amdi_store_sync {
    AMDI_STORE_SYNC_FULL, // an acknowledgement waits for the disk
    AMDI_STORE_SYNC_OFF,
};

/** Where a value comes from; a greater one goes before a lesser. */
enum amdi_config_source {
    AMDI_SOURCE_DEFAULT,
    AMDI_SOURCE_FILE,
    AMDI_SOURCE_ENVIRONMENT,
    AMDI_SOURCE_FLAG,
};

/** What the command line asks for. */
enum amdi_config_request {
    AMDI_CONFIG_RUN,
    AMDI_CONFIG_HELP,
    AMDI_CONFIG_VERSION,
};

struct amdi_texts {
    char **items; // owned, each owned
    size_t count;
};

// "[allow]" in the file, "allow.PATH" on the command line.
#define AMDI_ALLOW_PREFIX "allow."

/** "checksum.root=DIR", from wherever. */
struct amdi_module_setting {
    char *name;  // "checksum.root"; owned
    char *value; // owned
    char *where; // "FILE:3", for messages; owned
    enum amdi_config_source source;
    bool is_read; // a module asked for that name
};

struct amdi_module_settings {
    struct amdi_module_setting *items; // owned
    size_t count;
};

/** Every field is written by the table's row of that name. */
struct amdi_config {
    enum amdi_config_request request;

    char *config_file;
    struct amdi_texts listen;
    char *tls_cert;
    char *tls_key;
    char *tls_client_ca;
    uint32_t tls_min_version; // amdrpc_tls_version
    char *tls_ciphers;
    char *tls_ciphersuites;
    char *tls_groups;
    char *token_file;
    char *metrics_listen;
    char *port_file;
    struct amdi_texts modules;
    char *module_path;
    struct amdi_module_settings module_settings;
    char *data_dir;
    amdrpc_server_options server;        // but for what follows
    uint32_t dispatch;                   // an amdrpc_dispatch
    uint32_t log_level;                  // an amdrpc_log_level
    uint32_t access_log;                 // whether
    uint32_t channelz;                   // whether
    uint32_t operations;                 // whether
    amdrpc_operations_options operation; // but for the store
    uint32_t store_sync;                 // an amdi_store_sync
    uint32_t compress;                   // whether
    uint32_t log_format;                 // an amdi_log_format

    enum amdi_config_source sources[AMDI_NSETTINGS]; // who set the row
    char error[512]; // one line, after a failure
};

/** Makes an empty configuration. */
void amdi_config_init(struct amdi_config *config);
void amdi_config_fini(struct amdi_config *config);

/**
 * Reads the flags, the environment, and the file that one of them names, and
 * fills in the defaults.
 *
 * @args    the arguments after the program's name; ends with NULL
 * Errors:  AMDRPC_EINVAL, AMDRPC_ENOMEM; @config->error says what is wrong,
 *          with the setting, the value and where it stands
 */
AMDRPC_NODISCARD amdrpc_err amdi_config_load(
        struct amdi_config *config, char *const *args);

/**
 * Sets one row from one value.
 *
 * @where   for messages: "--workers", "AMDRPC_WORKERS", "FILE:3: workers"
 */
AMDRPC_NODISCARD amdrpc_err amdi_config_assign(struct amdi_config *config,
        const char *name, const char *value, enum amdi_config_source source,
        const char *where);

/** Sets "module.key"; @where as above. */
AMDRPC_NODISCARD amdrpc_err amdi_config_assign_module(
        struct amdi_config *config, const char *name, const char *value,
        enum amdi_config_source source, const char *where);

/** Reads an INI file; in config_file.c. Errors as amdi_config_load. */
AMDRPC_NODISCARD amdrpc_err amdi_config_read_file(
        struct amdi_config *config, const char *path);

/** Keeps the message and returns AMDRPC_EINVAL. */
amdrpc_err amdi_config_fail(struct amdi_config *config, const char *format, ...)
        AMDRPC_PRINTF(2, 3);

/** Says so and returns AMDRPC_ENOMEM. */
amdrpc_err amdi_config_fail_memory(struct amdi_config *config);

/** The @index-th value of "module.key", or NULL; marks the name as read. */
const char *amdi_config_get_module_setting(
        struct amdi_config *config, const char *name, size_t index);

/** Tells whether it is of no module, but who may call what: "allow.PATH". */
bool amdi_config_is_rule(const struct amdi_module_setting *setting);

/** A setting of @module that nobody read, or NULL: it has no such setting. */
const struct amdi_module_setting *amdi_config_find_unread(
        const struct amdi_config *config, const char *module);

#endif
