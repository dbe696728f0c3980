#!/usr/bin/python3
"""Compares our JSON mapping with the one of Debian's python3-protobuf.

Random messages must mean the same to both, in either direction; texts that
are right or wrong must be so to both. The argument is the program
json_convert. Ends with 77, skipped, where the Python package is absent.
"""
import random
import struct
import subprocess
import sys

try:
    from google.protobuf import (descriptor_pb2, descriptor_pool, json_format,
                                 message_factory)
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

SEED = 20240601
NMESSAGES = 1500
MAX_DEPTH = 3

# Not the largest float: Python prints it, and then refuses what it printed.
FLOATS = [0.0, -0.0, 1.5, -1.0, 0.1, 1e-7, 123456.789, 3.4e38,
          float("inf"), float("-inf"), float("nan")]
DOUBLES = FLOATS + [5e-324, 1.7976931348623157e308, 1e22, 1e16 + 2, 2.0 ** 63]
TEXTS = ["", "x", "ä", "\U0001f600", "\"\\/\b\f\n\r\t\x01\x7f", "a\0b", "</a>",
         "{", "["]
MASKS = ["foo", "foo_bar.baz", "a.b_c.d"]

# (text, whether it is a message): both must think so.
VERDICTS = [
    ('{"anInt32":1e3}', True), ('{"anInt32":"12"}', True),
    ('{"anInt32":1.5}', False), ('{"anInt32":2147483648}', False),
    ('{"aUint32":-1}', False), ('{"aUint64":"18446744073709551615"}', True),
    ('{"aUint64":"18446744073709551616"}', False),
    ('{"anInt64":"-9223372036854775809"}', False),
    ('{"anInt32":true}', False), ('{"aBool":1}', False),
    ('{"aBool":"true"}', False), ('{"aString":1}', False),
    ('{"aBytes":"-_8"}', True), ('{"aFloat":3.5e38}', False),
    ('{"aFloat":"NaN"}', True), ('{"aFloat":NaN,}', False),
    ('{"aDouble":"Infinity"}', True), ('{"aDouble":"x"}', False),
    ('{"aColour":"COLOUR_RED"}', True), ('{"aColour":"RED"}', False),
    ('{"aColour":5}', True), ('{"items":[null]}', False),
    ('{"items":null}', True), ('{"counts":{"a":null}}', False),
    ('{"counts":[]}', False), ('{"byBool":{"1":""}}', False),
    ('{"itemsById":{"x":{}}}', False), ('{"nothing":1}', False),
    ('{"aString":"x","aString":"y"}', False),
    ('{"choiceString":"x","choiceInt32":1}', False),
    ('{"choiceString":"x","choiceInt32":null}', True),
    ('{"choiceNull":null}', True), ('{"aValue":null}', True),
    ('{"aTimestamp":"2001-02-29T00:00:00Z"}', False),
    ('{"aTimestamp":"2000-02-29T00:00:00.5+01:30"}', True),
    ('{"aTimestamp":"2000-02-29T00:00:00"}', False),
    ('{"aDuration":"1.5s"}', True), ('{"aDuration":"1.5"}', False),
    ('{"aDuration":"315576000001s"}', False),
    ('{"anAny":{"name":"x"}}', False), ('{"anAny":{"@type":"x/No"}}', False),
    ('{"wrappedInt64":"5"}', True), ('{"wrappedBool":0}', False),
    ('{"aStruct":[]}', False), ('{"aList":{}}', False),
    ('{} x', False), ('', False), ('{"aString":"\\ud83d\\ude00"}', True),
]


class Converter:
    """The program json_convert, at the other end of two pipes."""

    def __init__(self, program):
        self.process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().decode().rstrip("\n")

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


