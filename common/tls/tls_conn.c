/**
 * TLS of one connection.
 *
 * OpenSSL reads ahead, as much as its buffer holds, through a BIO of ours. In
 * one wake-up that BIO stops asking the socket when it gave less than was
 * wanted, which spares the call that would only say "nothing more", and after
 * MAX_RECEIVES, so that others have their turn. The socket, which is watched
 * by level, then tells again; what OpenSSL holds is always read to its end.
 */
#include "common/alloc.h"
#include "common/socket.h"
#include "common/tls/tls.h"
#include "common/tls/tls_internal.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

// Each gives at most OpenSSL's buffer: together what a plain socket may give.
#define MAX_RECEIVES 16u

// The most that one record carries (RFC 8446, section 5.1).
#define RECORD_BYTES 16384u

// Longer names are cut off: no identity.
#define IDENTITY_BYTES 256u

#define REASON_BYTES 160u

struct amdi_tls_conn {
    struct amdrpc_tls *tls; // counted
    SSL *ssl;               // owned
    int fd;                 // borrowed
    bool is_dry;            // the socket is not asked again in this wake-up
    bool wants_write;
    bool has_shut_down;
    unsigned nreceives; // in this wake-up
    amdrpc_err io_err;  // of the socket, in the operation in progress
    amdrpc_err failure; // what every further read answers
    char *identity;     // owned; NULL: none
    char *reason;       // owned; NULL: none, or no memory for it
};

/* ---- the way to the socket ---- */

static int
bio_on_read(BIO *bio, char *data, int size)
{
    struct amdi_tls_conn *conn = BIO_get_data(bio);
    size_t len = 0;

    BIO_clear_retry_flags(bio);
    if (conn->is_dry) {
        BIO_set_retry_read(bio);
        return -1;
    }
    conn->io_err =
            amdi_socket_read(conn->fd, (uint8_t *)data, (size_t)size, &len);
    conn->is_dry = len < (size_t)size || ++conn->nreceives >= MAX_RECEIVES;
    if (conn->io_err == AMDRPC_EAGAIN) {
        BIO_set_retry_read(bio);
    }
    if (conn->io_err != AMDRPC_OK) {
        return conn->io_err == AMDRPC_ECLOSED ? 0 : -1;
    }
    return (int)len;
}

static int
bio_on_write(BIO *bio, const char *data, int size)
{
    struct amdi_tls_conn *conn = BIO_get_data(bio);
    struct iovec iov = {
            .iov_base = (char *)(uintptr_t)data, // only read
            .iov_len = (size_t)size,
    };
    size_t len = 0;

    BIO_clear_retry_flags(bio);
    conn->io_err = amdi_socket_write(conn->fd, &iov, 1, &len);
    if (conn->io_err == AMDRPC_EAGAIN) {
        BIO_set_retry_write(bio);
    }
    return conn->io_err == AMDRPC_OK ? (int)len : -1;
}

/** Asked to flush, which there is no need for; the rest means nothing here. */
static long
bio_on_ctrl(BIO *bio, int command, long number, void *arg)
{
    (void)bio;
    (void)number;
    (void)arg;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD *
amdi_tls_bio_create(void)
{
    int index = BIO_get_new_index();
    BIO_METHOD *method = index < 0
            ? NULL
            : BIO_meth_new(index | BIO_TYPE_SOURCE_SINK, "amdrpc socket");

    if (method != NULL) {
        // These only fail without a method.
        (void)BIO_meth_set_read(method, bio_on_read);
        (void)BIO_meth_set_write(method, bio_on_write);
        (void)BIO_meth_set_ctrl(method, bio_on_ctrl);
    }
    return method;
}

/* ---- life ---- */

/** Asks for the server's name, and for a certificate that has it. */
static bool
ssl_set_server_name(SSL *ssl, const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];

    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (inet_pton(AF_INET, name, address) == 1 ||
            inet_pton(AF_INET6, name, address) == 1) {
        // No SNI: that is for DNS names only (RFC 6066, section 3).
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    }
    return SSL_set1_host(ssl, name) == 1 &&
            SSL_set_tlsext_host_name(ssl, name) == 1;
}

static amdrpc_err
conn_set_up(struct amdi_tls_conn *conn, const char *server_name)
{
    BIO *bio = NULL;

    conn->ssl = amdi_tls_new_ssl(conn->tls);
    bio = BIO_new(conn->tls->bio);
    if (conn->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        return AMDRPC_ENOMEM;
    }
    BIO_set_data(bio, conn);
    BIO_set_init(bio, 1);
    SSL_set_bio(conn->ssl, bio, bio); // taken
    if (server_name == NULL) {
        SSL_set_accept_state(conn->ssl);
        return AMDRPC_OK;
    }
    SSL_set_connect_state(conn->ssl);
    return ssl_set_server_name(conn->ssl, server_name) ? AMDRPC_OK
                                                       : AMDRPC_EINVAL;
}

