# test_servers_upkeep.py - copies, checks and passwords of stores on a PostgreSQL server
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dictsqlite_v4 import CorruptError, DictSQLiteV4, WrongPasswordError

sys.path.insert(0, str(Path(__file__).parents[1]))
from server_fixture import Relay, new_name, running  # noqa: E402, F401

VALUES = {"text": "x", b"bytes": b"\0", 7: 2.5, ("a", 1): None, "list": [1, {"a": 2}], "": "",
          "long" * 1000: "a key longer than an index takes", "big": b"x" * 3_000_000}
COST = 19 << 20


@pytest.fixture
def address(running):
    """A store that does not exist yet, asked for at each read."""
    return f"{running.address}&max_staleness=0&table={new_name()}"


@pytest.fixture(params=[None, "password"])
def password(request):
    return request.param


def opened(path, password, **parameters):
    return DictSQLiteV4(path, encryption_password=password, kdf_memory=COST, **parameters)


def sql(running, statement):
    subprocess.run([running.programs / "psql", "-h", running.folder, "-U", "tests", "-q", "-c",
                    statement, "postgres"], timeout=60, check=True)


def name_of(address):
    return address.rsplit("=", 1)[1]


def fill(store):
    store.update(VALUES)
    store.update({f"key {i}": i for i in range(3000)})
    store["gone"] = 1
    del store["gone"], store["key 7"]
    store["key 7"] = "last"
    store.set("brief", 1, expire=1000)
    store.table("other")["text"] = "in a table"
    store.table("dropped")["text"] = 1
    store.drop_table("dropped")


def contents(store):
    tables = {name: list(store.table(name).items()) for name in store.tables()}
    return [list(store.items()), tables]


def check_copy(path, password, expected):
    with opened(path, password) as copy:
        assert contents(copy) == expected and copy.check() == []
        assert 900 < copy.expires_in("brief") <= 1000
        copy.table("another")["later"] = 1
        copy["later"] = 1
        assert list(copy)[-1] == "later" and len(copy) == len(expected[0]) + 1
        assert copy.check() == []


def test_a_backup_is_a_file_with_all_of_it(address, password, tmp_path):
    with opened(address, password, persist_mode="lazy") as store:
        fill(store)
        steps = []
        store.backup(tmp_path / "copy.db", progress=lambda *step: steps.append(step))
        expected = contents(store)
        store["meanwhile"] = 1
    assert steps == sorted(steps) and len(steps) > 3
    assert steps[-1][0] == steps[-1][1] == len(expected[0]) + 1
    mode = stat.S_IMODE((tmp_path / "copy.db").stat().st_mode)
    assert mode == 0o600 if password else mode & 0o600 == 0o600
    if password:
        with pytest.raises(WrongPasswordError):
            opened(tmp_path / "copy.db", "another")
    check_copy(tmp_path / "copy.db", password, expected)
    with opened(address, password, read_only=True) as store:
        store.backup(tmp_path / "again.db")
        with pytest.raises(FileExistsError):
            store.backup(tmp_path / "again.db")
        with pytest.raises(FileNotFoundError):
            store.backup(tmp_path / "missing" / "copy.db")


def test_copies_under_other_keys(address, tmp_path):
    with opened(address, "password") as store:
        fill(store)
        expected = contents(store)
        with pytest.raises(WrongPasswordError):
            store.backup(tmp_path / "new.db", new_keys=True, password="another")
        store.backup(tmp_path / "new.db", new_keys=True, password="password")
        store.decrypt_copy(tmp_path / "plain.db")
    assert sorted(os.listdir(tmp_path)) == ["new.db", "plain.db"]
    check_copy(tmp_path / "new.db", "password", expected)
    check_copy(tmp_path / "plain.db", None, expected)


def test_what_progress_raises_ends_a_backup(address, password, tmp_path):
    with opened(address, password) as store:
        fill(store)

        def stop(n_done, n_total):
            raise KeyboardInterrupt("stop")

        with pytest.raises(KeyboardInterrupt, match="stop"):
            store.backup(tmp_path / "copy.db", progress=stop)
        assert os.listdir(tmp_path) == [] and store["key 7"] == "last"


