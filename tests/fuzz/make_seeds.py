#!/usr/bin/python3
"""Writes the hand-made seeds of the corpora: make_seeds.py

What fuzzing found stands beside them, named crash-… or slow-… after what it
once did.
"""
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))
from http2 import PREFACE, data, frame, headers, literal, message, ping, rst, settings, window  # noqa: E402

PROTO = HERE.parent / "proto"


def seed(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


PING = ping()
GOAWAY = frame(7, 0, 0, struct.pack(">II", 0, 0) + b"bye")
ECHO = b"/amdrpc.test.v1.JsonTypes/Echo"
ODD = b"/amdrpc.testOdd.v1.HTTP_Svc/"

CONTROL = {
    "ping": PING,
    "settings": settings((1, 0), (3, 1), (4, 5), (5, 16384), (77, 1)) + frame(4, 1, 0),
    "goaway": GOAWAY,
    "priority": frame(2, 0, 3, b"\0\0\0\0\x10"),
    "unknown": frame(99, 7, 5, b"what"),
    "push": frame(5, 4, 1, b"\0\0\0\2"),
    "too-long": frame(6, 0, 0, b"1" * 8)[:3] + b"",
    "window-overflow": window(0, 0x7FFFFFFF) + window(0, 0x7FFFFFFF),
    "window-nothing": window(0, 0),
}

CALLS = {
    "unary": headers(1, ECHO) + data(1, message(b"\x4a\x02hi")),
    "unary-split": headers(1, ECHO)
    + data(1, b"\0\0", 0)
    + data(1, b"\0\0\4\x4a", 0)
    + data(1, b"\2hi", 1),
    "two-messages": headers(1, ECHO) + data(1, message(b"") + message(b"")),
    "no-message": headers(1, ECHO, flags=5),
    "claims-4-GiB": headers(1, ECHO) + data(1, b"\0\xff\xff\xff\xff", 0),
    "compressed": headers(1, ECHO, extra=[(b"grpc-encoding", b"gzip")])
    + data(1, message(b"\x1f\x8b", 1)),
    "bad-message": headers(1, ECHO) + data(1, message(b"\xff\xff")),
    "padded": headers(1, ECHO) + frame(0, 9, 1, b"\x03" + message() + b"\0\0\0"),
    "upload": headers(1, ODD + b"Upload")
    + data(1, message() * 3, 0)
    + data(1, message(b"\x0a\0"), 1),
    "watch": headers(1, ODD + b"Watch") + data(1, message()),
    "watch-small-window": settings((4, 1))
    + headers(1, ODD + b"Watch")
    + data(1, message())
    + window(1, 10)
    + window(1, 100000),
    "chat": headers(1, ODD + b"Chat")
    + data(1, message(b"\x0a\x02hi") * 2, 0)
    + PING
    + data(1, message(b"\x0a\x03you"), 1),
    "sleep-reset": headers(1, ODD + b"class") + data(1, message()) + rst(1),
    "sleep-timeout": headers(1, ODD + b"class", extra=[(b"grpc-timeout", b"1n")])
    + data(1, message()),
    "trailers": headers(1, ECHO)
    + data(1, message(), 0)
    + frame(1, 5, 1, literal(b"a-trailer", b"x")),
    "continuation": frame(1, 0, 1, literal(b":method", b"POST"))
    + frame(9, 0, 1, literal(b":scheme", b"http"))
    + frame(9, 4, 1, literal(b":path", ECHO)),
    "continuation-interrupted": frame(1, 0, 1, literal(b":method", b"POST")) + PING,
    "many": b"".join(
        headers(n, ECHO) + data(n, message()) if n % 4 == 1 else headers(n, ODD + b"Chat") + rst(n)
        for n in range(1, 40, 2)
    ),
    "unknown-method": headers(1, b"/no.Such/Method", flags=5),
    "get": frame(
        1, 5, 1, literal(b":method", b"GET") + literal(b":scheme", b"http") + literal(b":path", b"/")
    ),
    "metadata": headers(
        1, ECHO, extra=[(b"x-bin", b"AAEC,Aw=="), (b"x-text", b"a, b"), (b"grpc-timeout", b"10S")]
    )
    + data(1, message()),
    "table": frame(1, 5, 1, b"\x82\x86\x84\x40\x01a\x01b\xbe\x3f\xe1\x1f\x20"),
    "huffman": frame(1, 5, 1, b"\x83\x86\x04\x8b\x60\x72\x1b\x4a\x1d\x88\x8b\x60\x72\x1b\x4a"),
    "data-after-end": headers(1, ECHO, flags=5) + data(1, b"x") + window(1, 0),
    "header-list": headers(1, ECHO, extra=[(b"h%d" % n, b"v" * 90) for n in range(80)]),
    "idle-data": data(7, b"x"),
    "goaway-then-call": GOAWAY + headers(1, ECHO) + data(1, message()),
}


def response(stream, flags=4, status=b"200"):
    return frame(
        1, flags, stream, literal(b":status", status) + literal(b"content-type", b"application/grpc")
    )


def trailers(stream):
    return frame(1, 5, stream, literal(b"grpc-status", b"0"))


ANSWERS = {
    "answer": response(1) + data(1, message(b"hi"), 0) + trailers(1),
    "informational": response(1, status=b"103") + response(1) + trailers(1),
    "trailers-only": response(1, flags=5),
    "reset": rst(3, 7) + rst(1, 11),
    "answers": response(5) + response(3) + trailers(3) + data(5, b"x", 1),
    "goaway-one": frame(7, 0, 0, struct.pack(">II", 1, 0)) + response(1) + trailers(1),
    "even": response(2),
}


def http2():
    for name, wire in {**CONTROL, **CALLS}.items():
        seed("server", name, b"\0" + wire)
        seed("h2", "server-" + name, b"\x10" + wire)
    seed("server", "preface", b"\1" + PREFACE + settings() + CALLS["unary"])
    seed("server", "http1", b"\1GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    seed("h2", "preface", b"\x0c" + PREFACE + settings() + CALLS["unary"])
    for name, wire in {**CONTROL, **ANSWERS}.items():
        seed("h2", "client-" + name, b"\x11" + wire)


def texts():
    for name, text in {"hour": "1H", "longest": "99999999H", "nano": "1n", "empty": "",
                       "nine-digits": "123456789m", "no-unit": "12"}.items():
        seed("timeout", name, text.encode())
    for name, text in {"plain": b"hello", "umlaut": "Gr\u00fc\u00dfe %".encode(),
                       "escaped": b"a%20b%zz%", "cut": b"%4", "not-utf8": b"\xff\xc3",
                       "four-bytes": "\U0001f600".encode(), "overlong": b"\xc0\x80\xed\xa0\x80"}.items():
        seed("percent", name, text)
    for name, text in {"padded": b"AA==", "unpadded": b"AAE", "odd": b"A", "url": b"-_-_",
                       "inside": b"A=A=", "blank": b"AA AA"}.items():
        seed("base64", name, text)
    seed("metadata", "text", b"a: b\na:c\nx-y.z_0:\n")
    seed("metadata", "binary", b"a-bin:AAEC\nb-bin:AAEC,AwQ=,\nc-bin:!!\nd-bin:,,\n")
    seed("metadata", "odd", b"a:\xff\xfe\nb:x, y\n:path:/a\n")
    good = ":method:POST\n:scheme:http\n:path:/pkg.Svc/Echo\nte:trailers\ncontent-type:application/grpc"
    for name, text in {
        "good": good,
        "timeout": good + "+proto\ngrpc-timeout:10m\ngrpc-encoding:gzip",
        "unwritten": good.replace("Echo", "Unwritten"),
        "unknown": good.replace("Svc", "Other"),
        "get": good.replace("POST", "GET"),
        "root": ":method:GET\n:scheme:http\n:path:/",
        "twice": good + "\n:path:/a\n:foo:bar",
        "many": good + "\na:b" * 20,
        "long": good + "\na:" + "b" * 2000,
        "binary": good + "\na-bin:AA,BB\nb-bin:!",
        "encoding": good + "\ngrpc-encoding:snappy\ngrpc-timeout:1x\ngrpc-accept-encoding:gzip",
        "no-path": ":method:POST",
    }.items():
        seed("request", name, text.encode())


def frames():
    seed("frame", "messages", b"\0" + message(b"hi") + message() + message(b"x" * 999))
    seed("frame", "bytewise", b"\1" + message(b"hi") + message(b"you", 1))
    seed("frame", "too-large", b"\0\0\0\0\3\xe9")
    seed("frame", "4-GiB", b"\0\0\xff\xff\xff\xff")
    seed("frame", "bad-flag", b"\0" + message(b"hi", 2))
    seed("frame", "cut", b"\2" + message(b"hello")[:7])


def configs():
    for name, text in {
        "settings": "listen = 127.0.0.1:0\nworkers = 3\ndrain-timeout = 2s\nmodule = checksum\n"
        "max-recv-message-bytes = 4m\nlog-level = debug ; loud\n\n[checksum]\nroot = /tmp\n",
        "unknown": "nonsense = 1\n",
        "out-of-range": "workers = 0\n",
        "not-a-number": "workers = many\n",
        "no-value": "workers\n[open\n",
        "indented": "listen = a:1\n  listen = b:2\n",
        "bytes": "port-file = \xff\x01\nconfig = x\n",
        "long-line": "port-file = " + "x" * 300 + "\n",
        "long-name": "[" + "s" * 60 + "]\n" + "n" * 90 + " = 1\n",
        "mark": "\ufeffworkers = 2\n",
    }.items():
        seed("config", name, text.encode())


def descriptor_set(*files):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "set")
        subprocess.run(
            ["protoc", "--include_imports", f"--descriptor_set_out={out}", f"--proto_path={PROTO}", *files],
            check=True,
        )
        return pathlib.Path(out).read_bytes()


def messages():
    from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

    odd = descriptor_set("odd.proto")
    types = descriptor_set("json_types.proto")
    files = descriptor_pb2.FileDescriptorSet.FromString(types)
    seed("descriptor", "odd", b"\0" + odd)
    seed("descriptor", "file", b"\1" + files.file[0].SerializeToString())
    seed("descriptor", "missing-import", b"\1" + files.file[-1].SerializeToString())
    seed("unpack", "descriptors", b"\1" + odd)

    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    all_types = factory.GetPrototype(pool.FindMessageTypeByName("amdrpc.test.v1.AllTypes"))
    for name, text in JSONS.items():
        seed("json_read", name, b"\0" + text.encode())
        try:
            wire = json_format.Parse(text, all_types(), descriptor_pool=pool).SerializeToString(deterministic=True)
        except (json_format.ParseError, ValueError, RecursionError):
            continue
        seed("json_write", name, b"\0" + wire)
        seed("unpack", name, b"\0" + wire)
    deep = b""
    for _ in range(99):
        size = len(deep)
        head = b"\xb2\x04" + (bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7]))
        deep = head + deep
    seed("unpack", "deep", b"\0" + deep)
    seed("json_write", "deep", b"\2" + deep)
    seed("unpack", "wide", b"\0" + b"\xa2\x01\x00" * 500)
    seed("unpack", "not-utf8", b"\0\x4a\x01\xff")
    seed("unpack", "group", b"\0\x0b\x0c")
    seed("json_write", "not-utf8", b"\0\x4a\x01\xff")
    seed("json_write", "pretty", b"\7\xa2\x01\x02\x10\x05\xaa\x01\x02\x01\x02")


