"""Compares amdrpcd with a server on gRPC C++'s callback API.

    compare.py AMDRPCD GRPC-ECHO-SERVER [--rounds N] [--json FILE]

Needs h2load (nghttp2-client). Every round runs each point against each server
in turn, so that a machine that gets slower gets slower for all; of a point's
rounds the median is shown. Microseconds are processor time of the server for a
call. Not a test: it judges nothing but that the answers were right.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

import servers

BENCH = "/amdrpc.bench.v1.Bench/"
IDLE_CONNECTIONS = 1000
WAITING_CALLS = 20000  # the peer takes 15 KB for each
WAIT_SECONDS = 6
COUNT_16 = (2_000_000, 200_000)  # messages for ours, for the peer
COUNT_64K = (20_000, 20_000)

# name, method, connections, calls in flight, calls for ours, for the peer
POINTS = (
    ("inline 16 x 100", "EchoInline", 16, 100, 400_000, 60_000),
    ("pool 16 x 100", "Echo", 16, 100, 400_000, 60_000),
    ("inline 4 x 10", "EchoInline", 4, 10, 150_000, 50_000),
    ("pool 4 x 10", "Echo", 4, 10, 150_000, 50_000),
)


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def grpc_message(data):
    return b"\0" + len(data).to_bytes(4, "big") + data


ECHO = grpc_message(b"\x0a\x10" + bytes(16))
SLEEP = grpc_message(b"\x08" + varint(WAIT_SECONDS * 1000))


def count_request(number, size):
    return grpc_message(b"\x08" + varint(number) + b"\x10" + varint(size))


class Load:
    """h2load with one request again and again, in the background."""

    def __init__(self, server, method, body, calls, connections, inflight):
        self.body = tempfile.NamedTemporaryFile()
        self.body.write(body)
        self.body.flush()
        self.calls = calls
        self.process = subprocess.Popen(
            ["h2load", "-n", str(calls), "-c", str(connections), "-m", str(inflight),
             "-w", "28", "-W", "30", "-d", self.body.name,
             "-H", "content-type: application/grpc", "-H", "te: trailers",
             f"http://127.0.0.1:{server.port}{BENCH}{method}"],
            stdout=subprocess.PIPE, text=True,
        )

    def finish(self):
        """Waits. Seconds, and bytes of DATA."""
        out = self.process.communicate(timeout=120)[0]
        self.body.close()
        if not re.search(rf"\b{self.calls} succeeded", out):
            raise RuntimeError("h2load: " + out)
        seconds, unit = re.search(r"finished in ([\d.]+)(m?s|us)", out).groups()
        data = re.search(r"\((\d+)\) data", out)
        scale = {"s": 1, "ms": 1e-3, "us": 1e-6}[unit]
        return float(seconds) * scale, int(data.group(1))


def run_load(server, *arguments):
    """A load to its end: server CPU seconds, elapsed seconds, bytes of DATA."""
    before = server.cpu_seconds()
    elapsed, data = Load(server, *arguments).finish()
    return server.cpu_seconds() - before, elapsed, data


def check_answers(server, payload=bytes(16)):
    """h2load takes a refusal for an answer, so gRPC's own client asks too."""
    import grpc  # only here: the rest needs no such package

    request = b"\x0a" + varint(len(payload)) + payload
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        for method in ("Echo", "EchoInline"):
            answers = [
                channel.unary_unary(BENCH + method).future(request, timeout=10)
                for _ in range(500)
            ]
            if any(answer.result() != request for answer in answers):
                raise RuntimeError(f"{server.name}: a wrong answer of {method}")


def measure_calls(server, is_ours):
    out = {}
    for name, method, connections, inflight, calls, peer_calls in POINTS:
        calls = calls if is_ours else peer_calls
        cpu, elapsed, data = run_load(server, method, ECHO, calls, connections, inflight)
        # An answer that is not OK has no message.
        if data != calls * len(ECHO):
            raise RuntimeError(f"{server.name}: {name}: calls were refused")
        out[name + ", us"] = cpu / calls * 1e6
        out[name + ", calls/s"] = calls / elapsed
    return out


