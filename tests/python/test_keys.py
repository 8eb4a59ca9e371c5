# test_keys.py - what can be a key, and how keys are told apart
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import math
import time
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dictsqlite_v4 import DictSQLiteV4
from dictsqlite_v4._keys import decode_key, encode_key, find_key
from dictsqlite_v4._table import Table

TEXTS = [
    "",
    "a",
    "a\0b",
    "a\0",
    "\0",
    "\x7f",
    "é",
    "日本語",
    "🎉👩‍👩‍👧",
    "e\u0301",
    "\uffff",
    "\U0010ffff",
    "k" * 10_000,
    "日" * 10_000,
    ":memory:",
    "1",
    "None",
]
OTHERS = [
    None,
    b"",
    b"a",
    b"a\0b",
    b"\xff",
    b"x" * 300,
    0,
    1,
    -1,
    127,
    128,
    -128,
    -129,
    255,
    2**63 - 1,
    2**63,
    -(2**63),
    -(2**63) - 1,
    3**1000,
    -(3**1000),
    1.5,
    -2.25,
    1e-320,
    math.inf,
    -math.inf,
    (),
    ((),),
    ((), ()),
    ("a",),
    ("a\0b", b"c"),
    (1, ("x", (None, 2.5)), b"", ""),
    ("a", "b"),
    ("ab",),
]

plain_keys = st.text() | st.binary() | st.integers() | st.floats(allow_nan=False)
keys = st.recursive(
    plain_keys | st.booleans() | st.none(),
    lambda children: st.lists(children, max_size=4).map(tuple),
    max_leaves=8,
)


def test_every_key_comes_back_and_is_its_own(store, open_store, mode):
    everything = {key: repr(key) for key in TEXTS + OTHERS}
    for key, value in everything.items():
        store[key] = value
    assert len(store) == len(TEXTS + OTHERS)
    for key, value in everything.items():
        assert store[key] == value
        assert key in store
    assert list(store) == list(everything)
    assert [type(key) for key in store] == [type(key) for key in everything]
    if mode != "memory":
        store.close()
        store = open_store(persist_mode=mode)
        assert list(store.items()) == list(everything.items())
    for key in everything:
        del store[key]
        assert key not in store
    assert len(store) == 0


def test_a_key_with_nul_is_another_than_its_beginning(store):
    store["a\0b"] = 1
    assert "a" not in store
    store["a"] = 2
    assert store["a\0b"] == 1
    del store["a"]
    assert store["a\0b"] == 1


def test_numbers_fold_as_in_a_dict(store):
    for key in (1, True, 1.0):
        store[key] = repr(key)
        assert len(store) == 1
    assert list(store) == [1] and type(next(iter(store))) is int
    assert store[1] == store[True] == store[1.0] == "1.0"
    for other in ("1", b"1", (1,)):
        assert other not in store
    store[0] = "zero"
    assert store[-0.0] == store[False] == "zero"
    store[(True, 2.0)] = "in a tuple"
    assert store[(1, 2)] == "in a tuple"
    store[1e300] = "large"
    assert store[int(1e300)] == "large"