amdrpc_err
amdi_tls_conn_create(amdrpc_tls *tls, int fd, const char *server_name,
        struct amdi_tls_conn **out)
{
    struct amdi_tls_conn *conn = amdi_zalloc(sizeof(*conn));
    amdrpc_err err;

    if (conn == NULL) {
        return AMDRPC_ENOMEM;
    }
    conn->tls = amdrpc_tls_ref(tls);
    conn->fd = fd;
    ERR_clear_error();
    err = conn_set_up(conn, server_name);
    if (err != AMDRPC_OK) {
        amdi_tls_conn_destroy(conn);
        return err;
    }
    *out = conn;
    return AMDRPC_OK;
}

void
amdi_tls_conn_destroy(struct amdi_tls_conn *conn)
{
    if (conn != NULL) {
        SSL_free(conn->ssl);
        amdrpc_tls_unref(conn->tls);
        amdi_free(conn->identity);
        amdi_free(conn->reason);
        amdi_free(conn);
    }
}

/* ---- what OpenSSL answers ---- */

static void
conn_set_reason(struct amdi_tls_conn *conn)
{
    long verdict = SSL_get_verify_result(conn->ssl);
    char text[REASON_BYTES];

    if (verdict != X509_V_OK) {
        (void)snprintf(text, sizeof(text), "the peer's certificate: %s",
                X509_verify_cert_error_string(verdict)); // cut when too long
    } else {
        (void)snprintf(text, sizeof(text), "TLS: %s",
                amdi_tls_error_text("the peer broke the protocol"));
    }
    amdi_free(conn->reason);
    conn->reason = amdi_strdup(text); // a failure without words is one, too
}

/** Translates the answer @rv of an operation. */
static amdrpc_err
conn_translate(struct amdi_tls_conn *conn, int rv)
{
    switch (SSL_get_error(conn->ssl, rv)) {
    case SSL_ERROR_NONE:
        return AMDRPC_OK;
    case SSL_ERROR_WANT_READ:
        return AMDRPC_EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        conn->wants_write = true;
        return AMDRPC_EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return AMDRPC_ECLOSED;
    case SSL_ERROR_SYSCALL:
        if (conn->io_err != AMDRPC_OK) {
            return conn->io_err;
        }
        break;
    default:
        break;
    }
    conn_set_reason(conn);
    return AMDRPC_EPROTO;
}

static void
conn_begin_operation(struct amdi_tls_conn *conn)
{
    ERR_clear_error(); // else an old error would be taken for this one's
    conn->io_err = AMDRPC_OK;
    conn->wants_write = false;
}

/* ---- the handshake ---- */

