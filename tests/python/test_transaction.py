# test_transaction.py - many operations, all of them or none
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
import weakref

import pytest
from conftest import LONG, python

from dictsqlite_v4 import ConflictError, DictSQLiteV4


class Stop(Exception):
    pass


def in_thread(function, *args):
    """What `function` returns, or raises, in a thread of its own."""
    results = []

    def run():
        try:
            results.append((function(*args), None))
        except BaseException as error:  # noqa: B902
            results.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    assert results, "the thread hangs"
    value, error = results[0]
    if error is not None:
        raise error
    return value


# Every operation, so that each is tried in a transaction beside a dict.
OPERATIONS = {
    "set": lambda m: m.__setitem__("new", "x"),
    "set bytes": lambda m: m.__setitem__(b"new", b"\x03x"),
    "set text with the type byte": lambda m: m.__setitem__("n\x03w", "\x03"),
    "overwrite": lambda m: m.__setitem__("b", [1, 2]),
    "delete": lambda m: m.__delitem__("b"),
    "delete and set": lambda m: (m.__delitem__("a"), m.__setitem__("a", 9)),
    "set and delete": lambda m: (m.__setitem__("new", 1), m.__delitem__("new")),
    "delete the missing": lambda m: m.__delitem__("missing"),
    "get": lambda m: (m["a"], m.get("missing"), m.get("missing", 7)),
    "get the missing": lambda m: m["missing"],
    "contains": lambda m: ("a" in m, "missing" in m),
    "pop": lambda m: (m.pop("c"), m.pop("missing", 4)),
    "pop the missing": lambda m: m.pop("missing"),
    "popitem": lambda m: m.popitem(),
    "popitem thrice": lambda m: (m.popitem(), m.popitem(), m.popitem()),
    "setdefault": lambda m: (m.setdefault("a", 5), m.setdefault("new", 5)),
    "update": lambda m: m.update({"a": 0, "e": 1}, f=2),
    "clear": lambda m: m.clear(),
    "clear and set": lambda m: (m.clear(), m.__setitem__("b", 1), m.__setitem__("z", 1)),
    "set and clear": lambda m: (m.__setitem__("z", 1), m.clear()),
    "ior": lambda m: m.__ior__({"z": 1}) and None,
    "or": lambda m: m | {"z": 1},
    "eq": lambda m: m == {"a": 1, "b": "two", "c": [3]},
    "len": len,
    "list": list,
    "reversed": lambda m: list(reversed(m)),
    "items": lambda m: list(m.items()),
    "values": lambda m: list(reversed(m.values())),
}


def outcome(operation, mapping):
    try:
        return operation(mapping)
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize("second", OPERATIONS)
def test_a_transaction_behaves_as_a_dict(open_store, mode, second):
    store = open_store(persist_mode=mode, enable_async=False)
    for first in OPERATIONS:
        store.clear()
        model = {"a": 1, "b": "two", "c": [3]}
        store.update(model)
        if first < second:
            store.flush()
        with store.transaction() as inside:
            assert inside is store
            for name in (first, second):
                operation = OPERATIONS[name]
                assert outcome(operation, store) == outcome(operation, model), (first, second)
                assert list(store.items()) == list(model.items()), (first, second)
                assert list(reversed(store)) == list(reversed(model)), (first, second)
                assert len(store) == len(model), (first, second)
                assert store.get_many(["a", "b", "missing"]) == {
                    key: model[key] for key in ("a", "b") if key in model
                }
        assert list(store.items()) == list(model.items()), (first, second)
        assert len(store) == len(model)


def test_all_is_in_the_file_in_order(open_store, file_mode):
    with open_store(persist_mode=file_mode) as store:
        store.update({"a": 1, "b": 2, "c": 3})
        store.flush()
        with store.transaction():
            del store["a"]
            store["d"] = 4
            store["a"] = 5
            store["b"] = 6
    with open_store() as store:
        assert list(store.items()) == [("b", 6), ("c", 3), ("d", 4), ("a", 5)]


