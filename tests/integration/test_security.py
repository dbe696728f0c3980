"""Tests what secures amdrpcd: TLS, names of callers, rules, Unix sockets.

    test_security.py AMDRPCD AMDRPC
"""
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from programs import run

try:
    import grpc
except ImportError:
    grpc = None

AMDRPC = sys.argv.pop(2)
AMDRPCD = sys.argv.pop(1)
SECONDS = 30

ECHO = "/amdrpc.bench.v1.Bench/EchoInline"
ALT_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True, timeout=SECONDS)


class Folder:
    """Certificates, made for a test."""

    def __init__(self, path):
        self.path = path

    def file(self, name):
        return os.path.join(self.path, name)

    def read(self, name):
        with open(self.file(name), "rb") as file:
            return file.read()

    def write(self, name, text, mode=0o600):
        with open(self.file(name), "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(self.file(name), mode)
        return self.file(name)

    def add_key(self, name):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.file(name))
        os.chmod(self.file(name), 0o600)

    def add_ca(self, name="ca"):
        self.add_key(f"{name}.key")
        openssl("req", "-x509", "-key", self.file(f"{name}.key"), "-subj", f"/CN={name}",
                "-days", "2", "-out", self.file(f"{name}.pem"))

    def add(self, name, ca="ca", extension=ALT_NAMES, days=2):
        """A certificate by that CA; days of -1 make it an expired one."""
        self.add_key(f"{name}.key")
        openssl("req", "-new", "-key", self.file(f"{name}.key"), "-subj", f"/CN={name}",
                "-out", self.file(f"{name}.csr"))
        conf = self.write(f"{name}.conf", extension + "\n")
        openssl("x509", "-req", "-in", self.file(f"{name}.csr"), "-CA", self.file(f"{ca}.pem"),
                "-CAkey", self.file(f"{ca}.key"), "-CAcreateserial", "-days", str(days),
                "-extfile", conf, "-out", self.file(f"{name}.pem"))


