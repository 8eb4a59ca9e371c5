# test_upkeep.py - backup, check, iter_prefix, and stores as pickles
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import random
import sqlite3
import stat
import threading

import pytest
from conftest import LONG, python
from gi.repository import Gio, GLib

from dictsqlite_v4 import DictSQLiteV4
from dictsqlite_v4._pack import unpack

# --- backup


def read_copy(path):
    with DictSQLiteV4(path, read_only=True) as store:
        assert store.check() == []
        return list(store.items())


def test_backup_is_a_store_of_its_own(open_store, file_mode, tmp_path):
    store = open_store(persist_mode=file_mode)
    store.update({f"k{i}": [i] for i in range(2000)})
    del store["k0"]
    store.backup(tmp_path / "copy.db")
    store["later"] = 1
    assert read_copy(tmp_path / "copy.db") == [(f"k{i}", [i]) for i in range(1, 2000)]
    with DictSQLiteV4(tmp_path / "copy.db") as other:
        other["own"] = 1
        other["own2"] = 2
    assert "own" not in store
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".tmp")]


def test_backup_of_an_empty_store(open_store, file_mode, tmp_path):
    open_store(persist_mode=file_mode).backup(str(tmp_path / "copy.db"))
    assert read_copy(tmp_path / "copy.db") == []


def test_backup_has_the_permissions_of_the_store(open_store, path, tmp_path):
    store = open_store()
    path.chmod(0o640)
    store.backup(tmp_path / "copy.db")
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o640


def test_backup_replaces_nothing(open_store, path, tmp_path):
    store = open_store()
    (tmp_path / "file").write_text("text")
    for target in (path, tmp_path / "file", tmp_path):
        with pytest.raises(FileExistsError):
            store.backup(target)
    (tmp_path / "other-wal").write_text("log")
    with pytest.raises(FileExistsError):
        store.backup(tmp_path / "other")
    with pytest.raises(FileNotFoundError):
        store.backup(tmp_path / "missing" / "copy.db")
    with pytest.raises(ValueError):
        store.backup("")
    with pytest.raises(ValueError):
        store.backup("a\0b")
    assert (tmp_path / "file").read_text() == "text"


def test_backup_in_memory_mode(open_store, tmp_path):
    with pytest.raises(ValueError, match="memory mode"):
        open_store(persist_mode="memory").backup(tmp_path / "copy.db")


def test_backup_of_a_closed_store(open_store, tmp_path):
    store = open_store()
    store.close()
    with pytest.raises(RuntimeError, match="closed"):
        store.backup(tmp_path / "copy.db")


def test_progress(open_store, tmp_path):
    store = open_store(persist_mode="lazy")
    store.update({i: os.urandom(1000) for i in range(5000)})
    steps = []
    store.backup(tmp_path / "copy.db", progress=lambda *step: steps.append(step))
    assert len(steps) > 3 and steps == sorted(steps)
    assert steps[-1][0] == steps[-1][1] == steps[0][1] > 1000


def test_what_progress_raises_ends_it(open_store, tmp_path):
    store = open_store(persist_mode="lazy")
    store.update({i: os.urandom(1000) for i in range(5000)})
    store.flush()
    before = sorted(os.listdir(tmp_path))
    for last in (False, True):

        def stop(n_done, n_total, last=last):
            if not last or n_done == n_total:
                raise KeyboardInterrupt("stop")

        with pytest.raises(KeyboardInterrupt, match="stop"):
            store.backup(tmp_path / "copy.db", progress=stop)
        assert sorted(os.listdir(tmp_path)) == before


def test_backup_under_writers_is_one_instant(open_store, file_mode, tmp_path):
    store = open_store(persist_mode=file_mode, flush_interval=0.002)
    names = [f"account {i}" for i in range(1000)]
    store.update(dict.fromkeys(names, 100))
    store.update({f"ballast {i}": "x" * 2000 for i in range(2000)})
    stop = threading.Event()

    def move():
        choose = random.Random(1)
        while not stop.is_set():
            a, b = choose.sample(names, 2)
            with store.transaction():
                store[a] -= 1
                store[b] += 1

    thread = threading.Thread(target=move)
    thread.start()
    try:
        for i in range(10 if LONG else 3):
            store.backup(tmp_path / f"copy{i}.db")
            with DictSQLiteV4(tmp_path / f"copy{i}.db") as other:
                assert sum(other[name] for name in names) == 100 * len(names)
                assert other.check() == []
    finally:
        stop.set()
        thread.join()


