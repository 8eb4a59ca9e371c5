# test_expiry.py - entries that end by themselves
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import asyncio
import contextlib
import math
import sqlite3
import time

import pytest
from conftest import LONG, python

from dictsqlite_v4 import AsyncDictSQLite, CorruptError, DictSQLiteV4

# Long enough that what the tests themselves take does not count.
HOUR = 3600


def let_pass(store, seconds):
    """Have the store's clock run ahead by that much, all in all."""
    store._store.set_property("clock-offset", int(seconds * 1000))


@pytest.fixture(params=("dirty", "clean", "warm", "cold"))
def filled(request, open_store, file_mode):
    """'a', 'short' and 'z', of which 'short' lives an hour, held where the parameter says."""
    hot = 1 if request.param in ("warm", "cold") else 1000
    store = open_store(
        persist_mode=file_mode,
        enable_async=False,
        hot_capacity=hot,
        warm_capacity=0 if request.param == "cold" else 1 << 20,
    )
    store["a"] = 1
    store.set("short", "v", expire=HOUR)
    store["z"] = 2
    if request.param != "dirty":
        store.flush()
        assert store["a"] == 1  # which the hot tier of one holds then
    return store


def test_an_entry_is_there_until_its_time_has_come(filled):
    let_pass(filled, HOUR - 60)
    assert filled["short"] == "v" and "short" in filled
    assert list(filled) == ["a", "short", "z"] and len(filled) == 3
    assert 0 < filled.expires_in("short") <= 60


EXPIRED_IS_ABSENT = {
    "getitem": lambda db: pytest.raises(KeyError, db.__getitem__, "short"),
    "get": lambda db: db.get("short", 5) == 5,
    "contains": lambda db: "short" not in db,
    "len": lambda db: len(db) == 2,
    "iter": lambda db: list(db) == ["a", "z"],
    "reversed": lambda db: list(reversed(db)) == ["z", "a"],
    "items": lambda db: list(db.items()) == [("a", 1), ("z", 2)],
    "values": lambda db: list(db.values()) == [1, 2],
    "get_many": lambda db: db.get_many(["a", "short", "z"]) == {"a": 1, "z": 2},
    "delete": lambda db: pytest.raises(KeyError, db.__delitem__, "short"),
    "pop": lambda db: db.pop("short", None) is None,
    "setdefault": lambda db: db.setdefault("short", "new") == "new",
    "touch": lambda db: db.touch("short", HOUR) is False,
    "expires_in": lambda db: pytest.raises(KeyError, db.expires_in, "short"),
    "expire": lambda db: db.expire() == 1 and db.expire() == 0,
    "equal": lambda db: db == {"a": 1, "z": 2},
    "copy": lambda db: db.copy() == {"a": 1, "z": 2},
}


@pytest.mark.parametrize("method", EXPIRED_IS_ABSENT)
def test_expired_is_absent_to_every_method(filled, method):
    let_pass(filled, HOUR)
    assert EXPIRED_IS_ABSENT[method](filled)


@pytest.mark.parametrize("method", EXPIRED_IS_ABSENT)
def test_expired_is_absent_in_memory(open_store, method):
    store = open_store(persist_mode="memory")
    store["a"] = 1
    store.set("short", "v", expire=HOUR)
    store["z"] = 2
    let_pass(store, HOUR)
    assert EXPIRED_IS_ABSENT[method](store)


def test_popitem_passes_over_the_expired(store):
    store["a"] = 1
    store.set("last", 2, expire=HOUR)
    let_pass(store, HOUR)
    assert store.popitem() == ("a", 1)
    with pytest.raises(KeyError):
        store.popitem()


@pytest.mark.parametrize("again", ("set", "update", "setdefault", "set_expiring"))
def test_a_key_that_is_set_after_it_has_expired_comes_last(filled, again):
    let_pass(filled, HOUR)
    if again == "set":
        filled["short"] = 3
    elif again == "update":
        filled.update(short=3)
    elif again == "setdefault":
        filled.setdefault("short", 3)
    else:
        filled.set("short", 3, expire=HOUR)
    assert list(filled.items()) == [("a", 1), ("z", 2), ("short", 3)]
    filled.flush()
    assert list(filled.items()) == [("a", 1), ("z", 2), ("short", 3)]
    assert len(filled) == 3


