/** The table of the daemon's settings: all there is to know about each. */
#include "server/daemon/settings.h"

#include <amdrpc/log.h>
#include <amdrpc/server.h>
#include <amdrpc/tls.h>

#include "common/tls/tls_choice.h"
#include "server/daemon/config.h"

#include <string.h>

#define FIELD(name) .offset = offsetof(struct amdi_config, name)

static const struct amdi_choice dispatch_choices[] = {
        {"pool", AMDRPC_DISPATCH_POOL},
        {"sync", AMDRPC_DISPATCH_SYNC},
        {NULL, 0},
};
static const struct amdi_choice log_level_choices[] = {
        {"error", AMDRPC_LOG_ERROR},
        {"warn", AMDRPC_LOG_WARN},
        {"info", AMDRPC_LOG_INFO},
        {"debug", AMDRPC_LOG_DEBUG},
        {NULL, 0},
};
static const struct amdi_choice on_off_choices[] = {
        {"off", false},
        {"on", true},
        {NULL, 0},
};
static const struct amdi_choice tls_version_choices[] = {
        {"1.2", AMDRPC_TLS_1_2},
        {"1.3", AMDRPC_TLS_1_3},
        {NULL, 0},
};
static const struct amdi_choice store_sync_choices[] = {
        {"full", AMDI_STORE_SYNC_FULL},
        {"off", AMDI_STORE_SYNC_OFF},
        {NULL, 0},
};
static const struct amdi_choice log_format_choices[] = {
        {"text", AMDI_LOG_TEXT},
        {"json", AMDI_LOG_JSON},
        {NULL, 0},
};

// A limit of what a peer may do.
#define LIMIT(setting, kind, value, from, to, preset, field, what)             \
    {                                                                          \
        .name = (setting), .type = AMDI_SETTING_##kind, .value_name = (value), \
        .def = (preset), .def_note = "none", .min = (from), .max = (to),       \
        FIELD(server.field), .help = (what)                                    \
    }

// What holds for operations, unless they or their methods say otherwise.
#define OPERATION(setting, kind, value, from, to, preset, field, what)         \
    {                                                                          \
        .name = (setting), .type = AMDI_SETTING_##kind, .value_name = (value), \
        .def = (preset), .min = (from), .max = (to), FIELD(operation.field),   \
        .help = (what)                                                         \
    }

