"""HTTP/2 and gRPC bytes by hand, for those who mean no good.

Every header field is a literal that enters no table.
"""
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 6, 7, 8, 9
END_STREAM, END_HEADERS, PADDED = 1, 4, 8


def frame(kind, flags, stream, payload=b""):
    head = struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream)
    return head + payload


def hpack_int(value, bits, first=0):
    """An integer with a prefix of so many bits, under the bits of `first`."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([first | value])
    out = [first | limit]
    value -= limit
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + [value])


def literal(name, value, kind=0x00):
    """A field; kind 0x40 also puts it into the table."""
    parts = hpack_int(len(name), 7) + name + hpack_int(len(value), 7) + value
    return bytes([kind]) + parts


def fields(path, extra=()):
    """A gRPC request's header block."""
    all_fields = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"localhost"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        *extra,
    ]
    return b"".join(literal(name, value) for name, value in all_fields)


def headers(stream, path, flags=END_HEADERS, extra=()):
    return frame(HEADERS, flags, stream, fields(path, extra))


def message(data=b"", compressed=0):
    return struct.pack(">BI", compressed, len(data)) + data


def data(stream, body, flags=END_STREAM):
    return frame(DATA, flags, stream, body)


def call(stream, path, request=b"", extra=()):
    """A whole unary request."""
    return headers(stream, path, extra=extra) + data(stream, message(request))


def rst(stream, code=8):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def window(stream, n):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", n))


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def ping(opaque=b"12345678"):
    return frame(PING, 0, 0, opaque)
