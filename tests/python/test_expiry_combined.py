# test_expiry_combined.py - expiry beside counting, transactions, read-only stores and spilling
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import errno
import os
import sqlite3
import threading
import time

import pytest
from conftest import ENCRYPTED

from dictsqlite_v4 import ConflictError, DictSQLiteV4

HOUR = 3600

# Where the entry that expires is held.
PLACES = ("memory", "lazy dirty", "lazy clean", "lazy cold", "writethrough", "writethrough cold")


def let_pass(store, seconds):
    store._store.set_property("clock-offset", int(seconds * 1000))


@pytest.fixture(params=PLACES)
def filled(request, open_store):
    """'a', 'short' and 'z', of which 'short' lives an hour; all are numbers."""
    mode, _, place = request.param.partition(" ")
    store = open_store(
        persist_mode=mode,
        enable_async=False,
        hot_capacity=1 if place == "cold" else 1000,
        warm_capacity=0,
    )
    store["a"] = 1
    store.set("short", 5, expire=HOUR)
    store["z"] = 2
    if place != "dirty":
        store.flush()
    return store


# --- counting, comparing, inserting, stealing

ABSENT = {
    "incr": lambda db: db.incr("short") == 1,
    "incr from a default": lambda db: db.incr("short", 2, 40) == 42,
    "incr of a fraction": lambda db: db.incr("short", 0.5) == 0.5,
    "incr beyond 64 bits": lambda db: db.incr("short", 2**64) == 2**64,
    "setdefault": lambda db: db.setdefault("short", 7) == 7,
}


@pytest.mark.parametrize("method", ABSENT)
def test_what_sets_an_expired_key_makes_a_new_one(filled, method):
    let_pass(filled, HOUR)
    assert ABSENT[method](filled)
    assert list(filled) == ["a", "z", "short"] and len(filled) == 3
    assert filled.expires_in("short") is None
    filled.flush()
    assert list(filled) == ["a", "z", "short"] and len(filled) == 3


NOTHING = {
    "incr without a default": lambda db: pytest.raises(KeyError, db.incr, "short", 1, None),
    "compare_and_set": lambda db: not db.compare_and_set("short", 5, 6),
    "compare_and_set with None": lambda db: not db.compare_and_set("short", None, 6),
    "pop": lambda db: db.pop("short", None) is None,
    "prefix": lambda db: list(db.iter_prefix("")) == ["a", "z"],
    "transaction": lambda db: in_transaction(db, lambda: "short" not in db and len(db) == 2),
}


def in_transaction(store, function):
    with store.transaction():
        return function()


@pytest.mark.parametrize("method", NOTHING)
def test_an_expired_key_is_missing_to_all_else(filled, method):
    let_pass(filled, HOUR)
    assert NOTHING[method](filled)
    assert list(filled.items()) == [("a", 1), ("z", 2)] and len(filled) == 2


@pytest.mark.parametrize("delta", (1, 0.5, 2**64))
@pytest.mark.parametrize("inside", (False, True))
def test_counting_keeps_the_end(filled, delta, inside):
    if inside:
        assert in_transaction(filled, lambda: filled.incr("short", delta)) == 5 + delta
    else:
        assert filled.incr("short", delta) == 5 + delta
    assert HOUR - 60 < filled.expires_in("short") <= HOUR
    assert list(filled) == ["a", "short", "z"]
    let_pass(filled, HOUR + 60)
    assert "short" not in filled and len(filled) == 2


@pytest.mark.parametrize("inside", (False, True))
def test_setting_what_is_as_expected_ends_the_expiry(filled, inside):
    if inside:
        assert in_transaction(filled, lambda: filled.compare_and_set("short", 5, 6))
    else:
        assert filled.compare_and_set("short", 5, 6)
    assert filled.expires_in("short") is None
    let_pass(filled, HOUR)
    assert filled["short"] == 6