def test_setting_a_key_anew_ends_its_expiry(filled):
    filled["short"] = "stays"
    assert filled.expires_in("short") is None
    let_pass(filled, 2 * HOUR)
    assert filled["short"] == "stays" and list(filled) == ["a", "short", "z"]
    filled.flush()
    assert filled.expire() == 0 and len(filled) == 3


def test_touch_moves_the_end_and_nothing_else(filled):
    assert filled.touch("short", 3 * HOUR) is True
    assert filled.touch("missing", HOUR) is False
    let_pass(filled, 2 * HOUR)
    assert list(filled.items()) == [("a", 1), ("short", "v"), ("z", 2)]
    assert filled.touch("short") is True
    let_pass(filled, 1000 * HOUR)
    filled.flush()
    assert list(filled.items()) == [("a", 1), ("short", "v"), ("z", 2)]
    assert filled.expires_in("short") is None
    assert filled.touch("a", 1) is True
    let_pass(filled, 1001 * HOUR)
    assert list(filled) == ["short", "z"]


def test_expiry_outlives_the_store(filled, open_store, file_mode):
    filled.close()
    early = open_store(persist_mode=file_mode)
    assert HOUR - 60 < early.expires_in("short") <= HOUR
    early.close()
    late = open_store(persist_mode=file_mode)
    let_pass(late, HOUR)
    assert len(late) == 2 and "short" not in late and list(late) == ["a", "z"]
    assert late.stats()["expired_entries"] == 1
    late.close()
    assert open_store(persist_mode=file_mode).stats()["cold_entries"] == 2


def test_expiry_holds_in_other_processes(open_store, path, file_mode):
    store = open_store(persist_mode=file_mode)
    store.set("k", 1, expire=HOUR)
    store["stays"] = 2
    store.flush()
    code = """if True:
        import sys
        from dictsqlite_v4 import DictSQLiteV4
        with DictSQLiteV4(sys.argv[1], persist_mode=sys.argv[2]) as db:
            assert db["k"] == 1
            db._store.set_property("clock-offset", 3600_000)
            assert "k" not in db and list(db) == ["stays"]
            db["k"] = 3
    """
    done = python(code, path, file_mode)
    assert done.returncode == 0, done.stderr
    assert list(store.items()) == [("stays", 2), ("k", 3)]


def test_what_another_store_sets_anew_is_not_swept(open_store, file_mode):
    mine = open_store(persist_mode=file_mode, enable_async=False)
    mine.set("k", 1, expire=HOUR)
    mine["stays"] = 2
    mine.flush()
    let_pass(mine, HOUR)
    assert len(mine) == 1  # lazily, the removal is only staged
    theirs = open_store(persist_mode=file_mode, enable_async=False)
    theirs["k"] = "theirs"
    theirs.flush()
    assert mine["k"] == "theirs" and len(mine) == 2
    mine.flush()
    assert mine["k"] == "theirs" and theirs["k"] == "theirs" and len(theirs) == 2


def test_two_stores_sweep_at_once(open_store, file_mode):
    first = open_store(persist_mode=file_mode, enable_async=False)
    for number in range(100):
        first.set(number, number, expire=HOUR)
    first["stays"] = 1
    first.flush()
    second = open_store(persist_mode=file_mode, enable_async=False)
    for store in (first, second):
        let_pass(store, HOUR)
    assert len(first) == 1 and len(second) == 1
    first["new"] = 2
    second["newer"] = 3
    first.flush()
    second.flush()
    assert len(first) == len(second) == 3
    assert set(first) == set(second) == {"stays", "new", "newer"}


def test_time_alone_is_no_change_of_size_to_a_walk(store):
    store.update({number: number for number in range(50)})
    for number in range(50, 100):
        store.set(number, number, expire=HOUR)
    store["last"] = 1
    walked = []
    for key in store:
        walked.append(key)
        if key == 70:
            let_pass(store, HOUR)
    assert walked == [*range(71), "last"]


def test_contains_agrees_with_iteration(store):
    for number in range(20):
        store.set(number, number, expire=HOUR * (1 + number % 3))
    for hours in range(4):
        let_pass(store, HOUR * hours)
        keys = list(store)
        assert keys == [number for number in range(20) if 1 + number % 3 > hours]
        assert all(key in store for key in keys)
        assert len(store) == len(keys)


@pytest.mark.parametrize("expire", (0, -1, -0.5, -1e9, 0.0))
def test_no_time_to_live_is_over_at_once(store, expire):
    store["k"] = "old"
    store["stays"] = 1
    store.set("k", "new", expire=expire)
    assert "k" not in store and len(store) == 1
    store.flush()
    assert list(store) == ["stays"]
    store.touch("stays", expire)
    assert not store
    store.flush()
    store["stays"] = 2
    assert list(store.items()) == [("stays", 2)]


