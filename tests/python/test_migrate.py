# test_migrate.py - imports from earlier versions and from other programs
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import dbm.dumb
import decimal
import os
import pickle
import shelve
import sqlite3
import time

import pytest
from conftest import snapshot
from legacy_files import seal, write_diskcache, write_sqlitedict, write_v4

from dictsqlite_v4 import DictSQLiteV4, import_v4, migrate

PLAIN = {"a": [1, {"b": (2, None)}], "set": {3}}


@pytest.fixture
def target(tmp_path):
    (tmp_path / "target").mkdir()
    with DictSQLiteV4(tmp_path / "target" / "new.db", persist_mode="lazy") as store:
        yield store


@pytest.fixture
def old(tmp_path):
    """A folder for the source, which no import may change."""
    folder = tmp_path / "old"
    folder.mkdir()
    return folder


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/dictsqlite-evil",)


def rows():
    return [
        ("text", "täxt".encode()),
        ("bytes", b"\xff\x00\xfe"),
        ("plain", pickle.dumps(PLAIN)),
        ("protocol 2", pickle.dumps([1], 2)),
        ("empty", b""),
        ("class", pickle.dumps(decimal.Decimal(1))),
        ("evil", pickle.dumps(Evil())),
        ("broken pickle", pickle.dumps(PLAIN)[:-5] + b"."),
        ("ключ\0", b"1"),
    ]


READ = {
    "text": "täxt", "bytes": b"\xff\x00\xfe", "plain": PLAIN, "protocol 2": [1], "empty": "",
    "ключ\0": "1",
}


def test_import_v4(target, old):
    write_v4(old / "old.db", rows()).close()
    before = snapshot(old)
    steps = []
    report = import_v4(old / "old.db", target, progress=lambda *step: steps.append(step))
    assert dict(target) == READ and list(target) == list(READ)
    assert report.n_imported == 6 and report.n_decrypted == 0 and report.damage is None
    assert [key for key, _ in report.unreadable] == ["class", "evil", "broken pickle"]
    assert "decimal.Decimal" in report.unreadable[0][1] and "system" in report.unreadable[1][1]
    assert str(report) == "6 entries imported, 3 could not be read"
    assert steps[-1] == (9, 9)
    assert snapshot(old) == before and sorted(os.listdir(old)) == ["old.db"]
    assert not os.path.exists("/tmp/dictsqlite-evil")


def test_policies(target, old):
    write_v4(old / "old.db", rows()[:6]).close()
    report = import_v4(old / "old.db", target, values="raw")
    assert dict(target) == dict(rows()[:6]) and report.unreadable == []
    target.clear()
    report = import_v4(old / "old.db", target, values="text")
    assert dict(target) == {"text": "täxt", "empty": ""}
    assert len(report.unreadable) == 4
    target.clear()
    import_v4(old / "old.db", target, values="pickle")
    assert target["class"] == decimal.Decimal(1) and target["plain"] == PLAIN
    target.clear()

    def choose(key, data):
        if key == "bytes":
            raise migrate.Unreadable("not this one")
        return len(data)

    report = import_v4(old / "old.db", target, values=choose)
    assert target["text"] == 5 and report.unreadable == [("bytes", "not this one")]
    with pytest.raises(ValueError, match="values"):
        import_v4(old / "old.db", target, values="other")


@pytest.mark.parametrize("marked", [True, False])
def test_encrypted(target, old, marked):
    encrypted = [(key, seal("päss", value, marked)) for key, value in rows()[:5]]
    plain = [("plain row", b"plain"), ("plain bytes", bytes(range(200, 240)))]
    write_v4(old / "old.db", plain + encrypted).close()
    before = snapshot(old)
    report = import_v4(old / "old.db", target, password="päss")
    assert {key: target[key] for key, _ in rows()[:5]} == {key: READ[key] for key, _ in rows()[:5]}
    assert target["plain row"] == "plain" and target["plain bytes"] == bytes(range(200, 240))
    assert report.n_decrypted == 5 and report.unreadable == []
    target.clear()
    with pytest.raises(ValueError, match="password"):
        import_v4(old / "old.db", target, password="wrong")
    assert len(target) == 0
    report = import_v4(old / "old.db", target)
    assert len(report.unreadable) == (5 if marked else 0)
    assert snapshot(old) == before


def test_one_damaged_among_the_encrypted(target, old):
    damaged = bytearray(seal("p", b"one", True))
    damaged[-1] ^= 1
    write_v4(old / "old.db", [("a", seal("p", b"two", True)), ("b", bytes(damaged))]).close()
    report = import_v4(old / "old.db", target, password="p")
    assert dict(target) == {"a": "two"}
    assert [key for key, _ in report.unreadable] == ["b"] and report.n_decrypted == 1


