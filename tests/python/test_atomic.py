# test_atomic.py - incr, decr and compare_and_set: nothing is lost between reading and writing
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import subprocess
import sys
import threading
from decimal import Decimal

import pytest
from conftest import LONG, python

BIG = 2**63


def test_incr_counts_from_the_default(store):
    assert store.incr("n") == 1
    assert store.incr("n", 41) == 42
    assert store.decr("n") == 41
    assert store.incr("m", 2, default=10) == 12
    assert store.decr("l", 2, default=10) == 8
    assert dict(store) == {"n": 41, "m": 12, "l": 8}
    assert store.incr((1, "two")) == 1
    assert store.incr(1.0) == store[1] == 1


def test_incr_without_a_default(store):
    with pytest.raises(KeyError, match="n"):
        store.incr("n", default=None)
    with pytest.raises(KeyError):
        store.decr("n", default=None)
    assert "n" not in store
    store["n"] = 1
    assert store.incr("n", default=None) == 2


def test_incr_goes_beyond_64_bits(store):
    store["n"] = BIG - 2
    assert store.incr("n") == BIG - 1
    assert store.incr("n") == BIG
    assert store.incr("n", BIG) == 2 * BIG == store["n"]
    assert store.decr("n", 2 * BIG - 1) == 1 == store["n"]
    assert store.incr("m", -BIG) == -BIG
    assert store.incr("m", -1) == -BIG - 1
    assert store.incr("l", 1, default=BIG) == BIG + 1
    assert store.decr("k", -BIG) == BIG


def test_incr_of_other_numbers(store):
    assert store.incr("f", 0.5) == 0.5
    assert store.incr("f") == 1.5
    assert type(store.incr("f", 1)) is float
    store["b"] = True
    assert store.incr("b") == 2 and type(store["b"]) is int
    store["d"] = Decimal("0.1")
    assert store.incr("d", Decimal("0.2")) == Decimal("0.3") == store["d"]
    assert store.decr("d", Decimal("0.3")) == 0
    assert store.incr("s", "b", default="a") == "ab" == store["s"]


def test_incr_of_what_has_no_sum(store):
    store["s"] = "text"
    with pytest.raises(TypeError):
        store.incr("s")
    with pytest.raises(TypeError):
        store.incr("s", None)
    with pytest.raises(TypeError):
        store.incr([])
    assert store["s"] == "text"


def test_incr_keeps_the_place(store):
    store.update(a=1, b=2)
    store.incr("a")
    assert list(store) == ["a", "b"]


def test_incr_of_what_is_only_in_the_file(open_store, file_mode):
    with open_store(persist_mode=file_mode) as first:
        first.update({f"k{i}": i for i in range(50)})
    with open_store(persist_mode=file_mode, hot_capacity=3, warm_capacity=0) as second:
        assert [second.incr(f"k{i}") for i in range(50)] == list(range(1, 51))
        assert second.compare_and_set("k7", 8, "eight")
        assert len(second) == 50
    with open_store() as third:
        assert third["k49"] == 50 and third["k7"] == "eight"


def test_compare_and_set(store):
    assert not store.compare_and_set("a", None, 1)
    assert "a" not in store
    store["a"] = {"x": [1]}
    assert not store.compare_and_set("a", {"x": [2]}, 1)
    assert store.compare_and_set("a", {"x": [1]}, 1)
    assert store["a"] == 1
    assert store.compare_and_set("a", 1.0, None)  # equal is enough, as for dict
    assert store["a"] is None
    assert store.compare_and_set("a", None, "text")
    assert not store.compare_and_set("a", b"text", "other")
    assert store["a"] == "text"
    nan = float("nan")
    store["a"] = nan
    assert not store.compare_and_set("a", nan, 1)  # what is stored is another object


def test_compare_and_set_of_what_cannot_be_stored(store):
    store["a"] = 1
    with pytest.raises(Exception, match="pickle|local"):
        store.compare_and_set("a", 1, lambda: None)
    assert store["a"] == 1


N_THREADS, N_ROUNDS = 10, 1000


def run_threads(work):
    failures = []

    def run(number):
        try:
            work(number)
        except BaseException as error:  # noqa: B902
            failures.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(N_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_ten_threads_count_without_a_lock(open_store, mode):
    store = open_store(persist_mode=mode, hot_capacity=2, flush_interval=0.005)

    def count(number):
        for i in range(N_ROUNDS):
            store.incr("n")
            if i % 50 == 0:
                store[f"other {number} {i}"] = i  # so that the counter is evicted now and then

    run_threads(count)
    assert store["n"] == N_THREADS * N_ROUNDS


def test_ten_threads_count_by_compare_and_set(open_store, mode):
    store = open_store(persist_mode=mode, flush_interval=0.005)
    store["n"] = 0
    n_rounds = 1000 if LONG else 100

    def count(_):
        for _ in range(n_rounds):
            while not store.compare_and_set("n", value := store["n"], value + 1):
                pass

    run_threads(count)
    assert store["n"] == N_THREADS * n_rounds


def test_ten_threads_add_fractions(open_store, mode):
    store = open_store(persist_mode=mode)
    run_threads(lambda _: [store.incr("n", 0.5) for _ in range(100)])
    assert store["n"] == N_THREADS * 50.0


COUNT = """
import sys
from dictsqlite_v4 import DictSQLiteV4
with DictSQLiteV4(sys.argv[1], persist_mode="writethrough") as db:
    for _ in range(int(sys.argv[2])):
        db.incr("n")
        db.incr("big", 2**62)
"""


def test_processes_count_on_one_file(open_store, path):
    n_rounds = 5000 if LONG else 500
    with open_store():
        pass
    workers = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", COUNT, str(path), str(n_rounds)])
        for _ in range(2)
    ]
    assert [worker.wait(timeout=300) for worker in workers] == [0, 0]
    with open_store() as store:
        assert store["n"] == 2 * n_rounds
        assert store["big"] == 2 * n_rounds * 2**62
        assert len(store) == 2


def test_the_count_is_in_the_file_when_it_returns(path):
    code = """
import os, sys
from dictsqlite_v4 import DictSQLiteV4
db = DictSQLiteV4(sys.argv[1])
for _ in range(100):
    db.incr("n")
assert db.compare_and_set("n", 100, 101)
os.kill(os.getpid(), 9)
"""
    assert python(code, path).returncode == -9
    code = "import sys; from dictsqlite_v4 import DictSQLiteV4 as D; print(D(sys.argv[1])['n'])"
    read = python(code, path)
    assert read.stdout == "101\n", read.stderr
