# test_keys.py - what can be a key, and how keys are told apart
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import collections
import enum
import math
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dictsqlite_v4._keys import decode_key, encode_key

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

OPERATIONS = {
    "getitem": lambda store, key: store[key],
    "setitem": lambda store, key: store.__setitem__(key, 1),
    "delitem": lambda store, key: store.__delitem__(key),
    "contains": lambda store, key: key in store,
    "get": lambda store, key: store.get(key),
    "pop": lambda store, key: store.pop(key, None),
    "setdefault": lambda store, key: store.setdefault(key, 1),
    "update": lambda store, key: store.update([("fine", 1), (key, 1)]),
    "bulk_insert": lambda store, key: store.bulk_insert([("fine", 1), (key, 1)]),
    "get_many": lambda store, key: store.get_many(["fine", key]),
    "in keys": lambda store, key: key in store.keys(),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("key", UNHASHABLE + UNFIT, ids=repr)
def test_what_cannot_be_a_key_is_a_type_error(open_store, operation, key):
    store = open_store(persist_mode="memory")
    with pytest.raises(TypeError):
        OPERATIONS[operation](store, key)
    assert len(store) == 0


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("key", ["\ud800", "a\udfffb", ("\udc80",)], ids=ascii)
def test_a_lone_surrogate_is_an_encode_error(store, operation, key):
    with pytest.raises(UnicodeEncodeError):
        OPERATIONS[operation](store, key)
    assert len(store) == 0


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


def test_a_tuple_nested_deeper_than_the_stack_is_a_key(store):
    depth = 10 * sys.getrecursionlimit()
    key = ()
    for _ in range(depth):
        key = (key,)
    store[key] = "deep"
    assert store[key] == "deep"
    (back,) = store
    for _ in range(depth):
        (back,) = back
    assert back == ()


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
