"""Loads the example module into the daemon and calls it.

    check_module.py MODULE AMDRPCD CLIENT
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../integration"))
from programs import Daemon  # noqa: E402  pylint: disable=wrong-import-position

SECONDS = 30


def greet(module, amdrpcd, client, *settings):
    with Daemon(amdrpcd, "--module", module, *settings) as daemon:
        return subprocess.run(
            [client, daemon.address, "Ada"],
            stdout=subprocess.PIPE,
            text=True,
            timeout=SECONDS,
            check=True,
        ).stdout


def main():
    module, amdrpcd, client = sys.argv[1:]
    assert greet(module, amdrpcd, client) == "Hello, Ada!\n"
    assert (
        greet(module, amdrpcd, client, "--set", "hello.greeting=Good morning")
        == "Good morning, Ada!\n"
    )

    refused = subprocess.run(
        [amdrpcd, "--listen", "127.0.0.1:0", "--module", module]
        + ["--set", "hello.greeting=a", "--set", "hello.greeting=b"],
        stderr=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert refused.returncode != 0
    assert "one greeting is enough" in refused.stderr, refused.stderr


main()
