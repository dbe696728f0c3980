"""What a daemon keeps, beside what was acknowledged."""
import json
import subprocess
import time

DONE_SECONDS = 600


class Records:
    """The operations of a keeper, as amdrpc shows them."""

    def __init__(self, amdrpc, keeper):
        self.amdrpc = amdrpc
        self.keeper = keeper

    def list(self, *arguments):
        out = subprocess.run(
            [self.amdrpc, "operations", "--json", "--compact", "--limit", "1000000",
             *arguments, self.keeper.target],
            stdout=subprocess.PIPE, check=True, text=True,
        ).stdout
        return [json.loads(line) for line in out.splitlines()]

    def await_done(self):
        end = time.monotonic() + DONE_SECONDS
        while True:
            left = self.list("--filter", "done = false")
            if not left:
                return
            assert time.monotonic() < end, f"{len(left)} operations do not end"
            time.sleep(0.5)

    def names(self):
        """Names by request id, of which each has one operation."""
        names = {}
        for operation in self.list():
            request_id = operation["metadata"]["requestId"]
            assert request_id not in names, f"{request_id} has two operations"
            names[request_id] = operation["name"]
        return names

    def check(self, acknowledged):
        """Each is there, under the name that was told, and succeeds."""
        self.await_done()
        names = self.names()
        for request_id, name in acknowledged.items():
            assert names.get(request_id) == name, f"{request_id}: {name} is lost"
        failed = self.list("--filter", "state != SUCCEEDED")
        assert not failed, failed[0]
        return names
