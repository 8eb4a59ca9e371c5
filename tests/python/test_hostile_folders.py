# test_hostile_folders.py - folders in which strangers have laid anything under the right names
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each folder is made from a number: file, log, index, journal and what could be left of a work
file, each whole, damaged, another store's, of another owner, or no plain file at all."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import stat
import time

import pytest
from conftest import LONG
from test_beside import CHEAP, NOBODY, ROOT, lay_journal

from dictsqlite_v4 import DictSQLiteV4

FOLDERS = 3000 if LONG else 200
SECONDS = 10
VICTIM = b"v" * 50_000
KINDS = ("none", "none", "none", "none", "whole", "whole", "whole", "empty", "cut", "noise", "flip",
         "link", "hard link", "folder", "pipe", "another's", "wide")
LEFT = f".dsq-{hashlib.sha256(b'store.db').hexdigest()[:16]}-0.tmp"


def flip(chance, data):
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 20)):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def lay(chance, kind, path, data, victim):
    contents = {
        "whole": lambda: data, "another's": lambda: data, "wide": lambda: data,
        "empty": lambda: b"", "cut": lambda: data[: chance.randrange(len(data) + 1)],
        "noise": lambda: chance.randbytes(chance.choice((1, 31, 32, 100, 4096, 40_000))),
        "flip": lambda: flip(chance, data),
    }
    if kind in contents:
        path.write_bytes(contents[kind]())
        if kind == "another's" and ROOT:
            os.chown(path, NOBODY, NOBODY)
        elif kind == "wide":
            path.chmod(0o666)
    elif kind == "link":
        path.symlink_to(victim)
    elif kind == "hard link":
        os.link(victim, path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)


def describe(folder):
    """The index may be built anew, and an empty log is given the file's owner and mode."""
    found = {}
    for entry in folder.iterdir():
        info = entry.lstat()
        is_file = stat.S_ISREG(info.st_mode)
        if entry.name == LEFT and is_file:
            continue  # which is removed, as is right
        found[entry.name] = [stat.S_IFMT(info.st_mode)]
        if not (is_file and entry.name.endswith("-shm")):
            found[entry.name] += [info.st_size, info.st_mtime_ns]
            found[entry.name] += [entry.read_bytes() if is_file else None]
    return found


def use(door, path, password):
    """Raises what opening raises; what a damaged store raises later is no matter."""
    if door == "rekey":
        DictSQLiteV4.rekey_file(path, password or "password", "new")
        return
    mode = "lazy" if door == "lazy" else "writethrough"
    store = DictSQLiteV4(path, encryption_password=password, read_only=door == "read",
                         persist_mode=mode, enable_async=False, **CHEAP)
    try:
        list(store.items())
        if door != "read":
            store["new"] = 1
            store.flush()
    except OSError:
        pass
    try:
        store.close()
    except OSError:
        pass


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """The bytes of file, log and index of a store in use, by its password."""
    found = {}
    for password in (None, "password"):
        path = tmp_path_factory.mktemp("stores") / "store.db"
        parameters = {"encryption_password": password, "enable_async": False, **CHEAP}
        with DictSQLiteV4(path, **parameters) as store:
            store.update({f"k{i}": "v" * 50 for i in range(200)})
        with DictSQLiteV4(path, **parameters) as store:
            store["more"] = 1
            found[password] = [path.with_name(f"store.db{suffix}").read_bytes()
                               for suffix in ("", "-wal", "-shm")]
    return found


def test_nothing_of_anybody_is_harmed(stores, tmp_path):
    for number in range(FOLDERS):
        chance = random.Random(number)
        folder = tmp_path / "folder"
        folder.mkdir()
        path, victim = folder / "store.db", folder / "victim"
        victim.write_bytes(VICTIM)
        own, other = (stores[chance.choice((None, "password"))] for _ in range(2))
        lay(chance, chance.choice(("whole",) * 6 + KINDS), path, own[0], victim)
        for i, suffix in ((1, "-wal"), (2, "-shm")):
            data = chance.choice((own, own, other))[i]
            lay(chance, chance.choice(KINDS), path.with_name(f"store.db{suffix}"), data, victim)
        if chance.random() < 0.3:
            lay_journal(path, victim, n_pages=chance.randrange(8))
        lay(chance, chance.choice(("none",) * 5 + KINDS), folder / LEFT, b"left", victim)

        before, started = describe(folder), time.monotonic()
        door = chance.choice(("write", "lazy", "read", "rekey"))
        password = chance.choice((None, "password", "wrong"))
        try:
            use(door, path, password)
        except (OSError, ValueError) as error:
            # a damaged row ends a change of keys that has begun
            if door != "rekey" or "Failed to open" in str(error):
                assert describe(folder) == before, (number, error)
        assert victim.read_bytes() == VICTIM, number
        assert time.monotonic() - started < SECONDS, number
        shutil.rmtree(folder)
