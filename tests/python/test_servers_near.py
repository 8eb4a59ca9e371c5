# test_servers_near.py - the near tier of stores on a server
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from dictsqlite_v4 import AsyncDictSQLite, DictSQLiteV4, _aio_mapping, _mapping, _near

sys.path.insert(0, str(Path(__file__).parents[1]))
from server_fixture import new_name, running  # noqa: E402, F401

MODES = ("lazy", "writethrough")
HOUR = 3_600_000
VALUES = ("text", b"bytes", 7, 2.5, True, ["list"])

pytestmark = pytest.mark.skipif(os.environ.get("DSQ_NEAR") == "0", reason="it has no near tier")


@pytest.fixture
def open_store(running):
    """Stores on one address, with nobody who listens: the clock alone says what is too old."""
    name = new_name()
    stores = []

    def open_one(max_staleness, mode="writethrough"):
        stores.append(DictSQLiteV4(
            f"{running.address}&max_staleness={max_staleness}&table={name}", persist_mode=mode,
            enable_async=False))
        return stores[-1]

    yield open_one
    for store in stores:
        store.close()


def refuse(monkeypatch, store):
    """Have it fail where it does more than look at what it keeps."""

    def fail(*_):
        raise AssertionError

    for name in ("_find", "_catch_up", "_get_text", "_contains_text", "_lookup_many"):
        monkeypatch.setattr(store, name, fail)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_kept_is_not_asked_for(open_store, monkeypatch, mode):
    store = open_store(HOUR, mode)
    entries = {f"key{i}": value for i, value in enumerate(VALUES)}
    for key, value in entries.items():
        store[key] = value
    assert "key0" in store  # learns until when all is believed
    refuse(monkeypatch, store)
    assert {key: store[key] for key in entries} == entries
    assert {key: store.get(key) for key in entries} == entries
    assert all(key in store for key in entries)
    assert store.stats()["tiers"]["near"]["entries"] == len(entries)


def test_what_is_read_twice_is_not_asked_for_again(open_store, monkeypatch):
    writer, reader = open_store(HOUR), open_store(HOUR)
    writer["a"] = "text"
    reader["b"] = "text"  # learns of the other
    assert [reader["a"] for _ in range(3)] == ["text"] * 3
    refuse(monkeypatch, reader)
    assert reader["a"] == "text" and reader.get_many(["a"]) == {"a": "text"}


def test_a_coroutine_finds_what_is_kept(running, monkeypatch):
    async def run():
        address = f"{running.address}&max_staleness={HOUR}&table={new_name()}"
        async with AsyncDictSQLite(address) as store:
            await store.set_async("a", "text")
            assert await store.get_async("a") == "text"
            monkeypatch.setattr(store, "_peek_str", None)
            monkeypatch.setattr(store, "_find_each", None)
            assert await store.get_async("a") == "text"
            assert await store.batch_get(["a"]) == {"a": "text"}
            later = time.monotonic_ns() + 2 * HOUR * 1_000_000
            monkeypatch.setattr(_aio_mapping, "monotonic_ns", lambda: later)
            with pytest.raises(TypeError):
                await store.get_async("a")
            monkeypatch.undo()

    asyncio.run(run())


@pytest.mark.parametrize("mode", MODES)
def test_what_others_commit_is_learned_by_a_write(open_store, mode):
    writer, reader = open_store(HOUR), open_store(HOUR, mode)
    writer["a"] = "one"
    reader["b"] = "one"
    reader.flush()
    assert reader["a"] == reader["a"] == "one"
    writer["a"] = "two"
    assert reader["a"] == "one"  # which it may be, for an hour
    reader["b"] = "two"
    reader.flush()
    assert reader["a"] == reader.get("a") == "two"


def read_when_it_is_too_old(open_store, read):
    """What `read` gives of a store that has kept "old", once all that it knows is too old."""
    writer, reader = open_store(HOUR), open_store(100)
    writer["a"] = "old"
    time.sleep(0.11)
    assert reader["a"] == reader["a"] == "old"
    writer["a"] = "new"
    time.sleep(0.11)
    return read(reader)


READS = {
    "[]": lambda store: store["a"],
    "get": lambda store: store.get("a"),
    "get_many": lambda store: store.get_many(["a"])["a"],
}


@pytest.mark.parametrize("read", READS)
def test_what_is_too_old_is_asked_for(open_store, read):
    assert read_when_it_is_too_old(open_store, READS[read]) == "new"


def test_what_is_gone_is_asked_for(open_store):
    writer, reader = open_store(HOUR), open_store(100)
    reader["a"] = "text"
    assert "a" in reader
    del writer["a"]
    time.sleep(0.11)
    assert "a" not in reader


@pytest.mark.parametrize("read", ["[]", "get"])
def test_it_shows_when_the_clock_is_not_looked_at(open_store, monkeypatch, read):
    for module in (_mapping, _near):
        monkeypatch.setattr(module, "monotonic_ns", lambda: 0)
    assert read_when_it_is_too_old(open_store, READS[read]) == "old"


def test_nothing_is_kept_where_each_read_asks(open_store):
    writer, reader = open_store(0), open_store(0)
    for value in VALUES:
        writer["a"] = value
        assert reader["a"] == reader["a"] == value
    assert reader.stats()["tiers"]["near"]["entries"] == 0


def test_what_is_kept_goes_with_the_store(open_store):
    store = open_store(HOUR)
    store["a"] = "text"
    assert store["a"] == "text"
    child = os.fork()
    if child == 0:
        try:
            store["a"]
        except RuntimeError:
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert store["a"] == "text"
    store.close()
    with pytest.raises(RuntimeError):
        store["a"]