def test_after_an_exception_nothing_is_written(store):
    store.update({"a": 1, "b": 2})
    with pytest.raises(Stop):
        with store.transaction():
            store["a"] = 10
            del store["b"]
            store.incr("n")
            store.clear()
            store["c"] = 3
            assert dict(store) == {"c": 3}
            raise Stop
    assert list(store.items()) == [("a", 1), ("b", 2)]
    store["after"] = 1
    assert store["after"] == 1


def test_other_threads_see_nothing_until_the_end(store):
    store.update({"a": 1, "b": 2})
    with store.transaction():
        store["a"] = 10
        del store["b"]
        store["c"] = 30
        assert in_thread(lambda: dict(store)) == {"a": 1, "b": 2}
        assert in_thread(lambda: (len(store), "c" in store, store.get("a"))) == (2, False, 1)
        assert dict(store) == {"a": 10, "c": 30}
    assert in_thread(lambda: dict(store)) == {"a": 10, "c": 30}


def test_other_processes_see_nothing_until_the_end(open_store, path):
    code = "import sys; from dictsqlite_v4 import DictSQLiteV4 as D; print(D(sys.argv[1]).copy())"
    store = open_store(persist_mode="writethrough")
    store["a"] = 1
    with store.transaction():
        store["a"] = 2
        store["b"] = 3
        assert python(code, path).stdout == "{'a': 1}\n"
    assert python(code, path).stdout == "{'a': 2, 'b': 3}\n"


def test_a_value_that_was_read_is_read_again(store):
    store["a"] = 1
    with pytest.raises(ConflictError):
        with store.transaction():
            assert store["a"] == 1
            in_thread(store.__setitem__, "a", 2)
            assert store["a"] == 1
            store["b"] = 1
    assert dict(store) == {"a": 2}


@pytest.mark.parametrize(
    "read",
    [
        lambda db: db["a"],
        lambda db: "a" in db,
        lambda db: db.get("missing"),
        lambda db: db.incr("a"),
        lambda db: db.pop("a"),
        lambda db: db.setdefault("missing", 1),
        lambda db: db.get_many(["a", "missing"]),
        lambda db: db.compare_and_set("a", 1, 7),
    ],
)
def test_what_was_read_must_hold_at_the_end(store, read):
    store["a"] = 1
    with pytest.raises(ConflictError):
        with store.transaction():
            read(store)
            store["x"] = 1
            in_thread(store.update, {"a": 2, "missing": 3})
    assert dict(store) == {"a": 2, "missing": 3}


def test_a_conflict_with_another_process(open_store, path):
    code = "import sys; from dictsqlite_v4 import DictSQLiteV4 as D; D(sys.argv[1])['a'] = 2"
    store = open_store(persist_mode="writethrough")
    store["a"] = 1
    with pytest.raises(ConflictError):
        with store.transaction():
            store["b"] = store["a"] + 1
            assert python(code, path).returncode == 0
    assert dict(store) == {"a": 2}


def test_writes_that_read_nothing_do_not_conflict(store):
    store["a"] = 1
    with store.transaction():
        store["a"] = 3
        in_thread(store.__setitem__, "a", 2)
    assert store["a"] == 3


def test_reading_only_does_not_conflict(store):
    store["a"] = 1
    with store.transaction():
        assert store["a"] == 1
        in_thread(store.__setitem__, "a", 2)
    assert store["a"] == 2


def test_one_in_another_is_a_part_of_it(store):
    with store.transaction():
        store["a"] = 1
        with store.transaction():
            store["b"] = 2
        with pytest.raises(Stop):
            with store.transaction():
                store["a"] = 10
                store["c"] = 3
                raise Stop
        assert dict(store) == {"a": 1, "b": 2}
        assert in_thread(len, store) == 0
    assert dict(store) == {"a": 1, "b": 2}
    with pytest.raises(Stop):
        with store.transaction():
            with store.transaction():
                store["d"] = 4
            raise Stop
    assert dict(store) == {"a": 1, "b": 2}


def test_a_transaction_is_entered_once(store):
    transaction = store.transaction()
    with transaction:
        store["a"] = 1
    with pytest.raises(RuntimeError, match="once"):
        with transaction:
            pass
    assert dict(store) == {"a": 1}


