# test_servers_aio.py - the loop goes on while a server takes its time
# SPDX-License-Identifier: LGPL-2.1-or-later
"""By way of a relay that holds back what is said to the server. Who waited for that in the loop
would wait until the watchman ends it."""
from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from pathlib import Path

import pytest
from test_aio_slow import VERBS

from dictsqlite_v4 import AsyncDictSQLite

sys.path.insert(0, str(Path(__file__).parents[1]))
from server_fixture import Relay, new_name, running  # noqa: E402, F401

SECONDS = 20  # of the watchman


class Gate:
    """Lets through what is said, or holds it back."""

    def __init__(self):
        self.is_open = threading.Event()
        self.is_open.set()
        self.was_forced = False

    def is_cut(self, said, server):
        self.is_open.wait()
        return False

    def force(self):
        self.was_forced = True
        self.is_open.set()

    @contextlib.contextmanager
    def closed(self):
        watchman = threading.Timer(SECONDS, self.force)
        watchman.start()
        self.is_open.clear()
        try:
            yield
        finally:
            self.is_open.set()
            watchman.cancel()
            watchman.join()
        assert not self.was_forced, "the loop waited for the server"


@pytest.fixture
def gate():
    made = Gate()
    yield made
    made.is_open.set()


@pytest.fixture
def address(running, gate):
    with Relay(running, gate.is_cut) as relay:
        yield f"{relay.address}&table={new_name()}"


async def open_mapping(address, mode, in_table):
    db = await AsyncDictSQLite.open(address, 1, True, mode, warm_capacity=0)
    table = await db.table_async("t")
    return db, table if in_table else db


@pytest.mark.parametrize("mode, in_table", [("lazy", False), ("writethrough", True)])
def test_no_verb_waits_for_the_server_in_the_loop(
        gate, address, tmp_path, monkeypatch, mode, in_table):
    address += "&max_staleness=0"
    monkeypatch.setattr(sys, "argv", ["", address])
    verbs = {}
    exec(VERBS, verbs)
    table = dict(verbs["TABLE"])
    if not in_table:
        table.update(verbs["STORE"])
        for name, *rest in [("backup_async",), ("encrypt_copy_async", "p"),
                            ("decrypt_copy_async",)]:
            table[name] = (tmp_path / name, *rest)
    finished = set()

    async def use(name, args):
        db, mapping = await open_mapping(address, mode, in_table)
        await verbs["fill"](mapping)
        await mapping.get_async("last")
        with gate.closed():
            task = asyncio.ensure_future(verbs["call"](mapping, name, args))
            for _ in range(5):
                await asyncio.sleep(0.001)
            if task.done():
                finished.add(name)
        try:
            await task
        except ValueError:
            assert name == "decrypt_copy_async"  # there is nothing to decrypt
        await db.close()

    async def use_all():
        for name, args in table.items():
            await use(name, args)

    asyncio.run(use_all())
    # all others have to ask the server
    assert finished <= {"set_clock_offset_async", "flush_async"}
