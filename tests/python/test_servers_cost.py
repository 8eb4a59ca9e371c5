# test_servers_cost.py - what a store on a PostgreSQL server has the server do
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dictsqlite_v4 import DictSQLiteV4

sys.path.insert(0, str(Path(__file__).parents[1]))
from server_fixture import Relay, new_name, running, sql  # noqa: E402, F401

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
    with Relay(running) as relay, \
            DictSQLiteV4(f"{relay.address}&table={new_name()}", **parameters) as store:
        counted = []
        for _ in range(4):  # what is said the second time is prepared, by a trip of its own
            store.update(some=1, other=2)
            before = relay.n_trips
            use(store)
            counted.append(relay.n_trips - before)
        assert counted[-1] == n_trips, counted


@pytest.mark.parametrize("is_empty, n_trips", [
    (True, 4),  # the lock, COPY, its rows, and the commit
    (False, 11),  # keys are looked for, a COPY begun and ended, for each of three rounds
])
def test_a_large_flush_is_sent_without_waiting(running, is_empty, n_trips):
    """Where a store was empty nothing is looked for, however many keys are new."""
    with Relay(running) as relay, \
            DictSQLiteV4(f"{relay.address}&table={new_name()}", persist_mode="lazy",
                         enable_async=False) as store:
        for _ in range(3):  # what is said the second time is prepared, by a trip of its own
            store["held"] = 1
            store.flush()
            if is_empty:
                del store["held"]
                store.flush()
        store.update({f"new {number}": number for number in range(3 * 4096)})
        before = relay.n_trips
        store.flush()
        assert relay.n_trips - before == n_trips