# --- check


def test_a_sound_store(open_store, mode):
    store = open_store(persist_mode=mode)
    store.update({"a": 1, b"b": [2], (1, "c"): None, "": ""})
    assert store.check() == []
    store.clear()
    assert store.check() == []
    store.close()
    with pytest.raises(RuntimeError, match="closed"):
        store.check()


@pytest.mark.parametrize(
    "damage, told",
    [
        ("UPDATE entry SET value = CAST(x'00' || substr(value, 2) AS BLOB)"
         " WHERE token = CAST('k3' AS BLOB)", "entry"),
        ("UPDATE entry SET value = x'' WHERE token = CAST('k3' AS BLOB)", "entry"),
        ("DELETE FROM entry WHERE token = CAST('k3' AS BLOB)", "table 1: it should have 9 entries"),
        ("UPDATE tables SET holes = 1", "table 1: it should have 8 entries"),
        ("UPDATE entry SET token = x'C0C0' WHERE token = CAST('k3' AS BLOB)", "key"),
        ("UPDATE entry SET token = CAST('k33' AS BLOB) WHERE token = CAST('k3' AS BLOB)", "entry"),
        ("UPDATE entry SET table_id = 9 WHERE token = CAST('k3' AS BLOB)", "no table"),
        ("UPDATE entry SET place = table_id << 40 WHERE token = CAST('k3' AS BLOB)", "no table"),
        ("UPDATE tables SET holes = -1", "tables"),
        ("UPDATE tables SET holes = 10", "tables"),
        ("UPDATE entry SET place = (2 << 40) - 1 WHERE token = CAST('k3' AS BLOB)", "tables"),
    ],
)
def test_damage_is_told(open_store, path, damage, told):
    with open_store() as store:
        store.update({f"k{i}": i for i in range(9)})
    store = open_store(read_only=True)
    other = sqlite3.connect(path)
    other.execute(damage)
    other.commit()
    other.close()
    problems = store.check()
    assert problems and any(told in problem for problem in problems), problems


def test_damaged_pages_are_told(open_store, path):
    with open_store() as store:
        store.update({f"k{i}": "x" * 500 for i in range(500)})
    size = path.stat().st_size
    with open(path, "r+b") as file:
        for at in range(8 * 4096, size, 16 * 4096):
            file.seek(at)
            file.write(b"\xff" * 512)
    store = open_store(read_only=True)
    problems = store.check()
    assert 1 <= len(problems) <= 100


# --- iter_prefix


def expected(store, prefix):
    return sorted(
        (key for key in list(store) if isinstance(key, str) and key.startswith(prefix)),
        key=str.encode,
    )


PREFIXES = ("", "a", "user:", "user:1", "é", "\0", "\x7f", "\uffff", "𝄞", "missing")


def test_prefixes(store):
    keys = ["", "a", "ab", "b", "user:1", "user:10", "user:2", "é", "éa", "\0", "\0a", "\x7f",
            "\x7fa", "\uffff", "\uffffa", "𝄞", "𝄞a", "user", "user;"]
    random.Random(7).shuffle(keys)
    store.update(dict.fromkeys(keys, 1))
    store.update({b"user:1": 1, 5: 1, ("user:",): 1, None: 1})
    for flushed in (False, True):
        for prefix in PREFIXES:
            assert list(store.iter_prefix(prefix)) == expected(store, prefix)
        if flushed:
            break
        store.flush()
    with store.transaction():
        del store["user:1"]
        store["user:11"] = 1
        store[b"user:12"] = 1
        assert list(store.iter_prefix("user:")) == ["user:10", "user:11", "user:2"]
        for prefix in PREFIXES:
            assert list(store.iter_prefix(prefix)) == expected(store, prefix)
        store.clear()
        assert list(store.iter_prefix("")) == []


def test_prefixes_beside_pending_changes(open_store, mode):
    choose = random.Random(3)
    store = open_store(persist_mode=mode, enable_async=False, hot_capacity=50)
    for round_number in range(30):
        for _ in range(200):
            key = f"{choose.choice('abc')}{choose.randrange(300)}"
            if choose.random() < 0.4:
                store.pop(key, None)
            else:
                store[key] = round_number
        if round_number == 20:
            store.clear()
        if choose.random() < 0.5:
            store.flush()
        for prefix in ("", "a", "b1", "c29"):
            assert list(store.iter_prefix(prefix)) == expected(store, prefix)


