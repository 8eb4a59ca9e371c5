# test_dsq_files.py - dsq backup, compact, encrypt, decrypt, passwd, salvage
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import os
import shutil
import sqlite3
import stat

import pytest

from dictsqlite_v4 import DictSQLiteV4
from program import DAMAGED, DONE, FAILED, PASSWORD, USAGE, dsq, fails, ok

OLD = ("--password-env", "OLD")
NEW = ("--new-password-env", "NEW")
ENV = {"OLD": "old password", "NEW": "new password"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


def fill(path, password=None, n=2000):
    with DictSQLiteV4(path, encryption_password=password, persist_mode="lazy") as db:
        db.update({f"key {number}": f"value {number} " * 20 for number in range(n)})
        db.table("t").update({number: number for number in range(100)})


def dump(path, *options):
    return ok("dump", path, *options, env=ENV).raw


# --- copies


def test_backup(tmp_path, path):
    fill(path)
    path.chmod(0o640)
    copy = tmp_path / "copy.db"
    assert ok("backup", path, copy).out == ""
    assert dump(copy) == dump(path)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o640
    fails(FAILED, "backup", path, copy, says=str(copy))
    fails(FAILED, "backup", path, tmp_path / "no" / "copy.db", says="copy.db")
    fails(FAILED, "backup", tmp_path / "missing", tmp_path / "x.db", says="missing")
    fails(USAGE, "backup", "--new-keys", path, tmp_path / "x.db", says="not encrypted")
    assert sorted(os.listdir(tmp_path)) == ["copy.db", "store.db"]


@pytest.mark.parametrize("words", (
    ("get", "k"), ("set", "k", "v"), ("keys",), ("stat",), ("check",), ("dump",), ("compact",),
    ("salvage", "new.db"), ("backup", "new.db"), ("watch",),
), ids=" ".join)
def test_a_file_is_named_as_it_was_typed(tmp_path, path, words):
    fill(path, n=1)
    (tmp_path / "text").write_text("no store, and longer than the name of one " * 100)
    (tmp_path / "folder").mkdir()
    verb, *rest = words
    for name, status, cause in (
        ("text", DAMAGED, "store"),
        ("./text", DAMAGED, "store"),
        ("folder", DAMAGED if verb == "stat" else FAILED, "folder" if verb == "stat" else "file"),
        ("store.db/below", FAILED, "Not a directory"),
        ("nowhere/below", FAILED, "o such file"),
    ):
        done = dsq(verb, name, *rest, cwd=tmp_path)
        assert (done.status, done.out) == (status, ""), done
        assert done.err.startswith(f"dsq: {name}: ") and cause in done.err, done
        assert str(tmp_path) not in done.err
    assert sorted(os.listdir(tmp_path)) == ["folder", "store.db", "text"]


def test_backup_of_what_is_in_use(tmp_path, path):
    with DictSQLiteV4(path, persist_mode="writethrough") as db:
        db["k"] = "v"
        ok("backup", path, tmp_path / "copy.db")
    assert ok("get", tmp_path / "copy.db", "k").out == "v\n"


def test_encrypt_and_decrypt(tmp_path, path):
    fill(path)
    secret, plain = tmp_path / "secret.db", tmp_path / "plain.db"
    ok("encrypt", path, secret, "--new-password-env", "OLD", env=ENV)
    assert b"key 1" not in secret.read_bytes() and b"value 1" not in secret.read_bytes()
    assert dump(secret, *OLD) == dump(path)
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    ok("decrypt", secret, plain, *OLD, env=ENV)
    assert dump(plain) == dump(path)
    fails(FAILED, "encrypt", path, secret, *NEW, env=ENV, says="already")
    fails(FAILED, "decrypt", secret, plain, *OLD, env=ENV, says="already")
    fails(PASSWORD, "encrypt", path, tmp_path / "x.db", says="--new-password-fd")
    fails(PASSWORD, "encrypt", path, tmp_path / "x.db", *NEW, env={"NEW": ""}, says="is empty")
    fails(PASSWORD, "decrypt", secret, tmp_path / "x.db", "--password-env", "NEW", env=ENV)
    assert not (tmp_path / "x.db").exists()

    ok("backup", secret, tmp_path / "same.db", *OLD, env=ENV)
    ok("backup", "--new-keys", secret, tmp_path / "other.db", *OLD, env=ENV)
    for copy in ("same.db", "other.db"):
        assert dump(tmp_path / copy, *OLD) == dump(path)


def test_passwd(path):
    fill(path, "old password")
    before = dump(path, *OLD)
    ok("passwd", path, *OLD, *NEW, env=ENV)
    fails(PASSWORD, "keys", path, *OLD, env=ENV)
    assert dump(path, "--password-env", "NEW") == before
    # both on lines of one descriptor
    ok("passwd", "--rekey", path, "--password-fd", "0", "--new-password-fd", "0",
       input="new password\nold password\n")
    assert dump(path, *OLD) == before
    fails(PASSWORD, "passwd", path, "--password-env", "NEW", *NEW, env=ENV, says=str(path))
    assert dump(path, *OLD) == before


def test_passwd_of_a_plain_file(path):
    fill(path, n=10)
    before = path.read_bytes()
    fails(PASSWORD, "passwd", path, *NEW, env=ENV, says="it is not encrypted; see dsq encrypt")
    assert path.read_bytes() == before


def test_rekey_of_a_file_that_is_in_use(path):
    with DictSQLiteV4(path, encryption_password="old password") as db:
        db["k"] = "v"
        fails(FAILED, "passwd", "--rekey", path, *OLD, *NEW, env=ENV, says=str(path))
    assert ok("get", path, "k", *OLD, env=ENV).out == "v\n"


@pytest.mark.parametrize("password", [None, "old password"])
def test_compact(tmp_path, path, password):
    of = OLD if password else ()
    fill(path, password, 20_000)
    with DictSQLiteV4(path, encryption_password=password, persist_mode="lazy") as db:
        for number in range(20_000):
            if number % 10:
                del db[f"key {number}"]
        db.set("short", "v", expire=0.001)
    before, large = dump(path, *of), path.stat().st_size
    small = tmp_path / "small.db"
    out = ok("compact", path, small, *of, env=ENV).out
    assert out.startswith(f"{large:,} bytes") and f"{small.stat().st_size:,} bytes" in out
    assert dump(small, *of) == before
    assert path.stat().st_size == large
    ok("compact", path, *of, env=ENV)
    assert dump(path, *of) == before
    assert ok("check", path, *of, env=ENV).out == ""
    assert small.stat().st_size <= path.stat().st_size <= large


# --- salvage


def exchange(path, offset, length):
    content = bytearray(path.read_bytes())
    content[offset:offset + length] = os.urandom(length)
    path.write_bytes(content)


def pages_of(path, table):
    """The leaves of a table or index, in their order, without the first and the last."""
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute(
            "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path",
            (table,))][1:-1]
    except sqlite3.OperationalError:
        pytest.skip("SQLite is built without dbstat")
    finally:
        connection.close()


