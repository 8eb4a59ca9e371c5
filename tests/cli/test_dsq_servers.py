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
from server_fixture import new_name, running  # noqa: E402, F401

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
