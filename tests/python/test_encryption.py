# test_encryption.py - passwords: opening, refusing, changing
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time

import pytest
from conftest import python, snapshot, wait_until

import dictsqlite_v4
from dictsqlite_v4 import (
    AsyncDictSQLite,
    CorruptError,
    DictSQLiteV4,
    FormatError,
    WrongPasswordError,
)

CHEAP = {"kdf_memory": 19 << 20, "kdf_passes": 2}


def opened(path, password="password", **parameters):
    return DictSQLiteV4(path, encryption_password=password, **{**CHEAP, **parameters})


@pytest.fixture
def sealed(path):
    """An encrypted file with commits in its log, which no process has open."""
    done = python(
        "import os, sys\n"
        "from dictsqlite_v4 import DictSQLiteV4\n"
        "store = DictSQLiteV4(sys.argv[1], encryption_password='password',"
        " kdf_memory=19 << 20, kdf_passes=2)\n"
        "store.update({f'key {i}': f'value {i}' for i in range(100)})\n"
        "store.flush()\n"
        "os._exit(0)\n",
        path,
    )
    assert done.returncode == 0, done.stderr
    assert path.with_name("store.db-wal").stat().st_size > 0
    return path


# --- opening --------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ("password", "ä" * 100, "a\0b", " ", "x" * 100_000))
def test_the_right_password_opens(path, mode, password):
    with opened(path, password, persist_mode=mode) as store:
        store["key"] = [1, 2]
        assert store.stats()["encryption_enabled"] is True
    if mode == "memory":
        assert not path.exists()
        return
    with opened(path, password, persist_mode=mode) as store:
        assert list(store.items()) == [("key", [1, 2])]
        with opened(path, password) as other:
            assert other["key"] == [1, 2]


@pytest.mark.parametrize(
    "password, kind, message",
    (
        ("passwore", WrongPasswordError, "the password is wrong"),
        ("password ", WrongPasswordError, "the password is wrong"),
        ("a", WrongPasswordError, "the password is wrong"),
        (None, WrongPasswordError, "it is encrypted"),
        ("", ValueError, "encryption_password must not be empty"),
        (b"password", TypeError, "encryption_password must be str or None"),
        ("\ud800", UnicodeEncodeError, "surrogates not allowed"),
    ),
    ids=repr,
)
def test_another_password_is_refused_and_nothing_changes(
    sealed, file_mode, password, kind, message
):
    before = snapshot(sealed.parent)
    for _ in range(2):
        with pytest.raises(kind, match=message):
            DictSQLiteV4(sealed, persist_mode=file_mode, encryption_password=password)
        assert snapshot(sealed.parent) == before
    with opened(sealed) as store:
        assert len(store) == 100


def test_a_password_for_a_plain_file_is_refused_and_nothing_changes(path, file_mode):
    DictSQLiteV4(path, encryption_password=None).close()
    before = snapshot(path.parent)
    with pytest.raises(WrongPasswordError, match="it is not encrypted"):
        opened(path, persist_mode=file_mode)
    assert snapshot(path.parent) == before


def test_a_wrong_password_beside_an_open_store(sealed):
    with opened(sealed) as store:
        with pytest.raises(WrongPasswordError):
            opened(sealed, "wrong")
        store["later"] = 1
        assert store["key 7"] == "value 7"


def test_wrong_password_errors_are_value_errors():
    assert issubclass(WrongPasswordError, ValueError)
    assert not issubclass(WrongPasswordError, OSError)
    assert dictsqlite_v4.WrongPasswordError is WrongPasswordError


def test_a_password_of_nothing_in_memory_mode():
    with pytest.raises(ValueError):
        DictSQLiteV4(":memory:", encryption_password="")