def test_a_backup_under_writers_is_one_instant(address, password, tmp_path):
    names = [f"account {i}" for i in range(50)]
    is_done = threading.Event()
    with opened(address, password) as store, opened(address, password) as other:
        store.update(dict.fromkeys(names, 100))
        store.update({f"ballast {i}": "x" * 2000 for i in range(3000)})

        def move():
            turn = 0
            while not is_done.is_set():
                turn += 1
                with other.transaction() as inside:
                    inside[names[0]] -= 1
                    inside[names[1 + turn % 49]] += 1

        writer = threading.Thread(target=move)
        writer.start()
        try:
            for number in range(3):
                store.backup(tmp_path / f"{number}.db", progress=lambda *_: time.sleep(0.02))
                assert store.check() == []
        finally:
            is_done.set()
            writer.join(60)
        totals = []
        for number in range(3):
            with opened(tmp_path / f"{number}.db", password) as copy:
                assert copy.check() == []
                totals.append([copy[name] for name in names])
    assert [sum(balances) for balances in totals] == [5000] * 3 and totals[0] != totals[2]


COPIES = {  # the password, that of the copy, and how it is made
    "plain": (None, None, lambda db, *to, **told: db.backup(*to, **told)),
    "sealed": ("password", "password", lambda db, *to, **told: db.backup(*to, **told)),
    "new keys": ("password", "password", lambda db, *to, **told: db.backup(
        *to, **told, new_keys=True, password="password")),
    "encrypted": (None, "another", lambda db, *to, **told: db.encrypt_copy(*to, "another", **told)),
    "decrypted": ("password", None, lambda db, *to, **told: db.decrypt_copy(*to, **told)),
}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_whose_connection_is_lost_leaves_no_file(running, address, kind, tmp_path):
    password, new_password, copy = COPIES[kind]
    told = []

    def end_the_copy(*step):
        if not told:  # what copies is the only one that is in a transaction
            sql(running, "DO $$BEGIN ASSERT (SELECT count(pg_terminate_backend(pid, 60000)) = 1"
                         " FROM pg_stat_activity WHERE state = 'idle in transaction'); END$$")
        told.append(step)

    with opened(address, password) as store:
        fill(store)
        with pytest.raises(OSError, match="the connection to the server was lost") as raised:
            copy(store, tmp_path / "copy.db", progress=end_the_copy)
        assert raised.value.errno == errno.EIO
        assert told[-1][0] < told[-1][1] and os.listdir(tmp_path) == []
        store["later"] = 1
        assert store["later"] == 1 and store["key 7"] == "last" and store.check() == []
        copy(store, tmp_path / "copy.db")
        expected = contents(store)
    with opened(tmp_path / "copy.db", new_password) as store:
        assert contents(store) == expected


def test_a_check_whose_connection_is_lost_is_an_error(running, address, password):
    pages = []

    def is_cut(said, server):
        if b"place > $2" not in said:  # as a page is asked for first, and as that is prepared
            return False
        pages.append(said)
        return len(pages) == 2

    with opened(address, password) as store:
        fill(store)
    with Relay(running, is_cut) as relay, \
            opened(address.replace(str(running.folder), relay.folder.name), password) as store:
        with pytest.raises(OSError, match="the connection to the server was lost"):
            store.check()
        assert len(pages) == 2
        assert store.check() == [] and len(pages) > 2
        store["later"] = 1
        assert store["later"] == 1


def test_a_check_says_what_is_damaged(running, address, password, tmp_path):
    with opened(address, password) as store:
        fill(store)
        assert store.check() == []
    entry = (f"dictsqlite.entry WHERE store = (SELECT id FROM dictsqlite.store"
             f" WHERE name = '{name_of(address)}')")
    first = 1 << 40
    sql(running, f"UPDATE {entry} AND place = {first + 2}".replace(
        " WHERE", " SET value = substr(value, 2) || 'x' WHERE", 1))
    sql(running, f"UPDATE {entry} AND place = {first + 4}".replace(
        " WHERE", " SET expires = 5 WHERE", 1))
    sql(running, f"UPDATE {entry} AND place = {first + 5}".replace(
        " WHERE", " SET table_id = 9 WHERE", 1))
    sql(running, f"DELETE FROM {entry} AND place = {first + 6}")
    with opened(address, password) as store:
        problems = store.check()
        store.backup(tmp_path / "copy.db")  # in which it is as it was
    expected = [f"entry {first + 2}: ", f"entry {first + 4}: ",
                f"entry {first + 5}: it is in no table",
                "table 1: it should have 3009 entries, and"]
    assert len(problems) == len(expected)
    for problem, start in zip(problems, expected):
        assert problem.startswith(start)
    with opened(tmp_path / "copy.db", password) as copy:
        told = copy.check()
        for start in expected[:3]:
            assert any(problem.startswith(start) for problem in told)
        with pytest.raises(CorruptError):
            copy[b"bytes"]


