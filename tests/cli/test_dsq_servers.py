# test_dsq_servers.py - dsq with addresses of stores on a server
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from dictsqlite_v4 import DictSQLiteV4
from program import FAILED, MISSING, PASSWORD, USAGE, fails, ok
from test_dsq_watch import Watch

sys.path.insert(0, str(Path(__file__).parents[1]))
from server_fixture import Relay, new_name, running, sql  # noqa: E402, F401

VALUES = {"text": "x", b"bytes": b"\0", 7: 2.5, ("a", 1): None, "list": [1, {"a": 2}],
          "long" * 1000: "a key longer than an index takes", "big": b"x" * 300_000, -1: 2**70}


@pytest.fixture
def address(running):
    """A store that does not exist yet."""
    return f"{running.address}&table={new_name()}"


def fill(path, password=None):
    with DictSQLiteV4(path, encryption_password=password, kdf_memory=19 << 20) as store:
        store.update(VALUES)
        store.set("brief", 1, expire=1000)
        store.table("other")["text"] = "in a table"


def check(path, password=None):
    with DictSQLiteV4(path, encryption_password=password, read_only=True) as store:
        assert list(store.items()) == [*VALUES.items(), ("brief", 1)]
        assert 900 < store.expires_in("brief") <= 1000
        assert dict(store.table("other")) == {"text": "in a table"}


@pytest.mark.parametrize("password", [None, "password"])
def test_copies_both_ways(address, tmp_path, password):
    words = ["--password-env", "SECRET"] if password else []
    env = {"SECRET": "password", "ANOTHER": "another"}
    fill(tmp_path / "from.db", password)
    count = f"{len(VALUES) + 2} entries copied"
    assert count in ok("copy", *words, tmp_path / "from.db", address, env=env).out
    check(address, password)
    assert count in ok("copy", *words, address, tmp_path / "to.db", env=env).out
    check(tmp_path / "to.db", password)
    if password:  # what is there has a password of its own
        between = [tmp_path / "from.db", address]
        fails(PASSWORD, "copy", *words, "--new-password-env", "ANOTHER", *between, env=env)
        fails(PASSWORD, "copy", *words, *between, says="--new-password", env=env)
    fails(USAGE, "copy", *words, address, address, says="it is what is copied", env=env)


MANY = {f"key {i}": i for i in range(5000)}


def through(relay, address):
    """The same store, by another way, as a user who can be shut out."""
    start, rest = address.split("host=")
    return f"{start.replace('tests@', 'guest@')}host={relay.folder.name}&{rest.split('&', 1)[1]}"


@pytest.fixture
def guest(running):
    sql(running, "CREATE ROLE guest SUPERUSER LOGIN")
    yield
    sql(running, "DROP ROLE guest")


@pytest.mark.parametrize("is_shut_out", [False, True])
def test_a_copy_from_a_server_goes_on_without_its_connection(
        running, guest, address, tmp_path, is_shut_out):
    pages = []

    def is_cut(said, server):
        if b"place > $2" not in said:  # as a page is asked for first, and as that is prepared
            return False
        pages.append(said)
        if len(pages) == 2 and is_shut_out:
            sql(running, "ALTER ROLE guest NOLOGIN")
        return len(pages) == 2

    with DictSQLiteV4(address) as store:
        store.update(MANY)
    with Relay(running, is_cut) as relay:
        words = "copy", through(relay, address), tmp_path / "to.db"
        if is_shut_out:
            told = fails(FAILED, *words, says="not permitted to log in").err
        else:
            assert f"{len(MANY):,} entries copied" in ok(*words).out
    assert len(pages) > 1
    with DictSQLiteV4(tmp_path / "to.db", read_only=True) as store:
        assert store.check() == []
        if is_shut_out:  # what was read before that
            assert told.endswith(f"; {len(store):,} entries copied before that\n")
            assert 0 < len(store) < len(MANY) and store.items() <= MANY.items()
        else:
            assert list(store.items()) == list(MANY.items())


def test_a_copy_to_a_server_that_is_cut_off_may_come_again(running, guest, address, tmp_path):
    cut = []

    def is_cut(said, server):
        if is_mended or b"COPY dictsqlite.entry" not in said:
            return False
        cut.append(said)
        return True

    is_mended = False
    with DictSQLiteV4(tmp_path / "from.db") as store:
        store.update(MANY)
    with Relay(running, is_cut) as relay:
        words = "copy", tmp_path / "from.db", through(relay, address)
        fails(FAILED, *words, says="the connection to the server was lost")
        assert cut
        with DictSQLiteV4(address) as store:
            assert dict(store) == {} and store.check() == []
        is_mended = True
        assert f"{len(MANY):,} entries copied" in ok(*words).out
    with DictSQLiteV4(address, read_only=True) as store:
        assert list(store.items()) == list(MANY.items()) and store.check() == []


@pytest.mark.parametrize("password", [None, "password"])
def test_backups_checks_and_passwords(address, tmp_path, password):
    words = ["--password-env", "SECRET"] if password else []
    env = {"SECRET": "password", "ANOTHER": "another"}
    fill(address, password)
    ok("backup", *words, address, tmp_path / "to.db", env=env)
    check(tmp_path / "to.db", password)
    assert ok("check", *words, address, env=env).out == ""
    if password:
        ok("passwd", *words, "--new-password-env", "ANOTHER", address, env=env)
        check(address, "another")


def test_makes_files_of_it(address, tmp_path):
    fill(address)
    env = {"SECRET": "password"}
    ok("encrypt", "--new-password-env", "SECRET", address, tmp_path / "sealed.db", env=env)
    check(tmp_path / "sealed.db", "password")
    ok("salvage", address, tmp_path / "saved.db")
    check(tmp_path / "saved.db")
    for words in ([address], [address, tmp_path / "compact.db"]):
        fails(USAGE, "compact", *words, says="it is no file")
    assert not (tmp_path / "compact.db").exists()
    sealed = f"{address}x"
    fill(sealed, "password")
    ok("decrypt", "--password-env", "SECRET", sealed, tmp_path / "plain.db", env=env)
    check(tmp_path / "plain.db")


def test_entries(address):
    for words in (["get", address, "a"], ["del", address, "a"], ["list", address],
                  ["stat", address]):
        fails(FAILED, *words, says="there is no such store")  # and makes none
    ok("set", address, "a", "1")
    ok("set", address, "b", "two", "--table", "t")
    assert ok("get", address, "a").out == "1\n"
    fails(MISSING, "get", address, "b")
    assert ok("keys", address).lines == ["a"]
    assert json.loads(ok("stat", "--json", address).out) == {
        "encrypted": False,
        "tables": [{"table": None, "entries": 1}, {"table": "t", "entries": 1}]}
    assert "on a server, not encrypted" in ok("stat", address).out
    ok("del", address, "a")
    fails(MISSING, "get", address, "a")


def test_dumps_and_loads(address, tmp_path):
    fill(tmp_path / "store.db")
    lines = ok("dump", tmp_path / "store.db").raw
    ok("load", address, input=lines)
    check(address)
    assert ok("dump", address).raw == lines


def test_watches(address):
    with DictSQLiteV4(address) as db:
        watch = Watch(address)
        watch.begin(db)
        db["a"] = 1
        db.flush()
        assert watch.until("a")
        watch.process.terminate()
        watch.process.communicate(timeout=60)
