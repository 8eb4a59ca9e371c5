# test_servers_cost.py - what a store on a PostgreSQL server has the server do
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import contextlib
import select
import socket
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from dictsqlite_v4 import DictSQLiteV4

sys.path.insert(0, str(Path(__file__).parents[1]))
from server_fixture import new_name, running, sql  # noqa: E402, F401

N_ROWS = 2000
N_TABLES = 50
OFTEN = 100  # a statement is planned for good the sixth time


def rows_read(running):
    """By all whose connections have ended."""
    read = sql(running, "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))"
                        " FROM pg_stat_user_tables WHERE schemaname = 'dictsqlite'")
    return int(read)


def use(store, times):
    for number in range(times):
        store[f"new {times} {number}"] = 1
        store[f"new {times} {number}"] = 2
        assert store[f"new {times} {number}"] == 2
        assert "absent" not in store
        assert store.get_many(["absent", "none"]) == {}
        store.incr("counter")
        del store[f"new {times} {number}"]


def test_one_key_costs_no_more_in_a_store_that_has_grown(running):
    """What the server knows of its tables is of when they were small, and it plans with that."""
    address = f"{running.address}&table={new_name()}"
    cold = {"hot_capacity": 1, "warm_capacity": 0, "near_capacity": 0}
    before = rows_read(running)
    with DictSQLiteV4(address, persist_mode="writethrough", **cold) as store:
        use(store, 8)
        store.update({f"key {number}": number for number in range(N_ROWS)})
        with store.transaction():
            for number in range(N_TABLES):
                store.table(f"table {number}")["key"] = number
        use(store, OFTEN)
    n_operations = 7 * OFTEN
    assert rows_read(running) - before < 3 * (N_ROWS + N_TABLES) + 15 * n_operations


class Between:
    """Passes on what clients and the server say, and counts how often a client has said something
    after it was answered."""

    def __init__(self, server):
        self.server = server
        self.n_trips = 0
        self.folder = tempfile.TemporaryDirectory()  # a short name, as a socket's has to be
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(f"{self.folder.name}/.s.PGSQL.5432")
        self.socket.listen()
        self.address = f"postgresql://tests@/postgres?host={self.folder.name}"
        self.threads = [threading.Thread(target=self.accept)]

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.socket.accept()[0]
                self.threads.append(threading.Thread(target=self.pass_on, args=(client,)))
                self.threads[-1].start()

    def pass_on(self, client):
        was_answered = False
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(f"{self.server.folder}/.s.PGSQL.5432")
            other = {client: server, server: client}
            while True:
                for ready in select.select(list(other), [], [], 60)[0]:
                    said = ready.recv(1 << 16)
                    if not said:
                        return
                    self.n_trips += ready is client and was_answered
                    was_answered = ready is server
                    other[ready].sendall(said)

    def __enter__(self):
        self.threads[0].start()
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()
        self.socket.close()
        self.folder.cleanup()


@pytest.mark.parametrize("use, n_trips", [
    (lambda store: store.__setitem__("new", 1), 2),
    (lambda store: store.__setitem__("some", 2), 2),
    (lambda store: store.__delitem__("some"), 2),
    (lambda store: store.update(other=1, another=2), 2),
    (lambda store: store.incr("some"), 3),
    (lambda store: store.get_many(["some", "other", "none"]), 1),
])
def test_what_is_said_is_said_at_once(running, use, n_trips):
    """One trip to lock the store and to look for the keys, and one to write, tell of it and commit;
    a value that has to be read takes another."""
    parameters = {"persist_mode": "writethrough", "enable_async": False, "hot_capacity": 1,
                  "warm_capacity": 0, "near_capacity": 0}
    with Between(running) as between, \
            DictSQLiteV4(f"{between.address}&table={new_name()}", **parameters) as store:
        counted = []
        for _ in range(4):  # what is said the second time is prepared, by a trip of its own
            store.update(some=1, other=2)
            before = between.n_trips
            use(store)
            counted.append(between.n_trips - before)
        assert counted[-1] == n_trips, counted
