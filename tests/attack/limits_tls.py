"""Limits of TLS: what a peer may not choose."""
import socket
import ssl
import subprocess

from attacker import ADDRESS
from floods import expect
from limits import Row

SECONDS = 30
# The head of a connection's WINDOW_UPDATE, which follows the server's SETTINGS.
FIRST_FRAMES_END = b"\x00\x00\x04\x08\x00\x00\x00\x00\x00"


def context(alpn=("h2",), ciphers="ALL:@SECLEVEL=0"):
    """A client that would take anything."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.set_ciphers(ciphers)
    made.minimum_version = ssl.TLSVersion.TLSv1
    if alpn:
        made.set_alpn_protocols(list(alpn))
    return made


def connect(daemon, tls):
    plain = socket.create_connection(("127.0.0.1", daemon.ports[1]), SECONDS, (ADDRESS, 0))
    return tls.wrap_socket(plain)


def refused(daemon, tls):
    """How the handshake fails, or what comes right after it."""
    try:
        with connect(daemon, tls) as secure:
            expect(secure.recv(1) == b"", "was served")
            return "closed"
    except ssl.SSLError as error:
        return f"refused: {error.reason or 'by an alert'}"
    except ConnectionError:
        return "closed"


def accepted(daemon, tls):
    with connect(daemon, tls) as secure:
        expect(secure.selected_alpn_protocol() == "h2", "no h2")
        expect(secure.recv(1) != b"", "closed")
        return secure.version(), secure.cipher()[0], secure.compression()


def versions(daemon):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        tls = context()
        tls.minimum_version = tls.maximum_version = version
        accepted(daemon, tls)
    tls = context()
    tls.maximum_version = ssl.TLSVersion.TLSv1_1
    return f"TLS 1.1 {refused(daemon, tls)}"


def newest_version(daemon):
    accepted(daemon, context())
    tls = context()
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    return f"TLS 1.2 {refused(daemon, tls)}"


def ciphers(daemon):
    """Without forward secrecy, or without authenticated encryption."""
    for name in ("ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES128-GCM-SHA256"):
        tls = context(ciphers=f"{name}:@SECLEVEL=0")
        tls.maximum_version = ssl.TLSVersion.TLSv1_2
        outcome = refused(daemon, tls)
    tls = context(ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    accepted(daemon, tls)
    return outcome


def one_cipher(daemon):
    """Of those that both would take, the other."""
    tls = context(ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    outcome = refused(daemon, tls)
    tls = context()
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    expect(accepted(daemon, tls)[1] == "ECDHE-ECDSA-AES256-GCM-SHA384", "another cipher")
    return outcome


def alpn(daemon):
    return f"none: {refused(daemon, context(alpn=()))}; http/1.1: {refused(daemon, context(alpn=('http/1.1',)))}"


def compression(daemon):
    tls = context()
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.options &= ~ssl.OP_NO_COMPRESSION
    expect(accepted(daemon, tls)[2] is None, "is compressed")
    return "none is chosen"


def s_client(daemon, *args, text="", until=b""):
    """OpenSSL's own client: it is told the text once it has said that; returns all it said."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{daemon.ports[1]}", "-alpn", "h2", *args]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        said = b""
        while until not in said:
            more = process.stdout.read1()
            expect(more, said)
            said += more
        return (said + process.communicate(text.encode(), SECONDS)[0]).decode(errors="replace")


def s_client_is_served(daemon, *args):
    said = s_client(daemon, *args)
    expect("Cipher is " in said and "Cipher is (NONE)" not in said, said)


def s_client_is_refused(daemon, *args):
    said = s_client(daemon, *args)
    expect("handshake failure" in said, said)
    return f"{args[-1]} refused: handshake failure"


def one_suite(daemon):
    s_client_is_served(daemon, "-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384")
    return s_client_is_refused(daemon, "-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256")


def groups(daemon):
    for group in ("X25519", "P-256", "P-384"):
        s_client_is_served(daemon, "-groups", group)
    return s_client_is_refused(daemon, "-groups", "P-521")


def one_group(daemon):
    s_client_is_served(daemon, "-groups", "P-384")
    return s_client_is_refused(daemon, "-groups", "X25519")


def renegotiation(daemon):
    # Not before the server's first frames are there: amid a handshake the client
    # takes data for a fault.
    said = s_client(daemon, "-tls1_2", text="R\n", until=FIRST_FRAMES_END)
    expect("RENEGOTIATING" in said and "no renegotiation" in said, said)
    return "refused: no renegotiation"


def early_data(daemon):
    # The ticket, which says so, comes before the first frames.
    said = s_client(daemon, "-tls1_3", until=FIRST_FRAMES_END)
    expect("Max Early Data: 0" in said, said)
    return "tickets allow 0 bytes"


UNSET = (
    ("TLS versions", versions),
    ("TLS ciphers", ciphers),
    ("TLS groups", groups),
    ("ALPN", alpn),
    ("renegotiation", renegotiation),
    ("compression", compression),
    ("0-RTT", early_data),
)

ROWS = (
    Row("TLS 1.3 alone", ["--tls-min-version", "1.3"], newest_version, is_tls=True),
    Row("TLS ciphers, one", ["--tls-ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384"], one_cipher, is_tls=True),
    Row("TLS 1.3 ciphers, one", ["--tls-ciphersuites", "TLS_AES_256_GCM_SHA384"], one_suite, is_tls=True),
    Row("TLS groups, one", ["--tls-groups", "P-384"], one_group, is_tls=True),
    *(Row(name, [], cross, is_tls=True) for name, cross in UNSET),
)
