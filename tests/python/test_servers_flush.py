# test_servers_flush.py - large flushes to a PostgreSQL server
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
from pathlib import Path
from random import Random

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


def grow(store, times):
    """By many new keys, so that it is taken to go on like that."""
    for turn in range(times):
        store.update({f"{turn} {number}": number for number in range(1000)})
        store.flush()


@pytest.mark.parametrize("password", [None, "password"])
@pytest.mark.parametrize("there", [[], [0], [700], [N - 1], range(N - 100, N)])
def test_a_store_that_grows_is_not_asked_for_its_keys_but_where_one_is_there(
        running, there, password):
    name = new_name()
    said = []
    new = {f"new {number}": str(number) for number in range(N)}
    theirs = {f"new {number}": "theirs" for number in there}
    parameters = {**BEHIND, "encryption_password": password}
    with Relay(running, lambda words, server: said.append(words)) as relay, \
            DictSQLiteV4(f"{relay.address}&table={name}", **parameters) as store:
        grow(store, 2)
        with DictSQLiteV4(f"{running.address}&table={name}", **parameters) as other:
            other.update(theirs)
        values = {f"{turn} {number}": number for turn in range(2) for number in range(1000)}
        values.update(theirs)
        store.update(new)
        store.update({key: "again" for key in list(new)[::1000]})
        store.flush()
        values.update(new)
        values.update({key: "again" for key in list(new)[::1000]})
        assert b"SAVEPOINT attempt" in b"".join(said)
        for words in (b"ROLLBACK TO SAVEPOINT attempt", b"SELECT k.i, e.place"):
            assert (words in b"".join(said)) == bool(there)
        assert_holds(running, name, values, encryption_password=password)
        store.update({key: "once more" for key in values})  # which are known to be there
        del store["new 5"], values["new 5"]
        store.flush()
        values = {key: "once more" for key in values}
    assert_holds(running, name, values, encryption_password=password)


@pytest.mark.parametrize("there", [0, 4700, 4709])
def test_a_store_grows_by_one_call_of_more_than_a_round(running, there):
    """What is left behind whole rounds is few, and copied all the same."""
    name = new_name()
    new = {f"new {number}": number for number in range(4710)}
    with DictSQLiteV4(f"{running.address}&table={name}", persist_mode="writethrough") as store:
        grow(store, 2)
        with DictSQLiteV4(f"{running.address}&table={name}", **BEHIND) as other:
            other[f"new {there}"] = "theirs"
        store.update(new)
        keys = list(store)[2000:]
        assert keys == [f"new {there}", *(key for key in new if key != f"new {there}")]
        assert {key: store[key] for key in new} == new and len(store) == 2000 + len(new)
    with DictSQLiteV4(f"{running.address}&table={name}") as store:
        assert len(store) == 2000 + len(new) == count_rows(running, name)
        assert store.check() == []


def test_a_store_that_grows_does_so_in_transactions_and_tables(running):
    name = new_name()
    values = {f"{number}": number for number in range(3000)}
    with DictSQLiteV4(f"{running.address}&table={name}", persist_mode="writethrough") as store:
        grow(store, 2)
        for table in (store, store.table("one"), store.table("another")):
            with store.transaction():
                table.update(values)
            with pytest.raises(KeyError), store.transaction():
                table.update({f"gone {key}": 1 for key in values})
                raise KeyError
            with store.transaction():
                table.update({f"more {key}": 1 for key in values})
                table.update({f"more {key}": 2 for key in values})
                del table["more 7"]
        held = {**values, **{f"more {key}": 2 for key in values}}
        del held["more 7"]
        for table in (store.table("one"), store.table("another")):
            assert list(table.items()) == list(held.items())
        assert list(store)[2000:] == list(held) and len(store) == 2000 + len(held)
        assert store.check() == []


@pytest.mark.parametrize("seed", range(6))
def test_clients_that_let_a_store_grow_and_shrink_agree_with_a_dict(running, seed):
    random = Random(seed)
    name = new_name()
    values = {}
    with contextlib.ExitStack() as stack:
        stores = [stack.enter_context(DictSQLiteV4(
            f"{running.address}&table={name}&max_staleness=0", **BEHIND)) for _ in range(2)]
        for step in range(40):
            store = random.choice(stores)
            begin = random.randrange(8000) if random.random() < 0.4 else 400 * step
            keys = [f"key {number}" for number in range(begin, begin + random.randrange(400, 1500))]
            if random.random() < 0.15:
                keys = [key for key in keys if key in values]
                for mapping in (store, values):
                    for key in keys:
                        del mapping[key]
            elif random.random() < 0.05:
                store.clear()
                values.clear()
            else:
                for mapping in (store, values):
                    mapping.update({key: f"{step} {key}" for key in keys})
            store.flush()
            assert len(random.choice(stores)) == len(values)
        for store in stores:
            assert list(store.items()) == list(values.items())
    assert_holds(running, name, values)


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
@pytest.mark.parametrize("n_before", [1, 1000])  # where it is many, it is taken to grow
def test_one_that_is_cut_is_made_again_whole(running, n_said, is_killed, n_before):
    name = new_name()
    first = {f"first {number}": number for number in range(n_before)}
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
            store.update(first)
            store.flush()
            store.update(values)
            left.append(n_said)
            with pytest.raises(OSError):
                store.flush()
            assert count_rows(running, name) == n_before
            assert store["key 0"] == 0 and len(store) == N + n_before
            store.flush()
    assert_holds(running, name, {**first, **values})


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
