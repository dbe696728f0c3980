"""Compares amdrpcd with a server on gRPC C++'s callback API.

    compare.py AMDRPCD GRPC-ECHO-SERVER [--rounds N] [--json FILE]

Needs h2load (nghttp2-client). Every round runs each point against one server
right after the other, so that a machine that gets slower gets slower for both;
shown are the medians of the rounds, of the ratios too, and how far the rounds'
ratios lie apart. Microseconds are processor time of the server for a call or a
message, and of h2load where it says so. Not a test: it judges nothing but that
the answers were right; what is wished for stands beside the figures. Five
rounds take three to six minutes.
"""
import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import servers

BENCH = "/amdrpc.bench.v1.Bench/"
IDLE_CONNECTIONS = 1000
WAITING_CALLS = 20000  # the peer takes 15 KB for each
WAIT_SECONDS = 4
COUNT_16 = (2_000_000, 200_000)  # messages for ours, for the peer
COUNT_64K = (60_000, 60_000)  # a second, as rates of less jump about

# name, method, connections, calls in flight, calls for ours, for the peer
POINTS = (
    ("inline 16 x 100", "EchoInline", 16, 100, 400_000, 60_000),
    ("pool 16 x 100", "Echo", 16, 100, 400_000, 60_000),
    ("inline 4 x 10", "EchoInline", 4, 10, 150_000, 50_000),
    ("pool 4 x 10", "Echo", 4, 10, 150_000, 50_000),
)

# What is wished for: at least this ratio, or at least or most this figure.
WISHES = {
    "inline 16 x 100, us": (">=", 10, "x"),
    "inline 16 x 100, calls/s": (">=", 500_000, ""),
    "pool 16 x 100, us": (">=", 6.5, "x"),
    "pool 4 x 10, us": (">=", 3.5, "x"),
    "stream of 16 B, messages/s": (">=", 5_000_000, ""),
    "stream of 64 KiB, messages/s": (">=", 1, "x"),
    "lone call after 1 s, ms": ("<=", 1, ""),
    "idle connection, B": ("<=", 15_000, ""),
    "waiting call, B": ("<=", 700, ""),
}


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


def h2load_cpu_seconds():
    """Of those that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_load(server, *arguments):
    """A load to its end: CPU seconds of server and h2load, elapsed, bytes of DATA."""
    before, h2load_before = server.cpu_seconds(), h2load_cpu_seconds()
    elapsed, data = Load(server, *arguments).finish()
    return (server.cpu_seconds() - before, h2load_cpu_seconds() - h2load_before,
            elapsed, data)


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


def calls_of(name, method, connections, inflight, calls, peer_calls):
    def measure(server, is_ours):
        number = calls if is_ours else peer_calls
        cpu, h2load_cpu, elapsed, data = run_load(
            server, method, ECHO, number, connections, inflight)
        # An answer that is not OK has no message.
        if data != number * len(ECHO):
            raise RuntimeError(f"{server.name}: {name}: calls were refused")
        return {
            f"{name}, us": cpu / number * 1e6,
            f"{name}, us of h2load": h2load_cpu / number * 1e6,
            f"{name}, calls/s": number / elapsed,
        }
    return measure


def stream_of(name, size, numbers):
    def measure(server, is_ours):
        number = numbers[0 if is_ours else 1]
        cpu, h2load_cpu, elapsed, data = run_load(
            server, "Count", count_request(number, size), 1, 1, 1)
        if data < number * size:
            raise RuntimeError(f"{server.name}: messages are missing")
        return {
            f"stream of {name}, us": cpu / number * 1e6,
            f"stream of {name}, us of h2load": h2load_cpu / number * 1e6,
            f"stream of {name}, messages/s": number / elapsed,
        }
    return measure


def measure_lone_call(server, _):
    connection = servers.Connection(server.port)
    connection.call(BENCH + "Echo", ECHO)
    time.sleep(1)
    seconds = connection.call(BENCH + "Echo", ECHO)
    connection.close()
    return {"lone call after 1 s, ms": seconds * 1e3}


def measure_memory(server, _):
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


def measure_waiting(server, _):
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


SPEEDS = (
    *(calls_of(*point) for point in POINTS),
    stream_of("16 B", 16, COUNT_16),
    stream_of("64 KiB", 65536, COUNT_64K),
    measure_lone_call,
)


def start_ours(options):
    ours = ["--module", "bench", "--max-concurrent-streams", "100000",
            "--max-connections-per-address", "2000", "--log-level", "warn"]
    ours += options.daemon_options.split()
    return servers.Server("amdrpc", lambda port_file: [
        options.amdrpcd, "--listen", "127.0.0.1:0", "--port-file", port_file, *ours])


def start_peer(options):
    return servers.Server("gRPC C++", lambda port_file: [options.peer, port_file])


def run_once(options, measures):
    """Each measure with new servers: what they said, one after the other."""
    results = ({}, {})
    with start_ours(options) as ours, start_peer(options) as peer:
        for measure in measures:
            for i, server in enumerate((ours, peer)):
                results[i].update(measure(server, i == 0))
        for server in (ours, peer):
            check_answers(server)
    return results


def run_round(options):
    """What each figure was: of ours, and of the peer."""
    rows = {}
    for measures in ((measure_memory, measure_waiting), SPEEDS):
        ours, peer = run_once(options, measures)
        rows.update({name: (ours[name], peer[name]) for name in ours})
    return rows


def ratio_of(name, ours, peer):
    """How many times better ours is."""
    if not ours or not peer:
        return 0.0
    return ours / peer if name.endswith("/s") else peer / ours


def summarize(rounds):
    """Of each figure the medians of ours, of the peer and of the ratios, and these."""
    rows = {}
    for name in rounds[0]:
        pairs = [one[name] for one in rounds]
        ratios = sorted(ratio_of(name, *pair) for pair in pairs)
        rows[name] = {
            "amdrpc": statistics.median(ours for ours, _ in pairs),
            "grpc": statistics.median(peer for _, peer in pairs),
            "ratio": statistics.median(ratios),
            "ratios": ratios,
        }
    return rows


def wish_of(name, row):
    """What was wished for, with a mark when it was missed."""
    if name not in WISHES:
        return ""
    relation, bound, unit = WISHES[name]
    value = row["ratio" if unit else "amdrpc"]
    is_met = value >= bound if relation == ">=" else value <= bound
    return f"{relation} {bound:,}{unit}" + ("" if is_met else "  missed")


def print_rows(rows):
    print(f"{'':34} {'amdrpc':>12} {'gRPC C++':>12} {'ratio':>7}  {'from .. to':14} wished")
    for name, row in rows.items():
        spread = f"{row['ratios'][0]:.1f} .. {row['ratios'][-1]:.1f}"
        line = (f"{name:34} {row['amdrpc']:12,.2f} {row['grpc']:12,.2f} "
                f"{row['ratio']:6.1f}x  {spread:14} {wish_of(name, row)}")
        print(line.rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("amdrpcd")
    parser.add_argument("peer", help="tests/bench/grpc-echo-server of the build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="write the medians here, as JSON")
    parser.add_argument("--daemon-options", default="", help="more, for amdrpcd")
    options = parser.parse_args()

    rows = summarize([run_round(options) for _ in range(options.rounds)])
    print_rows(rows)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=2)
    return 0


if __name__ == "__main__":
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    sys.exit(main())
