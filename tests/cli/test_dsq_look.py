# test_dsq_look.py - dsq keys, list, stat, check, and dsq FILE
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import json
import os
import sqlite3

import pytest

from dictsqlite_v4 import DictSQLiteV4
from program import DAMAGED, FAILED, PASSWORD, USAGE, fails, is_no_store, ok


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture(params=(None, "a password"))
def password(request, monkeypatch):
    """Options for a plain store, and for an encrypted one."""
    if request.param is None:
        return None
    monkeypatch.setenv("SECRET", request.param)
    return request.param


def given(password):
    return ("--password-env", "SECRET") if password else ()


def test_keys_come_in_their_order(path, password):
    with DictSQLiteV4(path, encryption_password=password) as db:
        db.update({key: key for key in ("b", "a", "with\nend", "\x1b[31m", 5, "ab", "a\0")})
    plain = ["b", "a", '"with\\nend"', '"\\u001b[31m"', "5", "ab", '"a\\u0000"']
    assert ok("keys", path, *given(password)).lines == plain
    assert ok("keys", "--prefix", "a", path, *given(password)).lines == ["a", '"a\\u0000"', "ab"]
    assert ok("keys", "--prefix", "", path, *given(password)).lines[0] == '"\\u001b[31m"'
    assert ok("keys", "--prefix", "none", path, *given(password)).out == ""
    exact = [json.loads(line) for line in ok("keys", "-j", path, *given(password)).lines]
    assert exact == ["b", "a", "with\nend", "\x1b[31m", 5, "ab", "a\0"]


def test_many_keys_with_a_prefix(path, password):
    names = [f"key {number:05}" for number in range(3500)]
    with DictSQLiteV4(path, encryption_password=password) as db:
        db.update({name: 1 for name in reversed(names)})
        db.update({f"other {number}": 1 for number in range(100)})
    assert ok("keys", "-p", "key", path, *given(password)).lines == names
    assert ok("keys", path, *given(password)).lines[:3500] == names[::-1]


def test_list_shows_what_fits(path, password):
    with DictSQLiteV4(path, encryption_password=password) as db:
        db["long"] = "é" * 1000
        db["list"] = [1, 2]
        db.table("t")["k"] = 1.5
        db.set("soon", None, expire=1000)
    lines = ok("list", path, *given(password)).lines
    assert lines[0].startswith('long\t"éé') and lines[0].endswith("é...")
    assert len(lines[0].encode()) < 80
    assert lines[1].startswith('list\t{"pickle":"')
    assert lines[2] == "soon\tnull"
    assert ok("list", path, "-T", "t", *given(password)).lines == ["k\t1.5"]
    entries = [json.loads(line) for line in ok("list", path, "--json", *given(password)).lines]
    assert entries[0] == {"key": "long", "value": "é" * 1000}
    assert entries[2]["expires"] > 1_600_000_000_000
    assert ok("list", path, "--json", "-T", "t", *given(password)).lines == [
        '{"table":"t","key":"k","value":1.5}']
    assert ok("list", path, "--json", "-p", "so", *given(password)).lines == [
        json.dumps(entries[2], separators=(",", ":"))]


def test_stat(path, password):
    with DictSQLiteV4(path, encryption_password=password) as db:
        db["k"] = 1
        db.table("a\nb").update({1: 1, 2: 2})
        db.table("empty")
    out = json.loads(ok("stat", "--json", path, *given(password)).out)
    assert out == {
        "version": 2, "encrypted": bool(password), "file_bytes": os.path.getsize(path),
        "wal_bytes": 0,
        "tables": [{"table": None, "entries": 1}, {"table": "a\nb", "entries": 2},
                   {"table": "empty", "entries": 0}],
    }
    lines = ok("stat", path, *given(password)).lines
    assert lines[0].endswith("not encrypted" if not password else "version 2, encrypted")
    assert lines[2:] == ["  1 entry", '  table "a\\nb": 2 entries', "  table empty: 0 entries"]
    alone = ok(path).lines
    if password:
        assert alone == [*lines[:2], "  what it holds needs its password"]
    else:
        assert alone == lines


def test_a_store_that_is_in_use(path):
    with DictSQLiteV4(path, persist_mode="writethrough") as db:
        db["k"] = "v"
        assert "write-ahead log of" in ok(path).out
        assert ok("get", path, "k").out == "v\n"
        ok("set", path, "other", "from the shell")
        assert db["other"] == "from the shell"


