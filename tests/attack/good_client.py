"""A well-behaved client that calls all the time: good_client.py TARGET [CA_FILE]

Each line on stdin asks for what happened since the last one, as a line of
JSON. Its end ends the client.
"""
import json
import pathlib
import sys
import threading
import time

import grpc

METHODS = ("/amdrpc.bench.v1.Bench/Echo", "/amdrpc.bench.v1.Bench/EchoInline")
SECONDS = 20


class Caller(threading.Thread):
    def __init__(self, target, ca_file=None):
        super().__init__(daemon=True)
        options = [("grpc.lb_policy_name", "round_robin"), ("grpc.enable_retries", 0)]
        if ca_file:
            credentials = grpc.ssl_channel_credentials(pathlib.Path(ca_file).read_bytes())
            options.append(("grpc.ssl_target_name_override", "localhost"))
            self.channel = grpc.secure_channel(target, credentials, options=options)
        else:
            self.channel = grpc.insecure_channel(target, options=options)
        self.mutex = threading.Lock()
        self.times = []
        self.failures = []

    def call(self, method):
        started = time.monotonic()
        try:
            self.channel.unary_unary(method)(b"\x0a\x02hi", timeout=SECONDS)
            failure = None
        except grpc.RpcError as error:
            failure = f"{error.code()}: {error.details()}"
        with self.mutex:
            self.times.append(time.monotonic() - started)
            if failure:
                self.failures.append(failure)

    def run(self):
        while True:
            for method in METHODS:
                self.call(method)

    def take(self):
        with self.mutex:
            times, failures = sorted(self.times), self.failures
            self.times, self.failures = [], []
        return {
            "calls": len(times),
            "failures": failures[:3],
            "p99_ms": times[len(times) * 99 // 100] * 1000 if times else 0,
        }


def main():
    caller = Caller(*sys.argv[1:])
    caller.start()
    for _ in sys.stdin:
        print(json.dumps(caller.take()), flush=True)


if __name__ == "__main__":
    main()
