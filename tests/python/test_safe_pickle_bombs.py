# test_safe_pickle_bombs.py - what would take memory or time out of proportion ends in an error
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each bomb runs in a process of its own, whose memory and time are limited."""

from __future__ import annotations

import pickle
import re
import struct
import subprocess
import sys
from ast import literal_eval
from pathlib import Path

import pytest

LIMITED = """
import os, pickle, resource, sys, time
import importlib
from dictsqlite_v4._pickle import SafePickle
from dictsqlite_v4 import UnsafePickleError

ALLOWED = ["array", "collections", "datetime", "decimal", "fractions", "ipaddress", "pathlib",
           "pickle_classes", "pickle_classes:rebuild", "random", "re", "types", "uuid", "zoneinfo"]
for module in ALLOWED:
    importlib.import_module(module.partition(":")[0])

def explode(payload):
    codec = SafePickle(ALLOWED)
    size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (256 << 20) + 120 * len(payload),) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    try:
        found = codec.decode(b"\\x08" + payload)
    except UnsafePickleError as error:
        outcome = f"refused {error.reason}"
    else:
        outcome = f"passed {type(found).__name__}"
    seconds = time.process_time() - start
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    return outcome, seconds, memory

results = {}
for name, payload in pickle.load(sys.stdin.buffer).items():
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, repr(explode(payload)).encode())
        os._exit(0)
    os.close(writer)
    status = os.waitpid(child, 0)[1]
    results[name] = os.read(reader, 4096).decode() or f"('it died: {status}', 0, 0)"
    os.close(reader)
