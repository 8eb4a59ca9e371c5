# test_key_sizes.py - keys and values that are too long or too deep are refused before that costs
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import asyncio
import collections
import functools
import tracemalloc

import pytest

from dictsqlite_v4 import AsyncDictSQLite
from dictsqlite_v4._dsq import NativeGError

Point = collections.namedtuple("Point", "x y")


def within(store, function, in_transaction):
    if not in_transaction:
        return function()
    with store.transaction():
        return function()


@functools.lru_cache(maxsize=None)
def nested(depth):
    key = ()
    for _ in range(depth - 1):
        key = (key,)
    return key


def test_tuples_are_at_most_a_thousand_deep(store):
    store[nested(1000)] = "deep"
    assert store[nested(1000)] == "deep"
    (back,) = store
    for _ in range(999):
        (back,) = back
    assert back == ()
    assert "((((((((" in repr(store)


@pytest.mark.parametrize("depth", [1001, 5000, 600_000])
def test_deeper_ones_are_no_keys(store, depth):
    key = nested(depth)
    store[1] = 1
    for write in (store.__setitem__, store.setdefault):
        with pytest.raises(ValueError, match="deep"):
            write(key, 1)
    assert key not in store and store.get(key) is None and list(store) == [1]
    with pytest.raises(KeyError):
        del store[key]
    # from C, as from other languages, and in a file
    with pytest.raises(NativeGError, match="1000 deep|longer than"):
        store._store.set_record(b"\xff" + b"(" * depth + b")" * depth, b"\x01")


class Keyed:
    """A mapping of one key that has not been hashed."""

    def __init__(self, key):
        self.key = key

    def keys(self):
        return [self.key]

    def __getitem__(self, key):
        return 1


HASHED_BEFORE = {
    "update with a pair": lambda store, key: store.update([("fine", 1), (key, 1)]),
    "update with a list for a pair": lambda store, key: store.update([[key, 1]]),
    "update with an iterator": lambda store, key: store.update(iter([iter((key, 1))])),
    "update with a mapping": lambda store, key: store.update(Keyed(key)),
    "|=": lambda store, key: store.__ior__([(key, 1)]),
    "bulk_insert": lambda store, key: store.bulk_insert([(key, 1)]),
    "set_many": lambda store, key: store.set_many([(key, 1)]),
    "a named tuple": lambda store, key: store.update([(Point(key, 1), 1)]),
    "keys() |": lambda store, key: store.keys() | [key],
    "keys() -": lambda store, key: store.keys() - [key],
    "^ keys()": lambda store, key: [key] ^ store.keys(),
    "items() |": lambda store, key: store.items() | [(key, 1)],
}


@pytest.mark.parametrize("in_transaction", [False, True])
@pytest.mark.parametrize("name", HASHED_BEFORE)
def test_what_would_be_hashed_is_not_where_it_is_too_deep(store, name, in_transaction):
    store[nested(300)] = 1
    with pytest.raises(ValueError, match="deep"):
        within(store, lambda: HASHED_BEFORE[name](store, nested(600_000)), in_transaction)
    assert list(store) == [nested(300)]


def test_views_of_the_deepest_keys_are_sets(store):
    store[nested(1000)] = 1
    assert len(store.items() | [(1, 2)]) == 2
    assert len(store.keys() | [1]) == 2


def test_pairs_are_what_dict_takes_for_such(store):
    for pairs in (["ab", "cd"], [iter((1, 2)), [3, 4]], [{5: 6, 7: 8}], [("x", 1)], []):
        copy = [tuple(pair) for pair in pairs]
        store.clear()
        store.bulk_insert([iter(pair) if hasattr(pair, "__next__") else pair for pair in copy])
        assert dict(store) == dict(copy)
    store.update([iter((1, 2)), {3: 4, 5: 6}.keys()])
    assert (store[1], store[3]) == (2, 5)
    for wrong in ([()], [(1,)], [(1, 2, 3)], [1], 1, ["abc"]):
        with pytest.raises((TypeError, ValueError)) as theirs:
            dict(wrong)
        with pytest.raises(type(theirs.value)):
            store.update(wrong)


