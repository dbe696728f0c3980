/** TLS of one connection; with tls_*.c the only user of OpenSSL's SSL. */
#ifndef AMDI_TLS_H
#define AMDI_TLS_H

#include <amdrpc/err.h>
#include <amdrpc/tls.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct amdi_tls_conn;

/**
 * Thread: one at a time, here and below.
 *
 * @tls          counted
 * @fd           borrowed; non-blocking
 * @server_name  as amdi_transport_secure
 * Errors:       AMDRPC_ENOMEM, AMDRPC_EINVAL
 */
AMDRPC_NODISCARD amdrpc_err amdi_tls_conn_create(amdrpc_tls *tls, int fd,
        const char *server_name, struct amdi_tls_conn **out);

/** NULL is accepted. */
void amdi_tls_conn_destroy(struct amdi_tls_conn *conn);

/**
 * Goes on with the handshake.
 *
 * Errors: AMDRPC_EAGAIN  waits for bytes, or for room if wants_write says so
 *         AMDRPC_EPROTO  refused, by us or by the peer; get_reason says why
 *         as amdi_socket_read
 */
AMDRPC_NODISCARD amdrpc_err amdi_tls_conn_handshake(struct amdi_tls_conn *conn);

bool amdi_tls_conn_wants_write(const struct amdi_tls_conn *conn);

/** The socket became readable: from now on a bounded number of reads. */
void amdi_tls_conn_wake(struct amdi_tls_conn *conn);

/**
 * Reads as much as there is. After AMDRPC_EAGAIN nothing is held back that the
 * socket, when it is asked again, does not tell of.
 *
 * Errors: as amdi_socket_read, AMDRPC_EPROTO
 */
AMDRPC_NODISCARD amdrpc_err amdi_tls_conn_read(struct amdi_tls_conn *conn,
        uint8_t *data, size_t size, size_t *out_len);

/**
 * As amdi_socket_write. What was not taken must be written next, the same bytes
 * and maybe more behind them.
 */
AMDRPC_NODISCARD amdrpc_err amdi_tls_conn_write(struct amdi_tls_conn *conn,
        const struct iovec *iov, int niov, size_t *out_len);

/** Tells the peer that nothing follows. NULL is accepted. */
void amdi_tls_conn_shutdown(struct amdi_tls_conn *conn);

/** The peer's name, known after the handshake; "" when it has none, or NULL. */
const char *amdi_tls_conn_get_identity(const struct amdi_tls_conn *conn);

/**
 * The cipher suite as the TLS documents write it, once the handshake is done;
 * "" before, or NULL. Static.
 */
const char *amdi_tls_conn_get_cipher(const struct amdi_tls_conn *conn);

/** Why it failed; "" when it did not, or NULL. */
const char *amdi_tls_conn_get_reason(const struct amdi_tls_conn *conn);

#endif
