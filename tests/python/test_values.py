# test_values.py - every value comes back equal and of the same type
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import math
import pickle
import struct
import threading
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dictsqlite_v4._values import decode_value, encode_value


class Name(str):
    pass


class Count(int):
    pass


class Ratio(float):
    pass


class Blob(bytes):
    pass


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Word(str, enum.Enum):
    YES = "yes"


Point = collections.namedtuple("Point", "x y")


class Thing:
    def __init__(self, numbers):
        self.numbers = numbers

    def __eq__(self, other):
        return type(other) is Thing and self.numbers == other.numbers


VALUES = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**63 - 1,
    -(2**63),
    2**63,
    -(2**63) - 1,
    2**1000 + 1,
    -(2**1000),
    0.0,
    1.0,
    1e-320,
    1.7976931348623157e308,
    math.inf,
    -math.inf,
    "",
    "a\0b",
    "\0",
    "日本語🎉",
    "\ud800 alone",
    "x" * 100_000,
    "日" * 100_000,
    b"",
    b"\0",
    pickle.dumps({"looks": "like a pickle"}),
    b"\x80\x05.",
    bytes(range(256)) * 400,
    bytearray(b"stays a bytearray"),
    bytearray(b"long" * 10_000),
    [],
    [0, 1, 2],
    [0, 255, 256],
    list(range(10_000)),
    (),
    (1, "two", 3.0, None, b"4"),
    {},
    {"a": {"b": [1, {"c": (2, 3)}]}, 1: {2, 3}},
    set(),
    {1, "2", b"3"},
    frozenset({1, 2}),
    1j,
    range(5),
    slice(1, 2),
    Ellipsis,
    Name("a str of its own"),
    Count(7),
    Ratio(0.5),
    Blob(b"bytes of its own"),
    Colour.RED,
    Level.HIGH,
    Word.YES,
    Point(1, 2),
    Thing(list(range(10_000))),
    collections.OrderedDict([("b", 1), ("a", 2)]),
    collections.Counter("abca"),
    collections.deque([1, 2], maxlen=3),
    decimal.Decimal("1.10"),
    fractions.Fraction(1, 3),
    datetime.datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc),
    uuid.UUID(int=5),
    len,
    dict,
    ValueError,
]


def same(one, other):
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value)[:40])
def test_comes_back_equal_and_of_its_type(open_store, file_mode, value):
    store = open_store(persist_mode=file_mode, hot_capacity=1)
    store["v"] = value
    assert same(store["v"], value)
    assert same(store.get("v"), value)
    assert store.setdefault("v", "other") == value
    store["other"] = 0  # evicts it
    assert same(store["v"], value)
    store.close()
    store = open_store(persist_mode=file_mode)
    assert same(store["v"], value)
    assert same(next(iter(store.values())), value)
    assert same(store.get_many(["v"])["v"], value)
    assert same(store.pop("v"), value)


def test_all_of_them_by_bulk_insert_and_in_memory(open_store):
    store = open_store(persist_mode="memory")
    store.bulk_insert(enumerate(VALUES))
    assert len(store) == len(VALUES)
    for number, value in enumerate(VALUES):
        assert same(store[number], value)


def test_every_first_byte(store):
    for byte in range(256):
        store[f"bytes {byte}"] = bytes([byte]) + b"rest"
        store[f"str {byte}"] = chr(byte) + "rest"
    for byte in range(256):
        assert store[f"bytes {byte}"] == bytes([byte]) + b"rest"
        assert store[f"str {byte}"] == chr(byte) + "rest"


def test_special_floats(store):
    store["nan"] = math.nan
    assert math.isnan(store["nan"])
    payload = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_0000_1234))[0]
    store["nan with a payload"] = payload
    assert struct.pack("<d", store["nan with a payload"]) == struct.pack("<d", payload)
    store["-0.0"] = -0.0
    assert store["-0.0"] == 0 and math.copysign(1, store["-0.0"]) == -1
    store["in a list"] = [-0.0]
    assert math.copysign(1, store["in a list"][0]) == -1


def test_what_comes_back_is_fresh(store):
    value = {"list": [1]}
    store["v"] = value
    value["list"].append(2)
    assert store["v"] == {"list": [1]}
    store["v"]["list"].append(3)
    assert store["v"] == {"list": [1]}
    default = []
    assert store.setdefault("d", default) == []
    default.append(1)
    assert store["d"] == []


UNPICKLABLE = {
    "lambda": lambda: (lambda: None),
    "generator": lambda: (x for x in ()),
    "lock": threading.Lock,
    "memoryview": lambda: memoryview(b"x"),
    "deep inside": lambda: {"a": [1, {"b": threading.Lock()}]},
    "local class": lambda: type("Local", (), {})(),
}


@pytest.mark.parametrize("kind", UNPICKLABLE)
def test_what_cannot_be_pickled_is_not_stored(store, kind):
    value = UNPICKLABLE[kind]()
    errors = (TypeError, AttributeError, pickle.PicklingError)
    store["k"] = "old"
    with pytest.raises(errors):
        store["k"] = value
    with pytest.raises(errors):
        store["new"] = value
    with pytest.raises(errors):
        store.setdefault("new", value)
    with pytest.raises(errors):
        store.update({"k": "newer", "bad": value})
    with pytest.raises(errors):
        store.bulk_insert({"k": "newer", "bad": value, "after": 1})
    assert dict(store) == {"k": "old"}
    assert store.setdefault("k", value) == "old"  # is not pickled, as it is not needed


def test_a_store_without_a_file_is_not_a_value(open_store):
    store = open_store(persist_mode="memory")
    with pytest.raises(TypeError, match="cannot pickle 'DictSQLiteV4'"):
        store["self"] = store


def test_a_hundred_megabytes(open_store, file_mode):
    size = 100_000_000
    store = open_store(persist_mode=file_mode)
    store["bytes"] = bytes(size)
    store["str"] = "s" * size
    store.close()
    store = open_store(persist_mode=file_mode)
    assert store["bytes"] == bytes(size)
    assert store["str"] == "s" * size
    store["list"] = [b"b" * size]
    assert store["list"] == [b"b" * size]
    store["bytes"] = b"small"
    store.flush()
    assert store["bytes"] == b"small"


def test_a_value_beyond_512_mib_is_refused_and_the_old_one_kept(open_store):
    store = open_store(persist_mode="lazy")
    store["k"] = "old"
    with pytest.raises(ValueError):
        store["k"] = bytes((512 << 20) + 1)
    assert dict(store) == {"k": "old"}


@settings(deadline=None, derandomize=True, database=None, max_examples=300)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(st.characters())
        | st.binary(),
        lambda children: st.lists(children) | st.dictionaries(st.text(), children),
        max_leaves=10,
    )
)
def test_encoding_goes_both_ways(value):
    assert same(decode_value(encode_value(value)), value)


@pytest.mark.parametrize("key", ("k", "", "\x03", "a\x03b", "\x03\x03", "é\x03", "\x02"))
@pytest.mark.parametrize("value", ("", "v", "\x03", "v\x03w", "\x03\x03\x03", "\0\x03"))
def test_the_byte_between_key_and_text_may_be_in_both(store, key, value):
    """Text is passed to the library as key, type byte 3 and value in one string."""
    store[key] = value
    assert dict(store.items()) == {key: value} and store[key] == value
    store[key] = "other"
    assert list(store) == [key] and store[key] == "other"