/** Who does not ask for HTTP/2 would not understand it (RFC 9113, 3.3). */
static bool
conn_has_h2(const struct amdi_tls_conn *conn)
{
    const unsigned char *name = NULL;
    unsigned len = 0;

    SSL_get0_alpn_selected(conn->ssl, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0;
}

static amdrpc_err
conn_finish_handshake(struct amdi_tls_conn *conn)
{
    X509 *cert = SSL_get0_peer_certificate(conn->ssl);
    char identity[IDENTITY_BYTES];

    if (!conn_has_h2(conn)) {
        conn->reason =
                amdi_strdup("TLS: the peer does not offer HTTP/2 (ALPN)");
        return AMDRPC_EPROTO;
    }
    if (cert == NULL) {
        return AMDRPC_OK;
    }
    amdi_tls_format_identity(cert, identity, sizeof(identity));
    conn->identity = amdi_strdup(identity);
    return conn->identity == NULL ? AMDRPC_ENOMEM : AMDRPC_OK;
}

amdrpc_err
amdi_tls_conn_handshake(struct amdi_tls_conn *conn)
{
    int rv;

    amdi_tls_conn_wake(conn);
    conn_begin_operation(conn);
    rv = SSL_do_handshake(conn->ssl);
    return rv == 1 ? conn_finish_handshake(conn) : conn_translate(conn, rv);
}

bool
amdi_tls_conn_wants_write(const struct amdi_tls_conn *conn)
{
    return conn->wants_write;
}

/* ---- bytes ---- */

void
amdi_tls_conn_wake(struct amdi_tls_conn *conn)
{
    conn->is_dry = false;
    conn->nreceives = 0;
}

/** Reads a record's worth; @out_len is 0 unless it answers OK. */
static amdrpc_err
conn_read_some(
        struct amdi_tls_conn *conn, uint8_t *data, size_t size, size_t *out_len)
{
    amdrpc_err err;
    int rv;

    *out_len = 0;
    conn_begin_operation(conn);
    rv = SSL_read_ex(conn->ssl, data, size, out_len);
    err = rv == 1 ? AMDRPC_OK : conn_translate(conn, rv);
    // Reading writes only when the peer asks for that; one that then does not
    // read what it asked for is not worth to be waited for.
    return err == AMDRPC_EAGAIN && conn->wants_write ? AMDRPC_EIO : err;
}

/** Without this the last read of a wake-up would only hear "nothing more". */
static bool
conn_has_more(const struct amdi_tls_conn *conn)
{
    return !conn->is_dry || SSL_has_pending(conn->ssl);
}

amdrpc_err
amdi_tls_conn_read(
        struct amdi_tls_conn *conn, uint8_t *data, size_t size, size_t *out_len)
{
    size_t nread = 0;
    size_t len = 0;
    amdrpc_err err = conn->failure;

    while (err == AMDRPC_OK && nread < size && conn_has_more(conn)) {
        err = conn_read_some(conn, data + nread, size - nread, &len);
        nread += len;
    }
    if (err != AMDRPC_OK && err != AMDRPC_EAGAIN) {
        conn->failure = err;
    }
    if (nread == 0) {
        return err == AMDRPC_OK ? AMDRPC_EAGAIN : err;
    }
    *out_len = nread;
    return AMDRPC_OK;
}

/** Bytes of an iovec array, from a place on. */
struct gather {
    const struct iovec *iov;
    int niov;
    size_t skip; // of iov[0]
};

/**
 * The next bytes for one write: as they lie there when that is a record's
 * worth or all there is, else copied together into @record.
 */
static struct iovec
gather_peek(const struct gather *gather, uint8_t *record)
{
    struct iovec first = {
            .iov_base = (uint8_t *)gather->iov[0].iov_base + gather->skip,
            .iov_len = gather->iov[0].iov_len - gather->skip,
    };
    size_t len = 0;

    if (gather->niov == 1 || first.iov_len >= RECORD_BYTES) {
        return first;
    }
    for (int i = 0; i < gather->niov && len < RECORD_BYTES; i++) {
        struct iovec piece = i == 0 ? first : gather->iov[i];
        size_t n = piece.iov_len < RECORD_BYTES - len ? piece.iov_len
                                                      : RECORD_BYTES - len;

        memcpy(record + len, piece.iov_base, n);
        len += n;
    }
    return (struct iovec){.iov_base = record, .iov_len = len};
}

/** Moves behind @len bytes, and behind pieces that are empty. */
static void
gather_skip(struct gather *gather, size_t len)
{
    gather->skip += len;
    while (gather->niov > 0 && gather->skip >= gather->iov[0].iov_len) {
        gather->skip -= gather->iov[0].iov_len;
        gather->iov++;
        gather->niov--;
    }
}

amdrpc_err
amdi_tls_conn_write(struct amdi_tls_conn *conn, const struct iovec *iov,
        int niov, size_t *out_len)
{
    struct gather gather = {.iov = iov, .niov = niov};
    uint8_t record[RECORD_BYTES];
    size_t nwritten = 0;

    gather_skip(&gather, 0);
    while (gather.niov > 0) {
        struct iovec piece = gather_peek(&gather, record);
        size_t len = 0;
        int rv;

        conn_begin_operation(conn);
        rv = SSL_write_ex(conn->ssl, piece.iov_base, piece.iov_len, &len);
        if (rv != 1) {
            amdrpc_err err = conn_translate(conn, rv);

            *out_len = nwritten;
            return err == AMDRPC_EAGAIN && nwritten > 0 ? AMDRPC_OK : err;
        }
        nwritten += len;
        gather_skip(&gather, len);
    }
    *out_len = nwritten;
    return AMDRPC_OK;
}

void
amdi_tls_conn_shutdown(struct amdi_tls_conn *conn)
{
    if (conn != NULL && !conn->has_shut_down) {
        conn->has_shut_down = true;
        conn_begin_operation(conn);
        (void)SSL_shutdown(conn->ssl); // best effort: HTTP/2 has said so
    }
}

/* ---- questions ---- */

const char *
amdi_tls_conn_get_identity(const struct amdi_tls_conn *conn)
{
    return conn == NULL || conn->identity == NULL ? "" : conn->identity;
}

const char *
amdi_tls_conn_get_cipher(const struct amdi_tls_conn *conn)
{
    const SSL_CIPHER *cipher =
            conn == NULL ? NULL : SSL_get_current_cipher(conn->ssl);

    return cipher == NULL ? "" : SSL_CIPHER_standard_name(cipher);
}

const char *
amdi_tls_conn_get_reason(const struct amdi_tls_conn *conn)
{
    return conn == NULL || conn->reason == NULL ? "" : conn->reason;
}