def test_threads_that_count_an_expired_key_lose_nothing(filled):
    let_pass(filled, HOUR)
    threads = [
        threading.Thread(target=lambda: [filled.incr("short") for _ in range(50)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert filled["short"] == 200 and list(filled) == ["a", "z", "short"]


def test_too_large_is_refused_by_every_write(open_store, mode):
    store = open_store(persist_mode=mode, max_bytes=1 << 20)
    large = b"x" * (1 << 20)
    store["k"] = b"small"
    for write in (
        lambda: store.setdefault("new", large),
        lambda: store.incr("k", large),
        lambda: store.compare_and_set("k", b"small", large),
        lambda: store.update({"j": 1, "new": large}),
        lambda: in_transaction(store, lambda: store.update({"j": 1, "new": large})),
        lambda: store.set("new", large, expire=HOUR),
    ):
        with pytest.raises(ValueError, match="max-bytes"):
            write()
    assert dict(store) == {"k": b"small"}
    assert store.touch("k", HOUR) and store["k"] == b"small"


# --- transactions


def test_expiry_in_a_transaction(store):
    store.set("old", 1, expire=HOUR)
    store["kept"] = 2
    with store.transaction():
        assert HOUR - 60 < store.expires_in("old") <= HOUR
        assert store.expires_in("kept") is None
        with pytest.raises(KeyError):
            store.expires_in("missing")
        store.set("new", 3, expire=HOUR)
        assert store["new"] == 3 and HOUR - 60 < store.expires_in("new") <= HOUR
        assert store.touch("kept", 2 * HOUR) and not store.touch("missing", HOUR)
        assert store.touch("old")
        assert store.expires_in("old") is None
        assert list(store.iter_prefix("new")) == ["new"]
        assert store.expire() == 0
        in_thread = []
        other = threading.Thread(target=lambda: in_thread.append((dict(store), len(store))))
        other.start()
        other.join()
        assert in_thread == [({"old": 1, "kept": 2}, 2)]
    assert list(store.items()) == [("old", 1), ("kept", 2), ("new", 3)]
    assert store.expires_in("old") is None
    assert HOUR < store.expires_in("kept") <= 2 * HOUR
    assert HOUR - 60 < store.expires_in("new") <= HOUR
    let_pass(store, HOUR)
    assert dict(store) == {"old": 1, "kept": 2}


def test_an_exception_takes_expiry_back(store):
    store["a"] = 1
    with pytest.raises(ZeroDivisionError):
        with store.transaction():
            store.touch("a", 0)
            store.set("b", 2, expire=HOUR)
            assert "a" not in store and len(store) == 1
            1 / 0
    assert dict(store) == {"a": 1} and store.expires_in("a") is None
    with store.transaction():
        store.set("b", 2, expire=HOUR)
        with pytest.raises(ZeroDivisionError):
            with store.transaction():
                store["b"] = 3
                1 / 0
        assert HOUR - 60 < store.expires_in("b") <= HOUR
    assert HOUR - 60 < store.expires_in("b") <= HOUR


def test_what_is_over_within_its_transaction_is_absent(store):
    store.update({"a": 1, "b": 2})
    with store.transaction():
        store.set("a", 5, expire=0.05)
        store.set("new", 6, expire=0)
        assert store["a"] == 5 and "new" not in store
        walk = iter(store)
        assert next(walk) == "a"
        time.sleep(0.06)
        assert list(walk) == ["b"]
        assert "a" not in store and len(store) == 1 and list(store) == ["b"]
        assert store.incr("a") == 1
        assert list(store) == ["b", "a"]
    assert list(store.items()) == [("b", 2), ("a", 1)]
    assert store.expires_in("a") is None


def test_a_key_that_expires_meanwhile_is_a_conflict(store):
    store.set("a", 1, expire=HOUR)
    with pytest.raises(ConflictError):
        with store.transaction():
            store["b"] = store["a"]
            let_pass(store, HOUR)
    assert len(store) == 0


def test_results_are_kept_in_a_transaction(store):
    calls = []
    function = store.memoize(expire=HOUR)(lambda: calls.append(1) or len(calls))
    with store.transaction():
        assert function() == function() == 1
    assert function() == 1
    assert HOUR - 60 < store.expires_in(function.cache_key()) <= HOUR
    let_pass(store, HOUR)
    assert function() == 2


# --- read-only


@pytest.fixture
def read_only(open_store, file_mode):
    """A store of which the clock says that an hour has passed."""
    with open_store(persist_mode=file_mode) as writer:
        for mapping in (writer, writer.table("t")):
            mapping["a"] = 1
            mapping.set("short", 5, expire=HOUR)
            mapping["z"] = 2
            mapping.update({f"more{i}": i for i in range(100)})
    store = open_store(persist_mode=file_mode, read_only=True, hot_capacity=1, warm_capacity=0)
    let_pass(store, HOUR)
    return store


def test_expired_is_absent_to_who_only_reads(read_only, path):
    before = path.read_bytes()
    for mapping in (read_only, read_only.table("t")):
        keys = ["a", "z"] + [f"more{i}" for i in range(100)]
        for _ in range(2):
            assert mapping.get("short") is None and "short" not in mapping and "a" in mapping
            assert len(mapping) == 102 and list(mapping) == keys
            assert list(reversed(mapping.items()))[-2:] == [("z", 2), ("a", 1)]
            assert mapping.get_many(["a", "short"]) == {"a": 1}
            assert list(mapping.iter_prefix("s")) == []
            prefixed = list(mapping.iter_prefix(""))
            assert prefixed == (keys if ENCRYPTED else sorted(keys))
            with pytest.raises(KeyError):
                mapping.expires_in("short")
    let_pass(read_only, 0)
    assert len(read_only) == 103 and read_only["short"] == 5
    read_only.close()
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


WRITES = {
    "set": lambda db: db.set("a", 1, expire=HOUR),
    "touch": lambda db: db.touch("a", HOUR),
    "touch of the expired": lambda db: db.touch("short", HOUR),
    "expire": lambda db: db.expire(),
    "incr of the expired": lambda db: db.incr("short"),
    "new table": lambda db: db.table("none"),
    "drop": lambda db: db.drop_table("t"),
}


@pytest.mark.parametrize("write", WRITES)
def test_who_only_reads_does_not_write(read_only, path, write):
    before = path.read_bytes()
    with pytest.raises(OSError, match="read-only") as caught:
        WRITES[write](read_only)
    assert caught.value.errno == errno.EROFS
    read_only.flush()
    assert len(read_only) == 102 and read_only.tables() == ["t"]
    read_only.close()
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_who_only_reads_sees_what_a_writer_lets_expire(open_store, file_mode):
    writer = open_store(persist_mode=file_mode)
    writer.table("t")["a"] = 1
    writer.flush()
    store = open_store(read_only=True)
    table = store.table("t")
    assert len(store) == 0 and dict(table) == {"a": 1}
    writer.set("k", 1, expire=HOUR)
    writer.table("t").set("k", 1, expire=HOUR)
    writer.flush()
    assert dict(store) == {"k": 1} and len(table) == 2
    let_pass(store, HOUR)
    assert dict(store) == {} and len(store) == 0 and dict(table) == {"a": 1} and len(table) == 1


def test_a_filter_is_built_by_who_only_reads(open_store):
    with open_store() as writer:
        writer.update({i: i for i in range(5000)})
    store = open_store(read_only=True, hot_capacity=1, warm_capacity=0)
    for i in range(5000, 20000):
        assert i not in store
    for i in range(0, 5000, 7):
        assert store[i] == i
    assert store.check() == []


# --- memory mode beyond memory


def test_spilled_entries_take_part_in_everything(open_store):
    store = open_store(persist_mode="memory", hot_capacity=100, warm_capacity=0, dirty_limit=1)
    store.set("k0050", -1, expire=HOUR)
    store.update({f"k{i:04}": i for i in range(1000) if i != 50})
    store.flush()
    for i in range(1000):
        store[f"later{i}"] = i
    assert store.stats()["spill_bytes"] > 0
    assert len(store) == 2000 and store.check() == []
    let_pass(store, HOUR)
    assert store.incr("k0050") == 1 and store.incr("k0007") == 8
    assert store.compare_and_set("k0008", 8, "x") and not store.compare_and_set("k0009", 8, "x")
    with store.transaction():
        store["k0010"] += 1
        del store["k0011"]
        store.set("k0012", 0, expire=HOUR)
    expected = [f"k{i:04}" for i in range(1000) if i != 11]
    assert sorted(store.iter_prefix("k")) == expected
    if not ENCRYPTED:
        assert list(store.iter_prefix("k")) == expected
    assert (store["k0010"], store["k0008"], store["k0050"]) == (11, "x", 1)
    assert list(store)[-1] == "k0050" and len(store) == 1999
    with pytest.raises(ValueError, match="memory"):
        store.backup(store._path)
    with store.transaction():
        store.clear()
        store["one"] = 1
    assert dict(store) == {"one": 1} and list(store.iter_prefix("")) == ["one"]


def test_a_read_only_store_in_memory_is_refused():
    with pytest.raises(ValueError, match="read-only"):
        DictSQLiteV4(":memory:", read_only=True)


# --- what has expired before it is committed


@pytest.fixture
def held_up(path):
    """Commits of others wait while this is held: what is begun meanwhile is one batch."""

    class Holder:
        def __enter__(self):
            self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self.connection.execute("BEGIN IMMEDIATE")
            return self

        def __exit__(self, *ignored):
            self.connection.execute("ROLLBACK")
            self.connection.close()

    return Holder()


AFTER = {
    "incr": (lambda db: db.incr("k"), 1, 1),
    "setdefault": (lambda db: db.setdefault("k", "new"), "new", "new"),
    "pop": (lambda db: db.pop("k", "missing"), "missing", None),
    "del": (lambda db: db._store.remove("k", None), False, None),
    "touch": (lambda db: db.touch("k", 60), False, None),
    "compare_and_set": (lambda db: db.compare_and_set("k", 100, 7), False, None),
    "set": (lambda db: db.set("k", "new"), None, "new"),
}


# the one that is left out memory answers, where the touch under way is not to be seen yet
@pytest.mark.parametrize(
    "before, method",
    [(before, method) for before in ("set", "touch") for method in AFTER
     if (before, method) != ("touch", "setdefault")],
)
def test_what_is_committed_expired_is_absent_to_what_is_behind_it(
    open_store, held_up, before, method
):
    store = open_store(persist_mode="writethrough")
    store["z"] = "last"
    if before == "touch":
        store["k"] = 100
    call, answer, value = AFTER[method]
    answers = {}
    jobs = (
        lambda: store.update(x=1),
        lambda: store.set("k", 100, expire=0) if before == "set" else store.touch("k", 0),
        lambda: answers.update(it=call(store)),
    )
    with held_up:
        threads = [threading.Thread(target=job) for job in jobs]
        for thread in threads:
            thread.start()
            # each is in the queue before the next comes
            time.sleep(0.05)
    for thread in threads:
        thread.join()
    assert answers["it"] == answer
    assert store.get("k") == value
    assert list(store) == ["z", "x"] + ["k"] * (value is not None)
    assert len(store) == len(list(store))


# --- memory mode, with more in it than fits

CALLS = {
    "drop_table": lambda db: db.drop_table("t"),
    "table": lambda db: db.table("new"),
    "tables": lambda db: db.tables(),
    "clear": lambda db: db.clear(),
    "len": len,
    "list": list,
    "bulk_insert": lambda db: db.bulk_insert({"a": 1, "b": 2}),
    "iter_prefix": lambda db: list(db.iter_prefix("k")),
    "transaction": lambda db: in_transaction(db, lambda: db.pop("k1")),
}


@pytest.mark.parametrize("background", (True, False))
@pytest.mark.parametrize("call", CALLS)
def test_nothing_waits_for_itself_when_much_has_expired(call, background):
    # closed only if it can be
    store = DictSQLiteV4(":memory:", hot_capacity=1, dirty_limit=1, enable_async=background)
    store.table("t")["x"] = 1
    for i in range(50):
        store[f"k{i}"] = "v" * 100
        store.set(f"short{i}", "v" * 100, expire=HOUR)
    let_pass(store, HOUR)
    done = threading.Event()
    threading.Thread(target=lambda: (CALLS[call](store), done.set()), daemon=True).start()
    assert done.wait(20)
    assert "short1" not in store
    store.close()