JSONS = {
    "scalars": '{"aDouble":1.5,"aFloat":"NaN","anInt64":"-5","aUint64":"7","anInt32":-1,"aFixed64":"1",'
    '"aFixed32":2,"aBool":true,"aString":"\\u00e4\\n","aBytes":"AAE=","aUint32":4294967295,'
    '"aColour":"COLOUR_RED","anSint32":-3,"anSint64":"-9223372036854775808"}',
    "repeated": '{"items":[{"name":"a","count":1},{}],"numbers":[1,-2],"words":["","b"],'
    '"colours":["COLOUR_NONE",7],"doubles":[1e300,-0.0]}',
    "maps": '{"counts":{"a":1},"itemsById":{"-1":{"count":2}},"byBool":{"true":"yes"},'
    '"valuesByName":{"x":null,"y":[1,{"z":"w"}]}}',
    "oneof": '{"choiceNull":null,"child":{"choiceItem":{}}}',
    "known": '{"aTimestamp":"2026-11-22T15:00:00.5Z","aDuration":"-1.000000001s","aMask":"a.b,cD",'
    '"aStruct":{"k":[true,null]},"aValue":1.25,"aList":[{}],"anEmpty":{},"wrappedInt64":"3",'
    '"wrappedString":"s","wrappedBool":false,"wrappedBytes":"/w=="}',
    "any": '{"anAny":{"@type":"type.googleapis.com/amdrpc.test.v1.Item","name":"n"},'
    '"anys":[{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}]}',
    "surrogates": '{"aString":"\\ud83d\\ude00\\ud800"}',
    "twice": '{"aBool":true,"a_bool":false}',
    "huge": '{"aDouble":1e400,"anInt32":1e999999999}',
    "exponent": '{"anInt32":1.5e1,"anInt64":"1e3"}',
    "unknown": '{"nonsense":[[[]]]}',
    "deep": '{"child":' * 60 + "{}" + "}" * 60,
    "deep-list": '{"aValue":' + "[" * 90 + "]" * 90 + "}",
    "cut": '{"aString":"',
    "nul": '{"aString":"\\u0000"}',
}


if __name__ == "__main__":
    http2()
    texts()
    frames()
    configs()
    messages()