def test_salvage_of_a_sound_file(tmp_path, path):
    fill(path)
    new = tmp_path / "new.db"
    assert ok("salvage", path, new).out == "2,100 entries salvaged\n"
    assert dump(new) == dump(path)
    fails(FAILED, "salvage", path, new, says="already")
    fails(FAILED, "salvage", tmp_path / "missing", tmp_path / "x.db", says="missing")
    assert not (tmp_path / "x.db").exists()


@pytest.mark.parametrize("password", [None, "old password"])
def test_salvage_of_damaged_rows(tmp_path, path, password):
    of = OLD if password else ()
    fill(path, password)
    sound = dump(path, *of).splitlines()
    connection = sqlite3.connect(path)
    places = [row[0] for row in connection.execute(
        "SELECT place FROM entry ORDER BY place LIMIT 5 OFFSET 1000")]
    for place in places:
        connection.execute("UPDATE entry SET value = CAST(substr(value, 1, 50) AS BLOB)"
                           " WHERE place = ?", (place,))
    connection.commit()
    connection.close()
    new = tmp_path / "new.db"
    result = fails(DAMAGED, "salvage", path, new, *of, env=ENV, says="5 entries could not be read")
    assert result.out == "2,095 entries salvaged\n"
    assert dump(new, *of).splitlines() == sound[:1000] + sound[1005:]
    assert ok("check", new, *of, env=ENV).out == ""


@pytest.mark.parametrize("password", [None, "old password"])
def test_salvage_of_damaged_pages(tmp_path, path, password):
    of = OLD if password else ()
    fill(path, password)
    sound = dump(path, *of).splitlines()
    leaves = pages_of(path, "entry")
    for leaf in (leaves[len(leaves) // 3], leaves[2 * len(leaves) // 3]):
        exchange(path, (leaf - 1) * 4096, 4096)
    new = tmp_path / "new.db"
    result = dsq("salvage", path, new, *of, env=ENV)
    assert result.status == DAMAGED and "could not be read" in result.err, result
    got = dump(new, *of).splitlines()
    assert set(got) < set(sound)
    # an index gives what lies between the two, but for an encrypted file, which hides it
    assert len(got) > len(sound) * (0.6 if password else 0.95)
    n_lost = len(sound) - len(got)
    assert f"{n_lost:,} entries could not be read" in result.err
    assert ok("check", new, *of, env=ENV).out == ""


def test_salvage_of_anything(tmp_path, path):
    """Damage anywhere: it ends, with what there is or an error, and never with a false entry."""
    fill(path, n=300)
    sound = set(dump(path).splitlines())
    n_opened = 0
    for number in range(40):
        broken, new = tmp_path / f"{number}.db", tmp_path / f"{number}.new"
        shutil.copyfile(path, broken)
        exchange(broken, number * 977 * 7 % path.stat().st_size, 64)
        result = dsq("salvage", broken, new)
        assert result.status in (DONE, DAMAGED, FAILED), result
        assert result.status == DONE or result.err.count("\n") == 1, result
        if new.exists():
            n_opened += 1
            assert set(dump(new).splitlines()) <= sound
    assert n_opened > 10


def test_files_that_are_cut(tmp_path, path):
    fill(path, n=500)
    whole = path.read_bytes()
    for length in (1, 50, 100, 4096, 10_000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        for words in (("get", path, "key 5"), ("check", path), ("dump", path), ("keys", path),
                      ("salvage", path, tmp_path / f"new{length}"), (path,)):
            result = dsq(*words)
            assert result.status in (DONE, DAMAGED, FAILED, 1), (length, words, result)
            told = result.err + (result.out if words == (path,) else "")  # what the file is
            assert result.status == DONE or told.count("\n") == 1, (length, words, result)
