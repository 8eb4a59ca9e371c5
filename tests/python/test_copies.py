# test_copies.py - encrypt_copy, decrypt_copy, rekey_file
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import errno
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time

import pytest
from conftest import snapshot, wait_until
from opcodes import Boom, raise_at

from dictsqlite_v4 import CorruptError, DictSQLiteV4, WrongPasswordError, _leave

CHEAP = {"kdf_memory": 19 << 20, "kdf_passes": 2}
ENTRIES = {
    **{f"key {i}": f"value {i}" for i in range(1000)},
    3: [1, 2],
    (None, b"x"): {"a": 1},
    "": b"y" * 100_000,
}


def opened(path, password="password", **parameters):
    return DictSQLiteV4(path, encryption_password=password, **{**CHEAP, **parameters})


def content(path, password):
    with opened(path, password) as store:
        items = list(store.items())
        assert len(store) == len(items)
        store["new"] = 1  # its place is behind the others
        assert next(reversed(store)) == "new"
    assert not [name for name in os.listdir(path.parent) if name.endswith(("-wal", ".tmp"))]
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()
    return items


@pytest.mark.parametrize("before", (None, "password"))
@pytest.mark.parametrize("after", (None, "another"))
def test_a_copy_has_everything(path, tmp_path, file_mode, before, after):
    target = tmp_path / "copy.db"
    reports = []
    with opened(path, before, persist_mode=file_mode) as store:
        store.update(ENTRIES)
        store["key 7"] = "overwritten"
        del store["key 8"]
        for name in ("one", "", "dropped", "a\0b"):
            store.table(name).update({name: 1, "key 1": name})
        store.drop_table("dropped")
        store.table("last")
        store.drop_table("last")  # leaves a gravestone
        expected = list(store.items())
        if after is None:
            store.decrypt_copy(target, progress=lambda *numbers: reports.append(numbers))
        else:
            store.encrypt_copy(target, after, lambda *numbers: reports.append(numbers))
        store["later"] = 1
    n_entries = len(expected) + sum(len({name, "key 1"}) for name in ("one", "", "a\0b"))
    assert reports == sorted(reports) and reports[-1] == (n_entries, n_entries)
    with opened(target, after) as copy:
        assert copy.tables() == ["one", "", "a\0b"]
        for name in copy.tables():
            assert dict(copy.table(name)) == {name: 1, "key 1": name}
    assert content(target, after) == expected
    assert len(reports) >= 4
    if after is not None:
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        assert b"value 1" not in target.read_bytes()


def test_what_is_wrong_in_copying(path, tmp_path):
    with opened(path) as store:
        store.update(ENTRIES)
        (tmp_path / "there").write_text("text")
        before = snapshot(tmp_path)
        with pytest.raises(FileExistsError):
            store.encrypt_copy(tmp_path / "there", "another")
        with pytest.raises(FileExistsError):
            store.decrypt_copy(path)
        with pytest.raises(FileNotFoundError):
            store.decrypt_copy(tmp_path / "none" / "copy")
        with pytest.raises(ValueError):
            store.encrypt_copy(tmp_path / "copy", "")
        with pytest.raises(TypeError):
            store.encrypt_copy(tmp_path / "copy", None)
        assert snapshot(tmp_path) == before
        with sqlite3.connect(path) as database:
            database.execute("UPDATE entry SET value = CAST (value || x'00' AS BLOB) WHERE place ="
                             " (SELECT max (place) FROM entry)")
        database.close()
        with pytest.raises(CorruptError):
            store.decrypt_copy(tmp_path / "copy")
        assert set(os.listdir(tmp_path)) <= {
            "store.db", "store.db-wal", "store.db-shm", "store.db-facts", "there"
        }
    with pytest.raises(RuntimeError, match="store is closed"):
        store.decrypt_copy(tmp_path / "copy")
    with opened(":memory:") as store, pytest.raises(ValueError, match="memory mode"):
        store.encrypt_copy(tmp_path / "copy", "another")


def test_what_progress_raises_ends_the_copy(path, tmp_path):
    def stop(done, total):
        raise KeyError("enough")

    with opened(path, None) as store:
        store.update(ENTRIES)
        with pytest.raises(KeyError, match="enough"):
            store.encrypt_copy(tmp_path / "copy", "another", stop)
        store.encrypt_copy(tmp_path / "sealed", "password")
    with opened(tmp_path / "sealed") as store, pytest.raises(KeyError, match="enough"):
        store.backup(tmp_path / "copy", new_keys=True, password="password", progress=stop)
    assert sorted(os.listdir(tmp_path)) == ["sealed", "store.db"]


