# test_default_expiry.py - stores whose entries expire by themselves, and coroutines of the verbs
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import asyncio
import datetime
import math
import pickle
import threading

import pytest

from dictsqlite_v4 import AsyncDictSQLite

MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture(params=("root", "table", "transaction"))
def mapping(request, open_store, mode):
    store = open_store(persist_mode=mode, default_expire=MINUTE)
    if request.param == "transaction":
        with store.transaction():
            yield store
    else:
        yield store if request.param == "root" else store.table("t")


def test_every_write_has_it(mapping):
    mapping["text"] = "value"
    mapping["number"] = 1
    mapping[1, None] = "value"
    mapping.update(a=1, b="x")
    mapping.bulk_insert({"c": 1})
    mapping.set("d", 1)
    mapping.set_many({"e": 1})
    assert mapping.add("f", 1) and not mapping.add("f", 2)
    assert mapping.setdefault("g", 1) == mapping.setdefault("g", 2) == 1
    assert mapping.incr("h") == 1 and mapping.incr("h") == 2
    assert mapping.incr("i", 0.5) == 0.5
    with mapping.edit("j", []) as value:
        value.append(1)
    assert mapping.compare_and_set("a", 1, 2)
    assert len(mapping) == 13
    assert all(59 < mapping.expires_in(key) <= 60 for key in list(mapping))


def test_a_count_begins_with_its_time(open_store, mode):
    store = open_store(persist_mode=mode, default_expire=MINUTE)
    seen = set()
    done = threading.Event()

    def watch():
        while not done.is_set():
            value, left = store.get_with_expiry("n")
            seen.add((value, left and math.ceil(left)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(1000):
        assert store.incr("n") == 1
        del store["n"]
    done.set()
    watcher.join()
    assert seen <= {(None, None), (1, 60)}


def test_what_says_its_own_time_has_that(mapping):
    mapping.set("a", 1, expire=None)
    mapping.set("b", 1, expire=3600)
    mapping.set_many({"c": 1, "d": "x"}, expire=None)
    mapping.add("e", 1, None)
    mapping["f"] = "x"
    mapping.touch("f")
    assert [mapping.expires_in(key) for key in "acdef"] == [None] * 5
    assert mapping.expires_in("b") > 3590
    assert mapping.incr("b") == 2 and mapping.expires_in("b") > 3590
    mapping["a"] = 2
    assert mapping.expires_in("a") <= 60


def test_a_transaction_that_writes_for_good(open_store, mode):
    store = open_store(persist_mode=mode, default_expire=60)
    with store.transaction():
        store.set("a", 1, expire=None)
    with store.transaction():
        store["b"] = 1
    assert store.expires_in("a") is None and store.expires_in("b") <= 60


def test_it_is_over(open_store, mode):
    store = open_store(persist_mode=mode, default_expire=MINUTE)
    store["a"] = "x"
    store.set_clock_offset(61)
    assert "a" not in store and list(store) == [] and store.get("a") is None


def test_a_read_renews(open_store, mode):
    store = open_store(persist_mode=mode, default_expire=MINUTE, sliding=True)
    readers = {
        "item": lambda key: store[key],
        "get": lambda key: store.get(key),
        "many": lambda key: store.get_many([key]),
        "default": lambda key: store.setdefault(key, 1),
    }
    store.update(dict.fromkeys(readers, "x"), other="x", unread=1)
    store.set("long", 1, expire=3600)
    store.set("good", 1, expire=None)
    for passed in (50, 100, 150):
        store.set_clock_offset(passed)
        for key, read in readers.items():
            assert read(key)
            assert 59 < store.expires_in(key) <= 60
        assert "other" in store or passed > 60  # looking is no read
    assert "other" not in store and "unread" not in store
    assert store["long"] and store.expires_in("long") > 3400
    assert store["good"] and store.expires_in("good") is None


def test_it_is_a_parameter_like_others(open_store, path):
    store = open_store(default_expire=60, sliding=True)
    store["a"] = "x"
    with pickle.loads(pickle.dumps(store)) as other:
        other["b"] = "x"
        assert other.expires_in("b") <= 60
    for wrong in (0, -1, float("nan"), datetime.timedelta(0)):
        with pytest.raises(ValueError, match="expire"):
            open_store(default_expire=wrong)
    with pytest.raises(ValueError, match="sliding"):
        open_store(sliding=True)
    with pytest.raises(TypeError, match="expire"):
        open_store(default_expire="x")
    store.close()
    with open_store(default_expire=60, sliding=True, read_only=True) as store:
        assert store["a"] == "x"


def test_memoize_uses_it(open_store):
    store = open_store(default_expire=60)
    function = store.memoize(name="f")(lambda x: x)
    function(1)
    assert store.expires_in(function.cache_key(1)) <= 60
    function = store.memoize(None, name="g")(lambda x: x)
    function(1)
    assert store.expires_in(function.cache_key(1)) is None


# --- coroutines


@pytest.mark.parametrize("parameters", [{}, {"default_expire": 3000}])
def test_verbs_of_the_asynchronous_store(path, file_mode, parameters):
    async def main():
        async with AsyncDictSQLite(path, persist_mode=file_mode, **parameters) as db:
            await db.set_async("a", 1, expire=MINUTE)
            assert 59 < await db.expires_in_async("a") <= 60
            assert await db.add_async("b", 1, 60) and not await db.add_async("b", 2)
            await db.set_many_async({"u:1": 1, "u:2": 2, "u:3": 3}, expire=60)
            assert (await db.get_with_expiry_async("u:1"))[0] == 1
            assert await db.keys_from_async("u:2") == ["u:2", "u:3"]
            assert await db.keys_from_async("a", "v", limit=3) == ["a", "b", "u:1"]
            assert await db.delete_many_async(["u:1", "none"]) == 1
            assert await db.delete_prefix_async("u:") == 2
            assert await db.touch_async("a") and await db.expires_in_async("a") is None
            assert await db.incr_async("n", 2) == 2
            assert await db.compare_and_set_async("n", 2, 3)
            assert await db.transact_async(lambda store: store.pop("n")) == 3
            # what was asked for before, and not awaited, comes first
            write = asyncio.ensure_future(db.set_async("late", 1))
            await asyncio.sleep(0)
            assert await db.incr_async("late") == 2
            await write
            await db.batch_set({"x": 1, "y": 2})
            assert await db.batch_get(["x", "y", "z"]) == {"x": 1, "y": 2}
            left = await db.expires_in_async("x")
            assert left <= 3000 if parameters else left is None
        with pytest.raises(RuntimeError, match="closed"):
            await db.incr_async("n")

    asyncio.run(main())


def test_an_asynchronous_store_renews(path):
    async def main():
        async with AsyncDictSQLite(path, default_expire=60, sliding=True) as db:
            await db.set_async("a", "x")
            db._db.set_clock_offset(50)
            assert await db.get_async("a") == "x"
            assert await db.expires_in_async("a") > 59

    asyncio.run(main())
