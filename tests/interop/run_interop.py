"""Runs the standard interop cases between amdrpc and other implementations.

    run_interop.py AMDRPCD MODULE INTEROP_CLIENT [CPP_CLIENT CPP_SERVER]

Prints a table of cases and peers, and what was wrong with those that failed.
INTEROP_PB2_DIR says where the messages for Python are.
"""
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
START_SECONDS = 60
# Only a client that hangs takes as long: a busy machine gives it little time.
RUN_SECONDS = 300

# Only grpcio's own side of these calls knows whether they came compressed.
UNSEEN_BY_PYTHON = {"client_compressed_unary", "client_compressed_streaming"}

CASES = """
empty_unary large_unary client_compressed_unary server_compressed_unary
client_streaming client_compressed_streaming server_streaming
server_compressed_streaming ping_pong empty_stream cancel_after_begin
cancel_after_first_response timeout_on_sleeping_server custom_metadata
status_code_and_message special_status_message unimplemented_method
unimplemented_service rpc_soak channel_soak long_lived_channel pick_first_unary
concurrent_large_unary
""".split()

# gRPC's negative cases: each has a server of its own that plays it.
NEGATIVE_CASES = """
goaway rst_after_header rst_during_data rst_after_data ping max_streams
""".split()


class Server:
    """A server process on a free port. To be used with `with`."""

    def __init__(self, *command):
        self.folder = tempfile.TemporaryDirectory()
        port_file = os.path.join(self.folder.name, "port")
        self.process = subprocess.Popen([*command, "--port-file", port_file])
        try:
            self.port = self._read_port(port_file)
        except Exception:
            self.stop()
            raise

    def _read_port(self, path):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended: {self.process.returncode}")
            if os.path.exists(path):
                with open(path, encoding="ascii") as file:
                    return file.readline().strip()
            time.sleep(0.01)
        raise RuntimeError("the server does not listen")

    def stop(self):
        """Ends it; returns its exit status."""
        self.process.terminate()
        try:
            return self.process.wait(START_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
            self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()


class Column:
    """One client against one server, for as long as all cases take."""

    def __init__(self, title, client, server, left_out=()):
        self.title = title
        self.client = client
        self.server = server
        self.left_out = left_out
        self.results = {}  # of a case: "passed", or what was wrong

    def run(self):
        """Runs every case that the client has, in one process."""
        cases = [case for case in CASES if case not in self.left_out] if self.left_out else []
        with Server(*self.server) as server:
            self.run_client(server.port, cases)
            # The daemon ends in good order; the other servers do not tell.
            if self.server[0] == sys.argv[1] and server.stop() != 0:
                self.results["the daemon"] = "failed: exit status"

    def run_client(self, port, cases):
        """Runs these cases, or with none all that the client has."""
        command = [*self.client, "--server_host=127.0.0.1", f"--server_port={port}"]
        command += [f"--test_case={case}" for case in cases]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
            )
            out, err, status = done.stdout, done.stderr, done.returncode
        except subprocess.TimeoutExpired as late:
            out, err, status = (late.stdout or b"").decode(), "", "none, it hangs"
        for line in out.splitlines():
            case, _, result = line.partition(": ")
            self.results[case] = result
        if status != 0 and not self.failures():
            self.results["the client itself"] = f"failed: status {status}: {err}"

    def failures(self):
        return {
            case: result for case, result in self.results.items() if result != "passed"
        }

    def names(self):
        """What its table shows a line for."""
        return CASES

    def cell(self, case):
        result = self.results.get(case)
        if result is None:
            return "-"
        return "ok" if result == "passed" else "FAILED"


class NegativeColumn(Column):
    """One client against a server for each case."""

    def names(self):
        return NEGATIVE_CASES

    def run(self):
        for case in NEGATIVE_CASES:
            with Server(*self.server, f"--test_case={case}") as server:
                self.run_client(server.port, [case])
                # It says itself what the client did wrong.
                if server.stop() != 0 and self.results.get(case) == "passed":
                    self.results[case] = "failed: so says the server"


def make_certificate(folder):
    """A key and a certificate for 127.0.0.1 that vouches for itself."""
    key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]
        + ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost"]
        + ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
        + ["-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )
    return key, cert


def make_columns(programs, tls=None):
    """The columns of both tables. @tls: key and certificate, or None."""
    amdrpcd, module, client, *cpp = programs
    ours = [amdrpcd, "--log-level", "warn", "--module", module, "--listen"]
    python = [sys.executable, os.path.join(HERE, "py_server.py")]
    to_server, to_client = [], []
    if tls:
        key, cert = tls
        ours += ["127.0.0.1:0 tls", "--tls-cert", cert, "--tls-key", key]
        to_server = [f"--cert_file={cert}", f"--key_file={key}"]
        to_client = [f"--ca_file={cert}"]
    else:
        ours += ["127.0.0.1:0"]
    client = [client, *to_client, *(["--use_tls"] if tls else [])]
    py_client = [sys.executable, os.path.join(HERE, "py_client.py"), *to_client]
    columns = [Column("ours > Python", client, [*python, *to_server], UNSEEN_BY_PYTHON)]
    if cpp:
        columns.append(Column("ours > C++", client, [cpp[1], *to_server]))
    columns += [Column("ours > ours", client, ours), Column("Python > ours", py_client, ours)]
    if cpp:
        columns.append(Column("C++ > ours", [cpp[0], *to_client], ours))
    negative = [sys.executable, os.path.join(HERE, "http2_server.py"), *to_server]
    return columns, [NegativeColumn("ours > HTTP/2", client, negative)]


def print_table(title, columns):
    width = max(map(len, CASES))
    print(title.ljust(width), *(column.title for column in columns), sep="  ")
    for case in columns[0].names():
        cells = (column.cell(case).ljust(len(column.title)) for column in columns)
        print(case.ljust(width), *cells, sep="  ")


def run_columns(title, columns):
    """Runs and prints them; returns whether all have passed."""
    for column in columns:
        column.run()
    print_table(title, columns)
    for column in columns:
        for case, result in column.failures().items():
            print(f"{title}: {column.title}: {case}: {result}")
    return not any(column.failures() for column in columns)


def run_tables(title, programs, tls=None):
    """The usual cases' table, and that of the negative ones."""
    usual, negative = make_columns(programs, tls)
    return run_columns(title, usual) & run_columns(f"{title}, negative", negative)


def main():
    passed = run_tables("plaintext", sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        passed = run_tables("TLS", sys.argv[1:], make_certificate(folder)) and passed
    print('"-": the client has not this case, or its library cannot see it')
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