def test_a_log_beside_the_file(target, old):
    writer = write_v4(old / "old.db", rows()[:3], wal=True)
    assert (old / "old.db-wal").stat().st_size > 0
    before = snapshot(old)
    assert import_v4(old / "old.db", target).n_imported == 3
    assert snapshot(old) == before
    writer.close()


def test_what_is_no_such_file(target, old):
    with pytest.raises(FileNotFoundError):
        import_v4(old / "missing.db", target)
    (old / "text").write_text("no database" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        import_v4(old / "text", target)
    sqlite3.connect(old / "empty.db").execute("CREATE TABLE t (a)").connection.close()
    with pytest.raises(ValueError, match="kv_store"):
        import_v4(old / "empty.db", target)
    other = sqlite3.connect(old / "view.db")
    other.execute("CREATE TABLE t (a)")
    other.execute("CREATE VIEW kv_store AS SELECT a AS key, a AS value FROM t")
    other.close()
    with pytest.raises(ValueError, match="kv_store"):
        import_v4(old / "view.db", target)


def test_a_damaged_file(target, old):
    write_v4(old / "old.db", [(f"k{i}", b"x" * 300) for i in range(3000)]).close()
    size = (old / "old.db").stat().st_size
    with open(old / "old.db", "r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xff" * 40960)
    report = import_v4(old / "old.db", target)
    assert report.damage is not None and "the rest is lost" in str(report)
    assert 0 < report.n_imported < 3000 and len(target) == report.n_imported


def test_values_that_are_no_blobs(target, old):
    write_v4(old / "old.db", [("i", 1), ("f", 0.5), ("t", "text")]).close()
    import_v4(old / "old.db", target)
    assert dict(target) == {"i": 1, "f": 0.5, "t": "text"}


def test_into_a_dict_and_a_table(target, old):
    write_v4(old / "old.db", rows()).close()
    plain = {}
    import_v4(old / "old.db", plain)
    assert plain == READ
    import_v4(old / "old.db", target.table("old"))
    assert dict(target.table("old")) == READ and len(target) == 0


def test_many(target, old):
    write_v4(old / "old.db", ((f"k{i}", b"%d" % i) for i in range(20_000))).close()
    assert import_v4(old / "old.db", target).n_imported == 20_000
    assert len(target) == 20_000 and target["k19999"] == "19999"


def test_sqlitedict(target, old):
    values = {"a": 1, "b": "text", "c": PLAIN, "d": b"\x80"}
    write_sqlitedict(old / "old.sqlite", {**values, "e": decimal.Decimal(2)})
    before = snapshot(old)
    report = migrate.import_sqlitedict(old / "old.sqlite", target)
    assert dict(target) == values and [key for key, _ in report.unreadable] == ["e"]
    migrate.import_sqlitedict(old / "old.sqlite", target, values="pickle")
    assert target["e"] == decimal.Decimal(2)
    assert snapshot(old) == before


def test_diskcache(target, old):
    (old / "ab").mkdir()
    (old / "ab" / "cd.val").write_bytes(b"\xff in a file")
    (old / "ab" / "ef.txt").write_bytes("täxt in a file".encode())
    (old.parent / "secret").write_bytes(b"secret")
    later = time.time() + 1000
    write_diskcache(old, [
        ("str", 1, None, 1, None, "text"),
        (7, 1, None, 1, None, 42),
        (b"bytes", 1, later, 1, None, b"\x00"),
        (0.5, 1, None, 1, None, 1.5),
        (pickle.dumps((1, "two")), 0, None, 4, None, pickle.dumps(PLAIN)),
        ("old", 1, time.time() - 1, 1, None, "expired"),
        ("file", 1, None, 2, "ab/cd.val", None),
        ("text file", 1, None, 3, "ab/ef.txt", None),
        ("outside", 1, None, 2, "../secret", None),
        ("missing", 1, None, 2, "ab/none.val", None),
        ("class", 1, None, 4, None, pickle.dumps(decimal.Decimal(1))),
        (pickle.dumps(decimal.Decimal(1)), 0, None, 1, None, 1),
        (pickle.dumps([1]), 0, None, 1, None, 1),
    ])
    before = snapshot(old)
    report = migrate.import_diskcache(old, target)
    assert dict(target) == {
        "str": "text", 7: 42, b"bytes": b"\x00", 0.5: 1.5, (1, "two"): PLAIN,
        "file": b"\xff in a file", "text file": "täxt in a file",
    }
    assert report.n_expired == 1 and report.n_imported == 7
    assert [key for key, _ in report.unreadable[:3]] == ["outside", "missing", "class"] or (
        len(report.unreadable) == 5
    )
    assert snapshot(old) == before
    with pytest.raises(ValueError, match="diskcache"):
        migrate.import_diskcache(old / "ab", target)


def test_diskcache_in_shards(target, old):
    for i in range(3):
        write_diskcache(old / f"{i:03}", [(f"k{i}", 1, None, 1, None, i)])
    assert migrate.import_diskcache(old, target).n_imported == 3
    assert dict(target) == {"k0": 0, "k1": 1, "k2": 2}


def test_shelve(target, old):
    with shelve.Shelf(dbm.dumb.open(str(old / "shelf"), "n")) as shelf:
        shelf["a"] = PLAIN
        shelf["ключ"] = 1
        shelf["class"] = decimal.Decimal(1)
    before = snapshot(old)
    report = migrate.import_shelve(old / "shelf", target)
    assert dict(target) == {"a": PLAIN, "ключ": 1}
    assert [key for key, _ in report.unreadable] == ["class"]
    assert snapshot(old) == before


def test_any_mapping(target):
    report = migrate.import_mapping({"a": PLAIN, (1,): b"text", 3: None}, target)
    assert dict(target) == {"a": PLAIN, (1,): b"text", 3: None} and report.n_imported == 3
    migrate.import_mapping({"b": b"text", "c": 1}, target, values="text")
    assert target["b"] == "text" and target["c"] == 1


def test_what_a_module_makes_up_is_no_table(tmp_path):
    """Such as the one that gives the pages of the file; it would run code over hostile content."""
    path = tmp_path / "a.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE VIRTUAL TABLE kv_store USING fts5(key, value)")
    connection.execute("INSERT INTO kv_store VALUES ('a', 'b')")
    connection.commit()
    connection.close()
    into = {}
    with pytest.raises(ValueError, match="no table"):
        import_v4(path, into)
    assert into == {}