print(results)
"""


def length(form, number):
    return struct.pack("<" + form, number)


def text(word):
    raw = word.encode()
    return b"\x8c" + bytes([len(raw)]) + raw


def name(module, qualname):
    return text(module) + text(qualname) + b"\x93"


def call(function, *arguments):
    return function + b"(" + b"".join(arguments) + b"tR"


def doubled(levels):
    """(1, 2), a pair of that twice, a pair of that twice, and so on, in the memo."""
    body = b"K\1K\2\x86q\0" + b"0"
    for level in range(1, levels):
        body += (b"h" + bytes([level - 1])) * 2 + b"\x86q" + bytes([level]) + b"0"
    return body


def laughs(levels, empty=b"](", fill=b"e"):
    """Ten of the same, of which there are ten, and so on."""
    body = b"\x80\x04" + text("lol") + b"q\0" + b"0"
    for level in range(1, levels + 1):
        ten = (b"h" + bytes([level - 1])) * 10
        body += empty + ten + fill + b"q" + bytes([level]) + b"0"
    return body + b"h" + bytes([levels]) + b"."


def number(value):
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def memoed(value, index):
    """`value`, put aside."""
    return value + b"r" + length("I", index) + b"0"


def often(n, value, item, head=b""):
    """A list of n times `item`, which finds `value` in the memo as h1."""
    return b"\x80\x04" + head + memoed(value, 1) + b"](" + item * n + b"e."


BIG = b"\x8a\x08" + b"\xff" * 7 + b"\x7f"  # 2 ** 63 - 1
HUGE_RANGE = call(name("builtins", "range"), b"K\0", BIG, b"K\x01")
EVERYTHING = call(name("ipaddress", "IPv4Network"), text("0.0.0.0/0"))
TENS = b"\x8c\xfa" + b"1e99999999".ljust(250)

BOMBS = {
    # memory, by a length or an index that is only told
    "LONG_BINPUT": b"\x80\x02Nr\xff\xff\xff\x7f.",
    "PUT": b"Np2147483647\n.",
    "PUT of many digits": b"Np" + b"9" * 1_000_000 + b"\n.",
    "GET of many digits": b"Np0\ng" + b"0" * 1_000_000 + b"\n.",
    "memo indexes with holes": b"\x80\x02" + b"".join(
        b"Nr" + length("I", 1000 + 6 * i) + b"0" for i in range(10)) + b"N.",
    "BINBYTES8": b"\x80\x04\x8e" + length("Q", 1 << 40) + b".",
    "BINBYTES8 beyond 63 bits": b"\x80\x04\x8e" + length("Q", (1 << 64) - 1) + b".",
    "BINBYTES": b"\x80\x03B\xff\xff\xff\xff.",
    "BYTEARRAY8": b"\x80\x05\x96" + length("Q", 1 << 40) + b".",
    "BINUNICODE8": b"\x80\x04\x8d" + length("Q", 1 << 40) + b".",
    "BINUNICODE": b"\x80\x02X\xff\xff\xff\x7f.",
    "BINSTRING": b"T\xff\xff\xff\x7f.",
    "BINSTRING, negative": b"T\xff\xff\xff\xff.",
    "LONG4": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "LONG4, negative": b"\x80\x02\x8b\xff\xff\xff\xff.",
    "FRAME": b"\x80\x04\x95" + length("Q", 1 << 62) + b"N.",
    "FRAME in FRAME": b"\x80\x04" + b"".join(
        b"\x95" + length("Q", 9 * (1000 - i) + 2) for i in range(1000)) + b"N.",
    # time, by digits
    "INT": b"I" + b"9" * 3_000_000 + b"\n.",
    "LONG": b"L" + b"9" * 3_000_000 + b"L\n.",
    "INT in hexadecimal": b"I0x" + b"f" * 3_000_000 + b"\n.",
    "FLOAT": b"F" + b"9" * 3_000_000 + b"\n.",
    # time, by what a few bytes name again and again
    "tuples as a key": b"\x80\x02}" + doubled(60) + b"h\x3bNs.",
    "tuples as a key, in bounds of the whole": b"\x80\x02}" + doubled(25) + b"(h\x18Nu.",
    "tuples as keys": b"\x80\x02}" + doubled(16) + b"(" + b"h\x0fN" * 500 + b"u.",
    "tuples in a set": b"\x80\x04\x8f" + doubled(40) + b"(h\x27\x90.",
    "tuples in a frozenset": b"\x80\x04" + doubled(40) + b"(h\x27\x91.",
    "tuples in arguments": b"\x80\x04" + doubled(40) + call(
        name("builtins", "set"), b"](h\x27e") + b".",
    "tuples in many calls": b"\x80\x04" + doubled(24) + name("builtins", "set") + b"q\xff0" + (
        b"h\xff]h\x17a\x85R0" * 50) + b"0N.",
    "what is thrown away": b"\x80\x04" + doubled(40) + b"}h\x27Ns0N.",
    "a deep tuple as a key": b"\x80\x02}" + b"K\1" + b"\x85" * 1_000_000 + b"Ns.",
    "a billion laughs": laughs(9),
    "a trillion laughs": laughs(12),
    "laughs of tuples": laughs(9, b"(", b"t"),
    "laughs of dicts": laughs(9, b"K\1(", b"l\x86"),
    # lists that are filled from the outside in, so that each holds an empty one at first
    "laughs in the wrong order": b"\x80\x02" + b"".join(
        b"]q" + bytes([n]) for n in range(11)) + b"".join(
        b"(" + (b"h" + bytes([n - 1])) * 10 + b"e0" for n in range(10, 0, -1)) + b"0h\x0a.",
    "a huge key, looked up for ever": b"\x80\x02\x8b" + length("I", 1 << 20) + b"\x7f" * (1 << 20) +
        b"q\0" b"0}q\1(" + b"h\0N" * 200_000 + b"u.",
    "integers that hash alike": b"\x80\x02}(" + b"".join(
        b"\x8a\x0b" + (n * (2**61 - 1)).to_bytes(11, "little") + b"N"
        for n in range(1, 100_000)) + b"u.",
    "negative integers that hash alike": b"\x80\x04\x8f(" + b"".join(
        b"\x8a\x0b" + (-n * (2**61 - 1) - 5).to_bytes(11, "little", signed=True)
        for n in range(1, 100_000)) + b"\x90.",
    "integers that hash alike, as text": b"}" + b"".join(
        b"L%dL\nNs" % (n * (2**61 - 1)) for n in range(1, 50_000)) + b".",
    # depth
    "deep lists": b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "deep dicts": b"\x80\x02" + b"}N" * 100_000 + b"N" + b"s" * 100_000 + b".",
    "deep tuples": b"\x80\x02N" + b"\x85" * 100_000 + b".",
    "deep lists, by the memo": b"\x80\x02]r\0\0\0\0" + b"".join(
        b"0]r" + length("I", n) + b"j" + length("I", n - 1) + b"a" for n in range(1, 20_000)) +
        b".",
    "deep instances": b"\x80\x04" + name("pickle_classes", "Plain") + b"q\0" b"0" + (
        b"h\0)\x81}" + text("a")) * 5_000 + b"N" + b"sb" * 5_000 + b".",
    # what walks through an argument
    "list(range)": b"\x80\x04" + call(name("builtins", "list"), HUGE_RANGE) + b".",
    "set(range)": b"\x80\x04" + call(name("builtins", "set"), HUGE_RANGE) + b".",
    "bytes(number)": b"\x80\x04" + call(name("builtins", "bytes"), BIG) + b".",
    "bytearray(number)": b"\x80\x04" + call(name("builtins", "bytearray"), BIG) + b".",
    "bytearray(range)": b"\x80\x04" + call(name("builtins", "bytearray"), HUGE_RANGE) + b".",
    "deque(range)": b"\x80\x04" + call(name("collections", "deque"), HUGE_RANGE) + b".",
    "Counter(network)": b"\x80\x04" + call(name("collections", "Counter"), EVERYTHING) + b".",
    "a list subclass": b"\x80\x04" + call(name("pickle_classes", "Items"), HUGE_RANGE) + b".",
    "a bytes subclass": b"\x80\x04" + call(name("pickle_classes", "Raw"), BIG) + b".",
    "a set subclass": b"\x80\x04" + call(name("pickle_classes", "Members"), EVERYTHING) + b".",
    "an int subclass": b"\x80\x04" + call(name("pickle_classes", "Number"), call(
        name("decimal", "Decimal"), text("1e99999999"))) + b".",
    "a group of exceptions": b"\x80\x04" + call(name(
        "builtins", "ExceptionGroup"), text("x"), HUGE_RANGE) + b".",
    "a SyntaxError": b"\x80\x04" + call(name("builtins", "SyntaxError"), text("x"), HUGE_RANGE) +
        b".",
    "Fraction of text": b"\x80\x04" + call(name("fractions", "Fraction"), TENS) + b".",
    "Fraction of huge numbers": b"\x80\x04" + call(name("fractions", "Fraction"), *(
        b"\x8b" + length("I", 3 << 20) + bytes([n]) * (3 << 20) for n in (0x55, 0x33))) + b".",
    "str of bytes": b"\x80\x04" + call(name("builtins", "str"), b"C\1a", text("zlib")) + b".",
    "arguments of an exception": b"\x80\x04" + call(name("builtins", "ValueError")) + b"}" + text(
        "args") + HUGE_RANGE + b"sb.",
    "a list of a huge range, into a dict": b"\x80\x04" + call(
        name("pickle_classes", "Mapping"), b"](" + HUGE_RANGE + b"e") + b".",
    "a str of much": b"\x80\x04" + memoed(b"](" + b"N" * 1000 + b"e", 1) + memoed(
        b"](" + b"h\1" * 1000 + b"e", 2) + call(name("pickle_classes", "Text"), b"h\2") + b".",
    "random, of a range": b"\x80\x04" + call(name("random", "Random")) + b"K\2" + HUGE_RANGE +
        b"N\x87b.",
    # cycles
    "lists that hold each other": b"(" + b"".join(b"(lp%d\n" % n for n in range(40)) + b"".join(
        b"g%d\ng%d\na0" % (one, two) for one in range(40) for two in range(40)) + b"l.",
    "dicts that hold each other": b"(" + b"".join(b"(dp%d\n" % n for n in range(40)) + b"".join(
        b"g%d\nI%d\ng%d\ns0" % (one, two, two) for one in range(40) for two in range(40)) + b"l.",
    # many different names
    "a hundred thousand names": b"\x80\x04" + b"".join(
        b"c" + b"a\n%d\n0" % n for n in range(100_000)) + b"N.",
}  # fmt: skip


M = (1 << 61) - 1


def collide(n):
    return b"".join(number(k * M) for k in range(1, n + 1))


def orbit(n):
    """Numbers that fill half of a dict's table along the way on which the others search."""
    size = 1 << (3 * n).bit_length() - 1
    place, places = 1, []
    for _ in range(n // 2):
        places.append(place)
        place = (place * 5 + 1) % size
    return b"".join(number(k) for k in places + [size * k + 1 for k in range(n // 2)])


def listed(items):
    return b"](" + items + b"e"


def pairs(items):
    """Each with None, as lists."""
    return listed(b"".join(b"](" + item + b"Ne" for item in items))


def tuples_alike(n, after=b""):
    return b"".join(b"K\1" + number(k * M) + b"\x86" + after for k in range(1, n + 1))


def ranges(n):
    """A pattern of n ranges that ignores case."""
    return ("[" + "\x01-\U0010ffff" * n + "]").encode()


def wide(raw):
    return b"X" + length("I", len(raw)) + raw


def builtin(kind):
    return memoed(name("builtins", kind), 0)


# Pickles of any size: each is refused, or built in time and memory in proportion to its length.
SHAPES = {
    "bytearray of bytes": lambda n: often(
        n, b"B" + length("I", 1000) + b"x" * 1000, b"h\0h\1\x85R", builtin("bytearray")),
    "a str subclass": lambda n: often(n, wide(b"x" * 1000), b"h\0h\1\x85\x81", memoed(
        name("pickle_classes", "Text"), 0)),
    "a list subclass": lambda n: often(n, listed(b"N" * 1000), b"h\0h\1\x85R", memoed(
        name("pickle_classes", "Items"), 0)),
    "a dict subclass": lambda n: often(
        n, b"}(" + b"".join(b"M" + length("H", k) + b"N" for k in range(1000)) + b"u",
        b"h\0h\1\x85R", memoed(name("pickle_classes", "Mapping"), 0)),
    "a Counter": lambda n: often(
        n, b"}(" + b"".join(b"M" + length("H", k) + b"N" for k in range(1000)) + b"u",
        b"h\0h\1\x85R", memoed(name("collections", "Counter"), 0)),
    "an OrderedDict": lambda n: often(
        n, pairs(b"M" + length("H", k) for k in range(500)), b"h\0h\1\x85R", memoed(
            name("collections", "OrderedDict"), 0)),
    "attributes": lambda n: often(
        n, b"}(" + b"".join(text(f"a{k}") + b"N" for k in range(500)) + b"u", b"h\0)\x81h\1b",
        memoed(name("pickle_classes", "Plain"), 0)),
    "a deque": lambda n: often(n, listed(b"N" * 1000), b"h\0h\1\x85R", memoed(
        name("collections", "deque"), 0)),
    "empty deques": lambda n: often(n, b"N", b"h\0)R", memoed(name("collections", "deque"), 0)),
    "empty Randoms": lambda n: often(n, b"N", b"h\0)R", memoed(name("random", "Random"), 0)),
    "a Decimal": lambda n: often(n, wide(b"9" * 2000), b"h\0h\1\x85R", memoed(
        name("decimal", "Decimal"), 0)),
    "a Decimal of many digits": lambda n: b"\x80\x04" + call(name("decimal", "Decimal"), wide(
        b"9" * n)) + b".",
    "a Fraction": lambda n: often(n, b"\x8b" + length("I", 4000) + b"U" * 4000 + memoed(
        b"\x8b" + length("I", 4000) + b"3" * 4000, 2), b"h\0h\1h\2\x86R", memoed(
            name("fractions", "Fraction"), 0)),
    "a Fraction as text": lambda n: often(n, wide(b"1/" + b"9" * 4000), b"h\0h\1\x85R", memoed(
        name("fractions", "Fraction"), 0)),
    "a path": lambda n: often(n, wide(b"x/" * 500), b"h\0h\1\x85R", memoed(
        name("pathlib", "PurePosixPath"), 0)),
    "an array": lambda n: often(n, listed(b"K\1" * 1000), b"h\0" + text("d") + b"h\1\x86R",
                                memoed(name("array", "array"), 0)),
    "exceptions of a group": lambda n: often(
        n, listed(call(name("builtins", "ValueError")) * 200), b"h\0" + text("x") + b"h\1\x86R",
        builtin("ExceptionGroup")),
    "UnicodeDecodeError": lambda n: often(
        n, b"\x96" + length("Q", 1000) + b"x" * 1000, b"h\0(" + text("a") + b"h\1K\0K\1" + text(
            "a") + b"tR", builtin("UnicodeDecodeError")),
    "time zones": lambda n: often(n, text("Europe/Paris"), b"h\0h\1K\0\x86R", call(
        name("builtins", "getattr"), name("zoneinfo", "ZoneInfo"), text("_unpickle")) +
        b"r\0\0\0\x000"),
    "sets of a list": lambda n: often(
        n, listed(b"".join(b"M" + length("H", k) for k in range(1000))), b"h\0h\1\x85R",
        builtin("set")),
    "frozensets of deep tuples": lambda n: often(
        n, listed(b"N" + b"\x85" * 500), b"h\0h\1\x85R", builtin("frozenset")),
    "sets of shared tuples": lambda n: often(
        n, b"(" + b"N" * 500 + b"t", b"h\0](h\1e\x85R", builtin("set")),
    "a set of integers alike": lambda n: b"\x80\x04" + call(
        name("builtins", "set"), listed(collide(n))) + b".",
    "a frozenset of integers alike": lambda n: b"\x80\x04" + call(
        name("builtins", "frozenset"), b"(" + collide(n) + b"t") + b".",
    "an OrderedDict of integers alike": lambda n: b"\x80\x04" + call(
        name("collections", "OrderedDict"), pairs(number(k * M) for k in range(n))) + b".",
    "items of an OrderedDict alike": lambda n: b"\x80\x04" + call(
        name("collections", "OrderedDict")) + b"(" + b"".join(
            number(k * M) + b"N" for k in range(n)) + b"u.",
    "tuples alike in a dict": lambda n: b"\x80\x04}(" + tuples_alike(n, b"N") + b"u.",
    "a set of tuples alike": lambda n: b"\x80\x04" + call(
        name("builtins", "set"), listed(tuples_alike(n))) + b".",
    "keys on one way": lambda n: b"\x80\x04" + call(name("builtins", "set"), listed(orbit(n))) +
        b".",
    "what is no number": lambda n: b"\x80\x04\x8f(" + b"G\x7f\xf8\0\0\0\0\0\0" * n + b"\x90.",
    "frozen dataclasses": lambda n: b"\x80\x04" + memoed(name("pickle_classes", "Frozen"), 0) +
        memoed(b"(" + b"N" * 500 + b"t", 1) + b"\x8f(" + (
            b"h\0)\x81}(" + text("a") + b"h\1" + text("b") + b"h\1ub") * n + b"\x90.",
    "a pattern": lambda n: b"\x80\x04" + call(
        name("re", "_compile"), wide(b"a(b|c)?" * (n // 7)), b"K\x20") + b".",
    "wide ranges": lambda n: b"\x80\x04" + call(
        name("re", "_compile"), wide(ranges(n // 6)), b"K\x22") + b".",
    "patterns of wide ranges": lambda n: b"\x80\x04" + memoed(name("re", "_compile"), 0) + b"](" +
        b"".join(b"h\0" + wide(ranges(1) + b"%d" % k) + b"K\x22\x86R" for k in range(n // 20)) +
        b"e.",
    "a nested pattern": lambda n: b"\x80\x04" + call(
        name("re", "_compile"), wide(b"(" * (n // 2) + b")" * (n // 2)), b"K\x20") + b".",
    "empty sets": lambda n: b"\x80\x04](" + b"\x8f" * n + b"e.",
    "empty lists": lambda n: b"\x80\x04](" + b"]\x94" * n + b"e.",
    "dicts of one": lambda n: b"\x80\x04](" + b"}NNs" * n + b"e.",
    "small tuples": lambda n: b"\x80\x04](" + b"N\x85" * n + b"e.",
    "namespaces": lambda n: often(n, b"N", b"h\0)R}" + text("a") + b"Nsb", memoed(
        name("types", "SimpleNamespace"), 0)),
    "named tuples": lambda n: often(n, listed(b"N" * 100), b"h\0h\1h\1\x86\x81", memoed(
        name("pickle_classes", "Pair"), 0)),
    "names": lambda n: b"\x80\x04" + b"".join(b"cpickle_classes\na%d\n0" % k for k in range(
        n // 10)) + b"N.",
}  # fmt: skip


def run(bombs):
    """What became of each bomb, with seconds and bytes of memory."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], input=pickle.dumps(bombs), capture_output=True,
        timeout=600, cwd=Path(__file__).parent, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return literal_eval(done.stdout.decode())


@pytest.fixture(scope="module")
def outcomes():
    return run(BOMBS)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(name, outcomes):
    outcome, seconds, memory = literal_eval(outcomes[name])
    assert outcome.startswith("refused "), outcome
    # for what it is a bomb for, and before it is built
    assert not re.search("building it failed|leaves no value|not there", outcome)
    assert seconds < 2
    # the payload and its copies, and what is known of each value
    assert memory < (8 << 20) + 60 * len(BOMBS[name])


@pytest.mark.parametrize("name", SHAPES)
def test_cost_is_in_proportion(name):
    if name == "exceptions of a group" and sys.version_info < (3, 11):
        pytest.skip("there are none")
    payloads = {str(n): SHAPES[name](n) for n in (500, 5_000, 50_000)}
    for n, told in run(payloads).items():
        outcome, seconds, memory = literal_eval(told)
        assert not re.search("leaves no value|not there|it died", outcome), outcome
        # ten microseconds and 64 bytes for each of its own
        assert seconds < 1 + 1e-5 * len(payloads[n]), (n, outcome)
        assert memory < (8 << 20) + 64 * len(payloads[n]), (n, outcome)