@pytest.mark.parametrize(
    "parameters",
    ({"kdf_memory": 19 * 2**20 - 1}, {"kdf_memory": 2**30 + 1}, {"kdf_passes": 1},
     {"kdf_passes": 17}, {"kdf_passes": "3"}, {"kdf_memory": None}),
    ids=repr,
)
def test_costs_out_of_bounds_are_value_errors(path, parameters):
    with pytest.raises(ValueError):
        DictSQLiteV4(path, encryption_password="password", **parameters)
    assert not path.exists()


def test_new_files_are_their_owners_alone(path):
    old = os.umask(0)
    try:
        with opened(path, persist_mode="lazy") as store:
            store["key"] = 1
            store.flush()
            assert [stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()] == (
                [0o600] * 4
            )
    finally:
        os.umask(old)


def test_each_file_has_keys_of_its_own(tmp_path):
    rows = []
    for name in ("a", "b"):
        with opened(tmp_path / name) as store:
            store["key"] = "value"
        with sqlite3.connect(tmp_path / name) as database:
            rows += database.execute("SELECT token, name, value, header FROM entry, store")
        database.close()
    for one, other in zip(*rows):
        assert one != other
    assert rows[0][3][8:24] != rows[1][3][8:24] and rows[0][3][40:56] != rows[1][3][40:56]


def test_opening_costs_one_derivation(path):
    """The default cost is some 200 ms of processor time; readers and the log derive nothing."""
    def spent(work):
        started = time.process_time()
        work()
        return time.process_time() - started

    def use():
        with DictSQLiteV4(path, encryption_password="password", hot_capacity=1) as store:
            assert len(store) == 100 and list(store)
            store["key 5"] = 1

    with DictSQLiteV4(path, encryption_password="password") as store:
        store.update({f"key {i}": i for i in range(100)})
    wrong = min(
        spent(lambda: pytest.raises(WrongPasswordError, opened, path, "wrong")) for _ in range(2)
    )
    assert min(spent(use) for _ in range(2)) < 1.5 * wrong + 0.05


# --- changing -------------------------------------------------------------------------------------


def test_the_password_changes(sealed, file_mode):
    with opened(sealed, persist_mode=file_mode) as store:
        before = sqlite3.connect(sealed)
        rows = before.execute("SELECT * FROM entry").fetchall()
        store.change_password("password", "another")
        assert before.execute("SELECT * FROM entry").fetchall() == rows
        before.close()
        store["later"] = 1
    with pytest.raises(WrongPasswordError):
        opened(sealed, "password")
    with opened(sealed, "another") as store:
        assert len(store) == 101 and store["key 3"] == "value 3" and store["later"] == 1


def test_what_is_wrong_in_changing_a_password(sealed, tmp_path):
    with opened(sealed) as store:
        with pytest.raises(WrongPasswordError):
            store.change_password("wrong", "another")
        with pytest.raises(ValueError, match="must not be empty"):
            store.change_password("password", "")
        with pytest.raises(TypeError):
            store.change_password("password", None)
    opened(sealed).close()
    with pytest.raises(RuntimeError, match="store is closed"):
        store.change_password("password", "another")
    for plain in (
        DictSQLiteV4(tmp_path / "plain", encryption_password=None),
        DictSQLiteV4(":memory:", encryption_password="password"),
    ):
        with plain, pytest.raises(WrongPasswordError):
            plain.change_password("password", "another")


def test_open_stores_go_on_when_the_password_changes(sealed):
    with opened(sealed) as one, opened(sealed, persist_mode="lazy") as other:
        other["before"] = 1
        one.change_password("password", "second")
        other.flush()
        assert one["before"] == 1
        one["after"] = 2
        assert other["after"] == 2 and len(other) == 102
        other.change_password("second", "third")
    opened(sealed, "third").close()


