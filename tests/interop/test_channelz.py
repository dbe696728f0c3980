"""Tests channelz with grpcio's client, whose messages come by reflection.

    test_channelz.py AMDRPCD

REFLECTION_PB2_DIR says where the messages of reflection for Python are.
"""
import socket
import sys
import tempfile
import time
import unittest

import grpc
from google.protobuf import message_factory

from reflection import reflect
from run_interop import Server, make_certificate

AMDRPCD = sys.argv.pop(1)
SECONDS = 30  # no step takes as long, on a slow machine under a sanitizer too

CHANNELZ = "grpc.channelz.v1."
BENCH = "/amdrpc.bench.v1.Bench/"

# What clients that were built from gRPC's own file send and read.
STANDARD = {
    "GetTopChannelsRequest": {"start_channel_id": 1, "max_results": 2},
    "GetTopChannelsResponse": {"channel": 1, "end": 2},
    "GetServersRequest": {"start_server_id": 1, "max_results": 2},
    "GetServersResponse": {"server": 1, "end": 2},
    "GetServerRequest": {"server_id": 1},
    "GetServerResponse": {"server": 1},
    "GetServerSocketsRequest": {"server_id": 1, "start_socket_id": 2, "max_results": 3},
    "GetServerSocketsResponse": {"socket_ref": 1, "end": 2},
    "GetChannelRequest": {"channel_id": 1},
    "GetChannelResponse": {"channel": 1},
    "GetSubchannelRequest": {"subchannel_id": 1},
    "GetSubchannelResponse": {"subchannel": 1},
    "GetSocketRequest": {"socket_id": 1, "summary": 2},
    "GetSocketResponse": {"socket": 1},
    "ChannelRef": {"channel_id": 1, "name": 2},
    "SubchannelRef": {"subchannel_id": 7, "name": 8},
    "SocketRef": {"socket_id": 3, "name": 4},
    "ServerRef": {"server_id": 5, "name": 6},
    "Server": {"ref": 1, "data": 2, "listen_socket": 3},
    "ServerData": {
        "trace": 1,
        "calls_started": 2,
        "calls_succeeded": 3,
        "calls_failed": 4,
        "last_call_started_timestamp": 5,
    },
    "Socket": {"ref": 1, "data": 2, "local": 3, "remote": 4, "security": 5, "remote_name": 6},
    "SocketData": {
        "streams_started": 1,
        "streams_succeeded": 2,
        "streams_failed": 3,
        "messages_sent": 4,
        "messages_received": 5,
        "keep_alives_sent": 6,
        "last_local_stream_created_timestamp": 7,
        "last_remote_stream_created_timestamp": 8,
        "last_message_sent_timestamp": 9,
        "last_message_received_timestamp": 10,
        "local_flow_control_window": 11,
        "remote_flow_control_window": 12,
        "option": 13,
        "received_goaway_error": 14,
        "peer_max_concurrent_streams": 15,
    },
    "Address": {"tcpip_address": 1, "uds_address": 2, "other_address": 3},
    "Security": {"tls": 1, "other": 2},
    "SocketOption": {"name": 1, "value": 2, "additional": 3},
    "Channel": {"ref": 1, "data": 2, "channel_ref": 3, "subchannel_ref": 4, "socket_ref": 5},
    "Subchannel": {"ref": 1, "data": 2, "channel_ref": 3, "subchannel_ref": 4, "socket_ref": 5},
    "ChannelConnectivityState": {"state": 1},
    "ChannelData": {
        "state": 1,
        "target": 2,
        "trace": 3,
        "calls_started": 4,
        "calls_succeeded": 5,
        "calls_failed": 6,
        "last_call_started_timestamp": 7,
    },
    "ChannelTrace": {"num_events_logged": 1, "creation_timestamp": 2, "events": 3},
    "ChannelTraceEvent": {
        "description": 1,
        "severity": 2,
        "timestamp": 3,
        "channel_ref": 4,
        "subchannel_ref": 5,
    },
    "Address.TcpIpAddress": {"ip_address": 1, "port": 2},
    "Address.UdsAddress": {"filename": 1},
    "Address.OtherAddress": {"name": 1, "value": 2},
    "Security.Tls": {
        "standard_name": 1,
        "other_name": 2,
        "local_certificate": 3,
        "remote_certificate": 4,
    },
    "Security.OtherSecurity": {"name": 1, "value": 2},
}


