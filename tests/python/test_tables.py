# test_tables.py - tables: mappings of their own in one file
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import contextlib
import gc
import pickle
import random
import sqlite3
import subprocess
import sys
import threading

import pytest
from conftest import MODES, python
from format_reader import BadStore, read
from test_crash import ROUNDS, check_integrity, run_and_kill

from dictsqlite_v4 import CorruptError, DictSQLiteV4

NAMES = ["", "a", "a:b", "b", "a\0b", "a\0", "\0", "é", "日本", "'; DROP TABLE entry; --", "x" * 9999]


def rows(path, sql):
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute(sql).fetchall()


# --- one process ----------------------------------------------------------------------------------


def test_tables_are_apart(store):
    users, items = store.table("users"), store.table("items")
    store["k"], users["k"], items["k"] = "main", "user", "item"
    users["only"] = 1
    assert (store["k"], users["k"], items["k"]) == ("main", "user", "item")
    assert (len(store), len(users), len(items)) == (1, 2, 1)
    assert "only" not in store and "only" not in items
    assert list(users) == ["k", "only"] and list(store) == ["k"]
    assert users == {"k": "user", "only": 1}
    del users["k"]
    assert store["k"] == "main" and items["k"] == "item" and "k" not in users
    assert users.popitem() == ("only", 1)
    with pytest.raises(KeyError):
        users.popitem()
    assert len(store) == 1 and len(items) == 1


def test_clear_is_for_one_table(store):
    users = store.table("users")
    for number in range(100):
        store[number] = users[number] = number
    store.flush()
    users[7] = "seven"
    store.clear()
    assert len(store) == 0 and len(users) == 100 and users[7] == "seven"
    store["new"] = 1
    users.clear()
    assert len(users) == 0 and dict(store) == {"new": 1}
    users["again"] = 2
    store.flush()
    assert dict(users) == {"again": 2} and dict(store) == {"new": 1}


def test_names_and_keys_never_run_together(store):
    store.table("a")["b:c"] = 1
    store.table("a:b")["c"] = 2
    store.table("")["ab:c"] = 3
    assert dict(store.table("a")) == {"b:c": 1}
    assert dict(store.table("a:b")) == {"c": 2}
    assert dict(store.table("")) == {"ab:c": 3}
    assert len(store) == 0


def test_every_str_is_a_name(open_store, path, mode):
    store = open_store(persist_mode=mode)
    for number, name in enumerate(NAMES):
        store.table(name)["name"] = name
        assert store.tables() == NAMES[: number + 1]
    if mode != "memory":
        store.close()
        store = open_store(persist_mode=mode)
    assert store.tables() == NAMES
    for name in NAMES:
        assert dict(store.table(name)) == {"name": name}
        assert store.table(name).name == name


def test_what_is_no_name(store):
    for name in (None, 1, b"a", ("a",)):
        with pytest.raises(TypeError):
            store.table(name)
        with pytest.raises(TypeError):
            store.drop_table(name)
    with pytest.raises(UnicodeEncodeError):
        store.table("\ud800")
    with pytest.raises(ValueError):
        store.table("x" * ((1 << 20) + 1))
    assert store.tables() == []


def test_one_name_one_object(store):
    users = store.table("users")
    assert store.table("users") is users
    assert users.parent is store and users.name == "users" and not users.dropped
    del users
    gc.collect()
    assert dict(store.table("users")) == {}
    assert store.tables() == ["users"]


def test_a_table_keeps_its_store_open(path, mode):
    users = DictSQLiteV4(path, persist_mode=mode).table("users")
    gc.collect()
    users["a"] = 1
    users.flush()
    assert users["a"] == 1 and users.stats()["persist_mode"] == mode
    users.parent.close()


def test_closing_the_store_closes_its_tables(store):
    users = store.table("users")
    users["a"] = 1
    store.close()
    for operation in (lambda: users["a"], lambda: len(users), lambda: store.table("users"),
                      store.tables, lambda: store.drop_table("users"), users.stats,
                      lambda: users.__setitem__("a", 1), users.clear):
        with pytest.raises(RuntimeError, match="store is closed"):
            operation()
    users.flush()
    assert "closed" in repr(users)


def test_repr_and_pickle(store):
    users = store.table("users")
    users["a"] = 1
    assert repr(users) == f"<Table 'users' of {store._path!r} {{'a': 1}}>"
    with pytest.raises(TypeError):
        pickle.dumps(users)


