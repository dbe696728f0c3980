"""Serves the example's commands and runs each of them.

    check_commands.py SETTINGS AMDRPCD AMDRPC
"""
import base64
import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../integration"))
import programs  # noqa: E402  pylint: disable=wrong-import-position


def read_output(result):
    """What the program wrote to stdout, and its progress."""
    assert result.status == 0, result
    lines = [json.loads(line) for line in result.out.splitlines()]
    pieces = [base64.b64decode(one.get("stdout", "")) for one in lines]
    return b"".join(pieces), [one["progress"] for one in lines if "progress" in one]


def main():
    settings, amdrpcd, amdrpc = sys.argv[1:]

    with programs.Daemon(amdrpcd, "--config", settings) as daemon:

        def call(name, request=None, stdin=b""):
            arguments = [] if request is None else [json.dumps(request)]
            return programs.run(
                amdrpc, "call", "--compact", "--no-progress", daemon.address,
                "amdrpc.command.v1.Command/" + name, *arguments, stdin=stdin,
            )

        out, _ = read_output(call("checksum", {"stdin": "aGVsbG8="}))
        assert out.split()[0].decode() == hashlib.sha256(b"hello").hexdigest(), out

        pieces = [b"x 2\ny", b" 1\n"]
        messages = [{"stdin": base64.b64encode(one).decode()} for one in pieces]
        messages[0]["parameters"] = {"field": "2"}
        out, _ = read_output(call("sort", stdin="\n".join(map(json.dumps, messages)).encode()))
        assert out == b"y 1\nx 2\n", out

        folder = next(
            entry.path for entry in os.scandir("/usr/share/doc")
            if entry.is_dir(follow_symlinks=False)
        )
        out, _ = read_output(call("pack", {"parameters": {"folder": folder}}))
        assert out[:2] == b"\x1f\x8b", out[:20]  # gzip's mark
        refused = call("pack", {"parameters": {"folder": "/etc"}})
        assert "folder: the path is not below /usr/share/doc/" in refused.err, refused

        _, progress = read_output(call("countdown", {"parameters": {"steps": "5"}}))
        assert progress[-1] == {"done": "5", "total": "5"}, progress


main()