def test_more_keys_than_one_batch(open_store, file_mode):
    store = open_store(persist_mode=file_mode)
    store.bulk_insert({f"x{i:06}": i for i in range(10_000)})
    store.bulk_insert({f"y{i}": i for i in range(10)})
    store.flush()
    for i in range(0, 9000):
        del store[f"x{i:06}"]
    assert list(store.iter_prefix("x")) == [f"x{i:06}" for i in range(9000, 10_000)]
    for key in store.iter_prefix("x"):
        del store[key]  # removing what was found is fine
    assert list(store.iter_prefix("x")) == [] and len(store) == 10


def test_a_prefix_is_a_str(store):
    # at the call, and not only where the first key is asked for
    for call in (store.iter_prefix, store.iter_from, lambda end: store.iter_from("", end)):
        for wrong in (1, b"a", ("a",)):
            with pytest.raises(TypeError, match="must be a str"):
                call(wrong)
    for wrong in (None, b"a"):
        with pytest.raises(TypeError, match="must be a str"):
            store.delete_prefix(wrong)
    store.close()
    with pytest.raises(RuntimeError, match="closed"):
        next(store.iter_prefix("a"))


# --- pickles


class Mine(DictSQLiteV4):
    pass


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_opens_the_file_again(path, file_mode, protocol, monkeypatch):
    monkeypatch.chdir(path.parent)
    with Mine("store.db", 5, persist_mode=file_mode, flush_interval=60, warm_capacity=0) as store:
        store["a"] = [1]
        data = pickle.dumps(store, protocol)
        monkeypatch.chdir("/")
        with pickle.loads(data) as other:
            assert type(other) is Mine and other is not store
            assert other["a"] == [1]
            assert other.stats()["hot_capacity"] == 5 and other.stats()["warm_capacity"] == 0
            assert other.stats()["persist_mode"] == file_mode
            other["b"] = 2
        assert store["b"] == 2


def test_a_read_only_store_stays_so(path):
    DictSQLiteV4(path).close()
    with DictSQLiteV4(path, read_only=True) as store, pickle.loads(pickle.dumps(store)) as other:
        with pytest.raises(OSError, match="read-only"):
            other["a"] = 1


def test_what_has_no_pickle(path):
    with DictSQLiteV4(":memory:") as store, pytest.raises(TypeError, match="memory mode"):
        pickle.dumps(store)
    with DictSQLiteV4(path, persist_mode="memory") as store:
        with pytest.raises(TypeError, match="memory mode"):
            pickle.dumps(store)
    store = DictSQLiteV4(path)
    store._has_password = True
    with pytest.raises(TypeError, match="password"):
        pickle.dumps(store)
    store._has_password = False
    store.close()
    with pytest.raises(RuntimeError, match="closed"):
        pickle.dumps(store)


def add(store, name):
    with store:
        store[name] = os.getpid()


def test_a_store_is_passed_to_a_process(path):
    with DictSQLiteV4(path, persist_mode="lazy", flush_interval=60) as store:
        store["parent"] = os.getpid()
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=add, args=(store, "child"))
        process.start()
        process.join()
        assert process.exitcode == 0
        assert store["child"] == process.pid != store["parent"]


# --- the end of the interpreter


@pytest.mark.parametrize("end", ["", "import sys; sys.exit(3)", "raise SystemExit(3)"])
def test_a_store_left_open_at_the_end_is_flushed(path, file_mode, end):
    code = f"""
import sys
from dictsqlite_v4 import DictSQLiteV4
db = DictSQLiteV4(sys.argv[1], persist_mode={file_mode!r}, flush_interval=60)
db["a"] = [1]
view = db.items()
walk = iter(db)
with db.transaction():
    db["b"] = next(walk)
{end}
"""
    done = python(code, path)
    assert done.stderr == "" and done.returncode == (3 if end else 0)
    with DictSQLiteV4(path) as store:
        assert dict(store) == {"a": [1], "b": "a"}
    assert os.listdir(path.parent) == [path.name]


# --- tables have all of it


