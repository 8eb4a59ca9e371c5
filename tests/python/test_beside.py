# test_beside.py - what strangers lay beside a file: journals, logs and indexes
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
import stat
import struct
import subprocess
import sys
import tempfile

import pytest
from conftest import NOBODY, python, python_as

from dictsqlite_v4 import (
    AsyncDictSQLite,
    DictSQLiteV4,
    FormatError,
    WrongPasswordError,
    import_v4,
)
from dictsqlite_v4 import dbm as own_dbm
from dictsqlite_v4.migrate import import_diskcache, import_shelve, import_sqlitedict

CHEAP = {"kdf_memory": 19 << 20, "kdf_passes": 2}
MAGIC = bytes.fromhex("d9d505f920a163d7")
ROOT = os.geteuid() == 0


def describe(folder):
    """Everything in a folder: kinds, modes, owners, links, sizes, times and contents."""
    found = {}
    for entry in sorted(folder.rglob("*")):
        info = entry.lstat()
        content = entry.read_bytes() if stat.S_ISREG(info.st_mode) else None
        found[str(entry)] = (info.st_mode, info.st_uid, info.st_nlink, info.st_size,
                             info.st_mtime_ns, content)
    return found


def lay_journal(path, names, n_pages=None, sector=512):
    """A hot journal beside `path` that cuts the file to `n_pages` and names another file."""
    size = os.path.getsize(path) // 4096 if n_pages is None else n_pages
    name = os.fsencode(names)
    header = (MAGIC + struct.pack(">5I", 0, 1, size, sector, 4096)).ljust(sector, b"\0")
    tail = struct.pack(">I", 0x40000000 // 4096 + 1) + name
    tail += struct.pack(">2I", len(name), sum(name)) + MAGIC
    with open(f"{path}-journal", "wb") as file:
        file.write(header + tail)


def make(path, password=None):
    with DictSQLiteV4(path, encryption_password=password, **CHEAP) as store:
        store["a"] = 1


def crash(path, password=None):
    """A store whose process was killed, with a log and no index beside it."""
    python(
        "import os, sys; from dictsqlite_v4 import DictSQLiteV4\n"
        "store = DictSQLiteV4(sys.argv[1], encryption_password=sys.argv[2] or None,\n"
        "                     kdf_memory=19 << 20, kdf_passes=2)\n"
        "store['a'] = 1; store.flush(); os._exit(0)",
        path, password or "",
    )
    os.unlink(f"{path}-shm")
    assert os.path.getsize(f"{path}-wal") > 0


DOORS = {
    "plain": (None, lambda p: DictSQLiteV4(p).close()),
    "right password": ("pw", lambda p: DictSQLiteV4(p, encryption_password="pw").close()),
    "wrong password": ("pw", lambda p: DictSQLiteV4(p, encryption_password="WRONG").close()),
    "no password": ("pw", lambda p: DictSQLiteV4(p).close()),
    "read only": (None, lambda p: DictSQLiteV4(p, read_only=True).close()),
    "lazy": (None, lambda p: DictSQLiteV4(p, persist_mode="lazy").close()),
    "async": (None, lambda p: asyncio.run(AsyncDictSQLite(p).close())),
    "rekey_file": ("pw", lambda p: DictSQLiteV4.rekey_file(p, "pw", "other")),
    "rekey_file, wrong": ("pw", lambda p: DictSQLiteV4.rekey_file(p, "WRONG", "other")),
    "dbm r": (None, lambda p: own_dbm.open(str(p), "r").close()),
    "dbm w": (None, lambda p: own_dbm.open(str(p), "w").close()),
    "dbm c": (None, lambda p: own_dbm.open(str(p), "c").close()),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("crashed", (False, True))
def test_no_door_rolls_a_journal_back(path, tmp_path, door, crashed):
    password, use = DOORS[door]
    (crash if crashed else make)(path, password)
    victim = tmp_path / "victim"
    victim.write_text("x")
    lay_journal(path, victim, n_pages=0)
    before = describe(tmp_path)
    with pytest.raises((FormatError, own_dbm.error)) as refused:
        use(path)
    said = str(refused.value)
    assert "store.db-journal" in said and "move the journal away" in said
    assert describe(tmp_path) == before
    os.unlink(f"{path}-journal")
    if "wrong" not in door and door != "no password":
        use(path)


@pytest.mark.parametrize("door", DOORS)
def test_nothing_is_made_beside_a_journal(path, tmp_path, door):
    path.with_name("store.db-journal").write_bytes(MAGIC * 100)
    before = describe(tmp_path)
    with pytest.raises(OSError):
        DOORS[door][1](path)
    assert describe(tmp_path) == before


@pytest.mark.parametrize("door", ("plain", "read only", "rekey_file"))
def test_nothing_is_left_beside_a_file_that_is_cut(path, tmp_path, door):
    crash(path, DOORS[door][0])
    os.truncate(path, 5000)
    before = describe(tmp_path)
    with pytest.raises(OSError):
        DOORS[door][1](path)
    assert describe(tmp_path) == before


@pytest.mark.parametrize("call", ("backup", "encrypt_copy", "decrypt_copy"))
@pytest.mark.parametrize("suffix", ("-wal", "-shm", "-journal"))
def test_no_copy_is_made_beside_anothers_log(path, tmp_path, call, suffix):
    with DictSQLiteV4(path) as store:
        store["a"] = 1
        (tmp_path / f"copy{suffix}").write_bytes(b"")
        before = describe(tmp_path)
        with pytest.raises(FileExistsError):
            getattr(store, call)(*(tmp_path / "copy", "pw")[: 1 + (call == "encrypt_copy")])
        assert describe(tmp_path) == before


def foreign(path, table, columns="key TEXT PRIMARY KEY, value BLOB"):
    """Another program's file with a genuine hot journal beside it: a transaction under way, killed
    when its first pages had been written."""
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute(f'CREATE TABLE "{table}" ({columns})')
    writer.executemany(f'INSERT INTO "{table}" (key, value) VALUES (?, ?)',
                       ((f"k{i}", b"value") for i in range(200)))
    writer.execute("PRAGMA cache_size = 5")
    writer.execute("BEGIN")
    writer.execute(f'UPDATE "{table}" SET value = ?', (b"changed" * 100,))
    held = path.with_name(path.name + "-journal").read_bytes(), path.read_bytes()
    writer.execute("ROLLBACK")
    writer.close()
    path.with_name(path.name + "-journal").write_bytes(held[0])
    path.write_bytes(held[1])
    assert held[0][:8] == MAGIC


IMPORTS = {
    "import_v4": ("old.db", "kv_store", import_v4),
    "import_sqlitedict": ("old.db", "unnamed", import_sqlitedict),
}


@pytest.mark.parametrize("call", IMPORTS)
def test_an_import_reads_beside_a_genuine_journal(tmp_path, call, open_store):
    name, table, use = IMPORTS[call]
    folder = tmp_path / "old"
    folder.mkdir()
    foreign(folder / name, table)
    before = describe(folder)
    store = open_store()
    assert use(folder / name, store).n_imported == 200
    assert dict(store) == {f"k{i}": "value" for i in range(200)}
    assert describe(folder) == before


@pytest.mark.parametrize("call", (*IMPORTS, "import_diskcache"))
def test_an_import_removes_nothing(tmp_path, call, open_store):
    folder = tmp_path / "old"
    folder.mkdir()
    if call == "import_diskcache":
        name, use = "cache.db", lambda path, store: import_diskcache(path.parent, store)
        table = "Cache"
    else:
        name, table, use = IMPORTS[call]
    foreign(folder / name, table)
    victim = folder / "victim"
    victim.write_text("x")
    lay_journal(folder / name, victim)
    before = describe(folder)
    with pytest.raises(FormatError, match="names another one"):
        use(folder / name, open_store())
    assert describe(folder) == before


def test_a_shelf_is_not_rolled_back(tmp_path, open_store):
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "victim").write_text("x")
    foreign(folder / "shelf.db", "Dict", "key BLOB UNIQUE NOT NULL, value BLOB NOT NULL")
    lay_journal(folder / "shelf.db", folder / "victim")
    before = describe(folder)
    with contextlib.suppress(Exception):  # which one is a matter of Python's version
        import_shelve(folder / "shelf.db", open_store())
    assert describe(folder) == before


def test_what_an_import_copies_is_removed(tmp_path, open_store, monkeypatch):
    """As soon as it is open; and what a process that died has left, by the next import."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    left = scratch / "dictsqlite-left"
    left.mkdir()
    (left / "old.db").write_text("plain")
    foreign(tmp_path / "old.db", "kv_store")
    seen = []
    import_v4(tmp_path / "old.db", open_store(),
              values=lambda key, data: seen.append(os.listdir(scratch)))
    assert seen and set(map(tuple, seen)) == {()}
    assert os.listdir(scratch) == []
    with subprocess.Popen(
        [sys.executable, "-c",
         "import os, signal, shutil, sys, tempfile\n"
         "from dictsqlite_v4 import DictSQLiteV4, import_v4\n"
         "tempfile.tempdir = sys.argv[1]\n"
         "shutil.copyfile = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)\n"
         "import_v4(sys.argv[2], {})\n", str(scratch), str(tmp_path / "old.db")]
    ) as child:
        assert child.wait() == -signal.SIGKILL
    assert len(os.listdir(scratch)) == 1
    import_v4(tmp_path / "old.db", {})
    assert os.listdir(scratch) == []


# --- logs and indexes


def link(path, target):
    os.link(target, path)


SIDECARS = {
    "a link": (lambda path, target: os.symlink(target, path), OSError),
    "a link to nothing": (lambda path, target: os.symlink("nowhere", path), OSError),
    "a second name": (link, OSError),
    "a folder": (lambda path, target: os.mkdir(path), OSError),
    "a pipe": (lambda path, target: os.mkfifo(path), OSError),
    "a socket": (lambda path, target: os.mknod(path, stat.S_IFSOCK | 0o600), OSError),
}


def own(path, target):
    shutil.copyfile(target, path)
    os.chown(path, NOBODY, NOBODY)


if ROOT:
    SIDECARS["a device"] = (lambda path, target: os.mknod(path, stat.S_IFCHR, os.makedev(1, 5)),
                            OSError)
    SIDECARS["another's"] = (own, PermissionError)


@pytest.mark.parametrize("kind", SIDECARS)
@pytest.mark.parametrize("suffix", ("-wal", "-shm"))
@pytest.mark.parametrize("door", ("plain", "read only", "rekey_file", "missing", "empty"))
def test_only_plain_files_of_the_same_owner_are_taken(path, tmp_path, kind, suffix, door):
    password = "pw" if door == "rekey_file" else None
    if door == "empty":
        path.write_bytes(b"")
    elif door != "missing":
        make(path, password)
    victim = tmp_path / "victim"
    victim.write_bytes(b"x" * 40000)
    lay, error = SIDECARS[kind]
    lay(f"{path}{suffix}", victim)
    before = describe(tmp_path)
    use = DOORS["plain" if door in ("missing", "empty") else door][1]
    with pytest.raises(error) as refused:
        use(path)
    if door != "missing" or kind != "another's":
        assert f"store.db{suffix}" in str(refused.value)
    assert describe(tmp_path) == before


@pytest.mark.skipif(not ROOT, reason="needs to give files away")
@pytest.mark.parametrize("mode, taken", ((0o660, True), (0o640, False), (0o664, False)))
def test_a_group_may_share_a_store(public_folder, mode, taken):
    path = public_folder / "store.db"
    crash(path)
    os.chmod(path, 0o660)
    os.chown(path, 1000, 2000)
    os.chown(f"{path}-wal", 1001, 2000)
    os.chmod(f"{path}-wal", mode)
    public_folder.chmod(0o777)
    code = (
        "import sys; from dictsqlite_v4 import DictSQLiteV4\n"
        "try: print(dict(DictSQLiteV4(sys.argv[1])))\n"
        "except PermissionError as error: print(error)\n"
    )
    said = python_as(1002, 2000, code, path)
    assert said.stderr == ""
    assert said.stdout == "{'a': 1}\n" if taken else "another user" in said.stdout


def test_a_file_of_two_names_is_not_written(path, tmp_path):
    make(path)
    os.link(path, tmp_path / "other")
    before = describe(tmp_path)
    for name in ("store.db", "other"):
        with pytest.raises(OSError, match="hard links"):
            DictSQLiteV4(tmp_path / name)
    assert describe(tmp_path) == before
    assert dict(DictSQLiteV4(path, read_only=True)) == {"a": 1}
    (tmp_path / "other").unlink()
    assert dict(DictSQLiteV4(path)) == {"a": 1}


# --- nothing is left


def spoil(path, statement, crashed):
    """Run SQL on a store, in a process that dies then, or in its log alone."""
    python(
        "import os, sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "database.execute(sys.argv[2])\n"
        "if sys.argv[3]: os._exit(0)\n"
        "database.close()",
        path, statement, "yes" if crashed else "",
    )
    assert os.path.exists(f"{path}-wal") == crashed
    if crashed:
        os.unlink(f"{path}-shm")


AS_IT_IS = "PRAGMA user_version"
LATER = "PRAGMA user_version = 99"

REFUSALS = {
    "wrong password": ("pw", AS_IT_IS, lambda p: DictSQLiteV4(p, encryption_password="x")),
    "no password": ("pw", AS_IT_IS, lambda p: DictSQLiteV4(p)),
    "a password too many": (
        None, AS_IT_IS, lambda p: DictSQLiteV4(p, encryption_password="x")),
    "damaged": (None, "UPDATE store SET header = zeroblob (28)", DictSQLiteV4),
    "a later version": (None, LATER, DictSQLiteV4),
    "read only": (None, LATER, lambda p: DictSQLiteV4(p, read_only=True)),
    "wrong password, read only": (
        "pw", AS_IT_IS, lambda p: DictSQLiteV4(p, encryption_password="x", read_only=True)),
    "rekey_file": ("pw", AS_IT_IS, lambda p: DictSQLiteV4.rekey_file(p, "x", "y")),
}


@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize("crashed", (False, True))
def test_a_refused_open_leaves_nothing_and_changes_nothing(path, tmp_path, kind, crashed):
    password, statement, use = REFUSALS[kind]
    (crash if crashed else make)(path, password)
    spoil(path, statement, crashed)
    before = describe(tmp_path)
    with pytest.raises((OSError, WrongPasswordError)):
        use(path)
    assert describe(tmp_path) == before
