# test_aio.py - AsyncDictSQLite: what its operations do
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import asyncio
import gc
import inspect
import math
import os
import weakref

import pytest
from conftest import ON_A_SERVER, python

from dictsqlite_v4 import AsyncDictSQLite, DictSQLiteV4


class Custom:
    """An instance of a user's class."""

    def __init__(self, number):
        self.number = number

    def __eq__(self, other):
        return self.number == other.number


class Refuses:
    """What pickle cannot take."""

    def __reduce__(self):
        raise ZeroDivisionError("not to be pickled")


VALUES = [
    "text", "", "a\0b", "\ud800", 0, -(2**63), 2**70, 1.5, -0.0, math.inf, True, None, b"", b"\0",
    [1, [2]], (1,), {"a": {"b": b"c"}}, {1, 2}, Custom(3),
]
KEYS = ["", "key", "a\0b", "ключ", b"bytes", 1, -5, 2.5, None, (1, ("a", b"b")), "x\x03y"]


def run(coroutine):
    return asyncio.run(coroutine)


def test_every_key_and_value(path, mode):
    async def main():
        async with AsyncDictSQLite(path, persist_mode=mode) as db:
            for key in KEYS:
                for value in VALUES:
                    await db.set_async(key, value)
                    found = await db.get_async(key)
                    assert type(found) is type(value) and found == value
                    assert await db.contains_async(key)
            assert await db.len_async() == len(KEYS)
            assert await db.keys_async() == KEYS
            assert await db.items_async() == [(key, VALUES[-1]) for key in KEYS]

    run(main())


def test_values_of_every_type_in_turn(path, mode):
    """A str that follows another type, and the other way round, where one is expected."""
    async def main():
        async with AsyncDictSQLite(path, persist_mode=mode, near_capacity=0) as db:
            for i, value in enumerate(VALUES):
                await db.set_async(i, value)
                await db.set_async(str(i), value)
            before = db.stats()
            for _ in range(2):
                for i, value in enumerate(VALUES):
                    assert await db.get_async(i) == value == await db.get_async(str(i))
                assert await db.get_async("missing", 42) == 42
            after = db.stats()
            n_asked = 4 * len(VALUES) + 2
            hits = after["hot_hits"] - before["hot_hits"]
            misses = after["hot_misses"] - before["hot_misses"]
            assert (hits, misses) == (n_asked - 2, 2)

    run(main())


def test_missing_keys(path, mode):
    async def main():
        async with AsyncDictSQLite(path, persist_mode=mode) as db:
            assert await db.get_async("key") is None
            assert await db.get_async("key", 42) == 42
            assert await db.get_async("key", default="other") == "other"
            assert not await db.contains_async("key")
            assert await db.delete_async("key") is False
            await db.set_async("key", 1)
            assert await db.delete_async("key") is True
            assert await db.get_async("key") is None
            assert await db.delete_async("key") is False
            assert await db.len_async() == 0

    run(main())


def test_what_is_in_the_file_is_found(path, file_mode):
    async def write():
        async with AsyncDictSQLite(path, persist_mode=file_mode) as db:
            for i in range(100):
                await db.set_async(f"key_{i}", {"n": i})

    async def read():
        async with AsyncDictSQLite(path, persist_mode=file_mode) as db:
            assert await db.get_async("key_5") == {"n": 5}
            assert await db.contains_async("key_6") and not await db.contains_async("other")
            assert await db.delete_async("key_7") is True
            assert await db.delete_async("other") is False
            assert await db.len_async() == 99
            found = await db.batch_get([f"key_{i}" for i in range(200)])
            assert found == {f"key_{i}": {"n": i} for i in range(100) if i != 7}
            assert list(found) == [f"key_{i}" for i in range(100) if i != 7]
            assert await db.get_async("none", 1) == 1

    run(write())
    run(read())


def test_batches(path, mode):
    async def main():
        async with AsyncDictSQLite(path, persist_mode=mode) as db:
            await db.batch_set({f"key_{i}": i for i in range(3000)})
            await db.batch_set([("pair", b"1"), ((1, 2), "tuple")])
            assert await db.len_async() == 3002
            assert await db.batch_get(["pair", "none", (1, 2)]) == {"pair": b"1", (1, 2): "tuple"}
            assert len(await db.batch_get(f"key_{i}" for i in range(3000))) == 3000
            assert await db.batch_get([]) == {}
            with pytest.raises(ZeroDivisionError):
                await db.batch_set({"fine": 1, "not": Refuses()})
            assert not await db.contains_async("fine")
            await db.batch_set({"large": "x" * 1_000_000})
            assert len(await db.get_async("large")) == 1_000_000
            await db.clear_async()
            assert await db.keys_async() == []

    run(main())


def test_short_names_are_the_same():
    for short, long in {
        "aget": "get_async", "aset": "set_async", "adelete": "delete_async",
        "acontains": "contains_async", "abatch_get": "batch_get", "abatch_set": "batch_set",
        "aflush": "flush", "aclose": "close",
    }.items():
        assert getattr(AsyncDictSQLite, short) is getattr(AsyncDictSQLite, long)
        assert inspect.iscoroutinefunction(getattr(AsyncDictSQLite, long))


def test_a_hot_hit_does_not_leave_the_loop(path):
    """A coroutine that never waits ends with its first step."""
    async def main():
        async with AsyncDictSQLite(path) as db:
            for coroutine, expected in (
                (db.set_async("key", "value"), None), (db.get_async("key"), "value"),
                (db.set_async("list", [1]), None), (db.get_async("list"), [1]),
                (db.contains_async("key"), True), (db.batch_set({"a": 1}), None),
                (db.batch_get(["a", "key"]), {"a": 1, "key": "value"}),
            ):
                with pytest.raises(StopIteration) as ended:
                    coroutine.send(None)
                assert ended.value.value == expected

    run(main())


