# test_servers_flush.py - large flushes to a PostgreSQL server
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import wait_until

from dictsqlite_v4 import CorruptError, DictSQLiteV4

sys.path.insert(0, str(Path(__file__).parents[1]))
from server_fixture import Relay, new_name, running, sql  # noqa: E402, F401

SQL = Path(__file__).parents[2] / "dictsqlite/cold/postgresql/dsq-server-sql.c"
N = 9000  # more than two rounds
BEHIND = {"persist_mode": "lazy", "enable_async": False}


def count_rows(running, name):
    return int(sql(running, "SELECT count(*) FROM dictsqlite.entry AS e JOIN dictsqlite.store AS s"
                            f" ON s.id = e.store WHERE s.name = '{name}'"))


def assert_holds(running, name, values, **parameters):
    with DictSQLiteV4(f"{running.address}&table={name}", **BEHIND, **parameters) as store:
        assert list(store.items()) == list(values.items())
        assert len(store) == len(values) == count_rows(running, name)
        assert store.check() == []


@pytest.mark.parametrize("password", [None, "password"])
def test_holds_what_a_dict_holds(running, password):
    name = new_name()
    longer = "long" * 1000
    parameters = {"encryption_password": password}
    values = {}

    def fill(mapping):
        mapping.update({f"key {number}": number for number in range(N)})
        mapping.update({"": "", "empty": b"", "none": None, longer: 1, longer + "er": 2})
        mapping["big"] = "v" * 300_000

    def change(mapping):
        for number in range(0, N, 3):
            mapping[f"key {number}"] = "overwritten"
        for number in range(1, N, 3):
            del mapping[f"key {number}"]
        for number in range(1, N, 6):
            mapping[f"key {number}"] = "again, at the end"
        mapping.update({f"new {number}": "x" * (number % 100) for number in range(N)})
        del mapping[longer]
        mapping[longer] = "again"

    def clear(mapping):
        mapping.clear()
        mapping.update({f"new {number}": -number for number in range(N, 0, -1)})

    with DictSQLiteV4(f"{running.address}&table={name}", **BEHIND, **parameters) as store:
        for step in (fill, change, clear):
            step(store)
            step(values)
            store.flush()
            assert_holds(running, name, values, **parameters)


def test_clients_take_turns(running):
    name = new_name()
    stores = [DictSQLiteV4(f"{running.address}&table={name}", **BEHIND) for _ in range(2)]

    def write(store, which):
        for turn in range(4):
            store.update({f"{which} {turn} {number}": number for number in range(1000)})
            store.update({f"both {number}": which for number in range(1000)})
            store.flush()

    threads = [threading.Thread(target=write, args=(store, which))
               for which, store in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    for store in stores:
        store.close()
    with DictSQLiteV4(f"{running.address}&table={name}") as store:
        held = dict(store)
        assert store.check() == []
    assert len(held) == count_rows(running, name) == 9000
    assert len({held[f"both {number}"] for number in range(1000)}) == 1
    assert all(held[f"{which} {turn} {number}"] == number
               for which in range(2) for turn in range(4) for number in range(1000))


@pytest.mark.parametrize("n_said", [1_000, 50_000, 500_000])
@pytest.mark.parametrize("is_killed", [False, True])
def test_one_that_is_cut_is_made_again_whole(running, n_said, is_killed):
    name = new_name()
    values = {f"key {number}": number for number in range(N)}

    left = []  # how many bytes more are passed on

    def is_cut(said, server):
        if not left:
            return False
        left[0] -= len(said)
        if left[0] > 0:
            return False
        left.clear()
        if is_killed:
            running.stop("immediate")
            running.start()
        return True

    with Relay(running, is_cut) as relay:
        with DictSQLiteV4(f"{relay.address}&table={name}", **BEHIND) as store:
            store["first"] = 1
            store.flush()
            store.update(values)
            left.append(n_said)
            with pytest.raises(OSError):
                store.flush()
            assert count_rows(running, name) == 1
            assert store["key 0"] == 0 and len(store) == N + 1
            store.flush()
    assert_holds(running, name, {"first": 1, **values})


@pytest.mark.parametrize("clash", [
    "decode('6b6579203835303030', 'hex'), 1",  # key 85000, and a place that is free
    "'x', (SELECT next + 8500 FROM dictsqlite.tables WHERE store = s.id)",
])
def test_a_row_that_should_not_be_there_is_damage(running, clash):
    name = new_name()
    values = {f"key {number * 10}": number for number in range(N)}
    of_store = f"FROM dictsqlite.store AS s WHERE s.name = '{name}'"
    with DictSQLiteV4(f"{running.address}&table={name}", **BEHIND) as store:
        store.update(values)
        sql(running, "INSERT INTO dictsqlite.entry (store, table_id, token, place, value)"
                     f" SELECT s.id, 1, {clash}, '' {of_store}")
        with pytest.raises(CorruptError):
            store.flush()
        assert count_rows(running, name) == 1
        sql(running, f"DELETE FROM dictsqlite.entry WHERE store = (SELECT s.id {of_store})")
        store.flush()
    assert_holds(running, name, values)


def test_a_client_that_is_stopped_in_a_copy_is_ended_by_who_waits(running):
    """Once it has taken longer than it may; here it may not at all."""
    n_copying = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'ClientRead'" \
                " AND state = 'active' AND query LIKE 'COPY %'"
    end = re.search(r'\[DSQ_SERVER_END_COPIES\] = \{ ((?:"[^"]*"\s*)*),', SQL.read_text())[1]
    end = "".join(re.findall('"([^"]*)"', end))
    with DictSQLiteV4(f"{running.address}&table={new_name()}", busy_timeout=0.1) as store:
        store["a"] = 1
        holder = subprocess.Popen(
            [running.programs / "psql", "-h", running.folder, "-U", "tests", "postgres"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            holder.stdin.write(b"BEGIN; SELECT * FROM dictsqlite.store FOR UPDATE;"
                               b" COPY dictsqlite.entry (store) FROM STDIN;\n")
            holder.stdin.flush()
            wait_until(lambda: sql(running, n_copying) == "1\n")
            with pytest.raises(OSError):
                store["a"] = 2
            assert sql(running, n_copying) == "1\n"  # it has its time
            assert sql(running, end.replace("$1", "0")) == "t\n"
            wait_until(lambda: sql(running, n_copying) == "0\n")
            store["a"] = 3
        finally:
            holder.kill()
            holder.communicate()
        assert store["a"] == 3
