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
import collections, decimal, fractions, ipaddress, pickle_classes
from dictsqlite_v4._pickle import SafePickle
from dictsqlite_v4 import UnsafePickleError

def explode(payload):
    codec = SafePickle(["collections", "decimal", "fractions", "ipaddress", "pickle_classes"])
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
    # many different names
    "a hundred thousand names": b"\x80\x04" + b"".join(
        b"c" + b"a\n%d\n0" % n for n in range(100_000)) + b"N.",
}  # fmt: skip


@pytest.fixture(scope="module")
def outcomes():
    """What became of each bomb, with seconds and bytes of memory."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], input=pickle.dumps(BOMBS), capture_output=True,
        timeout=600, cwd=Path(__file__).parent, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return literal_eval(done.stdout.decode())


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(name, outcomes):
    outcome, seconds, memory = literal_eval(outcomes[name])
    assert outcome.startswith("refused "), outcome
    # for what it is a bomb for, and before it is built
    assert not re.search("building it failed|leaves no value|not there", outcome)
    assert seconds < 2
    # the payload and its copies, and what is known of each value
    assert memory < (8 << 20) + 60 * len(BOMBS[name])