class Security(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.certs = Folder(folder.name)
        self.certs.add_ca()
        self.certs.add("server")
        self.certs.add("client", extension="subjectAltName=DNS:alice")

    def start(self, *args):
        """Starts a daemon; its ports are in the order of its listeners."""
        port_file = self.certs.file("ports")
        process = subprocess.Popen(
            [AMDRPCD, "--port-file", port_file, "--module", "bench",
             "--tls-cert", self.certs.file("server.pem"),
             "--tls-key", self.certs.file("server.key"), *args],
            stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end, process)
        end = time.monotonic() + SECONDS
        while not os.path.exists(port_file):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(process.communicate()[1])
            time.sleep(0.01)
        with open(port_file, encoding="ascii") as file:
            self.ports = [int(line) for line in file]
        return process

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def stop(self, process):
        process.terminate()
        log = process.communicate(timeout=SECONDS)[1]
        self.assertEqual(process.returncode, 0, log)
        return log

    def refused(self, *args):
        """What a daemon says that does not start."""
        result = subprocess.run([AMDRPCD, *args], capture_output=True, text=True,
                                timeout=SECONDS, check=False)
        self.assertEqual(result.returncode, 1, result.stderr)
        return result.stderr

    # ---- the Python client ----

    def channel(self, port, cert=None, ca="ca"):
        if cert is None:
            credentials = grpc.ssl_channel_credentials(self.certs.read(f"{ca}.pem"))
        else:
            credentials = grpc.ssl_channel_credentials(
                self.certs.read(f"{ca}.pem"), self.certs.read(f"{cert}.key"),
                self.certs.read(f"{cert}.pem"))
        channel = grpc.secure_channel(f"localhost:{port}", credentials)
        self.addCleanup(channel.close)
        return channel

    def code(self, channel, method=ECHO, metadata=None):
        """The status of a call, and what it says."""
        try:
            channel.unary_unary(method)(b"", timeout=SECONDS, metadata=metadata)
            return grpc.StatusCode.OK, ""
        except grpc.RpcError as error:
            return error.code(), error.details()

    # ---- the command line ----

    def amdrpc(self, target, *flags):
        return run(AMDRPC, "call", *flags, target, ECHO[1:])

    # ---- TLS ----

    @unittest.skipIf(grpc is None, "python3-grpcio is not there")
    def test_python_calls_over_tls(self):
        self.start("--listen", "127.0.0.1:0 tls")
        self.assertEqual(self.code(self.channel(self.ports[0])), (grpc.StatusCode.OK, ""))

    def test_command_line_calls_over_tls(self):
        self.start("--listen", "127.0.0.1:0 tls")
        target = f"127.0.0.1:{self.ports[0]}"
        ca = self.certs.file("ca.pem")
        self.assertEqual(self.amdrpc(target, "--tls", "--ca-file", ca).status, 0)
        self.assertEqual(
            self.amdrpc(target, "--tls", "--ca-file", ca, "--authority", "localhost").status, 0)
        result = self.amdrpc(target, "--tls", "--ca-file", ca, "--authority", "example.org")
        self.assertIn("hostname mismatch", result.err)
        self.assertEqual(self.amdrpc(target, "--tls", "--ca-file", "/none").status, 1)

    def test_wrong_authority_is_refused(self):
        self.start("--listen", "127.0.0.1:0 tls")
        self.certs.add_ca("other")
        result = self.amdrpc(f"127.0.0.1:{self.ports[0]}", "--tls", "--ca-file",
                             self.certs.file("other.pem"))
        self.assertIn("certificate", result.err)
        self.assertNotEqual(result.status, 0)

    def test_listeners_differ(self):
        path = self.certs.file("socket")
        self.start("--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0 tls",
                   "--listen", f"unix:{path} mode=0660")
        ca = self.certs.file("ca.pem")
        self.assertEqual(self.ports[2], 0)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o660)
        self.assertEqual(self.amdrpc(f"127.0.0.1:{self.ports[0]}").status, 0)
        self.assertEqual(
            self.amdrpc(f"127.0.0.1:{self.ports[1]}", "--tls", "--ca-file", ca).status, 0)
        self.assertEqual(self.amdrpc(f"unix:{path}").status, 0)
        self.assertNotEqual(self.amdrpc(f"127.0.0.1:{self.ports[1]}").status, 0)

    def test_slow_handshake_is_closed(self):
        self.start("--listen", "127.0.0.1:0 tls", "--handshake-timeout", "200ms")
        with socket.create_connection(("127.0.0.1", self.ports[0]), timeout=SECONDS) as slow:
            slow.sendall(b"\x16\x03\x01")
            self.assertEqual(slow.recv(100), b"")

    def handshake(self, alpn=("h2",), version=None):
        context = ssl.create_default_context(cafile=self.certs.file("ca.pem"))
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if version is not None:
            context.minimum_version = version
            context.maximum_version = version
            context.set_ciphers("ALL:@SECLEVEL=0")
        with socket.create_connection(("127.0.0.1", self.ports[0]), timeout=SECONDS) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                data = secure.recv(100)
                return secure.version(), data

    def test_other_protocols_are_refused(self):
        self.start("--listen", "127.0.0.1:0 tls")
        self.assertEqual(self.handshake()[0], "TLSv1.3")
        self.assertEqual(self.handshake(version=ssl.TLSVersion.TLSv1_2)[0], "TLSv1.2")
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.handshake(version=ssl.TLSVersion.TLSv1_1)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.handshake(alpn=("http/1.1",))
        try:
            self.assertEqual(self.handshake(alpn=())[1], b"")
        except (ssl.SSLError, ConnectionError):
            pass

    # ---- client certificates ----

    @unittest.skipIf(grpc is None, "python3-grpcio is not there")
    def test_client_certificate_is_required_where_said(self):
        self.start("--listen", "127.0.0.1:0 mtls", "--tls-client-ca",
                   self.certs.file("ca.pem"), "--set", f"allow.{ECHO}=alice")
        self.assertEqual(self.code(self.channel(self.ports[0], "client"))[0],
                         grpc.StatusCode.OK)
        self.assertEqual(self.code(self.channel(self.ports[0]))[0],
                         grpc.StatusCode.UNAVAILABLE)
        self.certs.add("bob", extension="subjectAltName=DNS:bob")
        self.assertEqual(self.code(self.channel(self.ports[0], "bob"))[0],
                         grpc.StatusCode.PERMISSION_DENIED)

    def test_command_line_shows_its_certificate(self):
        self.start("--listen", "127.0.0.1:0 mtls", "--tls-client-ca", self.certs.file("ca.pem"))
        target = f"127.0.0.1:{self.ports[0]}"
        flags = ["--tls", "--ca-file", self.certs.file("ca.pem")]
        self.assertNotEqual(self.amdrpc(target, *flags).status, 0)
        flags += ["--cert", self.certs.file("client.pem"), "--key", self.certs.file("client.key")]
        self.assertEqual(self.amdrpc(target, *flags).status, 0)

    # ---- tokens and rules ----

    def test_tokens_give_names(self):
        tokens = self.certs.write("tokens", "# ours\n\ns3cret alice\nother bob\n")
        self.start("--listen", "127.0.0.1:0", "--token-file", tokens,
                   "--set", f"allow.{ECHO}=alice", "--set", "allow./=anonymous")
        target = f"127.0.0.1:{self.ports[0]}"
        self.assertEqual(self.amdrpc(target, "--token", "s3cret").status, 0)
        self.assertIn("UNAUTHENTICATED: this method is not for anonymous",
                      self.amdrpc(target).err)
        self.assertIn("UNAUTHENTICATED: the bearer token is not known",
                      self.amdrpc(target, "--token", "wrong").err)
        self.assertIn("PERMISSION_DENIED", self.amdrpc(target, "--token", "other").err)

    def test_removed_token_is_refused_after_a_reload(self):
        tokens = self.certs.write("tokens", "s3cret alice\n")
        process = self.start("--listen", "127.0.0.1:0", "--token-file", tokens)
        target = f"127.0.0.1:{self.ports[0]}"
        self.assertEqual(self.amdrpc(target, "--token", "s3cret").status, 0)
        self.certs.write("tokens", "another alice\n")
        process.send_signal(signal.SIGHUP)
        end = time.monotonic() + SECONDS
        while self.amdrpc(target, "--token", "another").status != 0:
            self.assertLess(time.monotonic(), end)
        self.assertIn("UNAUTHENTICATED", self.amdrpc(target, "--token", "s3cret").err)

    # ---- reload ----

    @unittest.skipIf(grpc is None, "python3-grpcio is not there")
    def test_reload_under_load_fails_no_call(self):
        process = self.start("--listen", "127.0.0.1:0 tls")
        failures = []
        is_over = threading.Event()

        def load():
            while not is_over.is_set():
                with grpc.secure_channel(
                        f"localhost:{self.ports[0]}",
                        grpc.ssl_channel_credentials(self.certs.read("ca.pem")),
                        options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
                    for _ in range(20):
                        code, details = self.code(channel)
                        if code != grpc.StatusCode.OK:
                            failures.append(details)

        threads = [threading.Thread(target=load) for _ in range(3)]
        for thread in threads:
            thread.start()
        before = ssl.get_server_certificate(("127.0.0.1", self.ports[0]))
        for number in range(3):
            self.certs.add("server")
            process.send_signal(signal.SIGHUP)
            time.sleep(0.1 * number)
        self.wait_for_other_certificate(before)
        is_over.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertIn("failures=0", self.stop(process))

    def wait_for_other_certificate(self, before):
        end = time.monotonic() + SECONDS
        while ssl.get_server_certificate(("127.0.0.1", self.ports[0])) == before:
            self.assertLess(time.monotonic(), end)

    def test_bad_certificate_keeps_the_old(self):
        process = self.start("--listen", "127.0.0.1:0 tls")
        target = f"127.0.0.1:{self.ports[0]}"
        self.certs.write("server.pem", "nonsense\n")
        process.send_signal(signal.SIGHUP)
        self.assertEqual(
            self.amdrpc(target, "--tls", "--ca-file", self.certs.file("ca.pem")).status, 0)
        log = self.stop(process)
        self.assertIn("reload-failed", log)
        self.assertIn("server.pem: no certificate", log)

    # ---- Unix sockets ----

    def test_stale_socket_is_replaced_and_the_file_goes(self):
        path = self.certs.file("socket")
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(path)
        stale.close()
        process = self.start("--listen", f"unix:{path}")
        self.assertEqual(self.amdrpc(f"unix:{path}").status, 0)
        self.assertIn("address already in use", self.refused("--listen", f"unix:{path}"))
        self.stop(process)
        self.assertFalse(os.path.exists(path))

    def test_other_file_is_not_replaced(self):
        path = self.certs.write("text", "keep me\n")
        self.assertIn("address already in use", self.refused("--listen", f"unix:{path}"))
        self.assertEqual(self.certs.read("text"), b"keep me\n")

    # ---- settings ----

    def test_bad_settings_are_told(self):
        cert, key = self.certs.file("server.pem"), self.certs.file("server.key")
        tls = ["--tls-cert", cert, "--tls-key", key]
        cases = [
            (["--listen", "127.0.0.1:0 tls"], "a server needs a certificate"),
            (["--listen", "127.0.0.1:0 ssl"], '"ssl" is not tls, mtls'),
            (["--listen", "127.0.0.1:0 mode=0600"], "mode is for unix: sockets"),
            (["--listen", "127.0.0.1:0 cert=x"], "certificates are for tls"),
            (["--listen", "127.0.0.1:0 mtls", *tls], "who vouch for them"),
            (["--token-file", "/nonexistent"], "token-file: /nonexistent: No such file"),
            (["--token-file", self.certs.write("one", "token\n")], "one:1: not a token and a name"),
            (["--token-file", self.certs.write("open", "token name\n", 0o644)],
             "open: others than its owner may access it"),
            (["--set", "allow./no.Such/Method=x"], "allow /no.Such/Method: there is no such"),
        ]
        for args, sentence in cases:
            with self.subTest(sentence):
                if "--listen" not in args:
                    args = ["--listen", "127.0.0.1:0", *args]
                self.assertIn(sentence, self.refused(*args))
        os.chmod(key, 0o640)
        self.assertIn("server.key: others than its owner may access it (mode 0640)",
                      self.refused("--listen", "127.0.0.1:0 tls", *tls))


if __name__ == "__main__":
    unittest.main()