class Colour(str, enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


Point = collections.namedtuple("Point", "x y")


def test_subclasses_are_their_base(store):
    store[Colour.RED] = 1
    store[Number.ONE] = 2
    store[Point(1, 2)] = 3
    assert list(store) == ["red", 1, (1, 2)]
    assert [type(key) for key in store] == [str, int, tuple]


UNHASHABLE = [[], {}, set(), bytearray(b"x"), ([],), (1, ({},))]
UNFIT = [object(), 1j, frozenset(), math.nan, (math.nan,), (1, object()), range(3), int]

# Each is what dict does, of the same name or by hand.
READING = {
    "getitem": lambda store, key: store[key],
    "delitem": lambda store, key: store.__delitem__(key),
    "contains": lambda store, key: key in store,
    "get": lambda store, key: store.get(key, "default"),
    "pop": lambda store, key: store.pop(key, "default"),
    "pop without a default": lambda store, key: store.pop(key),
    "in keys": lambda store, key: key in store.keys(),
    "in items": lambda store, key: (key, 1) in store.items(),
    "keys and": lambda store, key: store.keys() & {key},
    "keys isdisjoint": lambda store, key: store.keys().isdisjoint([key]),
}
# What a dict has not, of a store that holds nothing but "fine": 1.
NOTHING = {
    "get_many": (lambda store, key: store.get_many(["fine", key]), {"fine": 1}),
    "delete": (lambda store, key: store.delete(key), False),
    "delete_many": (lambda store, key: store.delete_many([key, "none", key]), 0),
    "touch": (lambda store, key: store.touch(key, 5), False),
    "get_with_expiry": (lambda store, key: store.get_with_expiry(key, 5), (5, None)),
    "compare_and_set": (lambda store, key: store.compare_and_set(key, None, 2), False),
}
WRITING = {
    "setitem": lambda store, key: store.__setitem__(key, 1),
    "setdefault": lambda store, key: store.setdefault(key, 1),
    "update": lambda store, key: store.update([("fine", 1), (key, 1)]),
    "bulk_insert": lambda store, key: store.bulk_insert([("fine", 1), (key, 1)]),
    "set": lambda store, key: store.set(key, 1),
    "set_many": lambda store, key: store.set_many([(key, 1)]),
    "add": lambda store, key: store.add(key, 1),
    "incr": lambda store, key: store.incr(key),
}
# What is hashable and no key: a str without UTF-8, and what is too long, as well.
ABSENT = [*UNFIT, "\ud800", "a\udfffb", ("\udc80",), "k" * (1 << 21), (b"k" * (1 << 20),)]


def outcome(operation, mapping, key):
    """What it returns, or the type of what it raises."""
    try:
        return operation(mapping, key)
    except (KeyError, TypeError) as error:
        return type(error)


def within(store, function, in_transaction):
    if not in_transaction:
        return function()
    with store.transaction():
        return function()


@pytest.mark.parametrize("in_transaction", [False, True])
@pytest.mark.parametrize("key", ABSENT, ids=lambda key: ascii(key)[:20])
def test_what_cannot_be_a_key_is_not_there(store, key, in_transaction):
    store["fine"] = 1
    for name, operation in READING.items():
        same = within(store, lambda: outcome(operation, store, key), in_transaction)
        assert same == outcome(operation, {"fine": 1}, key), name
    for name, (operation, expected) in NOTHING.items():
        assert within(store, lambda: operation(store, key), in_transaction) == expected, name
    for error in (store.expires_in, lambda key: store.edit(key).__enter__()):
        with pytest.raises(KeyError):
            error(key)
    assert store.copy() == {"fine": 1}


@pytest.mark.parametrize("key", ABSENT, ids=lambda key: ascii(key)[:20])
@pytest.mark.parametrize("operation", WRITING)
def test_what_cannot_be_a_key_is_not_stored(store, operation, key):
    with pytest.raises((TypeError, ValueError)) as caught:
        WRITING[operation](store, key)
    if key in UNFIT[:3]:
        assert "str()" in str(caught.value) and "isoformat()" in str(caught.value)
    if key in ("\ud800", ("\udc80",)):
        assert type(caught.value) is UnicodeEncodeError
    assert len(store) == 0


@pytest.mark.parametrize("operation", {**READING, **NOTHING, **WRITING})
@pytest.mark.parametrize("key", UNHASHABLE, ids=repr)
def test_what_is_unhashable_is_a_type_error(store, operation, key):
    call = NOTHING[operation][0] if operation in NOTHING else {**READING, **WRITING}[operation]
    with pytest.raises(TypeError, match="unhashable type"):
        call(store, key)
    with pytest.raises(TypeError, match="unhashable type"), store.transaction():
        call(store, key)
    assert len(store) == 0


def test_a_closed_store_has_no_answer_for_what_cannot_be_a_key(store):
    store.close()
    for key in ABSENT:
        for operation in (*READING.values(), *(call for call, _ in NOTHING.values())):
            with pytest.raises(RuntimeError, match="store is closed"):
                operation(store, key)


class Mimic:
    """What equals something else and has its hash, as a dict's keys may."""

    def __init__(self, same, hashed=None):
        self.same = same
        self.hashed = hash(same if hashed is None else hashed)

    def __eq__(self, other):
        return self.same == other

    def __hash__(self):
        return self.hashed


class Index(Mimic):
    def __index__(self):
        return self.same


class Text(Mimic):
    def __str__(self):
        return self.same


class Failing(Index):
    def __index__(self):
        raise OSError

    __float__ = __int__ = __str__ = __index__


class Proxy:
    """What says that it is of another class."""

    def __init__(self, of):
        self.of = of

    __class__ = property(lambda self: type(self.of))


class Unhashable(str):
    __hash__ = None


FOUND = [
    (decimal.Decimal(1), 1),
    (decimal.Decimal("0.5"), 0.5),
    (decimal.Decimal(10**25 + 1), 10**25 + 1),
    (decimal.Decimal(10**400), 10**400),
    (fractions.Fraction(3, 4), 0.75),
    (fractions.Fraction(2**400 + 1), 2**400 + 1),
    (1 + 0j, 1),
    (0.5 + 0j, 0.5),
    (decimal.Decimal("-Infinity"), -math.inf),
    (memoryview(b"ab"), b"ab"),
    (collections.UserString("text"), "text"),
    (Index(7), 7),
    (Text("text"), "text"),
    (("a", (decimal.Decimal(2), Text("b"))), ("a", (2, "b"))),
]
NOT_FOUND = [
    decimal.Decimal("0.1"),  # 0.1 is another number
    decimal.Decimal("1e9999999"),
    decimal.Decimal("NaN"),
    fractions.Fraction(1, 10),
    1j,
    Index(7, "another hash"),
    Text("other"),
    Failing(7),
    uuid.UUID(int=1),
    datetime.date(2024, 1, 1),
    Proxy("text"),
    Proxy(1),
    Proxy((1, 2)),
    ("a", Proxy("b")),
]


@pytest.mark.parametrize("in_transaction", [False, True])
@pytest.mark.parametrize("odd, key", FOUND, ids=repr)
def test_what_equals_a_key_finds_it(store, odd, key, in_transaction):
    assert {key: 1}[odd] == 1

    def use():
        store[key] = "value"
        assert odd in store and store[odd] == store.get(odd) == "value"
        assert odd in store.keys() and (odd, "value") in store.items()
        assert store.get_many([odd]) == {key: "value"}
        assert store.touch(odd) and store.expires_in(odd) is None
        assert store.get_with_expiry(odd) == ("value", None)
        assert store.compare_and_set(odd, "value", [1])
        with store.edit(odd) as value:
            value.append(2)
        assert store.pop(odd) == [1, 2] and key not in store
        store[key] = 1
        del store[odd]
        store[key] = 1
        assert store.delete_many([odd, key]) == 1 and key not in store
        for operation in WRITING.values():
            with pytest.raises(TypeError):
                operation(store, odd)

    within(store, use, in_transaction)


@pytest.mark.parametrize("odd", NOT_FOUND, ids=lambda odd: repr(odd)[:30])
def test_what_equals_no_key_finds_none(store, odd):
    store.update({0.1: 1, 1: 1, 7: 1, "text": 1, (1, 2): 1, ("a", "b"): 1, "2024-01-01": 1})
    started = time.monotonic()
    assert odd not in store and store.get(odd) is None and store.get_many([odd]) == {}
    assert time.monotonic() - started < 5
    assert len(store) == 7


def test_a_subclass_without_a_hash_is_unhashable(store):
    for key in (Unhashable("a"), ("b", Unhashable("a")), type("T", (tuple,), {"__hash__": None})()):
        for operation in {**READING, **WRITING}.values():
            with pytest.raises(TypeError, match="unhashable"):
                operation(store, key)


def test_numbers_of_numpy_find_what_they_equal(store):
    numpy = pytest.importorskip("numpy")
    store.update({1: "one", 0.5: "half", "text": "text", b"bytes": "bytes", -5: "minus"})
    for odd, expected in (
        (numpy.int64(1), "one"),
        (numpy.uint8(1), "one"),
        (numpy.bool_(True), "one"),
        (numpy.float32(0.5), "half"),
        (numpy.float64(1), "one"),
        (numpy.complex64(0.5), "half"),
        (numpy.str_("text"), "text"),
        (numpy.bytes_(b"bytes"), "bytes"),
        (numpy.int8(-5), "minus"),
    ):
        assert store[odd] == expected == {**store}[odd]
    assert numpy.float32(0.1) not in store and numpy.datetime64("2024-01-01") not in store
    for unhashable in (numpy.array([1, 2]), numpy.array(1)):
        with pytest.raises(TypeError, match="unhashable"):
            unhashable in store
    with pytest.raises(TypeError, match="int"):
        store[numpy.int64(1)] = 1


def test_a_subclass_says_what_is_missing(path):
    class Counting(DictSQLiteV4):
        def __missing__(self, key):
            self[key] = 0
            return key, 0

    for parameters in ({}, {"default_expire": 60, "sliding": True}):
        with Counting(path, **parameters) as store:
            store.clear()
            assert store["a"] == ("a", 0) and store["a"] == 0
            assert store.get("b") is None and "b" not in store and store.pop("b", 1) == 1
            with pytest.raises(KeyError):
                del store["b"]
            store["n"] += (1,)
            assert store["n"] == ("n", 0, 1)
            with store.transaction():
                assert store["c"] == ("c", 0) and store["c"] == 0
            unfit = object()
            with pytest.raises(TypeError):
                store[unfit]  # it is __missing__() that stores it
            with pytest.raises(TypeError, match="unhashable"):
                store[[]]

    class Upper(Table):
        def __missing__(self, key):
            return key.upper()

    with DictSQLiteV4(path) as store:
        table = Upper(store, "t", store.table("t")._store)
        assert table["a"] == "A" and "a" not in table


def test_the_message_for_an_unhashable_key_is_that_of_dict(store):
    with pytest.raises(TypeError, match="unhashable type: 'list'"):
        store[[]] = 1


def test_a_key_may_have_1_mib_and_no_more(store):
    longest = "k" * (1 << 20)
    store[longest] = 1
    assert store[longest] == 1
    for key in (longest + "k", b"k" * (1 << 20), 1 << (1 << 24), ("k" * (1 << 20),)):
        with pytest.raises(ValueError):
            store[key] = 2
    assert len(store) == 1
    assert list(store) == [longest]


def test_a_tuple_that_doubles_again_and_again_is_refused(store):
    key = ("x",)
    for _ in range(100):
        key = (key, key)
    with pytest.raises(ValueError):
        store[key] = 1
    assert len(store) == 0


@settings(deadline=None, derandomize=True, database=None, max_examples=300)
@given(keys)
def test_encoding_goes_both_ways(key):
    back = decode_key(encode_key(key))
    assert back == key and hash(back) == hash(key)
    assert encode_key(back) == encode_key(key)


@settings(deadline=None, derandomize=True, database=None, max_examples=300)
@given(keys, keys)
def test_keys_are_equal_exactly_if_their_bytes_are(one, other):
    assert (one == other) == (encode_key(one) == encode_key(other))


@pytest.mark.parametrize("key", ("\0", "a\0", "\0a", "a\0b", "a\0\0b"))
def test_a_key_is_never_cut_at_its_nul(store, key):
    cut = key.partition("\0")[0]
    store[cut] = "cut"
    assert key not in store
    assert store.get(key) is None
    with pytest.raises(KeyError):
        del store[key]
    store[key] = "whole"
    assert (store[cut], store[key]) == ("cut", "whole")
    store[cut] = "value\0"
    assert store[cut] == "value\0"
    del store[key]
    assert list(store) == [cut]


class Sly(str):
    """A str that denies what is in it."""

    def __contains__(self, item):
        return False


def test_a_key_that_denies_its_nul(store):
    store["a"] = 1
    assert Sly("a\0b") not in store
    store[Sly("a\0b")] = 2
    assert (store["a"], store["a\0b"]) == (1, 2)