@pytest.mark.parametrize("expire", (math.nan, math.inf, -math.inf, 1e14, 10**400))
def test_times_out_of_range_are_refused(store, expire):
    with pytest.raises(ValueError):
        store.set("k", 1, expire=expire)
    with pytest.raises(ValueError):
        store.touch("k", expire)
    assert len(store) == 0


@pytest.mark.parametrize("expire", ("1", True, b"", [1]))
def test_times_that_are_no_numbers_are_refused(store, expire):
    with pytest.raises(TypeError):
        store.set("k", 1, expire=expire)


def test_expire_is_named(store):
    with pytest.raises(TypeError):
        store.set("k", 1, 5)
    store.set("k", 1)
    assert store.expires_in("k") is None
    with pytest.raises(KeyError):
        store.expires_in("missing")


def test_times_are_those_of_the_systems_clock(store):
    started = time.time()
    store.set("k", 1, expire=0.05)
    while "k" in store:
        assert time.time() < started + 10
        time.sleep(0.002)
    assert time.time() >= started + 0.049  # times are kept in whole milliseconds
    assert "k" not in store and len(store) == 0


def test_overwriting_again_and_again_keeps_no_memory(open_store):
    store = open_store(persist_mode="memory")
    for number in range(100_000 if LONG else 5_000):
        store.set(number % 7, number, expire=HOUR * (1 + number))
    assert len(store) == 7
    let_pass(store, HOUR * 5_000_000)
    assert len(store) == 0


def test_a_sweep_finds_what_is_due_among_much_that_is_not(store):
    for number in range(3_000):
        store.set(number, number, expire=HOUR if number % 2 else 10 * HOUR)
    store.flush()
    let_pass(store, HOUR)
    store["new"] = 1
    assert len(store) == 1_501
    assert store.stats()["expired_entries"] == 1_500
    assert list(store)[:3] == [0, 2, 4]


def test_what_expires_before_its_flush_never_comes_back(open_store):
    store = open_store(persist_mode="lazy", enable_async=False, hot_capacity=1, warm_capacity=0)
    store["old"] = 1
    store.flush()
    for number in range(100):
        store.set(number, number, expire=HOUR)
    store.set("old", 2, expire=HOUR)
    let_pass(store, HOUR)
    store.flush()
    assert "old" not in store and 5 not in store and len(store) == 0
    store.flush()
    assert store.stats()["cold_entries"] == 0


def test_an_expiry_that_does_not_fit_its_record_is_damage(open_store, path):
    with open_store(persist_mode="writethrough") as store:
        store.set("k", 1, expire=HOUR)
    with sqlite3.connect(path) as file:
        file.execute("UPDATE entry SET expires = expires + 1")
    file.close()
    with open_store(persist_mode="writethrough") as store, pytest.raises(CorruptError):
        store["k"]


def test_a_closed_store_raises(store):
    store.close()
    for call in (
        lambda: store.set("k", 1, expire=1),
        lambda: store.touch("k", 1),
        lambda: store.expires_in("k"),
        lambda: store.expire(),
    ):
        with pytest.raises(RuntimeError, match="closed"):
            call()


def test_clear_forgets_what_was_to_expire(store):
    for number in range(200):
        store.set(number, number, expire=HOUR)
    store.clear()
    store["k"] = 1
    let_pass(store, HOUR)
    assert list(store) == ["k"] and store.expire() == 0


def test_an_expired_entry_is_gone_from_the_file(open_store, path, file_mode):
    store: DictSQLiteV4 = open_store(persist_mode=file_mode)
    store.set("k", "v", expire=HOUR)
    store.flush()
    let_pass(store, HOUR)
    assert store.expire() == 1
    store.flush()
    with sqlite3.connect(path) as file:
        assert file.execute("SELECT count(*) FROM entry").fetchone() == (0,)
        assert file.execute("SELECT floor, holes FROM tables").fetchone() == (2, 1)
    file.close()


# --- tables -------------------------------------------------------------------------------------