def test_what_one_class_writes_the_other_reads(path, file_mode):
    async def write():
        async with AsyncDictSQLite(path, persist_mode=file_mode) as db:
            await asyncio.gather(*(db.set_async(key, VALUES) for key in KEYS[:4]))

    async def read():
        async with AsyncDictSQLite(path, persist_mode=file_mode) as db:
            return await db.items_async()

    with DictSQLiteV4(path) as db:
        db["before"] = 1
    run(write())
    with DictSQLiteV4(path) as db:
        assert list(db) == ["before", *KEYS[:4]]
        assert db["key"][:3] == VALUES[:3]
        del db["before"]
        db["after"] = {"x": (1,)}
    assert [key for key, _ in run(read())] == [*KEYS[:4], "after"]


def test_errors_are_those_of_the_other_class(path):
    async def main():
        async with AsyncDictSQLite(path) as db:
            for key in ([], {}, ("a", [1]), (object(), [1])):
                for operation in (db.get_async, db.contains_async, db.delete_async):
                    with pytest.raises(TypeError, match="unhashable"):
                        await operation(key)
                with pytest.raises(TypeError):
                    await db.set_async(key, 1)
            for key in (object(), float("nan"), "\ud800", "k" * (1 << 21), (1, object())):
                assert await db.get_async(key, "default") == "default"
                assert await db.contains_async(key) is await db.delete_async(key) is False
                with pytest.raises((TypeError, ValueError)):
                    await db.set_async(key, 1)
            with pytest.raises(UnicodeEncodeError):
                await db.set_async("\ud800", "text")
            with pytest.raises(ValueError):
                await db.set_async("x" * (2 << 20), 1)
            with pytest.raises(ZeroDivisionError):
                await db.set_async("key", Refuses())
            assert await db.len_async() == 0

    run(main())
    with pytest.raises(ValueError):
        AsyncDictSQLite(path, persist_mode="sometimes")
    with pytest.raises(ValueError):
        AsyncDictSQLite(path, capacity=0)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        AsyncDictSQLite(tmp_path / "no" / "where.db")


def test_parameters(path):
    async def main():
        async with AsyncDictSQLite(path, capacity=5, flush_interval=0.5) as db:
            assert db.stats()["persist_mode"] == "lazy"
            assert db.stats()["hot_tier_capacity"] == 5
            assert ON_A_SERVER or db._path == str(path)
            assert repr(db) == f"<AsyncDictSQLite {db._path!r} lazy>"
        assert repr(db) == f"<AsyncDictSQLite {db._path!r} lazy closed>"
        async with AsyncDictSQLite(path, 7, False, "writethrough") as db:
            assert db.stats()["hot_tier_capacity"] == 7
        db = await AsyncDictSQLite.open(path, 9, persist_mode="memory")
        assert db.stats()["hot_tier_capacity"] == 9
        await db.close()
        with pytest.raises(ValueError):
            await AsyncDictSQLite.open(path, capacity=-1)

    run(main())


def test_after_close(path, mode):
    async def main():
        db = AsyncDictSQLite(path, persist_mode=mode)
        await db.set_async("key", "value")
        await db.close()
        assert db.closed
        await db.close()
        await db.flush()
        for coroutine in (
            db.get_async("key"), db.get_async(1), db.set_async("key", "value"),
            db.set_async("key", 1), db.delete_async("key"), db.contains_async("key"),
            db.len_async(), db.keys_async(), db.items_async(), db.batch_get(["key"]),
            db.batch_get([]), db.batch_set({"key": 1}), db.clear_async(), db.__aenter__(),
        ):
            with pytest.raises(RuntimeError, match="store is closed"):
                await coroutine
        with pytest.raises(RuntimeError, match="store is closed"):
            db.stats()

    run(main())


def test_a_store_that_is_left_open_is_flushed_at_exit(path):
    done = python(
        "import asyncio, sys\n"
        "from dictsqlite_v4 import AsyncDictSQLite\n"
        "async def main():\n"
        "    global db\n"
        "    db = AsyncDictSQLite(sys.argv[1], enable_async=False)\n"
        "    await db.set_async('key', 'value')\n"
        "    await db.flush()\n"
        "    await db.set_async('later', [1])\n"
        "asyncio.run(main())\n",
        path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with DictSQLiteV4(path) as db:
        assert dict(db) == {"key": "value", "later": [1]}


def test_a_store_goes_with_whoever_has_it(path, file_mode):
    """Without the garbage collector."""
    async def use():
        db = AsyncDictSQLite(path, persist_mode=file_mode)
        await db.set_async("key", 1)
        await db.add_async("other", 1)
        table = await db.table_async("t")
        async with db.transaction():
            await table.set_async("key", 1)
        await db.flush()
        gone = weakref.ref(db)
        del db, table
        await asyncio.sleep(0)
        assert gone() is None

    gc.disable()
    try:
        run(use())
    finally:
        gc.enable()


def count_descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_nothing_is_left_behind(path, file_mode):
    async def use(close):
        db = AsyncDictSQLite(path, persist_mode=file_mode)
        await db.set_async("key", 1)
        await db.flush()
        if close:
            await db.close()
        del db
        gc.collect()
        await asyncio.sleep(0)

    run(use(True))
    before = count_descriptors()
    for close in (True, False) * 5:
        run(use(close))
    gc.collect()
    assert count_descriptors() == before
