# test_kill_files.py - processes that die while they make files, and who may read what they make
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
import time

import pytest
from conftest import LONG

from dictsqlite_v4 import DictSQLiteV4

ROUNDS = 60 if LONG else 6
CHEAP = {"kdf_memory": 19 << 20, "kdf_passes": 2}
CANARY = "a canary that sings"

PRELUDE = """
import os, sys
from dictsqlite_v4 import DictSQLiteV4
folder = sys.argv[1]
path = folder + "/store.db"
def opened():
    return DictSQLiteV4(path, encryption_password="pw", kdf_memory=19 << 20, kdf_passes=2)
def begin():
    os.write(1, b"x")
def removed(name):
    for suffix in ("", "-wal", "-shm", "-facts"):
        try: os.unlink(folder + "/" + name + suffix)
        except FileNotFoundError: pass
"""
MAKERS = {
    "creation": (
        "begin()\nwhile True:\n    removed('new.db')\n"
        "    DictSQLiteV4(folder + '/new.db', encryption_password='pw', kdf_memory=19 << 20,"
        " kdf_passes=2).close()\n"),
    "backup": "db = opened(); begin()\nwhile True: removed('copy'); db.backup(folder + '/copy')\n",
    "backup with new keys": (
        "db = opened(); begin()\n"
        "while True: removed('copy');"
        " db.backup(folder + '/copy', new_keys=True, password='pw')\n"),
    "encrypt_copy": (
        "db = opened(); begin()\n"
        "while True: removed('copy'); db.encrypt_copy(folder + '/copy', 'pw')\n"),
    "decrypt_copy": (
        "db = opened(); begin()\n"
        "while True: removed('copy'); db.decrypt_copy(folder + '/copy')\n"),
    "rekey_file": "begin()\nwhile True: DictSQLiteV4.rekey_file(path, 'pw', 'pw')\n",
    "change_password": "db = opened(); begin()\nwhile True: db.change_password('pw', 'pw')\n",
}
KNOWN = {"copy"} | {f"{name}{end}" for name in ("store.db", "new.db")
                    for end in ("", "-wal", "-shm", "-facts")}


@pytest.mark.parametrize("mask", (0o000, 0o022, 0o077))
@pytest.mark.parametrize("maker", MAKERS)
def test_nothing_is_left_of_work_files(path, tmp_path, maker, mask):
    """Nor is anything of the content readable, but for a decrypted copy that is whole."""
    moment = random.Random(maker)
    before = os.umask(mask)
    try:
        with DictSQLiteV4(path, encryption_password="pw", **CHEAP) as store:
            store.update({f"{CANARY} {i}": f"{CANARY} {i}" for i in range(300)})
        for _ in range(ROUNDS // 3):
            with subprocess.Popen([sys.executable, "-c", PRELUDE + MAKERS[maker], str(tmp_path)],
                                  stdout=subprocess.PIPE) as child:
                assert child.stdout.read(1) == b"x"
                time.sleep(moment.uniform(0, 0.2))  # the moment is any
                child.kill()
            assert child.returncode == -signal.SIGKILL
            assert set(os.listdir(tmp_path)) <= KNOWN
            for file in tmp_path.iterdir():
                assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
                if file.name != "copy" or maker != "decrypt_copy":
                    assert CANARY.encode() not in file.read_bytes()
            with DictSQLiteV4(path, encryption_password="pw") as store:
                assert len(store) == 300 and store[f"{CANARY} 7"] == f"{CANARY} 7"
            if (tmp_path / "copy").exists():
                password = None if maker == "decrypt_copy" else "pw"
                with DictSQLiteV4(tmp_path / "copy", encryption_password=password) as store:
                    assert len(store) == 300
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", (0o000, 0o022, 0o077))
@pytest.mark.parametrize("there", (None, 0o666, 0o600, 0o640))
@pytest.mark.parametrize("password", (None, "pw"))
def test_modes_of_what_is_made(path, tmp_path, mask, there, password):
    """An encrypted store, and all beside it, is its owner's alone; no copy is wider than what it is
    made of."""
    parameters = {"encryption_password": password, **CHEAP}

    def mode(name):
        return stat.S_IMODE((tmp_path / name).stat().st_mode)

    before = os.umask(mask)
    try:
        if there is not None:
            path.touch()
            path.chmod(there)
            (tmp_path / "store.db-wal").touch()
            (tmp_path / "store.db-wal").chmod(0o666)
            (tmp_path / "store.db-shm").write_bytes(b"x" * 32768)
            (tmp_path / "store.db-shm").chmod(0o666)
        expected = 0o600 if password else 0o666 & ~mask if there is None else there
        with DictSQLiteV4(path, **parameters) as store:
            store["a"] = 1
            store.flush()
            for suffix in ("", "-wal", "-shm", "-facts"):
                assert mode(f"store.db{suffix}") == expected
            store.backup(tmp_path / "backup")
            store.encrypt_copy(tmp_path / "sealed", "pw")
            store.decrypt_copy(tmp_path / "plain")
            assert mode("backup") == expected & ~mask
            assert mode("sealed") == 0o600
            assert mode("plain") == expected & ~mask
            assert sorted(os.listdir(tmp_path)) == [
                "backup", "plain", "sealed", "store.db", "store.db-facts", "store.db-shm",
                "store.db-wal"]
        path.chmod(0o640)
        if password:
            with DictSQLiteV4(path, **parameters) as store:
                store["b"] = 2
                store.backup(tmp_path / "wider")
                store.backup(tmp_path / "new keys", new_keys=True, password="pw")
            assert mode("wider") == mode("new keys") == 0o600
            path.chmod(0o400)
            with DictSQLiteV4(path, read_only=True, **parameters) as store:
                store.backup(tmp_path / "narrow", new_keys=True, password="pw")
            assert mode("narrow") == 0o400
            path.chmod(0o600)
            DictSQLiteV4.rekey_file(path, "pw", "other")
            assert mode("store.db") == 0o600
    finally:
        os.umask(before)


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no tmpfs")
def test_on_a_file_system_in_memory(path):
    folder = f"/dev/shm/dsq-test-{os.getpid()}"
    os.mkdir(folder)
    try:
        with DictSQLiteV4(f"{folder}/store.db", encryption_password="pw", **CHEAP) as store:
            store["a"] = 1
            store.backup(f"{folder}/copy")
        assert sorted(os.listdir(folder)) == ["copy", "store.db"]
        with DictSQLiteV4(f"{folder}/copy", encryption_password="pw") as store:
            assert dict(store) == {"a": 1}
    finally:
        for name in os.listdir(folder):
            os.unlink(f"{folder}/{name}")
        os.rmdir(folder)