def test_tables(open_store, mode):
    store = open_store(persist_mode=mode)
    one, two = store.table("one"), store.table("two")
    assert one.incr("n") == 1 and two.incr("n", 5) == 5 and "n" not in store
    assert two.compare_and_set("n", 5, 6) and not one.compare_and_set("n", 5, 6)
    store["a1"] = one["a2"] = two["a3"] = 1
    with one.transaction():
        del one["n"]
        one["a4"] = 1
        assert list(one.iter_prefix("a")) == ["a2", "a4"]
        assert list(two.iter_prefix("")) == ["a3", "n"]
    assert list(store.iter_prefix("")) == ["a1"] and dict(one) == {"a2": 1, "a4": 1}
    two.clear()
    assert list(two.iter_prefix("")) == []
    assert one.memoize(name="f")(lambda: 7)() == 7
    assert len(one) == 3 and len(store) == 1
    assert store.check() == []
    store.drop_table("one")
    for operation in (
        lambda: one.incr("n"),
        lambda: list(one.iter_prefix("")),
        lambda: one.transaction().__enter__(),
        lambda: one.compare_and_set("a2", 1, 2),
    ):
        with pytest.raises(RuntimeError, match="dropped"):
            operation()
    assert store.check() == []


def test_tables_of_a_read_only_store(open_store, path):
    with open_store() as store:
        store.table("one")["a"] = 1
    store = open_store(read_only=True)
    assert store.tables() == ["one"] and store.table("one")["a"] == 1
    for operation in (
        lambda: store.table("one").incr("a"),
        lambda: store.table("missing"),
        lambda: store.drop_table("one"),
        lambda: store.table("one").clear(),
    ):
        with pytest.raises(OSError, match="read-only"):
            operation()
    with open_store() as writer:
        writer.table("one")["b"] = 2
        writer.table("new")["c"] = 3
        new = store.table("new")
        assert store.table("one")["b"] == 2 and new["c"] == 3
        writer.drop_table("new")
        with pytest.raises(RuntimeError, match="dropped"):
            new["c"]


# --- encrypted stores


def test_an_encrypted_store(open_store, file_mode, path, tmp_path):
    store = open_store(persist_mode=file_mode, encryption_password="password")
    store.update({"user:2": [1], "user:1": "x", "other": 1, b"user:3": 1})
    assert store.incr("other") == 2 and store.compare_and_set("user:1", "x", "y")
    with store.transaction():
        store["user:4"] = store["user:1"]
        assert list(store.iter_prefix("user:")) == ["user:2", "user:1", "user:4"]
    store.table("t").incr("n")
    assert list(store.iter_prefix("user:")) == ["user:2", "user:1", "user:4"]
    assert store.check() == []
    store.backup(tmp_path / "copy.db")
    with pytest.raises(TypeError, match="password"):
        pickle.dumps(store)
    expected_items = list(store.items())
    store.close()
    for name in (path, tmp_path / "copy.db"):
        with pytest.raises(ValueError):
            DictSQLiteV4(name, read_only=True)
        with DictSQLiteV4(name, read_only=True, encryption_password="password") as copied:
            assert list(copied.items()) == expected_items and copied.table("t")["n"] == 1
            assert copied.check() == []
            with pytest.raises(OSError, match="read-only"):
                copied["a"] = 1
    database = sqlite3.connect(path)
    database.execute("UPDATE entry SET value = zeroblob(60)")
    database.commit()
    database.close()
    with DictSQLiteV4(path, encryption_password="password") as damaged:
        assert damaged.check() != []


@pytest.mark.parametrize("dirty", (False, True))
def test_a_close_that_is_cancelled_leaves_the_store_open(open_store, mode, dirty):
    store = open_store(persist_mode=mode, enable_async=False)
    if dirty:
        store["a"] = 1
    cancellable = Gio.Cancellable()
    cancellable.cancel()
    with pytest.raises(GLib.Error, match="cancelled"):
        store._store.close(cancellable)
    assert dict(store) == ({"a": 1} if dirty else {})
    assert store._store.close(None)
    with pytest.raises(RuntimeError, match="closed"):
        store["a"]


FROM = {b"": 3, b"a": 3, b"key": 3, b"key1": 2, b"key1\0": 1, b"key9": 0, b"zoo": 0, b"\xff": 0}


@pytest.mark.parametrize("start", FROM)
def test_a_prefix_is_kept_to_wherever_the_list_begins(open_store, mode, start):
    store = open_store(persist_mode=mode)
    store.update(dict.fromkeys(["a", "b", "key", "key1", "key2", "kez", "zz"], 1))
    assert len(unpack(store._store.list_keys_pack(b"key", start, 10, False))) == FROM[start]
    assert len(unpack(store._store.list_keys_pack(b"key", start + b"x" * (2 << 20), 10, True))) <= 3