def test_dropped_tables_stay_dropped(store):
    users = store.table("users")
    users.update({number: number for number in range(50)})
    store["kept"] = 1
    store.drop_table("users")
    assert store.tables() == [] and users.dropped
    for operation in (lambda: users[1], lambda: users.get(1), lambda: 1 in users,
                      lambda: users.__setitem__(1, 1), lambda: users.__delitem__(1),
                      lambda: users.pop(1, None), lambda: users.setdefault(1, 1), users.popitem,
                      lambda: users.update({1: 1}), lambda: users.get_many([1]), users.clear,
                      lambda: users.update({}), lambda: users.get_many([]), users.keys,
                      lambda: len(users), lambda: list(users)):
        with pytest.raises(RuntimeError, match="table is dropped"):
            operation()
    with pytest.raises(KeyError, match="users"):
        store.drop_table("users")

    again = store.table("users")
    assert again is not users and len(again) == 0 and store.tables() == ["users"]
    again[1] = "new"
    with pytest.raises(RuntimeError, match="table is dropped"):
        users[1] = "old"
    store.flush()
    assert dict(again) == {1: "new"} and dict(store) == {"kept": 1}


def test_dropping_while_walking(store):
    users = store.table("users")
    users.update({number: number for number in range(2000)})
    walk = iter(users)
    next(walk)
    store.drop_table("users")
    with pytest.raises(RuntimeError, match="table is dropped"):
        list(walk)


def test_walks_look_at_their_own_table(store):
    users = store.table("users")
    users.update({number: number for number in range(1000)})
    seen = []
    for number in users:
        store[number] = number
        seen.append(number)
    assert seen == list(range(1000)) == list(store)
    with pytest.raises(RuntimeError, match="changed size"):
        for number in users:
            users[-1 - number] = number


# --- the file -------------------------------------------------------------------------------------


def test_rows_of_the_file(open_store, path, file_mode):
    store = open_store(persist_mode=file_mode)
    store.table("a\0b")["k"] = 1
    store.table("é")["k"] = 2
    store.close()
    assert rows(path, "SELECT id, token, name, floor, holes FROM tables ORDER BY id") == [
        (1, b"", None, 1, 0),
        (2, b"\1a\0b", None, 1, 0),
        (3, b"\1\xc3\xa9", None, 1, 0),
    ]
    assert rows(path, "SELECT place >> 40, table_id, place & 0xffffffffff, token FROM entry") == [
        (2, 2, 1, b"k"),
        (3, 3, 1, b"k"),
    ]


def test_the_file_is_as_the_format_says(open_store, path, file_mode):
    store = open_store(persist_mode=file_mode)
    store.update({"main": 1, 2: b"two"})
    for name in NAMES:
        store.table(name).update({(name, number): [name, number] for number in range(3)})
    store.drop_table(NAMES[-1])
    store.drop_table(NAMES[0])
    store.close()
    assert read(path) == [("main", 1), (2, b"two")]
    for name in NAMES[1:-1]:
        expected = [((name, number), [name, number]) for number in range(3)]
        assert read(path, name) == expected
    for name in (NAMES[0], NAMES[-1]):
        with pytest.raises(BadStore, match="no table"):
            read(path, name)


def test_ids_are_never_used_again(open_store, path, file_mode):
    store = open_store(persist_mode=file_mode)
    for round_number in range(3):
        for name in "ab":
            store.table(name)["k"] = round_number
        store.drop_table("b")
        store.drop_table("a")
        assert rows(path, "SELECT count(*) FROM entry") == [(0,)]
        found = rows(path, "SELECT id, token, name, floor, holes FROM tables ORDER BY id")
        assert found == [(1, b"", None, 1, 0), (2 * round_number + 3, b"\0", None, 1, 0)]
        store.close()
        store = open_store(persist_mode=file_mode)
        assert store.tables() == []
    store.table("c")
    assert rows(path, "SELECT id, token FROM tables WHERE id > 1") == [(8, b"\1c")]


def test_damaged_names_are_told(open_store, path):
    store = open_store()
    store.table("a")
    store.close()
    for token in (b"\2a", b"\1\xff"):
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            database.execute("UPDATE tables SET token = ? WHERE id = 2", (token,))
        with pytest.raises(CorruptError, match="tables"), open_store() as store:
            store.tables()