def test_walks_in_a_transaction(store):
    store.update({str(i): i for i in range(600)})
    with store.transaction():
        for key in store:
            store[key] += 1  # no change of size
        with pytest.raises(RuntimeError, match="changed size during iteration"):
            for key in store:
                store[f"new {key}"] = 1
        del store["new 0"]
        with pytest.raises(RuntimeError, match="changed size during iteration"):
            for key in store:
                del store[key]
        store["0"] = 1
        assert sum(store.values()) == sum(range(601))
    assert sum(store.values()) == sum(range(601))


def test_a_closed_store(store):
    store["a"] = 1
    store.close()
    with pytest.raises(RuntimeError, match="store is closed"):
        with store.transaction():
            pass


def test_closed_within(open_store, mode):
    store = open_store(persist_mode=mode)
    with pytest.raises(RuntimeError, match="store is closed"):
        with store.transaction():
            store["a"] = 1
            store.close()


def test_values_that_cannot_be_pickled(store):
    with pytest.raises(Exception, match="pickle|local"):
        with store.transaction():
            store["a"] = 1
            store["b"] = lambda: None
    assert dict(store) == {}


def test_money_is_neither_made_nor_lost(open_store, mode):
    """Threads move money between accounts, and others look at all accounts at once."""
    store = open_store(persist_mode=mode, hot_capacity=4, flush_interval=0.005)
    names = [f"account {i}" for i in range(8)]
    store.update(dict.fromkeys(names, 100))
    n_rounds = 1000 if LONG else 100
    failures = []

    def move(number):
        try:
            for i in range(n_rounds):
                source, target = names[(i + number) % 8], names[(i * 3 + number) % 8]
                with store.transaction():
                    store[source] -= 1
                    store[target] += 1
        except BaseException as error:  # noqa: B902
            failures.append(error)

    movers = [threading.Thread(target=move, args=(i,)) for i in range(4)]
    for thread in movers:
        thread.start()
    while any(thread.is_alive() for thread in movers):
        with store.transaction():
            assert sum(store[name] for name in names) == 800
    for thread in movers:
        thread.join()
    assert failures == []
    assert sum(store.get_many(names).values()) == 800


MOVE = """
import sys
from dictsqlite_v4 import ConflictError, DictSQLiteV4
with DictSQLiteV4(sys.argv[1]) as db:
    for i in range(int(sys.argv[2])):
        while True:
            try:
                with db.transaction():
                    db["a"] -= 1
                    db["b"] += 1
                break
            except ConflictError:
                pass
"""


def test_processes_try_again_after_a_conflict(open_store, path):
    n_rounds = 1000 if LONG else 200
    with open_store() as store:
        store.update(a=0, b=0)
    workers = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", MOVE, str(path), str(n_rounds)])
        for _ in range(2)
    ]
    assert [worker.wait(timeout=300) for worker in workers] == [0, 0]
    with open_store() as store:
        assert dict(store) == {"a": -2 * n_rounds, "b": 2 * n_rounds}


def test_killed_within_and_after(path):
    code = """
import os, sys
from dictsqlite_v4 import DictSQLiteV4
db = DictSQLiteV4(sys.argv[1])
with db.transaction():
    db.update({str(i): i for i in range(1000)})
with db.transaction():
    db.clear()
    db["x"] = 1
    os.kill(os.getpid(), 9)
"""
    assert python(code, path).returncode == -9
    with DictSQLiteV4(path) as store:
        assert len(store) == 1000 and store["999"] == 999


def test_nothing_is_left_of_a_transaction(store):
    plain = store._get_record
    with store.transaction():
        assert store._get_record != plain
    assert store._get_record == plain
    with pytest.raises(Stop):
        with store.transaction():
            raise Stop
    assert store._get_record == plain


# --- tables


