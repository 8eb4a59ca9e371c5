# test_read_only.py - a store that is opened read-only: nothing about the file changes
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import errno
import os
import shutil
import sqlite3

import pytest
from conftest import NOBODY, python, python_as, snapshot

from dictsqlite_v4 import DictSQLiteV4, FormatError

WRITES = {
    "set": lambda db: db.__setitem__("a", "x"),
    "set bytes": lambda db: db.__setitem__(b"a", b"x"),
    "delete": lambda db: db.__delitem__("a"),
    "delete the missing": lambda db: db.__delitem__("missing"),
    "pop": lambda db: db.pop("a"),
    "popitem": lambda db: db.popitem(),
    "setdefault": lambda db: db.setdefault("missing", 1),
    "update": lambda db: db.update(a=1),
    "bulk_insert": lambda db: db.bulk_insert({"a": 1}),
    "clear": lambda db: db.clear(),
    "incr": lambda db: db.incr("a"),
    "incr of another type": lambda db: db.incr("a", 0.5),
    "compare_and_set": lambda db: db.compare_and_set("a", 1, 2),
}


def transact(db):
    with db.transaction():
        db["a"] = 2


WRITES["transaction"] = transact


@pytest.fixture
def written(path):
    with DictSQLiteV4(path) as store:
        store.update({"a": 1, "b": "two", "c": [3]})
    return path


@pytest.mark.parametrize("operation", WRITES)
def test_every_write_is_an_error(open_store, written, file_mode, operation):
    before = snapshot(written.parent)
    store = open_store(persist_mode=file_mode, read_only=True)
    with pytest.raises(OSError, match="read-only") as caught:
        WRITES[operation](store)
    assert caught.value.errno == errno.EROFS
    assert dict(store) == {"a": 1, "b": "two", "c": [3]}
    store.flush()
    store.close()
    assert snapshot(written.parent) == before
    assert os.listdir(written.parent) == [written.name]


def test_reading(open_store, written):
    store = open_store(read_only=True, persist_mode="lazy", hot_capacity=1, warm_capacity=0)
    assert len(store) == 3 and list(reversed(store)) == ["c", "b", "a"]
    assert store.get_many(["c", "missing"]) == {"c": [3]}
    assert store.setdefault("a", 9) == 1 and store.get("missing") is None
    with store.transaction():
        assert store["b"] == "two"
    assert store.stats()["persist_mode"] == "lazy"
    assert store._store.get_stats().persist_mode == store._store.props.persist_mode


def test_a_missing_file_is_not_made(open_store, path):
    with pytest.raises(FileNotFoundError):
        open_store(read_only=True)
    path.touch()
    with pytest.raises(FormatError):
        open_store(read_only=True)
    assert path.read_bytes() == b"" and os.listdir(path.parent) == [path.name]


def test_memory_mode_has_nothing_to_read(open_store):
    with pytest.raises(ValueError, match="read-only"):
        open_store(db_path=":memory:", read_only=True)


def test_what_others_write_is_seen(open_store, written):
    reader = open_store(read_only=True)
    writer = open_store()
    assert reader["a"] == 1
    writer["a"] = 2
    writer["d"] = 4
    assert reader["a"] == 2 and len(reader) == 4
    writer.close()
    assert reader["d"] == 4
    reader.close()


def test_what_a_killed_process_left_is_read(open_store, written):
    code = """
import os, sys
from dictsqlite_v4 import DictSQLiteV4
db = DictSQLiteV4(sys.argv[1])
db["d"] = 4
os.kill(os.getpid(), 9)
"""
    assert python(code, written).returncode == -9
    before = snapshot(written.parent)
    store = open_store(read_only=True)
    assert store["d"] == 4
    store.close()
    assert snapshot(written.parent) == before


def test_a_file_out_of_wal_mode(open_store, written):
    sqlite3.connect(written).execute("PRAGMA journal_mode = DELETE").connection.close()
    before = snapshot(written.parent)
    with pytest.raises(OSError, match="WAL mode") as caught:
        open_store(read_only=True)
    assert caught.value.errno == errno.EROFS
    assert snapshot(written.parent) == before


SAY_WHAT_IS_THERE = """
import sys
from dictsqlite_v4 import DictSQLiteV4
try:
    with DictSQLiteV4(sys.argv[1], read_only=True) as db:
        print(dict(db), len(db))
        db["x"] = 1
except OSError as error:
    print(error.errno, error)
"""


@pytest.fixture
def readable_by_all(written, public_folder):
    readable = public_folder / written.name
    shutil.copyfile(written, readable)
    readable.chmod(0o444)
    public_folder.chmod(0o555)
    return readable


def test_in_a_folder_that_cannot_be_written(readable_by_all):
    before = snapshot(readable_by_all.parent)
    done = python_as(NOBODY, NOBODY, SAY_WHAT_IS_THERE, readable_by_all)
    assert done.stderr == ""
    assert done.stdout.startswith("{'a': 1, 'b': 'two', 'c': [3]} 3\n30 "), done.stdout
    assert snapshot(readable_by_all.parent) == before


def test_a_log_in_a_folder_that_cannot_be_written(readable_by_all):
    code = """
import os, sys
from dictsqlite_v4 import DictSQLiteV4
db = DictSQLiteV4(sys.argv[1])
db["d"] = 4
os._exit(0)
"""
    readable_by_all.parent.chmod(0o755)
    readable_by_all.chmod(0o644)
    assert python(code, readable_by_all).returncode == 0
    os.unlink(f"{readable_by_all}-shm")
    readable_by_all.parent.chmod(0o555)
    done = python_as(NOBODY, NOBODY, SAY_WHAT_IS_THERE, readable_by_all)
    assert done.stderr == "" and done.stdout.startswith("30 "), done.stdout