BAD = ["key 3", "key 17", "key 39"]
KEYS = [f"key {i}" for i in range(40)]
GOOD = {key: f"value of {key}" for key in KEYS if key not in BAD}
READS = {
    "get_many": lambda db, errors: db.get_many([*KEYS, "none"], errors=errors),
    "items": lambda db, errors: dict(db.items(errors=errors)),
    "reversed": lambda db, errors: dict(reversed(db.items(errors=errors))),
    "copy": lambda db, errors: db.copy(errors=errors),
}


@pytest.mark.parametrize("in_transaction", [False, True])
def test_damaged_rows_fail_alone(running, address, password, in_transaction):
    with opened(address, password) as store:
        store.update({key: f"value of {key}" for key in KEYS})
    places = ", ".join(str((1 << 40) + 1 + KEYS.index(key)) for key in BAD)
    sql(running, "UPDATE dictsqlite.entry SET value = substr(value, 2) || 'x'"
                 " WHERE store = (SELECT id FROM dictsqlite.store"
                 f" WHERE name = '{name_of(address)}')"
                 f" AND place IN ({places})")
    for kind, read in READS.items():
        with opened(address, password, hot_capacity=5) as store, \
                store.transaction() if in_transaction else contextlib.nullcontext():
            with pytest.raises(CorruptError) as told:
                read(store, "strict")
            assert told.value.key == BAD[-1 if kind == "reversed" else 0]
            assert read(store, "skip") == GOOD
            reported = read(store, "report")
            assert [type(reported.pop(key)) for key in BAD] == [CorruptError] * 3
            assert reported == GOOD and list(store) == KEYS and len(store) == len(KEYS)
    with opened(address, password) as store:
        assert len(store.check()) == 3
        store[BAD[0]] = "mended"
        assert store.delete_many(BAD[1:]) == 2
        assert store.copy() == {**GOOD, BAD[0]: "mended"} and store.check() == []


def test_what_others_changed_is_all_looked_at_where_it_cannot_be_read(running, address, password):
    with opened(address, password) as store, opened(address, password) as other:
        store.update({"a": 1, "b": 1})
        assert other["a"] == other["b"] == 1
        store["a"] = 2
        # the bytes of the name that the key is sealed in, or of the key
        sql(running, "UPDATE dictsqlite.change SET keys = overlay (keys PLACING 'x'::bytea"
                     " FROM length (keys)) WHERE store = (SELECT id FROM dictsqlite.store"
                     f" WHERE name = '{name_of(address)}')")
        assert other["a"] == 2 and other["b"] == 1 and len(other) == 2


def test_a_check_is_left_when_it_is_to_end(address):
    from gi.repository import Gio, GLib

    with opened(address, None) as store:
        store["a"] = 1
        ended = Gio.Cancellable()
        ended.cancel()
        with pytest.raises(GLib.Error) as told:
            store._store.check(ended)
        assert told.value.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED)


def test_another_password(address):
    with opened(address, "old") as store, opened(address, "old") as other:
        store.update(a=1)
        with pytest.raises(WrongPasswordError, match="the old one"):
            store.change_password("another", "new")
        with pytest.raises(ValueError):
            store.change_password("old", "")
        store.change_password("old", "new")
        other["b"] = 2  # which goes on
        assert store["b"] == 2 and dict(other) == {"a": 1, "b": 2}
        with pytest.raises(WrongPasswordError):
            opened(address, "old")
        with opened(address, "new") as later:
            assert dict(later) == {"a": 1, "b": 2}
        with pytest.raises(WrongPasswordError):
            other.change_password("old", "third")
        other.change_password("new", "third")
        assert store.check() == []
    with opened(address, "third", read_only=True) as store:
        assert dict(store) == {"a": 1, "b": 2}
        with pytest.raises(OSError):
            store.change_password("third", "fourth")


def test_a_store_without_a_password_has_none_to_change(address):
    with opened(address, None) as store:
        with pytest.raises(ValueError, match="not encrypted"):
            store.change_password("a", "b")


def test_of_two_who_change_the_password_one_wins(address):
    told = []

    def change(store, new):
        try:
            store.change_password("old", new)
            told.append(new)
        except (RuntimeError, OSError, WrongPasswordError):
            pass

    with opened(address, "old") as one, opened(address, "old") as other:
        changes = [threading.Thread(target=change, args=(store, new))
                   for store, new in ((one, "first"), (other, "second"))]
        for thread in changes:
            thread.start()
        for thread in changes:
            thread.join(60)
    assert len(told) == 1
    opened(address, told[0]).close()