# --- what is too long is not copied to find that out ----------------------------------------------

LONG_KEYS = {
    "str": lambda: "k" * (32 << 20),
    "bytes": lambda: b"k" * (32 << 20),
    "int": lambda: 1 << (32 << 23),
    "tuple": lambda: ("k" * (32 << 20), 1),
}
WITH_A_KEY = {
    "get": lambda store, key: store.get(key),
    "in": lambda store, key: key in store,
    "del": lambda store, key: store.delete(key),
    "set": lambda store, key: store.__setitem__(key, 1),
    "set to a str": lambda store, key: store.__setitem__(key, "value"),
    "update": lambda store, key: store.update({"other": 1, key: 1}),
    "update to a str": lambda store, key: store.update({"other": "", key: ""}),
    "update from pairs": lambda store, key: store.update([(key, 1)]),
    "bulk_insert": lambda store, key: store.bulk_insert({key: "value"}),
    "get_many": lambda store, key: store.get_many([key, "other"]),
    "setdefault": lambda store, key: store.setdefault(key, 1),
    "pop": lambda store, key: store.pop(key, None),
    "delete_many": lambda store, key: store.delete_many([key]),
    "expire": lambda store, key: store.set(key, 1, expire=5),
}
WITH_TEXT = {
    "iter_prefix": lambda store, key: list(store.iter_prefix(key)),
    "table": lambda store, key: store.table(key),
    "drop_table": lambda store, key: store.drop_table(key),
}


@pytest.mark.parametrize("kind", LONG_KEYS)
def test_long_keys_are_refused_by_their_size(store, kind):
    key = LONG_KEYS[kind]()
    for name, work in {**WITH_A_KEY, **(WITH_TEXT if kind == "str" else {})}.items():
        tracemalloc.start()
        try:
            given = work(store, key)
            assert not given or name == "delete_many"
        except ValueError as error:
            assert "longer than" in str(error)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 3 << 20, (name, peak)
        assert len(store) == 0


def test_long_keys_of_a_loop_are_refused_by_their_size(tmp_path):
    key = "k" * (32 << 20)

    async def run():
        async with AsyncDictSQLite(tmp_path / "a.db") as db:
            await db.set_async("other", "value")
            for work in (
                lambda: db.get_async(key),
                lambda: db.contains_async(key),
                lambda: db.delete_async(key),
                lambda: db.batch_get([key]),
                lambda: db.set_async(key, "value"),
                lambda: db.set_async(key, 1),
                lambda: db.batch_set({key: "value"}),
            ):
                tracemalloc.start()
                try:
                    assert not await work()
                except ValueError as error:
                    assert "longer than" in str(error)
                assert tracemalloc.get_traced_memory()[1] < 1 << 20
                tracemalloc.stop()
            assert await db.keys_async() == ["other"]

    asyncio.run(run())


def test_a_bound_beyond_any_key_is_cut_where_keys_end(store):
    longest = "k" * (1 << 20)
    store.update({longest: 1, "k": 2, "l": 3})
    assert list(store.iter_from(longest + "k" * (32 << 20))) == ["l"]
    assert list(store.iter_from(longest)) == [longest, "l"]
    assert list(store.iter_from("", longest + "k" * (32 << 20))) == ["k", longest]
    assert list(store.iter_prefix(longest)) == [longest]
    assert list(store.iter_prefix(longest + "k")) == []


def test_long_values_are_refused_by_their_size(store, monkeypatch):
    monkeypatch.setattr("dictsqlite_v4._values._MAX_LENGTH", 1 << 20)
    for value in (b"v" * (32 << 20), "v" * (32 << 20)):
        for write in (
            lambda: store.__setitem__("key", value),
            lambda: store.setdefault("key", value),
            lambda: store.set("key", value, expire=5),
            lambda: store.update({"key": value}),
            lambda: store.bulk_insert([("key", value), ("other", "value")]),
        ):
            tracemalloc.start()
            with pytest.raises(ValueError, match="longer than"):
                write()
            assert tracemalloc.get_traced_memory()[1] < 1 << 20
            tracemalloc.stop()
            assert len(store) == 0
