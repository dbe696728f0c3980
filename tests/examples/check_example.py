"""Runs an example's client against its server and compares what it prints.

    check_example.py EXPECTED-FILE SERVER CLIENT [CLIENT-ARGUMENT...]
"""
import re
import subprocess
import sys

SECONDS = 30  # no step takes as long, on a slow machine under a sanitizer too


def start_server(program):
    """The server, and the address on which it listens."""
    process = subprocess.Popen(
        [program, "127.0.0.1:0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    port = re.search(r"port (\d+)", process.stdout.readline())
    if port is None:
        sys.exit(f"{program} does not serve: {process.wait(SECONDS)}")
    return process, f"127.0.0.1:{port[1]}"


def main():
    expected_file, server_program, client_program, *arguments = sys.argv[1:]
    with open(expected_file, encoding="utf-8") as file:
        expected = file.read()

    server, address = start_server(server_program)
    try:
        client = subprocess.run(
            [client_program, address, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        server.communicate("\n", timeout=SECONDS)  # Enter stops it
    finally:
        server.kill()

    if client.stdout != expected:
        sys.exit(f"expected:\n{expected}\nprinted:\n{client.stdout}")
    if (client.returncode, server.returncode) != (0, 0):
        sys.exit(f"exit statuses {client.returncode}, {server.returncode}")


main()