def measure_streams(server, is_ours):
    out = {}
    for name, size, numbers in (("16 B", 16, COUNT_16), ("64 KiB", 65536, COUNT_64K)):
        number = numbers[0 if is_ours else 1]
        body = count_request(number, size)
        cpu, elapsed, data = run_load(server, "Count", body, 1, 1, 1)
        if data < number * size:
            raise RuntimeError(f"{server.name}: messages are missing")
        out[f"stream of {name}, messages/s"] = number / elapsed
        out[f"stream of {name}, MB/s"] = number * size / elapsed / 1e6
        out[f"stream of {name}, us/message"] = cpu / number * 1e6
    return out


def measure_lone_call(server):
    connection = servers.Connection(server.port)
    connection.call(BENCH + "Echo", ECHO)
    times = []
    for _ in range(3):
        time.sleep(1)
        times.append(connection.call(BENCH + "Echo", ECHO))
    connection.close()
    return {"lone call after 1 s, ms": statistics.median(times) * 1e3}


def measure_memory(server):
    """Of a server that has done nothing yet."""
    connection = servers.Connection(server.port)
    connection.call(BENCH + "Echo", ECHO)
    before = server.rss_bytes()
    idle = [servers.Connection(server.port) for _ in range(IDLE_CONNECTIONS)]
    time.sleep(0.3)
    after = server.rss_bytes()
    for one in (connection, *idle):
        one.close()
    return {"idle connection, B": (after - before) / IDLE_CONNECTIONS}


def measure_waiting(server):
    """Calls that wait, beyond one for each of the same connections."""
    few = Load(server, "Sleep", SLEEP, 100, 100, 1)
    time.sleep(1)
    before = server.rss_bytes()
    few.finish()
    many = Load(server, "Sleep", SLEEP, WAITING_CALLS, 100, WAITING_CALLS // 100)
    time.sleep(WAIT_SECONDS / 2)
    during = server.rss_bytes()
    many.finish()
    return {"waiting call, B": (during - before) / (WAITING_CALLS - 100)}


def start_servers(options):
    ours = ["--module", "bench", "--max-concurrent-streams", "100000",
            "--max-connections-per-address", "2000", "--log-level", "warn"]
    ours += options.daemon_options.split()
    return (
        servers.Server("amdrpc", lambda port_file: [
            options.amdrpcd, "--listen", "127.0.0.1:0", "--port-file", port_file, *ours]),
        servers.Server("gRPC C++", lambda port_file: [options.peer, port_file]),
    )


def run_once(options, measures):
    """Each measure with new servers: what they said, one after the other."""
    ours, peer = start_servers(options)
    results = ({}, {})
    with ours, peer:
        for measure in measures:
            for i, server in enumerate((ours, peer)):
                results[i].update(measure(server, i == 0))
        for server in (ours, peer):
            check_answers(server)
    return results


def run_all(options):
    once = run_once(options, (
        lambda server, _: measure_memory(server),
        lambda server, _: measure_waiting(server),
    ))
    rounds = [
        run_once(options, (
            measure_calls, measure_streams, lambda server, _: measure_lone_call(server)))
        for _ in range(options.rounds)
    ]
    rows = {name: (once[0][name], once[1][name]) for name in once[0]}
    for name in rounds[0][0]:
        rows[name] = tuple(
            statistics.median(result[i][name] for result in rounds) for i in (0, 1)
        )
    return rows


def print_rows(rows):
    print(f"{'':34} {'amdrpc':>12} {'gRPC C++':>12} {'ratio':>8}")
    for name, (ours, peer) in rows.items():
        is_rate = name.endswith("/s")
        ratio = (ours / peer if is_rate else peer / ours) if ours and peer else 0
        print(f"{name:34} {ours:12,.2f} {peer:12,.2f} {ratio:7.1f}x")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("amdrpcd")
    parser.add_argument("peer", help="tests/bench/grpc-echo-server of the build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="write the medians here, as JSON")
    parser.add_argument("--daemon-options", default="", help="more, for amdrpcd")
    options = parser.parse_args()

    rows = run_all(options)
    print_rows(rows)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({k: {"amdrpc": a, "grpc": b} for k, (a, b) in rows.items()}, file, indent=2)
    return 0


if __name__ == "__main__":
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    sys.exit(main())
