"""Turns the answers of Checksum/DigestTree into what sha256sum --check reads.

    amdrpc call ADDRESS amdrpc.checksum.v1.Checksum/DigestTree ... |
        digest_list.py ROOT

Files that the daemon left out are told on stderr; progress is not.
"""
import json
import os
import sys


def read_messages(text):
    """Each JSON value of a text that holds one after the other."""
    decoder = json.JSONDecoder()
    position = 0
    while True:
        while position < len(text) and text[position].isspace():
            position += 1
        if position == len(text):
            return
        message, position = decoder.raw_decode(text, position)
        yield message


def main():
    root = os.path.abspath(sys.argv[1])
    for message in read_messages(sys.stdin.read()):
        if "result" in message:
            result = message["result"]
            path = os.path.join(root, result["path"])
            print(f"{result['hex']}  {os.path.relpath(path, root)}")
        elif "error" in message:
            error = message["error"]
            print(f"{error['path']}: {error['message']}", file=sys.stderr)


if __name__ == "__main__":
    main()