def attempts():
    """For a condition that others bring about: it should hold by the end of these."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        yield
        time.sleep(0.01)


class Channelz:
    """A client of the service on a connection of its own."""

    def __init__(self, channel):
        self.channel = channel
        self.messages = message_factory.GetMessages(reflect(channel, CHANNELZ + "Channelz"))
        self.ncalls = 0

    def call(self, name, **fields):
        self.ncalls += 1
        request = self.messages[f"{CHANNELZ}{name}Request"](**fields)
        return self.channel.unary_unary(
            f"/{CHANNELZ}Channelz/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=self.messages[f"{CHANNELZ}{name}Response"].FromString,
        )(request, timeout=SECONDS)

    def server_id(self):
        return self.call("GetServers").server[0].ref.server_id

    def sockets(self, **fields):
        return self.call("GetServerSockets", server_id=self.server_id(), **fields)

    def socket_ids(self):
        return [ref.socket_id for ref in self.sockets().socket_ref]


class ChannelzTest(unittest.TestCase):
    def start(self, *args, listen="127.0.0.1:0"):
        server = Server(AMDRPCD, "--log-level", "warn", "--module", "bench",
                        "--listen", listen, "--loops", "3",
                        "--handshake-timeout", "1h", *args)
        self.addCleanup(server.stop)
        return server

    def connect(self, server, credentials=None):
        """A channel that shares its connection with none."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        target = f"127.0.0.1:{server.port}"
        channel = (
            grpc.secure_channel(target, credentials, options)
            if credentials
            else grpc.insecure_channel(target, options)
        )
        self.addCleanup(channel.close)
        return channel

    def start_both(self):
        server = self.start()
        return server, Channelz(self.connect(server))

    def echo(self, channel, method="Echo"):
        return channel.unary_unary(BENCH + method)(b"", timeout=SECONDS)

    def open_socket(self, server, channelz):
        """A channel that has made a call, and the id of its connection."""
        before = channelz.socket_ids()
        channel = self.connect(server)
        self.echo(channel)
        (new,) = set(channelz.socket_ids()) - set(before)
        return channel, new

    def assert_status(self, code, sentence, call, *args, **fields):
        with self.assertRaises(grpc.RpcError) as error:
            call(*args, **fields)
        self.assertEqual(error.exception.code(), code)
        self.assertIn(sentence, error.exception.details())

    # ---- the messages ----

    def test_fields_have_their_standard_numbers(self):
        _, channelz = self.start_both()
        seen = {}
        for name, message in channelz.messages.items():
            if name.startswith(CHANNELZ):
                for kind in [message.DESCRIPTOR, *message.DESCRIPTOR.nested_types]:
                    seen[kind.full_name[len(CHANNELZ):]] = {
                        field.name: field.number for field in kind.fields
                    }
        self.assertEqual(seen, STANDARD)

    # ---- servers ----

    def test_calls_are_counted_by_how_they_ended(self):
        server, channelz = self.start_both()
        channel = self.connect(server)
        began = time.time()
        before = self.await_end_of_calls(channelz)
        nbefore = channelz.ncalls
        for _ in range(3):
            self.echo(channel)
        for _ in range(2):
            self.assert_status(grpc.StatusCode.UNIMPLEMENTED, "", self.echo, channel, "None")
        data = self.await_end_of_calls(channelz)

        nours = channelz.ncalls - nbefore
        self.assertEqual(data.calls_started - before.calls_started, 5 + nours)
        self.assertEqual(data.calls_succeeded - before.calls_succeeded, 3 + nours)
        self.assertEqual(data.calls_failed - before.calls_failed, 2)
        last = data.last_call_started_timestamp.ToNanoseconds() / 1e9
        self.assertGreater(last, began - 1)
        self.assertLess(last, time.time() + 1)

    def await_end_of_calls(self, channelz):
        """The server's data once no call is left but the one that asks."""
        for _ in attempts():
            data = channelz.call("GetServers").server[0].data
            nended = data.calls_succeeded + data.calls_failed
            if data.calls_started == nended + 1:
                break
        self.assertEqual(data.calls_started, nended + 1)
        return data

    def test_servers_are_one_page(self):
        _, channelz = self.start_both()
        page = channelz.call("GetServers", max_results=1)
        self.assertEqual(len(page.server), 1)
        self.assertGreater(page.server[0].ref.server_id, 0)
        self.assertTrue(page.end)
        page = channelz.call("GetServers", start_server_id=page.server[0].ref.server_id + 1)
        self.assertEqual(len(page.server), 0)
        self.assertTrue(page.end)

    def test_listening_socket_has_its_address(self):
        server, channelz = self.start_both()
        (ref,) = channelz.call("GetServers").server[0].listen_socket
        self.assertEqual(ref.name, f"127.0.0.1:{server.port}")
        listening = channelz.call("GetSocket", socket_id=ref.socket_id).socket
        self.assertEqual(listening.ref, ref)
        self.assertEqual(listening.local.tcpip_address.port, int(server.port))
        self.assertFalse(listening.HasField("remote"))
        self.assertNotIn(ref.socket_id, channelz.socket_ids())

    # ---- connections ----

    def test_connections_come_in_pages(self):
        server, channelz = self.start_both()
        for _ in range(6):
            self.echo(self.connect(server))
        ids = channelz.socket_ids()
        self.assertEqual(len(ids), 7)
        self.assertEqual(ids, sorted(set(ids)))

        seen, start, end = [], 0, False
        while not end:
            page = channelz.sockets(start_socket_id=start, max_results=2)
            seen += [ref.socket_id for ref in page.socket_ref]
            start, end = seen[-1] + 1, page.end
            self.assertEqual(len(page.socket_ref), 1 if end else 2)
        self.assertEqual(seen, ids)
        page = channelz.sockets(start_socket_id=start)
        self.assertEqual(len(page.socket_ref), 0)
        self.assertTrue(page.end)
        page = channelz.sockets(max_results=7)
        self.assertEqual(len(page.socket_ref), 7)
        self.assertTrue(page.end)

    def test_page_has_a_hundred_unless_said_otherwise(self):
        server, channelz = self.start_both()
        sockets = [
            socket.create_connection(("127.0.0.1", int(server.port))) for _ in range(105)
        ]
        for _ in attempts():
            if len(channelz.sockets(max_results=1000).socket_ref) == 106:
                break
        page = channelz.sockets()
        for each in sockets:
            each.close()
        self.assertEqual(len(page.socket_ref), 100)
        self.assertFalse(page.end)

    def test_connection_tells_what_it_did(self):
        server, channelz = self.start_both()
        began = time.time()
        channel, socket_id = self.open_socket(server, channelz)  # one call
        for _ in range(3):
            self.echo(channel)
        # {n: 5, size: 10}
        count = channel.unary_stream(BENCH + "Count")(b"\x08\x05\x10\x0a", timeout=SECONDS)
        self.assertEqual(len(list(count)), 5)
        self.assert_status(grpc.StatusCode.UNIMPLEMENTED, "", self.echo, channel, "None")
        # {ms: an hour}
        sleep = channel.unary_unary(BENCH + "Sleep").future(b"\x08\x80\xdd\xdb\x01")
        self.await_data(channelz, socket_id, (7, 6, 0))
        sleep.cancel()
        told = self.await_data(channelz, socket_id, (7, 6, 1))

        self.assertEqual(told.data.messages_received, 6)
        self.assertEqual(told.data.messages_sent, 9)
        self.assertEqual(told.data.keep_alives_sent, 0)
        self.assertGreater(told.data.local_flow_control_window.value, 0)
        self.assertGreater(told.data.remote_flow_control_window.value, 0)
        for name in ("remote_stream_created", "message_sent", "message_received"):
            at = getattr(told.data, f"last_{name}_timestamp").ToNanoseconds() / 1e9
            self.assertGreater(at, began - 1)
            self.assertLess(at, time.time() + 1)
        self.assertFalse(told.data.HasField("last_local_stream_created_timestamp"))
        self.assertEqual(told.local.tcpip_address.ip_address, b"\x7f\0\0\1")
        self.assertEqual(told.local.tcpip_address.port, int(server.port))
        self.assertEqual(told.ref.name, f"127.0.0.1:{told.remote.tcpip_address.port}")
        self.assertFalse(told.HasField("security"))

    def await_data(self, channelz, socket_id, streams):
        """Waits until so many streams were started, succeeded, and failed."""
        for _ in attempts():
            told = channelz.call("GetSocket", socket_id=socket_id).socket
            data = told.data
            seen = (data.streams_started, data.streams_succeeded, data.streams_failed)
            if seen == streams:
                break
        self.assertEqual(seen, streams)
        return told

    def test_tls_has_its_cipher(self):
        with tempfile.TemporaryDirectory() as folder:
            key, cert = make_certificate(folder)
            server = self.start("--tls-cert", cert, "--tls-key", key, listen="127.0.0.1:0 tls")
            with open(cert, "rb") as file:
                credentials = grpc.ssl_channel_credentials(file.read())
        channelz = Channelz(self.connect(server, credentials))
        (socket_id,) = channelz.socket_ids()
        told = channelz.call("GetSocket", socket_id=socket_id).socket
        self.assertRegex(told.security.tls.standard_name, "^TLS_[A-Z0-9_]+$")

    def test_closed_connection_is_not_found(self):
        server, channelz = self.start_both()
        channel, socket_id = self.open_socket(server, channelz)
        channel.close()
        for _ in attempts():
            if socket_id not in channelz.socket_ids():
                break
        self.assert_status(
            grpc.StatusCode.NOT_FOUND, f"socket_id {socket_id}",
            channelz.call, "GetSocket", socket_id=socket_id,
        )

    # ---- what there is not ----

    def test_unknown_ids_are_not_found(self):
        _, channelz = self.start_both()
        for name, field in (
            ("GetServer", "server_id"),
            ("GetServerSockets", "server_id"),
            ("GetSocket", "socket_id"),
            ("GetChannel", "channel_id"),
            ("GetSubchannel", "subchannel_id"),
        ):
            for number in (0, -1, 12345):
                with self.subTest(name=name, number=number):
                    self.assert_status(
                        grpc.StatusCode.NOT_FOUND, f"{field} {number}",
                        channelz.call, name, **{field: number},
                    )

    def test_there_are_no_channels(self):
        _, channelz = self.start_both()
        page = channelz.call("GetTopChannels")
        self.assertEqual(len(page.channel), 0)
        self.assertTrue(page.end)

    def test_negative_number_of_results_is_refused(self):
        _, channelz = self.start_both()
        server_id = channelz.server_id()
        for name, fields in (
            ("GetTopChannels", {}),
            ("GetServers", {}),
            ("GetServerSockets", {"server_id": server_id}),
        ):
            with self.subTest(name=name):
                self.assert_status(
                    grpc.StatusCode.INVALID_ARGUMENT, "max_results -1",
                    channelz.call, name, max_results=-1, **fields,
                )

    def test_service_can_be_left_out(self):
        server = self.start("--channelz", "off")
        channel = self.connect(server)
        call = channel.unary_unary(f"/{CHANNELZ}Channelz/GetServers")
        self.assert_status(grpc.StatusCode.UNIMPLEMENTED, "Channelz", call, b"", timeout=SECONDS)
        self.assertEqual(reflect(channel, CHANNELZ + "Channelz"), [])


if __name__ == "__main__":
    unittest.main()