def test_writes_go_on_while_a_copy_is_made(path, tmp_path):
    with opened(path) as store:
        store.update(ENTRIES)

        def write(done, total):
            store[f"written at {done}"] = 1

        store.encrypt_copy(tmp_path / "copy", "another", write)
        assert any(str(key).startswith("written at") for key in store)
    assert content(tmp_path / "copy", "another") == list(ENTRIES.items())


LONG_READS = {
    "encrypt_copy": lambda db, to, progress: db.encrypt_copy(to, "another", progress),
    "decrypt_copy": lambda db, to, progress: db.decrypt_copy(to, progress),
    "backup": lambda db, to, progress: db.backup(to, progress=progress),
    "backup with new keys": lambda db, to, progress: db.backup(
        to, new_keys=True, password="password", progress=progress
    ),
}


@pytest.mark.parametrize("call", LONG_READS)
def test_no_write_waits_for_a_copy(path, tmp_path, log_may_grow, call):
    with opened(path, wal_limit=1 << 20) as store:
        store.update(ENTRIES)
        store.update({i: os.urandom(1000) for i in range(2000)})
        before = store.stats()["checkpoints"]
        slow = []

        def write(done, total):
            """Holds the copy up in its midst."""
            if slow:
                return
            for i in range(1000):
                started = time.monotonic()
                store["written"] = os.urandom(8000)
                slow.append(time.monotonic() - started > 0.1)

        LONG_READS[call](store, tmp_path / "copy", write)
        assert store.stats()["checkpoints"] > before + 5
        assert sum(slow) <= 2, "of 1000 writes"


# --- a backup with keys of its own ----------------------------------------------------------------


def rows(path, columns="token, name, value"):
    with sqlite3.connect(path) as database:
        found = database.execute(f"SELECT {columns} FROM entry ORDER BY place").fetchall()
    database.close()
    return found


def header(path):
    with sqlite3.connect(path) as database:
        ((found,),) = database.execute("SELECT header FROM store").fetchall()
    database.close()
    return found


@pytest.mark.parametrize("file_mode", ("lazy", "writethrough"))
def test_a_backup_with_new_keys(path, tmp_path, file_mode):
    target = tmp_path / "copy.db"
    reports = []
    with opened(path, persist_mode=file_mode) as store:
        store.update(ENTRIES)
        store.table("users")["a"] = 1
        store["expires"] = 1
        store.touch("expires", 1000)
        path.chmod(0o644)
        expected = list(store.items())
        store.backup(
            target, new_keys=True, password="password", progress=lambda *n: reports.append(n)
        )
        store["later"] = 1
    assert reports == sorted(reports) and reports[-1] == (len(expected) + 1,) * 2
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with opened(target) as copy:
        assert copy.table("users") == {"a": 1} and 990 < copy.expires_in("expires") <= 1000
        assert copy.check() == []
    before, after = header(path), header(target)
    assert before[:8] == after[:8] and before[24:40] == after[24:40], "the form, and its cost"
    # store id, salt, sealed key
    for start, end in ((8, 24), (40, 56), (56, 128)):
        assert before[start:end] != after[start:end]
    for column in ("token", "name", "value"):
        assert not set(rows(path, column)) & set(rows(target, column))
    assert content(target, "password") == expected


@pytest.mark.parametrize("columns", ("token, name, value", "name, value", "value"))
def test_no_row_passes_in_a_copy_with_new_keys(path, tmp_path, columns):
    """A copy with the same keys shows what the exchange would do."""
    with opened(path) as store:
        store.update({"balance": 1, "other": 1})
        store.backup(tmp_path / "same.db")
        store.backup(tmp_path / "new.db", new_keys=True, password="password")
        store["balance"] = 1_000_000
        passes = []
        for source, target in (("store.db", "same.db"), ("store.db", "new.db"),
                               ("new.db", "store.db")):
            store.flush()
            victim = tmp_path / f"{source} in {target}"
            shutil.copy(tmp_path / target, victim)
            if target == "store.db":
                store.backup(tmp_path / "whole.db")
                os.replace(tmp_path / "whole.db", victim)
            (row, *_) = rows(tmp_path / source, columns)
            with sqlite3.connect(victim) as database:
                database.execute(
                    f"UPDATE entry SET ({columns}) = ({', '.join('?' * len(row))})"
                    " WHERE place = (SELECT min (place) FROM entry)", row)
            database.close()
            with opened(victim) as exchanged:
                try:
                    passes.append(exchanged.get("balance", "absent"))
                except CorruptError:
                    passes.append("damage")
                assert passes[-1] in (1_000_000, "damage", "absent")
                if target != "same.db":
                    with pytest.raises(CorruptError):
                        list(exchanged.items())
        assert passes[0] == 1_000_000 and {1, 1_000_000}.isdisjoint(passes[1:])