def test_tables_expire_beside_each_other(store):
    tables = [store, store.table("a"), store.table("b")]
    for hours, table in enumerate(tables, 1):
        table.set("short", hours, expire=HOUR * hours)
        table["stays"] = hours
    for hours in range(4):
        let_pass(store, HOUR * hours)
        for number, table in enumerate(tables, 1):
            there = ["short", "stays"] if number > hours else ["stays"]
            assert list(table) == there and len(table) == len(there)
            assert ("short" in table) == (number > hours)
    tables[1]["short"] = "again"
    store.flush()
    assert [list(table) for table in tables] == [["stays"], ["stays", "short"], ["stays"]]
    assert tables[1].touch("stays", HOUR) and not tables[2].touch("short", HOUR)
    let_pass(store, HOUR * 5)
    assert [len(table) for table in tables] == [1, 1, 1]
    assert store.stats()["expired_entries"] == 4


def test_a_table_is_swept_when_it_is_opened(open_store, file_mode):
    with open_store(persist_mode=file_mode) as store:
        store.table("t").set("short", 1, expire=HOUR)
        store.table("t")["stays"] = 2
        store["main"] = 3
    store = open_store(persist_mode=file_mode)
    let_pass(store, HOUR)
    store["new"] = 4
    assert len(store) == 2 and list(store) == ["main", "new"]
    table = store.table("t")
    assert len(table) == 1 and list(table) == ["stays"]
    table["short"] = 5
    store.flush()
    assert list(table) == ["stays", "short"] and len(store) == 2


def test_dropped_tables_have_nothing_that_expires(store):
    table = store.table("t")
    for number in range(50):
        table.set(number, number, expire=HOUR)
    store.set("short", 1, expire=HOUR)
    store.drop_table("t")
    store.table("t")["new"] = 1
    let_pass(store, HOUR)
    assert len(store) == 0 and list(store.table("t")) == ["new"]
    store.flush()
    assert len(store) == 0 and len(store.table("t")) == 1


# --- sealed -------------------------------------------------------------------------------------


def test_sealed_entries_expire_too(open_store, file_mode):
    options = {"persist_mode": file_mode, "encryption_password": "secret", "kdf_memory": 19 << 20}
    with open_store(**options) as store:
        store["a"] = 1
        store.set("short", "v", expire=HOUR)
        store.table("t").set("short", "v", expire=2 * HOUR)
        store["z"] = 2
    store = open_store(**options, max_bytes=1 << 20, hot_capacity=5, warm_capacity=0)
    table = store.table("t")
    assert store["short"] == table["short"] == "v"
    let_pass(store, HOUR)
    assert "short" not in store and list(store) == ["a", "z"] and len(store) == 2
    store["short"] = 3
    let_pass(store, 2 * HOUR)
    assert list(store) == ["a", "z", "short"] and len(table) == 0
    store.update({i: "x" * 4_000 for i in range(500)})
    store.flush()
    assert store.stats()["used_bytes"] <= 1 << 20
    assert len(store) == len(list(store)) == 503 - store.stats()["dropped_entries"]


# --- asyncio ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ("get", "contains", "batch_get", "len", "keys", "set", "delete"))
def test_expired_is_absent_to_coroutines(path, mode, method):
    async def run():
        async with AsyncDictSQLite(path, persist_mode=mode, hot_capacity=1) as db:
            await db.set_async("a", 1)
            db._db.set("short", "v", expire=HOUR)
            await db.set_async("z", 2)
            await db.flush()
            assert await db.get_async("short") == "v"
            let_pass(db._db, HOUR)
            if method == "get":
                assert await db.get_async("short", 5) == 5
            elif method == "contains":
                assert not await db.contains_async("short")
            elif method == "batch_get":
                assert await db.batch_get(["a", "short", "z"]) == {"a": 1, "z": 2}
            elif method == "len":
                assert await db.len_async() == 2
            elif method == "keys":
                assert await db.keys_async() == ["a", "z"]
            elif method == "set":
                await db.set_async("short", "new")
                assert await db.keys_async() == ["a", "z", "short"]
            else:
                assert not await db.delete_async("short")
            await db.flush()
            assert await db.len_async() == 2 + (method == "set")

    asyncio.run(run())


def test_an_expiry_that_somebody_moved_is_damage_and_no_end(path):
    with DictSQLiteV4(path) as store:
        store["a"] = "kept"
        store.set("b", "goes", expire=0.001)
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE entry SET expires = 1 WHERE token = CAST('a' AS BLOB)")
    time.sleep(0.01)
    with DictSQLiteV4(path) as store:
        assert store.expire() == 1
        assert len(store) == 1
        with pytest.raises(CorruptError):
            store["a"]