def test_a_crash_leaves_the_old_password_or_the_new(path):
    """Killed at any time while it changes the password to and fro."""
    opened(path, "0").close()
    code = (
        "import sys\n"
        "from dictsqlite_v4 import DictSQLiteV4\n"
        "store = DictSQLiteV4(sys.argv[1], encryption_password=sys.argv[2],"
        " kdf_memory=19 << 20, kdf_passes=2)\n"
        "store['key'] = sys.argv[2]\n"
        "password = int(sys.argv[2])\n"
        "while True:\n"
        "    store.change_password(str(password), str(password + 1))\n"
        "    password += 1\n"
        "    print(password, flush=True)\n"
    )
    password = 0
    for turn in range(3):
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, str(path), str(password)],
            stdout=subprocess.PIPE, text=True,
        )
        told = [int(process.stdout.readline()) for _ in range(2)]
        time.sleep(0.01 * turn)
        process.send_signal(signal.SIGKILL)
        told += map(int, process.stdout.read().split())
        process.wait()
        process.stdout.close()
        for password in (told[-1], told[-1] + 1):
            try:
                with opened(path, str(password)) as store:
                    assert store["key"] is not None
                break
            except WrongPasswordError:
                continue
        else:
            pytest.fail("neither password opens the file")


# --- with asyncio ---------------------------------------------------------------------------------


def test_the_asynchronous_store_is_encrypted_too(path):
    async def use():
        async with AsyncDictSQLite(path, encryption_password="password", **CHEAP) as store:
            await store.set_async("a canary that sings", "another canary")
            await store.batch_set({f"key {i}": "canary" for i in range(100)})
            await store.flush()
            assert await store.get_async("key 7") == "canary"

    asyncio.run(use())
    for file in path.parent.iterdir():
        assert b"canary" not in file.read_bytes()
    with opened(path) as store:
        assert store["a canary that sings"] == "another canary" and len(store) == 101
    for password in (None, "wrong"):
        with pytest.raises(WrongPasswordError):
            AsyncDictSQLite(path, encryption_password=password)


# --- what else ------------------------------------------------------------------------------------


def test_nothing_tells_the_password_or_the_content(path, capfd):
    with opened(path, "the secret password") as store:
        store["the secret key"] = "the secret value"
        store.flush()
        texts = [str(store.stats())]
        with sqlite3.connect(path) as database:
            database.execute("UPDATE entry SET value = CAST (value || x'00' AS BLOB)")
        database.close()
        for read in (lambda: store["the secret key"], lambda: list(store.items())):
            with pytest.raises(CorruptError) as raised:
                read()
            told = dict(raised.value.__dict__)
            # for the program, which has to know what to restore: no message shows it
            assert told.pop("key", None) in (None, "the secret key")
            texts.append(f"{raised.value!r} {raised.value} {told}")
    texts.append(repr(store))
    for password in ("the secret passwore", None):
        with pytest.raises(WrongPasswordError) as raised:
            opened(path, password)
        texts.append(repr(raised.value))
    assert "the secret" not in "".join(texts) + "".join(capfd.readouterr())


def test_a_file_that_is_no_store_is_told_before_the_password(path):
    path.write_bytes(b"text" * 1000)
    with pytest.raises(FormatError):
        opened(path)


def test_lazy_writes_are_sealed_in_the_background(path):
    with opened(path, persist_mode="lazy", flush_interval=0.01) as store:
        store["a canary that sings"] = "another canary"
        wait_until(lambda: store.stats()["flushes"] > 0)
        for file in path.parent.iterdir():
            assert b"canary" not in file.read_bytes()


def test_prefixes_of_many_keys_are_removed(path):
    """In steps, between which the keys are looked for further."""
    with DictSQLiteV4(path, encryption_password="pass") as db:
        db.update({f"k{i}": i for i in range(5000)}, other=1)
        for key in db.iter_prefix("k"):
            db[f"also {key}"] = 1
            if len(db) > 6000:
                break
        assert db.delete_prefix("k") == 5000
        assert db.keys() & {"other", "k1", "also k1"} == {"other", "also k1"}