// What handshakes choose from, as OpenSSL writes it.
#define TLS_CHOICE(setting, note, field, what)                              \
    {                                                                       \
        .name = (setting), .type = AMDI_SETTING_TEXT, .value_name = "LIST", \
        .def_note = (note), FIELD(tls_##field),                             \
        .check = amdi_tls_check_##field, .help = (what)                     \
    }

#define MAX_MS (1000u * 3600 * 1000)
#define MAX_BYTES (1u << 30)
#define MAX_STORE_BYTES ((uint64_t)1 << 40)

static const struct amdi_setting settings[] = {
        {
                .name = "config",
                .type = AMDI_SETTING_TEXT,
                .value_name = "FILE",
                .def_note = "none",
                FIELD(config_file),
                .help = "read settings from this INI file",
        },
        {
                .name = "listen",
                .type = AMDI_SETTING_TEXTS,
                .value_name = "ADDRESS",
                .def = "127.0.0.1:50051",
                FIELD(listen),
                .help = "HOST:PORT or unix:/PATH, then tls or mtls if wanted",
        },
        {
                .name = "tls-cert",
                .type = AMDI_SETTING_TEXT,
                .value_name = "FILE",
                .def_note = "none",
                FIELD(tls_cert),
                .help = "PEM: our certificate, then who vouch for it",
        },
        {
                .name = "tls-key",
                .type = AMDI_SETTING_TEXT,
                .value_name = "FILE",
                .def_note = "none",
                FIELD(tls_key),
                .help = "PEM: its key; only its owner may access it",
        },
        {
                .name = "tls-client-ca",
                .type = AMDI_SETTING_TEXT,
                .value_name = "FILE",
                .def_note = "none",
                FIELD(tls_client_ca),
                .help = "PEM: who vouch for clients; without it none is asked",
        },
        {
                .name = "tls-min-version",
                .type = AMDI_SETTING_CHOICE,
                .value_name = "VERSION",
                .def = "1.2",
                .choices = tls_version_choices,
                FIELD(tls_min_version),
                .help = "the oldest TLS that clients may speak",
        },
        TLS_CHOICE("tls-ciphers", "ECDHE with AES-GCM or ChaCha20", ciphers,
                "what TLS 1.2 may use: ECDHE with AEAD only"),
        TLS_CHOICE("tls-ciphersuites", "AES-GCM or ChaCha20", ciphersuites,
                "what TLS 1.3 may use"),
        TLS_CHOICE("tls-groups", "X25519:P-256:P-384", groups,
                "for agreeing on keys"),
        {
                .name = "token-file",
                .type = AMDI_SETTING_TEXT,
                .value_name = "FILE",
                .def_note = "none",
                FIELD(token_file),
                .help = "lines TOKEN NAME: bearer tokens of callers",
        },
        {
                .name = "metrics-listen",
                .type = AMDI_SETTING_TEXT,
                .value_name = "HOST:PORT",
                .def_note = "none",
                FIELD(metrics_listen),
                .help = "answer GET /metrics over HTTP/1.1 here",
        },
        {
                .name = "access-log",
                .type = AMDI_SETTING_CHOICE,
                .value_name = "HOW",
                .def = "off",
                .choices = on_off_choices,
                FIELD(access_log),
                .help = "log a line for each call that ended",
        },
        {
                .name = "channelz",
                .type = AMDI_SETTING_CHOICE,
                .value_name = "HOW",
                .def = "on",
                .choices = on_off_choices,
                FIELD(channelz),
                .help = "tell clients of calls and connections",
        },
        {
                .name = "port-file",
                .type = AMDI_SETTING_TEXT,
                .value_name = "FILE",
                .def_note = "none",
                FIELD(port_file),
                .help = "write the ports, one a line, once listening",
        },
        {
                .name = "module",
                .type = AMDI_SETTING_TEXTS,
                .value_name = "MODULE",
                .def_note = "none",
                FIELD(modules),
                .help = "load a module: a path, or a name that module-path has",
        },
        {
                .name = "module-path",
                .type = AMDI_SETTING_TEXT,
                .value_name = "DIR:DIR",
                .def_note = "the program's own, then the installed",
                FIELD(module_path),
                .help = "folders in which modules are looked up by name",
        },
        {
                .name = "set",
                .type = AMDI_SETTING_MODULE,
                .value_name = "MODULE.KEY=VALUE",
                .def_note = "none",
                FIELD(module_settings),
                .help = "a module's own setting, as checksum.root=DIR",
        },
        {
                .name = "data-dir",
                .type = AMDI_SETTING_TEXT,
                .value_name = "DIR",
                .def_note = "none",
                FIELD(data_dir),
                .help = "folder for what must survive; made when missing",
        },
        {
                .name = "operations",
                .type = AMDI_SETTING_CHOICE,
                .value_name = "HOW",
                .def = "on",
                .choices = on_off_choices,
                FIELD(operations),
                .help = "keep operations in data-dir, or else in memory",
        },
        {
                .name = "store-sync",
                .type = AMDI_SETTING_CHOICE,
                .value_name = "HOW",
                .def = "full",
                .choices = store_sync_choices,
                FIELD(store_sync),
                .help = "off: a power cut may lose any operation",
        },
        OPERATION("operation-max-running", COUNT, "N", 1, 1000000, "1024",
                max_running, "operations of a method at a time"),
        OPERATION("operation-timeout", DURATION, "TIME", 1, MAX_MS, "24h",
                timeout_ms, "after which executing one is given up"),
        OPERATION("operation-retain", DURATION, "TIME", 1, MAX_MS, "24h",
                retain_ms, "how long one is kept after its end"),
        OPERATION("operation-max-attempts", COUNT, "N", 1, 1000000, "5",
                max_attempts, "how often one is tried"),
        OPERATION("operation-backoff", DURATION, "TIME", 1, MAX_MS, "1s",
                backoff_ms, "before the second attempt, then doubled"),
        OPERATION("operation-lease", DURATION, "TIME", 100, MAX_MS, "15s",
                lease_ms, "after which a dead executor is noticed"),
        OPERATION("operation-max-kept", COUNT, "N", 1, 1000000000, "2000000",
                max_kept, "operations kept after their end"),
        OPERATION("operation-max-kept-bytes", BYTES64, "SIZE", 1u << 20,
                MAX_STORE_BYTES, "8g", max_kept_bytes,
                "size of the store, beyond which ended ones go"),
        OPERATION("operation-max-unfinished", COUNT, "N", 1, 1000000000,
                "1000000", max_unfinished,
                "operations that wait or run; more are refused"),
        {
                .name = "loops",
                .type = AMDI_SETTING_COUNT,
                .value_name = "N",
                .def_note = "min(4, CPUs)",
                .min = 1,
                .max = 256,
                FIELD(server.loops),
                .help = "threads that serve connections",
        },
        {
                .name = "workers",
                .type = AMDI_SETTING_COUNT,
                .value_name = "N",
                .def_note = "2 * CPUs",
                .min = 1,
                .max = 4096,
                FIELD(server.workers),
                .help = "threads that run handlers",
        },
        {
                .name = "max-workers",
                .type = AMDI_SETTING_COUNT,
                .value_name = "N",
                .def_note = "workers if set, or 8 * CPUs",
                .min = 1,
                .max = 4096,
                FIELD(server.max_workers),
                .help = "up to so many while handlers block",
        },
        {
                .name = "dispatch",
                .type = AMDI_SETTING_CHOICE,
                .value_name = "HOW",
                .def = "pool",
                .choices = dispatch_choices,
                FIELD(dispatch),
                .help = "handlers on workers, or blocking their loop",
        },
        {
                .name = "compress",
                .type = AMDI_SETTING_CHOICE,
                .value_name = "HOW",
                .def = "off",
                .choices = on_off_choices,
                FIELD(compress),
                .help = "gzip responses for clients that take it",
        },
        {
                .name = "max-connections",
                .type = AMDI_SETTING_COUNT,
                .value_name = "N",
                .def = "10000",
                .min = 1,
                .max = 1000000,
                FIELD(server.max_connections),
                .help = "connections at a time",
        },
        {
                .name = "max-concurrent-streams",
                .type = AMDI_SETTING_COUNT,
                .value_name = "N",
                .def = "128",
                .min = 1,
                .max = 1000000,
                FIELD(server.max_concurrent_streams),
                .help = "calls at a time of one connection",
        },
        {
                .name = "max-calls-per-connection",
                .type = AMDI_SETTING_COUNT,
                .value_name = "N",
                .def_note = "2 * max-concurrent-streams",
                .min = 1,
                .max = 1000000,
                FIELD(server.max_calls_per_connection),
                .help = "calls of one connection that run or wait, also once "
                        "reset",
        },
        {
                .name = "max-recv-message-bytes",
                .type = AMDI_SETTING_BYTES,
                .value_name = "SIZE",
                .def = "4m",
                .min = 1,
                .max = 1u << 30,
                FIELD(server.max_recv_message_bytes),
                .help = "largest request message",
        },
        {
                .name = "max-send-message-bytes",
                .type = AMDI_SETTING_BYTES,
                .value_name = "SIZE",
                .def = "16m",
                .min = 1,
                .max = 1u << 30,
                FIELD(server.max_send_message_bytes),
                .help = "largest response message",
        },
        {
                .name = "max-queued-bytes",
                .type = AMDI_SETTING_BYTES,
                .value_name = "SIZE",
                .def = "288k",
                .min = 1024,
                .max = 1u << 30,
                FIELD(server.max_queued_bytes),
                .help = "a call's unsent messages before its handler waits",
        },
        LIMIT("max-connection-queued-bytes", BYTES, "SIZE", 1024, MAX_BYTES,
                "1m", max_connection_queued_bytes,
                "answers that a client does not take; then it is not read"),
        LIMIT("max-connections-per-address", COUNT, "N", 0, 1000000, "256",
                max_connections_per_address,
                "connections at a time of one address; 0: as many as there "
                "may be"),
        LIMIT("max-decoded-bytes", BYTES, "SIZE", 1024, MAX_BYTES, "32m",
                max_decoded_bytes, "what a request message may unpack to"),
        LIMIT("max-nesting", COUNT, "N", 1, 500, "100", max_nesting,
                "messages in each other in a request"),
        LIMIT("advised-header-list-bytes", BYTES, "SIZE", 1024, 1u << 20, "8k",
                advised_header_list_bytes,
                "what clients are told that a request's header list may be"),
        LIMIT("max-header-list-bytes", BYTES, "SIZE", 1024, 1u << 20, "16k",
                max_header_list_bytes, "a request's header list"),
        LIMIT("max-header-field-bytes", BYTES, "SIZE", 64, 1u << 20, "8k",
                max_header_field_bytes, "one field of it"),
        LIMIT("max-header-fields", COUNT, "N", 8, 10000, "100",
                max_header_fields, "fields of it"),
        LIMIT("max-continuations", COUNT, "N", 1, 1000, "8", max_continuations,
                "CONTINUATION frames of a header list"),
        LIMIT("header-table-bytes", BYTES, "SIZE", 1, 65536, "4k",
                header_table_bytes,
                "HPACK's table for a client's header fields"),
        LIMIT("stream-window-bytes", BYTES, "SIZE", 1024, MAX_BYTES, "64k",
                stream_window_bytes, "what a call's client may send ahead"),
        LIMIT("connection-window-bytes", BYTES, "SIZE", 65536, MAX_BYTES, "1m",
                connection_window_bytes, "what all its calls together may"),
        LIMIT("max-settings", COUNT, "N", 1, 1000, "32", max_settings,
                "settings in one SETTINGS frame"),
        LIMIT("settings-burst", COUNT, "N", 1, 1000000, "20",
                settings_frames.burst,
                "SETTINGS frames of a connection at once"),
        LIMIT("settings-rate", COUNT, "N", 1, 1000000, "2",
                settings_frames.per_second, "and then a second"),
        LIMIT("ping-burst", COUNT, "N", 1, 1000000, "100", pings.burst,
                "PINGs of a connection at once"),
        LIMIT("ping-rate", COUNT, "N", 1, 1000000, "10", pings.per_second,
                "and then a second"),
        LIMIT("reset-burst", COUNT, "N", 1, 1000000, "500", resets.burst,
                "calls that a connection resets, or gets refused, at once"),
        LIMIT("reset-rate", COUNT, "N", 1, 1000000, "100", resets.per_second,
                "and then a second"),
        LIMIT("early-reset-streams", COUNT, "N", 1, 1000000, "500",
                early_reset_streams,
                "calls after which most must not be reset within a second"),
        LIMIT("fault-burst", COUNT, "N", 1, 1000000, "100", faults.burst,
                "calls that we reset for a fault of their client, at once"),
        LIMIT("fault-rate", COUNT, "N", 1, 1000000, "10", faults.per_second,
                "and then a second"),
        LIMIT("stray-burst", COUNT, "N", 1, 1000000, "10000",
                stray_frames.burst,
                "frames that mean nothing, of a connection at once"),
        LIMIT("stray-rate", COUNT, "N", 1, 1000000, "1000",
                stray_frames.per_second, "and then a second"),
        LIMIT("max-empty-frames", COUNT, "N", 1, 1000000, "32",
                max_empty_frames, "frames in a row that carry nothing"),
        LIMIT("priorities-per-stream", COUNT, "N", 1, 1000000, "100",
                priorities_per_stream, "PRIORITY frames for each call"),
        LIMIT("window-updates-per-frame", COUNT, "N", 1, 1000000, "10",
                window_updates_per_frame,
                "twice so many WINDOW_UPDATEs for each DATA frame of ours"),
        LIMIT("frames-per-turn", COUNT, "N", 1, 1000000, "256", frames_per_turn,
                "frames of a connection before others have their turn"),
        LIMIT("handshake-timeout", DURATION, "TIME", 1, MAX_MS, "10s",
                handshake_timeout_ms,
                "how long a connection may take to begin"),
        LIMIT("header-timeout", DURATION, "TIME", 1, MAX_MS, "10s",
                header_timeout_ms, "how long a frame or header list may take"),
        LIMIT("body-timeout", DURATION, "TIME", 1, MAX_MS, "30s",
                body_timeout_ms, "how long a lone request may stand still"),
        LIMIT("stall-timeout", DURATION, "TIME", 1, MAX_MS, "1m",
                stall_timeout_ms, "how long a client may not read"),
        LIMIT("idle-timeout", DURATION, "TIME", 1, MAX_MS, "15m",
                idle_timeout_ms, "how long a connection may have no calls"),
        LIMIT("max-age", DURATION, "TIME", 1, MAX_MS, NULL, max_age_ms,
                "when a connection is drained, give or take 10 %"),
        LIMIT("max-age-grace", DURATION, "TIME", 1, MAX_MS, NULL,
                max_age_grace_ms, "and how long its calls may then go on"),
        LIMIT("keepalive-interval", DURATION, "TIME", 1, MAX_MS, "2h",
                keepalive_interval_ms, "how long silence may be before a PING"),
        LIMIT("keepalive-timeout", DURATION, "TIME", 1, MAX_MS, "20s",
                keepalive_timeout_ms, "how long its answer may take"),
        LIMIT("min-ping-interval", DURATION, "TIME", 1, MAX_MS, "1m",
                min_ping_interval_ms, "how often clients may send PINGs"),
        {
                .name = "drain-timeout",
                .type = AMDI_SETTING_DURATION,
                .value_name = "TIME",
                .def = "30s",
                .min = 1,
                .max = 24 * 3600 * 1000,
                FIELD(server.drain_timeout_ms),
                .help = "how long calls may go on after SIGTERM",
        },
        {
                .name = "log-level",
                .type = AMDI_SETTING_CHOICE,
                .value_name = "LEVEL",
                .def = "info",
                .choices = log_level_choices,
                FIELD(log_level),
                .help = "least important lines that are logged",
        },
        {
                .name = "log-format",
                .type = AMDI_SETTING_CHOICE,
                .value_name = "FORMAT",
                .def = "text",
                .choices = log_format_choices,
                FIELD(log_format),
                .help = "how log lines look on stderr",
        },
};
_Static_assert(sizeof(settings) / sizeof(settings[0]) == AMDI_NSETTINGS,
        "AMDI_NSETTINGS counts the rows");

const struct amdi_setting *
amdi_setting_at(size_t index)
{
    return &settings[index];
}

const struct amdi_setting *
amdi_setting_find(const char *name, size_t *out_index)
{
    for (size_t i = 0; i < AMDI_NSETTINGS; i++) {
        if (strcmp(settings[i].name, name) == 0) {
            *out_index = i;
            return &settings[i];
        }
    }
    return NULL;
}

bool
amdi_setting_is_repeatable(const struct amdi_setting *setting)
{
    return setting->type == AMDI_SETTING_TEXTS ||
            setting->type == AMDI_SETTING_MODULE;
}