def test_passwords(tmp_path, path):
    ok("set", path, "k", "v", "--password-fd", "0", input="first\n")
    assert ok("get", path, "k", "--password-fd", "0", input="first\nno password").out == "v\n"
    assert ok("get", path, "k", "--password-env", "P", env={"P": "first"}).out == "v\n"
    fails(PASSWORD, "get", path, "k", says=f"{path}: a password is needed")
    fails(PASSWORD, "get", path, "k", "--password-env", "P", env={"P": "x"}, says=str(path))
    fails(PASSWORD, "get", path, "k", "--password-env", "P", env={"P": ""}, says="is empty")
    fails(PASSWORD, "get", path, "k", "--password-env", "NOT_SET", says="NOT_SET")
    fails(PASSWORD, "get", path, "k", "--password-fd", "77", says="descriptor 77")
    fails(PASSWORD, "get", path, "k", "--password-fd", "0", input="x" * 70000, says="65535")
    plain = tmp_path / "plain.db"
    ok("set", plain, "k", "v")
    fails(PASSWORD, "get", plain, "k", "--password-env", "P", env={"P": "x"}, says=str(plain))
    # the value from what follows the password
    ok("set", path, "long", "--password-fd", "0", input="first\nvalue\n")
    assert ok("get", "-r", path, "long", "--password-fd", "0", input="first").raw == b"value\n"


def damage(path, password=None):
    """A value in the middle, whose checksum no longer fits."""
    with DictSQLiteV4(path, encryption_password=password) as db:
        db.update({f"key {number}": "value " * 50 for number in range(50)})
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT place FROM entry ORDER BY place LIMIT 1 OFFSET 20")
    (place,) = rows.fetchone()
    connection.execute("UPDATE entry SET value = CAST(substr(value, 1, 100) || x'00' || "
                       "substr(value, 102) AS BLOB) WHERE place = ?", (place,))
    connection.commit()
    connection.close()


def test_check(path, password):
    with DictSQLiteV4(path, encryption_password=password) as db:
        db["k"] = 1
    assert ok("check", path, *given(password)).out == ""


def test_check_of_damage(path, password):
    damage(path, password)
    result = fails(DAMAGED, "check", path, *given(password), says="it is damaged")
    assert len(result.lines) == 1
    if not password:
        fails(DAMAGED, "get", path, "key 20", says=str(path))
        assert "key 20\t(damaged)" in ok("list", path).lines
        fails(DAMAGED, "list", "--json", path, says='the key "key 20" is damaged')


@pytest.mark.parametrize("content, kind", [
    (b"", "an empty file"),
    (b"\x1f\x8b\x08", "compressed by gzip"),
    (b"\x80\x05K\x01.", "a Python pickle"),
    (b'{"a": 1}', "JSON it seems"),
    (b"Package: a\n", "text"),
    (b"\x7fELF", "a program"),
    (b"\x00\x01\xfe", "data of no known kind"),
    (b"SQLite format 3\0", "data of no known kind"),
])
def test_what_a_file_is(tmp_path, content, kind):
    file = tmp_path / "a\x1b[31mfile"
    file.write_bytes(content)
    out = is_no_store(file)
    assert kind in out and "\x1b" not in out


def test_what_other_things_are(tmp_path):
    assert "a folder" in is_no_store(tmp_path)
    assert "a pipe or a device" in is_no_store("/dev/null")
    os.mkfifo(tmp_path / "fifo")
    assert "a pipe or a device" in is_no_store(tmp_path / "fifo")
    (tmp_path / "cache.db").write_bytes(b"")
    assert "a folder of diskcache" in is_no_store(tmp_path)
    fails(USAGE, tmp_path / "missing", says="no file")
    ok("set", tmp_path / "get", "k", "v")
    assert "a store of dictsqlite" in ok("./get", cwd=tmp_path).out
    (tmp_path / "get").chmod(0)
    if os.getuid() != 0:
        fails(FAILED, tmp_path / "get", says="Permission denied")


@pytest.mark.parametrize("sql, kind", [
    ("CREATE TABLE kv_store (key TEXT PRIMARY KEY, value BLOB NOT NULL)", "DictSQLite 2 or 4.1"),
    ("CREATE TABLE IF NOT EXISTS \"unnamed\" (key TEXT PRIMARY KEY, value BLOB)", "sqlitedict"),
    ("CREATE TABLE other (x)", "of another program"),
])
def test_foreign_databases(path, sql, kind):
    connection = sqlite3.connect(path)
    connection.execute(sql)
    connection.close()
    assert kind in is_no_store(path)
    fails(DAMAGED, "stat", path, says=kind)