def test_tables_are_in_it(open_store, mode):
    store = open_store(persist_mode=mode)
    one = store.table("one")
    store["a"] = one["a"] = 1
    with store.transaction():
        store["a"] = 2
        one["a"] = 2
        two = store.table("two")
        two["b"] = 2
        assert (store["a"], one["a"], two["b"], len(two)) == (2, 2, 2, 1)
        assert in_thread(lambda: (store["a"], one["a"], dict(two))) == (1, 1, {})
        with pytest.raises(Stop):
            with one.transaction():
                one["a"] = store["a"] = two["b"] = "never"
                raise Stop
        with two.transaction():
            one["c"] = 3
        assert in_thread(lambda: dict(store.table("two"))) == {}
    assert (dict(store), dict(one), dict(two)) == ({"a": 2}, {"a": 2, "c": 3}, {"b": 2})
    with pytest.raises(Stop):
        with one.transaction():
            one.clear()
            store.clear()
            store.table("three")["x"] = 1
            raise Stop
    assert (dict(store), dict(one)) == ({"a": 2}, {"a": 2, "c": 3})
    assert dict(store.table("three")) == {}
    with pytest.raises(ConflictError):
        with store.transaction():
            assert one["a"] == 2
            in_thread(one.__setitem__, "a", 3)
            two["b"] = 4
    assert two["b"] == 2


def test_tables_that_are_dropped(open_store, mode):
    store = open_store(persist_mode=mode)
    one = store.table("one")
    with pytest.raises(RuntimeError, match="dropped"):
        with store.transaction():
            one["a"] = 1
            store.drop_table("one")
            assert one.dropped
            store["b"] = 1
    assert "b" not in store and store.tables() == []
    with store.transaction():
        with pytest.raises(RuntimeError, match="dropped"):
            one["a"]
        store["b"] = 1
    assert dict(store) == {"b": 1} and store.tables() == []


def test_transactions_of_tables_wait_for_each_other(open_store):
    store = open_store(persist_mode="memory")
    one, two = store.table("one"), store.table("two")
    one["n"] = 0

    def add(mapping):
        for _ in range(200):
            with mapping.transaction():
                one["n"] += 1

    threads = [threading.Thread(target=add, args=(m,)) for m in (store, one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert one["n"] == 600


# --- what it costs, and what it is


def test_a_walk_ends_with_it(store):
    store.update({str(i): i for i in range(100)})
    before = iter(store)
    assert next(before) == "0"
    with store.transaction():
        within = iter(store)
        assert next(within) == "0" and next(before) == "1"
        store["5"] = "new"
    with pytest.raises(RuntimeError, match="closed"):
        list(within)
    assert next(before) == "2"


def test_the_store_closes_where_it_is_let_go_of(path):
    """What a transaction leaves does not keep the store until the garbage collector comes by."""
    gc.collect()
    gc.disable()
    try:
        store = DictSQLiteV4(path)
        table = store.table("table")
        with store.transaction():
            store["a"] = table["a"] = list(store)
            with table.transaction():
                del table["a"]
        with pytest.raises(Stop):
            with table.transaction():
                raise Stop
        native = weakref.ref(store._handle)
        del store, table
        assert native() is None
        assert os.listdir(path.parent) == [path.name]  # closed: the log is gone
    finally:
        gc.enable()


def count_calls(function):
    """Calls of functions while `function` runs, in Python and out of it."""
    n_calls = 0

    def profile(frame, event, argument):
        nonlocal n_calls
        n_calls += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return n_calls


@pytest.mark.parametrize(
    "operate",
    [
        lambda db, i: len(db),
        lambda db, i: db.set(("e", i), i, expire=3600),
        lambda db, i: db.popitem(),
        lambda db, i: next(reversed(db)),
        lambda db, i: db.pop(i),
    ],
)
def test_operations_cost_the_same_however_many_were_written(open_store, mode, operate):
    """Time is what counts, and not a thing to count on: so the steps of Python, and a lot of it."""
    store = open_store(persist_mode=mode, enable_async=False)
    seconds, calls = [], []
    for n_keys in (500, 4000):
        store.clear()
        store.update({("old", i): i for i in range(n_keys)})
        with store.transaction():
            for i in range(n_keys):
                store[i] = i
            start = time.process_time()
            calls.append(count_calls(lambda: [operate(store, i) for i in range(n_keys)]))
            seconds.append(time.process_time() - start)
    assert calls[1] <= 9 * calls[0]
    assert seconds[1] <= 24 * seconds[0] + 0.2