def test_a_copy_costs_no_less_to_try(path, tmp_path):
    with opened(path, kdf_memory=40 << 20, kdf_passes=3) as store:
        store["a"] = 1
    with opened(path) as store:
        store.backup(tmp_path / "copy", new_keys=True, password="password")
        with pytest.raises(ValueError), opened(path, kdf_limit=1):
            pass
    assert header(tmp_path / "copy")[28:40] == header(path)[28:40]


def test_what_is_wrong_in_a_backup_with_new_keys(path, tmp_path):
    with opened(tmp_path / "plain", None) as plain, opened(path) as store:
        plain["a"] = store["a"] = 1
        before = snapshot(tmp_path)
        for kind, a_store, parameters in (
            (WrongPasswordError, store, {"new_keys": True, "password": "passwort"}),
            (WrongPasswordError, plain, {"new_keys": True, "password": "password"}),
            (ValueError, plain, {"new_keys": True}),
            (ValueError, store, {"new_keys": True}),
            (ValueError, store, {"new_keys": True, "password": ""}),
            (ValueError, store, {"password": "password"}),
            (TypeError, store, {"new_keys": True, "password": b"password"}),
        ):
            with pytest.raises(kind):
                a_store.backup(tmp_path / "copy", **parameters)
        assert set(snapshot(tmp_path)) == set(before)
        # the file's password is what counts, not the one it was opened with
        with opened(path) as other:
            other.change_password("password", "another")
        with pytest.raises(WrongPasswordError):
            store.backup(tmp_path / "copy", new_keys=True, password="password")
        store.backup(tmp_path / "copy", new_keys=True, password="another")
    assert content(tmp_path / "copy", "another") == [("a", 1)]


# --- another key in the same place ----------------------------------------------------------------


def test_rekey_file(path):
    with opened(path) as store:
        store.update(ENTRIES)
    with sqlite3.connect(path) as database:
        rows = database.execute("SELECT token, value FROM entry").fetchall()
    database.close()
    reports = []
    DictSQLiteV4.rekey_file(path, "password", "another", lambda *numbers: reports.append(numbers))
    assert reports[-1] == (len(ENTRIES), len(ENTRIES))
    with pytest.raises(WrongPasswordError):
        opened(path)
    with sqlite3.connect(path) as database:
        anew = database.execute("SELECT token, value FROM entry").fetchall()
    database.close()
    assert not {token for token, _ in rows} & {token for token, _ in anew}
    assert content(path, "another") == list(ENTRIES.items())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_rekeying_a_file_that_is_open_is_refused(path):
    with opened(path) as store:
        store.update(ENTRIES)
        with pytest.raises(OSError) as raised:
            DictSQLiteV4.rekey_file(path, "password", "another")
        assert raised.value.errno == errno.EBUSY
        store["still"] = "the same"
        with opened(path) as other:
            assert other["still"] == "the same"
    assert content(path, "password") == [*ENTRIES.items(), ("still", "the same")]


def test_what_is_wrong_in_rekeying(path, tmp_path):
    with opened(path) as store:
        store.update(ENTRIES)
    DictSQLiteV4(tmp_path / "plain", encryption_password=None).close()
    before = snapshot(tmp_path)

    def stop(done, total):
        raise KeyError("enough")

    for kind, arguments in (
        (WrongPasswordError, (path, "wrong", "another")),
        (WrongPasswordError, (tmp_path / "plain", "password", "another")),
        (ValueError, (path, "password", "")),
        (FileNotFoundError, (tmp_path / "missing", "password", "another")),
        (KeyError, (path, "password", "another", stop)),
    ):
        with pytest.raises(kind):
            DictSQLiteV4.rekey_file(*arguments)
        assert set(os.listdir(tmp_path)) == {"store.db", "plain"}
    assert {name: before[name] for name in ("plain",)} == {"plain": snapshot(tmp_path)["plain"]}
    assert content(path, "password") == list(ENTRIES.items())