class Maker:
    """Makes random messages that have a JSON form."""

    def __init__(self, pool, factory, rng):
        self.pool, self.factory, self.rng = pool, factory, rng

    def make(self, name):
        descriptor = self.pool.FindMessageTypeByName(name)
        return self.factory.GetPrototype(descriptor)()

    def integer(self, low, high):
        return self.rng.choice([0, 1, low, high, self.rng.randint(low, high)])

    def scalar(self, field):
        rng = self.rng
        kinds = {
            field.TYPE_DOUBLE: lambda: rng.choice(DOUBLES),
            field.TYPE_FLOAT: lambda: struct.unpack(
                "f", struct.pack("f", rng.choice(FLOATS)))[0],
            field.TYPE_BOOL: lambda: rng.random() < 0.5,
            field.TYPE_STRING: lambda: rng.choice(TEXTS),
            field.TYPE_BYTES: lambda: rng.randbytes(rng.randint(0, 5)),
            field.TYPE_ENUM: lambda: rng.choice(
                [value.number for value in field.enum_type.values]),
        }
        if field.type in kinds:
            return kinds[field.type]()
        ranges = {
            field.CPPTYPE_INT32: (-2 ** 31, 2 ** 31 - 1),
            field.CPPTYPE_INT64: (-2 ** 63, 2 ** 63 - 1),
            field.CPPTYPE_UINT32: (0, 2 ** 32 - 1),
            field.CPPTYPE_UINT64: (0, 2 ** 64 - 1),
        }
        return self.integer(*ranges[field.cpp_type])

    def value(self, depth):
        """Something that google.protobuf.Value can be."""
        kinds = [None, True, False, 1.5, -3.0, "x", ""]
        if depth < MAX_DEPTH:
            kinds += [[self.value(depth + 1) for _ in range(2)],
                      {"k": self.value(depth + 1), "": None}]
        return self.rng.choice(kinds)

    def special(self, message, depth):
        """Fills a message with a form of its own; False if it has none."""
        name = message.DESCRIPTOR.full_name
        if name == "google.protobuf.Timestamp":
            message.seconds = self.rng.choice([-62135596800, -1, 0, 253402300799])
            message.nanos = self.rng.choice([0, 1, 21000000, 999999999, 5000])
        elif name == "google.protobuf.Duration":
            sign = self.rng.choice([-1, 1])
            message.seconds = sign * self.rng.choice([0, 1, 315576000000])
            message.nanos = sign * self.rng.choice([0, 1, 500000000, 7000])
        elif name == "google.protobuf.FieldMask":
            message.paths.extend(self.rng.sample(MASKS, self.rng.randint(0, 3)))
        elif name in ("google.protobuf.Struct", "google.protobuf.Value",
                      "google.protobuf.ListValue"):
            source = {"Struct": {"k": self.value(depth)},
                      "ListValue": [self.value(depth)],
                      "Value": self.value(depth)}[name.rsplit(".", 1)[1]]
            json_format.ParseDict(source, message)
        elif name == "google.protobuf.Any":
            inner = self.make(self.rng.choice(
                ["amdrpc.test.v1.Item", "google.protobuf.Duration",
                 "google.protobuf.Int64Value"]))
            self.fill(inner, depth + 1)
            message.Pack(inner)
        else:
            return False
        return True

    def fill_map(self, message, field, depth):
        key_field = field.message_type.fields_by_name["key"]
        value_field = field.message_type.fields_by_name["value"]
        entries = getattr(message, field.name)
        for _ in range(self.rng.randint(0, 3)):
            key = self.scalar(key_field)
            if isinstance(key, str) and "\0" in key:
                continue  # jansson has no such keys
            if value_field.message_type is not None:
                self.fill(entries[key], depth + 1)
            else:
                entries[key] = self.scalar(value_field)

    def fill_repeated(self, message, field, depth):
        for _ in range(self.rng.randint(0, 3)):
            if field.message_type is not None:
                self.fill(getattr(message, field.name).add(), depth + 1)
            else:
                getattr(message, field.name).append(self.scalar(field))

    def fill_field(self, message, field, depth):
        if field.label == field.LABEL_REPEATED:
            if (field.message_type is not None and
                    field.message_type.GetOptions().map_entry):
                self.fill_map(message, field, depth)
            else:
                self.fill_repeated(message, field, depth)
        elif field.message_type is not None:
            getattr(message, field.name).SetInParent()
            self.fill(getattr(message, field.name), depth + 1)
        else:
            setattr(message, field.name, self.scalar(field))

    def fill(self, message, depth=0):
        if self.special(message, depth):
            return
        for field in message.DESCRIPTOR.fields:
            likely = 0.3 if depth == 0 else 0.15
            if field.name == "child" and depth >= MAX_DEPTH:
                continue
            if self.rng.random() < likely:
                self.fill_field(message, field, depth)


def load_pool(converter):
    files = descriptor_pb2.FileDescriptorSet.FromString(
        bytes.fromhex(converter.ask("d")))
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool


def same(left, right):
    """Equal by their bytes, for NaN is not equal to itself."""
    return (left.SerializeToString(deterministic=True) ==
            right.SerializeToString(deterministic=True))


class Comparison:
    def __init__(self, converter):
        self.converter = converter
        self.pool = load_pool(converter)
        self.maker = Maker(self.pool,
                           message_factory.MessageFactory(self.pool),
                           random.Random(SEED))
        self.nwrong = 0

    def wrong(self, what, *details):
        self.nwrong += 1
        print("not ok:", what)
        for detail in details:
            print("   ", detail)

    def parse(self, text):
        message = self.maker.make("amdrpc.test.v1.AllTypes")
        json_format.Parse(text, message, descriptor_pool=self.pool)
        return message

    def compare_writing(self, message):
        wire = message.SerializeToString()
        text = self.converter.ask("w " + wire.hex())
        try:
            good = not text.startswith("!") and same(self.parse(text), message)
        except json_format.ParseError as error:
            text, good = f"{text}: {error}", False
        if not good:
            self.wrong("our JSON", text, message)

    def compare_reading(self, message):
        text = json_format.MessageToJson(
            message, indent=None, descriptor_pool=self.pool)
        answer = self.converter.ask("r " + text)
        if answer.startswith("!"):
            self.wrong("our reading", answer, text)
            return
        read = type(message).FromString(bytes.fromhex(answer))
        # Their own way there and back is the measure: it is what the text says.
        if not same(read, self.parse(text)):
            self.wrong("our reading", text, read)

    def compare_verdict(self, text, is_good):
        answer = self.converter.ask("r " + text)
        if answer.startswith("!") == is_good:
            self.wrong("our verdict", text, answer)
        try:
            message = self.parse(text)
        except (json_format.ParseError, ValueError) as error:
            if is_good:
                self.wrong("their verdict", text, error)
            return
        if not is_good:
            self.wrong("their verdict", text, message)
        elif not answer.startswith("!") and not same(
                type(message).FromString(bytes.fromhex(answer)), message):
            self.wrong("our reading", text, answer)


def main():
    converter = Converter(sys.argv[1])
    comparison = Comparison(converter)
    for _ in range(NMESSAGES):
        message = comparison.maker.make("amdrpc.test.v1.AllTypes")
        comparison.maker.fill(message)
        comparison.compare_writing(message)
        comparison.compare_reading(message)
    for text, is_good in VERDICTS:
        comparison.compare_verdict(text, is_good)
    if converter.close() != 0:
        comparison.wrong("the converter failed")
    print(f"{2 * NMESSAGES + len(VERDICTS)} compared, "
          f"{comparison.nwrong} wrong")
    return 1 if comparison.nwrong else 0


if __name__ == "__main__":
    sys.exit(main())