def test_flush_is_one_commit_of_all_tables(open_store, path):
    store = open_store(persist_mode="lazy", enable_async=False)
    tables = [store.table(str(number)) for number in range(20)]
    commits = store.stats()["commits"]
    for number, table in enumerate([store, *tables]):
        table["number"] = number
    tables[3].flush()
    assert store.stats()["commits"] == commits + 1
    assert store.stats()["dirty_entries"] == 0
    other = open_store(persist_mode="lazy")
    assert [other.table(str(number))["number"] for number in range(20)] == list(range(1, 21))


def test_dirty_limit_is_over_all_tables(open_store):
    store = open_store(persist_mode="lazy", enable_async=False, dirty_limit=100_000)
    for number in range(200):
        store.table(str(number % 40))[number] = b"x" * 4000
        assert store.stats()["dirty_bytes"] < 150_000
    assert store.stats()["flushes"] >= 4


def test_hot_capacity_is_over_all_tables(open_store, file_mode):
    store = open_store(persist_mode=file_mode, hot_capacity=10, warm_capacity=4096)
    tables = [store.table(str(number)) for number in range(8)]
    for number in range(400):
        tables[number % 8][number] = number
    store.flush()
    assert store.stats()["hot_entries"] <= 10
    for number in range(400):
        assert tables[number % 8][number] == number
        assert number not in tables[(number + 1) % 8]


# --- others ---------------------------------------------------------------------------------------


def test_two_stores_make_tables_at_once(open_store):
    first, second = (open_store(persist_mode="lazy", enable_async=False) for _ in range(2))
    first.table("x")["k"] = "first x"
    second.table("y")["k"] = "second y"
    second.table("x")["l"] = "second x"
    first.table("y")["l"] = "first y"
    first.flush()
    second.flush()
    for store in (first, second, open_store()):
        assert store.tables() == ["x", "y"]
        assert dict(store.table("x")) == {"k": "first x", "l": "second x"}
        assert sorted(store.table("y").items()) == [("k", "second y"), ("l", "first y")]


def test_foreign_changes_of_tables_are_seen(open_store, file_mode):
    first, second = (open_store(persist_mode=file_mode, enable_async=False) for _ in range(2))
    mine, theirs = first.table("t"), second.table("t")
    for number in range(30):
        theirs[number] = number
        second.flush()
        assert mine[number] == number and len(mine) == number + 1
    mine.clear()
    first.flush()
    assert len(theirs) == 0 and list(theirs) == []


def test_foreign_drop_is_seen(open_store, file_mode):
    first, second = (open_store(persist_mode=file_mode, enable_async=False) for _ in range(2))
    mine, theirs = first.table("t"), second.table("t")
    mine["a"] = 1
    first["kept"] = 1
    second.drop_table("t")
    with pytest.raises(RuntimeError, match="table is dropped"):
        mine["a"]
    with pytest.raises(RuntimeError, match="table is dropped"):
        mine["b"] = 1
    assert mine.dropped and theirs.dropped
    assert first.tables() == second.tables() == []
    new = second.table("t")
    new["c"] = 3
    first.flush()
    second.flush()
    assert dict(first.table("t")) == {"c": 3} and second["kept"] == 1


def test_foreign_drop_under_pending_writes(open_store):
    first, second = (open_store(persist_mode="lazy", enable_async=False) for _ in range(2))
    mine = first.table("t")
    first["kept"] = 1
    for number in range(100):
        mine[number] = number
    second.drop_table("t")
    second.table("t")["new"] = 1
    second.flush()
    first.flush()
    assert first["kept"] == 1 and first.stats()["dirty_entries"] == 0
    assert first.stats()["dirty_bytes"] == 0
    assert dict(first.table("t")) == {"new": 1}
    first.close()
    assert dict(second.table("t")) == {"new": 1} and second["kept"] == 1


def test_two_processes(path, open_store, file_mode):
    code = """
import sys
from dictsqlite_v4 import DictSQLiteV4
path, mode, mine = sys.argv[1:]
with DictSQLiteV4(path, persist_mode=mode, flush_interval=0.002) as store:
    for number in range(300):
        store.table(mine)[number] = number
        store.table("both")[f"{mine}{number}"] = number
        if number % 60 == 59:
            store.table(f"{mine}{number}")["k"] = mine
            store.drop_table(f"{mine}{number}")
"""
    children = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", code, str(path), file_mode, name])
        for name in ("a", "b")
    ]
    assert [child.wait(timeout=300) for child in children] == [0, 0]
    store = open_store()
    assert sorted(store.tables()) == ["a", "b", "both"]
    for name in ("a", "b"):
        assert dict(store.table(name)) == {number: number for number in range(300)}
    assert len(store.table("both")) == 600
    assert len(store) == 0