def test_killed_while_rekeying(path):
    """It is the old file or the new one, at whatever moment."""
    with opened(path) as store:
        store.update(ENTRIES)
    code = (
        "import sys\n"
        "from dictsqlite_v4 import DictSQLiteV4\n"
        "print('.', flush=True)\n"
        "DictSQLiteV4.rekey_file(sys.argv[1], *sys.argv[2:])\n"
    )
    passwords = ["password", "another"]
    for turn in range(4):
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, str(path), *passwords],
            stdout=subprocess.PIPE,
        )
        process.stdout.readline()
        time.sleep((0.3, 0.0, 0.5, 1.0)[turn])
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        for _ in range(2):
            try:
                with opened(path, passwords[0]) as store:
                    assert list(store.items()) == list(ENTRIES.items())
                break
            except WrongPasswordError:
                passwords.reverse()
        else:
            pytest.fail("neither password opens the file")


def test_stores_that_open_meanwhile_see_one_file_or_the_other(path):
    """A store that waits for the lock is not left with a file that has lost its name."""
    with opened(path) as store:
        store.update(ENTRIES)
    code = (
        "import sys, time\n"
        "from dictsqlite_v4 import DictSQLiteV4\n"
        "def slowly(done, total):\n"
        "    print(done, flush=True)\n"
        "    time.sleep(0.2)\n"
        "DictSQLiteV4.rekey_file(sys.argv[1], 'password', 'another', slowly)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, str(path)], stdout=subprocess.PIPE
    )
    process.stdout.readline()
    with pytest.raises((OSError, WrongPasswordError)):
        opened(path)["key 1"] = "lost"
    assert process.wait() == 0
    process.stdout.close()
    wait_until(lambda: process.returncode == 0)
    assert content(path, "another") == list(ENTRIES.items())


def test_a_handler_that_raises_while_a_copy_tells_leaves_a_store_that_closes(tmp_path):
    """Wherever it does, beside what is told."""
    told = []

    def is_wanted(code):
        return code is _leave._Call._tell.__code__

    def copy(store, number):
        return raise_at(number, lambda: store.backup(
            tmp_path / f"copy {number}", progress=lambda *_: told.append(number)), is_wanted)

    number = 0
    has_raised = True
    while has_raised:
        number += 1
        with DictSQLiteV4(tmp_path / "store") as store:
            store["key"] = number
            if number == 1:
                copy(store, sys.maxsize)  # Python 3.12 traces no opcodes the first time
            has_raised = copy(store, number)
    assert number > 4 and number in told


def test_a_second_handler_that_raises_leaves_no_copy_that_waits(tmp_path, monkeypatch):
    class Deaf:
        """What is passed on when the second one comes in the midst of it."""

        def __init__(self, passed_on):
            self.get = passed_on.get

        def put(self, _):
            raise Boom

    def begin(self, *arguments):
        begin_as_ever(self, *arguments)
        self._passed_on = Deaf(self._passed_on)

    def interrupt(*_):
        raise Boom

    begin_as_ever = _leave._Call.__init__
    store = DictSQLiteV4(tmp_path / "store")
    store["key"] = 1
    with monkeypatch.context() as patched, pytest.raises(Boom):
        patched.setattr(_leave._Call, "__init__", begin)
        store.backup(tmp_path / "copy", progress=interrupt)
    closer = threading.Thread(target=store.close, daemon=True)
    closer.start()
    closer.join(30)
    assert not closer.is_alive()


def test_a_store_is_not_closed_by_what_a_copy_of_it_tells(tmp_path):
    said = []

    def close(store):
        with pytest.raises(RuntimeError, match="a copy of it is under way"):
            store.close()
        said.append(store)

    with DictSQLiteV4(tmp_path / "store") as store, DictSQLiteV4(tmp_path / "other") as other:
        store["key"] = 1
        store.backup(tmp_path / "copy", progress=lambda *_: said or (close(store), other.close()))
        assert said == [store] and store["key"] == 1
