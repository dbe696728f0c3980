"""A certificate for the daemon, and who vouches for it."""
import os
import ssl
import subprocess
import tempfile

SECONDS = 30


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True, timeout=SECONDS)


class Certificates:
    """Files in a folder of their own; `renew` writes another server's."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.ca, self.cert, self.key = map(self.path, ("ca.pem", "server.pem", "server.key"))
        self.make_key(self.path("ca.key"))
        openssl("req", "-x509", "-key", self.path("ca.key"), "-subj", "/CN=ca", "-days", "2",
                "-out", self.ca)
        self.make_key(self.key)
        self.renew()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def make_key(self, path):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
        os.chmod(path, 0o600)

    def renew(self):
        """Another certificate of the same key, from the same authority."""
        with open(self.path("names"), "w", encoding="ascii") as file:
            file.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("req", "-new", "-key", self.key, "-subj", "/CN=server", "-out", self.path("csr"))
        openssl("x509", "-req", "-in", self.path("csr"), "-CA", self.ca, "-CAkey",
                self.path("ca.key"), "-CAcreateserial", "-days", "2", "-extfile",
                self.path("names"), "-out", self.path("new"))
        os.rename(self.path("new"), self.cert)  # never half a file

    def flags(self):
        return ["--tls-cert", self.cert, "--tls-key", self.key]

    def context(self):
        """What a client speaks HTTP/2 over TLS with."""
        context = ssl.create_default_context(cafile=self.ca)
        context.set_alpn_protocols(["h2"])
        return context

    def cleanup(self):
        self.folder.cleanup()
