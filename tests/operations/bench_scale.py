"""How fast a daemon is with many operations in its store.

    bench_scale.py AMDRPCD AMDRPC AMDRPC_BENCH BENCH_STORE [OPERATIONS [DIRECTORY]]

Fills a store with finished operations (1000000), starts the daemon on it, and
prints how long that takes, and Get and the first page of List, one at a time.
With a directory the store stays there for the next time. What is answered is
checked: a small number makes a test of it.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

import daemons

AMDRPCD, AMDRPC, AMDRPC_BENCH, BENCH_STORE = sys.argv[1:5]
OPERATIONS = int(sys.argv[5]) if len(sys.argv) > 5 else 1000000
SERVICE = "/google.longrunning.Operations/"
RARE = "/bench.v1.Bench/Rare"
MEASURE = "500ms"
PAGE = 100


def varint(number):
    groups = []
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(groups + [number])


def text_field(number, text):
    """As protobuf writes it."""
    return varint(number << 3 | 2) + varint(len(text)) + text.encode()


def list_request(conditions):
    """ListOperationsRequest: filter, page_size, name."""
    return (text_field(1, conditions) + varint(2 << 3) + varint(PAGE)
            + text_field(4, "operations"))


def fill(folder):
    start = time.monotonic()
    subprocess.run(
        [BENCH_STORE, folder, "fill", str(OPERATIONS)],
        check=True, stdout=subprocess.DEVNULL)
    print(f"filled with {OPERATIONS} operations: {time.monotonic() - start:.1f} s")


def listed(keeper, *arguments):
    out = subprocess.run(
        [AMDRPC, "operations", "--json", "--compact", *arguments, keeper.target],
        stdout=subprocess.PIPE, check=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def measure(keeper, what, method, body):
    path = os.path.join(keeper.folder.name, "body")
    with open(path, "wb") as file:
        file.write(body)
    out = subprocess.run(
        [AMDRPC_BENCH, "--path", SERVICE + method, "--body", path, "--json", "-",
         "--duration", MEASURE, "--warmup", "100ms", keeper.target],
        stdout=subprocess.PIPE, check=True, text=True).stdout
    report = json.loads(out)
    assert list(report["status"]) == ["OK"], report["status"]
    p50, p99 = (report["latency_ns"][name] / 1e6 for name in ("p50", "p99"))
    print(f"{what}: {p50:.2f} ms, p99 {p99:.2f} ms")


def check(keeper):
    """The answers are right; the name of an operation."""
    first = listed(keeper, "--limit", f"{PAGE}")
    nmine = OPERATIONS - OPERATIONS // 100  # the rest is alice's
    assert len(first) == min(PAGE, nmine), len(first)
    assert all(operation["done"] for operation in first)
    rare = listed(keeper, "--filter", f'method = "{RARE}"', "--limit", "1000000")
    assert len(rare) == (OPERATIONS + 999) // 1000, len(rare)
    failed = listed(keeper, "--filter", "state = FAILED", "--limit", "1000000")
    assert failed and all("error" in operation for operation in failed)
    assert not listed(keeper, "--filter", "done = false")
    return first[0]["name"]


def main():
    keeper = daemons.Keeper(AMDRPCD)
    kept = sys.argv[6] if len(sys.argv) > 6 else None
    keeper.data = kept or tempfile.mkdtemp(dir=keeper.folder.name)
    if not os.path.exists(os.path.join(keeper.data, "operations.db")):
        fill(keeper.data)
    start = time.monotonic()
    with keeper:
        print(f"start of the daemon: {time.monotonic() - start:.2f} s")
        name = check(keeper)
        measure(keeper, "get", "GetOperation", text_field(1, name))
        for conditions in ("", "state = SUCCEEDED", "state = FAILED",
                           "state = RUNNING", "done = false", f'method = "{RARE}"',
                           'method = "/bench.v1.Bench/None"'):
            measure(keeper, f"first page of {conditions or 'all'}",
                    "ListOperations", list_request(conditions))


main()
