/** Where the libraries' log lines go. Silent until a sink is set. */
#ifndef AMDRPC_LOG_H
#define AMDRPC_LOG_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum amdrpc_log_level {
    AMDRPC_LOG_ERROR, // we failed and someone must act
    AMDRPC_LOG_WARN,  // we coped
    AMDRPC_LOG_INFO,  // life of server and connections
    AMDRPC_LOG_DEBUG, // everything else
} amdrpc_log_level;

/**
 * Receives one line.
 *
 * Thread:   any, several at once
 * @id       static; a stable identifier of the event, "conn-closed"
 * @text     borrowed until return; "conn=12 call=7 reason=…", one line
 */
typedef void (*amdrpc_log_fn)(
        void *arg, amdrpc_log_level level, const char *id, const char *text);

/**
 * Sets the sink for the whole process; NULL makes it silent again.
 *
 * Thread:  setup
 * @level   the least important level that is passed on
 * @arg     borrowed for as long as the sink is set
 */
void amdrpc_log_set(amdrpc_log_fn fn, void *arg, amdrpc_log_level level);

/**
 * A ready sink that writes to stderr: time, level, id, text. @arg is ignored.
 *
 * Thread:  any
 */
void amdrpc_log_stderr(
        void *arg, amdrpc_log_level level, const char *id, const char *text);

/**
 * Returns "error", "warn", "info" or "debug".
 *
 * Thread:  any
 * @return  static
 */
const char *amdrpc_log_level_name(amdrpc_log_level level);

#ifdef __cplusplus
}
#endif

#endif