def test_threads_make_and_drop(store):
    failures = []

    def work(name):
        try:
            for number in range(60):
                store.table(f"{name}")[number] = number
                store.table("both")[f"{name}{number}"] = number
                if number % 20 == 19:
                    store.drop_table(name)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.tables() == ["both"] and len(store.table("both")) == 240


# --- crash ----------------------------------------------------------------------------------------


def test_a_killed_store_shows_one_instant_of_all_tables(path):
    moment = random.Random(4)
    done = 0
    code = (
        "store = DictSQLiteV4(path, hot_capacity=5, persist_mode='lazy', flush_interval=0.003)\n"
        "tables = [store, store.table('a'), store.table('b')]\n"
        "while True:\n"
        "    for table in tables:\n"
        "        table[start % 50] = start\n"
        "        table['last'] = start\n"
        "    if start % 97 == 0:\n"
        "        tables[1].clear()\n"
        "        tables[1]['last'] = start\n"
        "    start += 1\n"
        "    if start % 20 == 0:\n"
        "        store.flush()\n"
        "        acknowledge(start)\n"
    )
    for _ in range(ROUNDS // 2):
        flushed = run_and_kill(code, path, done, moment)[-1]
        with DictSQLiteV4(path, enable_async=False) as store:
            last = [table.get("last", -1) for table in map(store.table, "ab")]
            main = store.get("last", -1)
            # written in this order, in one instant of the three
            assert main - 1 <= last[1] <= last[0] <= main or (main % 97 == 0 and last[0] == -1)
            assert main >= flushed - 1
            for table in (store, store.table("b")):
                # the instant may be between a round's two writes to a table
                newest = max(table.values(), default=-1)
                assert newest - 1 <= table.get("last", -1) <= newest
            done = main + 1
        check_integrity(path)


def test_a_killed_drop_is_whole_or_not_at_all(path, file_mode):
    moment = random.Random(5)
    code = (
        f"store = DictSQLiteV4(path, persist_mode={file_mode!r}, flush_interval=0.003)\n"
        "while True:\n"
        "    table = store.table('t')\n"
        "    table.bulk_insert({i: start for i in range(500)})\n"
        "    store['made'] = start\n"
        "    acknowledge(start)\n"
        "    store.drop_table('t')\n"
        "    start += 1\n"
    )
    for number in range(ROUNDS // 3):
        run_and_kill(code, path, 1000 * number, moment)
        check_integrity(path)
        with DictSQLiteV4(path, enable_async=False) as store:
            assert store.tables() in ([], ["t"])
            if store.tables():
                assert len(store.table("t")) in (0, 500)
                store.drop_table("t")
        assert rows(path, "SELECT count(*) FROM entry WHERE table_id > 1") == [(0,)]


# --- many -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("persist_mode", MODES)
def test_a_thousand_tables(open_store, persist_mode):
    number_of_tables = 1000
    store = open_store(persist_mode=persist_mode)
    tables = [store.table(f"table {number}") for number in range(number_of_tables)]
    for number, table in enumerate(tables):
        table["number"] = number
        store[number] = number
    store.flush()
    assert store.tables() == [table.name for table in tables]
    assert all(table["number"] == number for number, table in enumerate(tables))
    assert len(store) == number_of_tables and sum(map(len, tables)) == number_of_tables
    if persist_mode != "memory":
        store.close()
        store = open_store(persist_mode=persist_mode)
        assert len(store.tables()) == number_of_tables
        assert store.table("table 777")["number"] == 777
    for number in range(0, number_of_tables, 10):
        store.drop_table(f"table {number}")
    assert len(store.tables()) == number_of_tables - number_of_tables // 10


def test_an_idle_table_is_small(tmp_path):
    code = """
import sys
from dictsqlite_v4 import DictSQLiteV4
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
store = DictSQLiteV4(sys.argv[1], persist_mode="memory")
kept = [store.table(str(number)) for number in range(100)]
before = resident()
kept += [store.table(str(number)) for number in range(100, 5100)]
print((resident() - before) / 5000)
"""
    done = python(code, tmp_path / "store.db")
    assert done.returncode == 0, done.stderr
    # with Python's object and its bound methods
    assert float(done.stdout) < 4096