def test_what_cannot_be_stored_keeps_nothing_else_out(tmp_path):
    path = tmp_path / "a.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE kv_store (key TEXT PRIMARY KEY, value BLOB)")
    connection.executemany(
        "INSERT INTO kv_store VALUES (?, ?)",
        [("a", pickle.dumps(1)), ("k" * (1 << 21), pickle.dumps(2)), ("z", pickle.dumps(3))],
    )
    connection.commit()
    connection.close()
    with DictSQLiteV4(":memory:") as store:
        report = import_v4(path, store)
        assert dict(store) == {"a": 1, "z": 3} and report.n_imported == 2
        ((key, problem),) = report.unreadable
        assert len(key) == 1 << 21 and "longer than 1 MiB" in problem


def test_a_hostile_cache(tmp_path):
    """Each row of it is one that no diskcache writes; none is waited for, and none ends it."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "latin").write_bytes(b"\xff")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "outside").symlink_to("/etc/hostname")
    rows = [
        ("pipe", None, 2, "pipe", None), ("circle", None, 2, "circle", None),
        ("outside", None, 2, "outside", None), ("nul", None, 2, "a\0b", None),
        ("number for a name", None, 2, 5, None), ("folder", None, 2, ".", None),
        ("no UTF-8", None, 3, "latin", None), ("no text", None, 3, None, 5),
        ("no pickle", None, 4, None, 5), ("no time", b"x", 1, None, "value"),
        ("for ever", float("inf"), 1, None, "value"), ("fine", None, 1, None, "value"),
    ]  # fmt: skip
    connection = sqlite3.connect(tmp_path / "cache.db")
    connection.execute(
        "CREATE TABLE Cache (rowid INTEGER PRIMARY KEY, key BLOB, raw INTEGER, expire_time,"
        " mode INTEGER, filename, value BLOB)"
    )
    for key, expires, mode, filename, value in rows:
        connection.execute(
            "INSERT INTO Cache (key, raw, expire_time, mode, filename, value)"
            " VALUES (?, 1, ?, ?, ?, ?)", (key, expires, mode, filename, value)
        )  # fmt: skip
    connection.commit()
    connection.close()
    with DictSQLiteV4(":memory:") as store:
        report = migrate.import_diskcache(tmp_path, store)
        assert dict(store) == {"for ever": "value", "fine": "value"}
        assert len(report.unreadable) == len(rows) - 2, report.unreadable


def test_a_shelf_that_points_beyond_memory(tmp_path):
    with dbm.dumb.open(str(tmp_path / "shelf"), "c") as shelf:
        shelf[b"fine"] = pickle.dumps(5)
        shelf[b"far"] = pickle.dumps(6)
    index = tmp_path / "shelf.dir"
    lines = index.read_text("latin1").splitlines()
    lines[1] = "'far', (0, 999999999999999)"
    index.write_text("\n".join(lines) + "\n", "latin1")
    into = {}
    report = migrate.import_shelve(tmp_path / "shelf", into)
    assert into == {"fine": 5}
    assert [key for key, _ in report.unreadable] == ["far"]
